//! arm64: barriers, TLB invalidations, the pending flag.
//!
//! arm64 has no trace points that say what became of an update, so the notes are made here, of the instructions and of
//! the flag.

use std::cell::Cell;

use lazy_mmu_arches::aarch64::decode::{self, decode};
use lazy_mmu_arches::aarch64::virtual_address;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Isa, Op};
use lazy_mmu_border::numbers::{entry, insn as number};

use crate::border::enter;
use crate::guard;
use crate::tree::Tree;

/// What the last instruction was, and whether the call in progress has changed a flag.
#[derive(Debug, Default)]
pub struct State {
    last: Cell<Option<Op>>,
}

impl State {
    /// A run begins.
    pub fn reset(&self) {
        self.last.set(None);
    }
}

/// The low 44 bits of an operand are bits 55:12 of the address.
const VA_FIELD: u64 = (1 << 44) - 1;

/// The operand as the machine's addresses have it.
fn translate(tree: &Tree, operand: u64) -> u64 {
    let address = ((operand << 20) as i64 >> 8) as u64;
    let Some((at, into)) = tree.page_at(address) else { return operand };
    let there = (virtual_address(at) + into) >> 12 & VA_FIELD;
    // The level hint is the tree's own; the machine's backends give no hint.
    operand & (0xffff << 48) | u64::from(decode::NO_LEVEL) << 44 | there
}

/// The bit of CRm in which a local TLBI differs from the one that every CPU takes.
const LOCAL: u32 = 4 << 8;

/// The TLBI that every CPU takes, for a local one.
fn shareable(word: u32) -> u32 {
    word & !LOCAL
}

/// Whether a local TLBI leaves translations behind: those that other CPUs hold of the call's address space. The machine
/// has no local TLBI, so such a one is as none at all.
fn is_lost(tree: &Tree, word: u32) -> bool {
    word & LOCAL != 0 && !tree.open.get().about().is_some_and(|mm| tree.env().is_thread_local(mm))
}

/// An instruction.
pub fn insn(tree: &Tree, which: u64, a: u64, b: u64) -> u64 {
    let (op, operand) = match which {
        number::DSB_ISHST => (Op::DsbIshst, 0),
        number::DSB_ISH => (Op::DsbIsh, 0),
        number::DSB_NSHST => (Op::DsbNshst, 0),
        number::DSB_NSH => (Op::DsbNsh, 0),
        number::ISB => (Op::Isb, 0),
        number::TLBI if is_lost(tree, a as u32) => return 0,
        number::TLBI => match decode(shareable(a as u32)) {
            Some(found) if matches!(found.op, Op::TlbiAside1is | Op::TlbiVmalle1is) => (found.op, b),
            Some(found) => (found.op, translate(tree, b)),
            None => guard::die(&format!("the tree's code executes {a:#010x}, a TLBI that is not modelled")),
        },
        _ => return 0,
    };
    if tree.step_groups(op, b) {
        return 0;
    }
    // No trace point says which way queue_pte_barriers() went.
    if tree.open.get().updating && op == Op::DsbIshst {
        tree.env().note(Note::QueueEmitted);
    }
    let operand = if op == Op::TlbiVmalle1is { 0 } else { operand };
    tree.env().execute(Insn { op, a: operand, b: 0 });
    // emit_pte_barriers() is this pair.
    if op == Op::Isb && tree.arm64.last.get() == Some(Op::DsbIshst) {
        tree.env().note(Note::Barriers);
    }
    tree.arm64.last.set(Some(op));
    0
}

/// The pending flag is set or cleared.
pub fn flag(tree: &Tree, set: bool) {
    let op = if set { Op::FlagSet } else { Op::FlagClear };
    tree.env().execute(Insn { op, a: 0, b: 0 });
}

/// `set_ptes()` is done: it was deferred if the mode is on and the flag is.
pub fn after_set(tree: &Tree) {
    if tree.form.isa != Isa::Aarch64 || !tree.open.get().updating {
        return;
    }
    // The stores were made before they were deferred.
    tree.settle();
    let task = tree.env().current();
    let queued = tree.open.get().at.is_some_and(|at| at.mm.is_kernel()) && tree.set_is_valid();
    let is_pending = || enter(entry::DEFERRED, tree.env().cpu().into(), task.into(), 1) != 0;
    if queued && !tree.env().in_interrupt() && enter(entry::IS_ACTIVE, 0, 0, 0) != 0 && is_pending() {
        tree.env().note(Note::QueueDeferred);
    }
}
