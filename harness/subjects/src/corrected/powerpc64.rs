//! powerpc64 as Linux 7.2 has it, hash and radix, where our Rust differs.

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{PteRef, Range, Size};
use lazy_mmu_arches::powerpc64::queue::SINGLE_PAGES;
use lazy_mmu_arches::powerpc64::{Hash, Radix, decode, pte, virtual_address};

use super::hash_4k;
use crate::zoo::types::{At, Hooked, hooked, hooked_with_one_base_size};
use lazy_mmu_abi::subject::{Port, Subject};

/// `set_ptes()` stores, and forgets the hash entry of an entry that is live.
pub const SET_OVER_LIVE: u8 = 1;
/// `hash__kernel_map_pages()` puts the hash entry in when it maps, not at the first access.
pub const LINEAR_INSERT: u8 = 2;
/// With 4K pages a small and a large page are one size, and go into one batch.
pub const ONE_SIZE: u8 = 4;

/// Radix flushes this CPU alone where the address space is nowhere else, drops the walk cache with a range as long as a
/// table, and every cache of a process with a longer one.
pub const RADIX_FLUSH: u8 = 1;
/// With 4K pages a table of the last level maps 512 of them.
pub const TABLE_4K: u8 = 2;

/// Hash with the corrections of a mask.
pub fn hash(mask: u8) -> Box<dyn Subject> {
    match mask & (SET_OVER_LIVE | LINEAR_INSERT | ONE_SIZE) {
        0 => hooked::<HashAs<0>>(Port::Model),
        1 => hooked::<HashAs<1>>(Port::Model),
        2 => hooked::<HashAs<2>>(Port::Model),
        3 => hooked::<HashAs<3>>(Port::Model),
        4 => hooked_with_one_base_size::<HashAs<4>>(Port::Model),
        5 => hooked_with_one_base_size::<HashAs<5>>(Port::Model),
        6 => hooked_with_one_base_size::<HashAs<6>>(Port::Model),
        _ => hooked_with_one_base_size::<HashAs<7>>(Port::Model),
    }
}

/// Radix with the corrections of a mask.
pub fn radix(mask: u8) -> Box<dyn Subject> {
    match mask & (RADIX_FLUSH | TABLE_4K) {
        RADIX_FLUSH => hooked::<RadixAs<RADIX_FLUSH>>(Port::Model),
        TABLE_4K => hooked::<RadixAs<TABLE_4K>>(Port::Model),
        0 => hooked::<RadixAs<0>>(Port::Model),
        _ => hooked::<RadixAs<{ RADIX_FLUSH | TABLE_4K }>>(Port::Model),
    }
}

enum HashAs<const MASK: u8> {}

impl<const MASK: u8> Hooked for HashAs<MASK> {
    type Base = Hash;

    /// `set_ptes()`, `arch/powerpc/mm/pgtable.c`, 7.2.
    fn set_ptes<C: At<Hash>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        match (MASK & SET_OVER_LIVE, MASK & ONE_SIZE) {
            (0, 0) => Hash::set_ptes(cx, at, word, n),
            (0, _) => pte::set_ptes_by(cx, at, word, n, hash_4k::need_flush),
            _ => pte::radix_set_ptes(cx, at, word, n),
        }
    }

    fn flush<C: At<Hash>>(cx: &mut C) {
        if MASK & ONE_SIZE == 0 { Hash::flush(cx) } else { hash_4k::flush(cx) }
    }

    fn leave<C: At<Hash>>(cx: &mut C) {
        Self::flush(cx);
        cx.preempt_enable();
    }

    fn clear_pte<C: At<Hash>>(cx: &mut C, at: PteRef) -> u64 {
        if MASK & ONE_SIZE == 0 {
            return Hash::clear_pte(cx, at);
        }
        pte::update_by(cx, at, |_| 0, hash_4k::need_flush)
    }

    fn wrprotect_pte<C: At<Hash>>(cx: &mut C, at: PteRef) {
        if MASK & ONE_SIZE == 0 {
            return Hash::wrprotect_pte(cx, at);
        }
        pte::wrprotect_by(cx, at, hash_4k::need_flush);
    }

    fn gather_flush<C: At<Hash>>(cx: &mut C, range: Range) {
        if MASK & ONE_SIZE == 0 {
            return Hash::gather_flush(cx, range);
        }
        cx.preempt_disable();
        hash_4k::flush(cx);
        cx.preempt_enable();
    }

    /// `kernel_map_linear_page()`, `arch/powerpc/mm/book3s64/hash_utils.c`; `native_hpte_insert()`, `hash_native.c`, 7.2.
    fn map_linear_page<C: At<Hash>>(cx: &mut C, at: PteRef, word: Option<u64>) {
        let Some(word) = word.filter(|_| MASK & LINEAR_INSERT != 0) else {
            return Hash::map_linear_page(cx, at, word);
        };
        let is_known = cx.pte_load(at) & pte::HASHPTE != 0;
        cx.pte_store(at, pte::hash_touched(word));
        if is_known {
            return;
        }
        cx.op(Op::Eieio);
        cx.op(Op::Ptesync);
    }
}

