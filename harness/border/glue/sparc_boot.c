/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * What boot code sets, and each run again: sun4v's instructions, the linear map, CPUs, tasks, address spaces. Part of sparc.c.
 */

/* sun4v has other instructions in some places: as sun4v_patch() does, and back again. */
struct lz_patch1 { u32 at, insn; };
struct lz_patch2 { u32 at, insns[2]; };
extern struct lz_patch1 __start_lz_sun4v1[], __stop_lz_sun4v1[];
extern struct lz_patch2 __start_lz_sun4v2[], __stop_lz_sun4v2[];

static void lz_swap(u32 *at, u32 *insn)
{
	u32 was = *at;

	*at = *insn;
	*insn = was;
	asm volatile("flush %0" : : "r" (at) : "memory");
}

/* mprotect() of the text: this program's own, in user mode. */
static void lz_text_is_writable(unsigned long from, unsigned long to)
{
	register unsigned long o0 asm("o0") = from & ~(PAGE_SIZE - 1), o1 asm("o1") = to - (from & ~(PAGE_SIZE - 1)),
			       o2 asm("o2") = 7, number asm("g1") = 74;

	asm volatile("ta 0x6d" : "+r" (o0) : "r" (o1), "r" (o2), "r" (number) : "memory", "cc", "o3", "o4", "o5");
}

static void lz_patch(void)
{
	unsigned long from = ~0UL, to = 0;
	struct lz_patch1 *one;
	struct lz_patch2 *two;

	for (one = __start_lz_sun4v1; one < __stop_lz_sun4v1; one++)
		from = min(from, (unsigned long)one->at), to = max(to, one->at + 4UL);
	for (two = __start_lz_sun4v2; two < __stop_lz_sun4v2; two++)
		from = min(from, (unsigned long)two->at), to = max(to, two->at + 8UL);
	if (from >= to)
		return;
	lz_text_is_writable(from, to);
	for (one = __start_lz_sun4v1; one < __stop_lz_sun4v1; one++)
		lz_swap((u32 *)(unsigned long)one->at, &one->insn);
	for (two = __start_lz_sun4v2; two < __stop_lz_sun4v2; two++) {
		lz_swap((u32 *)(unsigned long)two->at, &two->insns[0]);
		lz_swap((u32 *)(unsigned long)two->at + 1, &two->insns[1]);
	}
}

/* Whether the text is sun4v's. Not in an arena: a form that is put back in memory gets its own text at its next step. */
static bool lz_text_is_sun4v __attribute__((section(".bss.lz_tables")));

static void lz_patch_for_form(void)
{
	if (lz_text_is_sun4v == lz_sun4v)
		return;
	lz_text_is_sun4v = lz_sun4v;
	lz_patch();
}

static void lz_boot_linear_map(void)
{
	pgd_t *pgd = pgd_offset_pgd(swapper_pg_dir, PAGE_OFFSET);
	p4d_t *p4d = p4d_offset(pgd, PAGE_OFFSET);

	p4d_populate(&init_mm, p4d, lz_puds);
	pud_populate(&init_mm, &lz_puds[0], lz_pmds);
	pmd_populate_kernel(&init_mm, &lz_pmds[0], (pte_t *)&lz_small[0][LZ_LINEAR_PAGE]);
}

/* Boot. */
static u64 lz_mondos[LAZYMMU_CPUS][8];
static u16 lz_lists[LAZYMMU_CPUS][64];

void lz_arch_boot(enum lz_form form)
{
	unsigned n, t;

	lz_sun4v = form == LZ_FORM_SUN4V;
	lz_patch_for_form();
	tlb_type = lz_sun4v ? hypervisor : spitfire;
	tlb_context_cache = CTX_FIRST_VERSION;
	/* Physical and virtual addresses are the same. */
	PAGE_OFFSET = 0;
	*(unsigned long *)&__cpu_online_mask = (1 << LAZYMMU_CPUS) - 1;
	xcall_deliver_impl = lz_deliver;
	lz_boot_protections(lz_sun4v);
	for (n = 1; n < LAZYMMU_MMS; n++) {
		mm_context_t *context = &lz_mm_of(n)->context;

		for (t = 0; t < MM_NUM_TSBS; t++) {
			context->tsb_block[t].tsb = lz_tsbs[n][t];
			context->tsb_block[t].tsb_nentries = LZ_TSB_ENTRIES;
		}
	}
	lz_boot_linear_map();
	lz_arch_reset_cpus();
}

void lz_arch_reset_cpus(void)
{
	unsigned cpu;

	for (cpu = 0; cpu < LAZYMMU_CPUS; cpu++) {
		memcpy(lz_percpu[cpu], __start_lz_percpu, __stop_lz_percpu - __start_lz_percpu);
		trap_block[cpu].__per_cpu_base = lz_cpu_offset(cpu);
		trap_block[cpu].cpu_mondo_block_pa = (unsigned long)lz_mondos[cpu];
		trap_block[cpu].cpu_list_pa = (unsigned long)lz_lists[cpu];
	}
}

void lz_arch_task_init(struct task_struct *task)
{
	unsigned n = task - lz_tasks;

	lz_infos[n].task = task;
	task->stack = &lz_infos[n];
}

void lz_arch_mm_init(struct mm_struct *mm, unsigned number)
{
	spin_lock_init(&mm->page_table_lock);
	spin_lock_init(&mm->context.lock);
	if (!number)
		mm->pgd = swapper_pg_dir;
}

void lz_arch_run(unsigned cpu, struct task_struct *task, bool irqs_off)
{
	lz_patch_for_form();
	task_thread_info(task)->cpu = cpu;
	lz_pil = irqs_off ? LZ_PIL_OFF : 0;
	lz_regs[0] = (unsigned long)task;
	lz_regs[1] = lz_cpu_offset(cpu);
	lz_regs[2] = (unsigned long)task_thread_info(task);
	/* The caller goes on in C, with the registers as they are: from here on they are the new ones. */
	asm volatile("mov %0, %%g4\n\tmov %1, %%g5\n\tmov %2, %%g6"
		     : : "r" (lz_regs[0]), "r" (lz_regs[1]), "r" (lz_regs[2]) : "memory");
}

void lz_arch_mm_on(struct mm_struct *mm, unsigned number, unsigned long mask, bool context)
{
	*(unsigned long *)mm_cpumask(mm) = mask;
	if (number)
		mm->context.sparc64_ctx_val = context ? CTX_FIRST_VERSION | number : 0;
}

void lz_arch_settle(void) { }

void lz_arch_forget(unsigned mm, unsigned page, enum lz_size size)
{
	unsigned i;

	for (i = 0; i < (size == LZ_LARGE ? LZ_PARTS : 1); i++)
		((pte_t *)lz_arch_place(mm, page, size))[i] = __pte(0);
}
