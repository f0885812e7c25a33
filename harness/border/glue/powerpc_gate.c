/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * What the instructions of hash_native.c and radix_tlb.c come to. Part of powerpc.c, behind powerpc_hash.c: an instruction is
 * the moment at which an entry is seen to have left the table.
 */

/*
 * An instruction. RB of the hash MMU names a virtual page, its size and its segment's; of the radix MMU an address of the
 * process in RS. The fourth operand is the page it names, the third RS with RIC, PRS and R from bit 8 on.
 */
__visible void lz_gate(unsigned long number, unsigned long rb, unsigned long rs)
{
	unsigned insn = number & 0xff;
	lz_u64 at = LZ_NOWHERE, form = number >> 8;

	if (lz_faulting)
		return;
	lz_tell_doomed();
	rs &= ~0xffffffffUL;
	if (insn != LZ_INSN_TLBIE && insn != LZ_INSN_TLBIEL)
		rb = rs = 0;
	else if (!lz_radix)
		rs = 0;
	if (insn == LZ_INSN_TLBIE || insn == LZ_INSN_TLBIEL) {
		if (lz_radix) {
			unsigned ap = rb >> 5 & 7;
			bool huge = ap == mmu_psize_defs[MMU_PAGE_2M].ap;
			enum lz_size size = huge ? LZ_HUGE : LZ_LARGE;

			/* An operand of another size names no page that is mapped here. */
			if (!(rb >> 10 & 3) && rs >> 32 < LAZYMMU_MMS && (huge || ap == mmu_psize_defs[LZ_BASE_PSIZE].ap))
				at = lz_page_at(rs >> 32, rb & PAGE_MASK, size);
		} else {
			bool large = rb & 1;
			enum lz_size size = !large ? LZ_SMALL : (rb >> 12 & 0xf) == 1 ? LZ_LARGE : LZ_HUGE;
			unsigned long page = size == LZ_SMALL ? 12 : size == LZ_LARGE ? 16 : 24;

			at = lz_page_of_va(rb & ~((1UL << page) - 1), rb >> 8 & 3, size);
			if (!large)
				at = lz_as_told(at);
		}
	}
	lazymmu_upcall(LZ_UP_INSN, insn, rb, rs | form << 8, at);
}

asm("	.section .text.lz_insn_gate, \"ax\"\n"
    "	.globl	.lz_insn_gate\n"
    "	.type	.lz_insn_gate, @function\n"
    ".lz_insn_gate:\n"
    "	stdu	1, -256(1)\n"
    "	std	3, 120(1)\n	std	4, 128(1)\n	std	5, 136(1)\n	std	6, 144(1)\n	std	7, 152(1)\n"
    "	std	8, 160(1)\n	std	9, 168(1)\n	std	10, 176(1)\n	std	11, 184(1)\n	std	12, 192(1)\n"
    "	mfcr	3\n	std	3, 200(1)\n	mfctr	3\n	std	3, 208(1)\n	mfxer	3\n	std	3, 216(1)\n"
    "	mflr	3\n	std	3, 224(1)\n	std	2, 232(1)\n"
    "	mr	3, 0\n	ld	4, 392(1)\n	ld	5, 384(1)\n"
    "	bl	.lz_gate\n	nop\n"
    "	ld	2, 232(1)\n	ld	3, 224(1)\n	mtlr	3\n"
    "	ld	3, 216(1)\n	mtxer	3\n	ld	3, 208(1)\n	mtctr	3\n	ld	3, 200(1)\n	mtcrf	0xff, 3\n"
    "	ld	3, 120(1)\n	ld	4, 128(1)\n	ld	5, 136(1)\n	ld	6, 144(1)\n	ld	7, 152(1)\n"
    "	ld	8, 160(1)\n	ld	9, 168(1)\n	ld	10, 176(1)\n	ld	11, 184(1)\n	ld	12, 192(1)\n"
    "	addi	1, 1, 256\n	blr\n"
    "	.previous\n");