enum RadixAs<const MASK: u8> {}

/// Base pages that a table of the last level maps, `PMD_SIZE`, by their size: 64K, 4K.
const TABLE_PAGES: [u16; 2] = [32, 512];
/// `tlb_local_single_page_flush_ceiling`: `POWER9_TLB_SETS_RADIX * 2`.
const LOCAL_SINGLE_PAGES: u16 = 256;
/// `POWER9_TLB_SETS_RADIX`
const TLB_SETS: u16 = 128;
/// `RIC_FLUSH_PWC`, in the instruction.
const RIC_PWC: u64 = 1 << 18;

impl<const MASK: u8> Hooked for RadixAs<MASK> {
    type Base = Radix;

    fn flush_tlb_range<C: At<Radix>>(cx: &mut C, range: Range) {
        if MASK & RADIX_FLUSH == 0 || range.first.mm.is_kernel() {
            return Radix::flush_tlb_range(cx, range);
        }
        // A flush of huge pages goes by their size, and never drops the walk cache: `radix__flush_pmd_tlb_range()`.
        let walks = if range.first.size == Size::Huge { 0 } else { decode::RIC_ALL };
        flush::<C, MASK>(cx, range, walks);
    }

    fn gather_flush<C: At<Radix>>(cx: &mut C, range: Range) {
        if MASK & RADIX_FLUSH == 0 || range.first.mm.is_kernel() {
            return Radix::gather_flush(cx, range);
        }
        flush::<C, MASK>(cx, range, 0);
    }
}

/// `__radix__flush_tlb_range()` and, with 0 for `of_process`, `__radix__flush_tlb_range_psize()`,
/// `arch/powerpc/mm/book3s64/radix_tlb.c`, 7.2. `of_process` is what a flush of the whole process drops.
fn flush<C: At<Radix>, const MASK: u8>(cx: &mut C, range: Range, of_process: u64) {
    let table = TABLE_PAGES[usize::from(MASK & TABLE_4K != 0)];
    let Range { first, pages } = range;
    let is_local = cx.is_thread_local(first.mm);
    let op = if is_local { Op::Tlbiel } else { Op::Tlbie };
    let form = |ric: u64| decode::radix_b(first.mm.0.into(), decode::R | decode::PRS | ric);
    let process = |cx: &mut C, ric: u64| cx.execute(Insn { op, a: decode::IS_PID, b: form(ric) });
    let page = |cx: &mut C, page: u16, size: Size| {
        let rb = decode::radix_rb(virtual_address(first.step(page)), size);
        cx.execute(Insn { op, a: rb, b: form(0) });
    };
    cx.op(Op::Ptesync);
    if pages > if is_local { LOCAL_SINGLE_PAGES } else { SINGLE_PAGES } {
        process(cx, of_process);
        // By itself a CPU goes through its sets one by one.
        for _ in 1..if is_local { TLB_SETS } else { 1 } {
            process(cx, 0);
        }
    } else {
        if of_process != 0 && pages >= table {
            process(cx, RIC_PWC);
        }
        (0..pages).for_each(|n| page(cx, n, first.size));
        if of_process != 0 {
            tables(first, pages, table).for_each(|n| page(cx, n, Size::Huge));
        }
    }
    if !is_local {
        cx.op(Op::Eieio);
        cx.op(Op::Tlbsync);
    }
    cx.op(Op::Ptesync);
}

/// Of a range of base pages those that begin a whole table: a huge page may have been there.
fn tables(first: PteRef, pages: u16, table: u16) -> impl Iterator<Item = u16> {
    let whole = move |n: &u16| (first.page + n).is_multiple_of(table) && n + table <= pages;
    (0..pages).filter(whole)
}
