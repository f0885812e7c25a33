/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * What boot code sets, and each run again: page sizes, layout, address spaces, CPUs. Part of powerpc.c.
 */

/* Boot. */
static void lz_boot_sizes(void)
{
	struct mmu_psize_def *small = &mmu_psize_defs[MMU_PAGE_4K], *middle = &mmu_psize_defs[MMU_PAGE_64K],
			     *large = &mmu_psize_defs[MMU_PAGE_16M], *two = &mmu_psize_defs[MMU_PAGE_2M];

	small->shift = 12;
	middle->shift = 16;
	large->shift = LZ_HASH_HUGE_SHIFT;
	two->shift = 21;
	small->tlbiel = middle->tlbiel = 1;
	if (lz_radix) {
		/* The encodings of POWER9's firmware. */
		small->ap = 0;
		two->ap = 1;
		middle->ap = 5;
		return;
	}
	middle->penc[MMU_PAGE_64K] = 1;
	middle->sllp = SLB_VSID_L | SLB_VSID_LP_01;
	large->sllp = SLB_VSID_L;
	large->avpnm = 1;
}

/* hash__early_init_mmu() and radix__early_init_mmu(): the layout is in variables where both MMUs are built in. */
static void lz_boot_layout(void)
{
#define LZ_LAYOUT(variable, name) variable = lz_radix ? RADIX_##name : H_##name
	LZ_LAYOUT(__pte_index_size, PTE_INDEX_SIZE);
	LZ_LAYOUT(__pmd_index_size, PMD_INDEX_SIZE);
	LZ_LAYOUT(__pud_index_size, PUD_INDEX_SIZE);
	LZ_LAYOUT(__pgd_index_size, PGD_INDEX_SIZE);
	LZ_LAYOUT(__kernel_virt_start, KERN_VIRT_START);
	LZ_LAYOUT(__vmalloc_start, VMALLOC_START);
	LZ_LAYOUT(__vmalloc_end, VMALLOC_END);
}

static void lz_boot_mms(void)
{
	unsigned n;

	lz_segment_count = 0;
	for (n = 1; n < LAZYMMU_MMS; n++) {
		lz_mm_of(n)->context.id = lz_radix ? n : MIN_USER_CONTEXT + n;
		/* Threads share it: nobody trims the mask of CPUs. */
		atomic_set(&lz_mm_of(n)->mm_users, 2);
	}
	for (n = 0; n < LAZYMMU_MMS && !lz_radix; n++) {
		unsigned long size;

		for (size = LZ_LARGE; size <= LZ_HUGE; size++)
			lz_add_segments(n, lz_arch_base(n, size),
					lz_arch_base(n, size) + ((unsigned long)LAZYMMU_PAGES << lz_arch_shift(size)));
	}
	if (!lz_radix)
		lz_add_segments(0, PAGE_OFFSET, PAGE_OFFSET + ((unsigned long)LZ_LINEAR_PAGE << PAGE_SHIFT));
}

extern void hpte_init_native(void);
int hash__kernel_map_pages(struct page *page, int numpages, int enable);
extern u8 *linear_map_hash_slots;	/* static in the tree, made global by the build */
extern unsigned long linear_map_hash_count;
static u8 lz_linear_slots[LAZYMMU_PAGES];

void lz_arch_boot(enum lz_form form)
{
	lz_radix = form == LZ_FORM_RADIX;
	cur_cpu_spec = &lz_cpu;
	lz_cpu.cpu_features = CPU_FTR_COHERENT_ICACHE | CPU_FTR_NOEXECUTE | LZ_CPU_FEATURES;
	lz_cpu.mmu_features = MMU_FTR_HPTE_TABLE | MMU_FTR_1T_SEGMENT | MMU_FTR_68_BIT_VA | MMU_FTR_16M_PAGE |
			      MMU_FTR_TLBIEL | MMU_FTR_LOCKLESS_TLBIE | MMU_FTR_CI_LARGE_PAGE;
	if (lz_radix)
		lz_cpu.mmu_features = MMU_FTR_TYPE_RADIX | MMU_FTR_GTSE;
	mmu_kernel_ssize = mmu_highuser_ssize = MMU_SEGSIZE_1T;
	mmu_linear_psize = mmu_virtual_psize = mmu_vmalloc_psize = LZ_BASE_PSIZE;
	lz_boot_sizes();
	lz_boot_layout();
	lz_boot_mms();
	if (!lz_radix) {
		hpte_init_native();
		lz_native = mmu_hash_ops;
		mmu_hash_ops.hpte_invalidate = lz_hpte_invalidate;
		mmu_hash_ops.flush_hash_range = lz_flush_hash_range;
		htab_address = lz_htab;
		htab_hash_mask = LZ_GROUPS - 1;
		lz_take_slots();
#ifdef CONFIG_DEBUG_PAGEALLOC
		linear_map_hash_slots = lz_linear_slots;
		linear_map_hash_count = ARRAY_SIZE(lz_linear_slots);
#endif
	}
	lz_arch_reset_cpus();
}

void lz_arch_reset_cpus(void)
{
	unsigned cpu;

	for (cpu = 0; cpu < LAZYMMU_CPUS; cpu++) {
		struct paca_struct *paca = &lz_pacas[cpu];

		memcpy(lz_percpu[cpu], __start_lz_percpu, __stop_lz_percpu - __start_lz_percpu);
		memset(paca, 0, sizeof *paca);
		paca->lock_token = 0x8000;
		paca->paca_index = cpu;
		paca->data_offset = __per_cpu_offset[cpu] = lz_percpu[cpu] - __start_lz_percpu;
		paca->__current = &lz_tasks[cpu];
	}
	lz_doomed_count = 0;
}

void lz_arch_task_init(struct task_struct *task) { }
void lz_arch_mm_init(struct mm_struct *mm, unsigned number) { spin_lock_init(&mm->page_table_lock); }

void lz_arch_run(unsigned cpu, struct task_struct *task, bool irqs_off)
{
	lz_paca = &lz_pacas[cpu];
	/* The caller goes on in C, with r13 as it is: from here on it is the new one. */
	local_paca = lz_paca;
	lz_paca->__current = task;
	lz_paca->irq_soft_mask = irqs_off ? IRQS_DISABLED : IRQS_ENABLED;
	task_thread_info(task)->cpu = cpu;
}

void lz_arch_mm_on(struct mm_struct *mm, unsigned number, unsigned long mask, bool context)
{
	*(unsigned long *)mm_cpumask(mm) = mask;
	atomic_set(&mm->context.active_cpus, (mask & 1) + (mask >> 1 & 1));
}

void lz_arch_settle(void) { lz_size_at_hand = LZ_SMALL; }
