//! x86: hypercalls read out of the guest's memory, and what a native flush does.
//!
//! A hypercall names memory by the tree's addresses; the engine's machine reads guest memory by the addresses that
//! `lazy_mmu_arches::x86_64::queue` lists. So each hypercall is copied, its pointers translated, into a guest memory of
//! ours. What a `LOCAL` operation means is put in the words of the machine, which knows operations on a mask of CPUs.

use std::cell::{Cell, RefCell};

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{Mm, PteRef, Size};
use lazy_mmu_arches::x86_64::decode::{Hypercall, INVLPG_MULTI, TLB_FLUSH_MULTI};
use lazy_mmu_arches::x86_64::{ENTRIES, ON_STACK, virtual_address};
use lazy_mmu_border::numbers::{NOWHERE, entry, insn as number};
use lazy_mmu_engine::subject::Env;

use crate::border::{enter, read, read_words, write};
use crate::tree::Tree;

/// Where the masks of `LOCAL` and `ALL` operations lie in our guest memory.
const MASKS: u64 = 0x3000;
/// The last word of it.
const END: u64 = 0x3400;

/// `include/xen/interface/xen.h`: operations on this CPU, on a mask, on all.
const TLB_FLUSH_LOCAL: u64 = 6;
const INVLPG_LOCAL: u64 = 7;
const INVLPG_ALL: u64 = 11;

/// What another CPU does for this one, while it does it.
#[derive(Clone, Copy, Debug, Default)]
struct Remote {
    cpu: u8,
    /// The first address, and how many.
    first: u64,
    pages: u64,
    all: bool,
}

/// The guest memory that the hypercall in progress names, and which CPU acts.
#[derive(Debug)]
pub struct State {
    memory: RefCell<Vec<u64>>,
    masks: Cell<u64>,
    /// Where the multicall entries in progress lie in the tree's memory.
    entries: Cell<u64>,
    remote: Cell<Option<Remote>>,
    /// The entries that the hypercall in progress updates.
    updated: RefCell<Vec<PteRef>>,
}

impl Default for State {
    fn default() -> Self {
        State {
            memory: RefCell::new(vec![0; END as usize / 8]),
            masks: Cell::new(MASKS),
            entries: Cell::new(0),
            remote: Cell::new(None),
            updated: RefCell::default(),
        }
    }
}

impl State {
    /// What the hypervisor reads.
    pub fn guest_load(&self, address: u64) -> u64 {
        self.memory.borrow().get(address as usize / 8).copied().unwrap_or(0)
    }

    /// What it writes: results, which the tree's code looks at.
    pub fn guest_store(&self, address: u64, value: u64) {
        self.put(address, value);
        let entries = self.entries.get();
        if entries != 0 && (ENTRIES..ON_STACK).contains(&address) {
            write(entries + (address - ENTRIES), value);
        }
    }

    fn put(&self, address: u64, value: u64) {
        if let Some(word) = self.memory.borrow_mut().get_mut(address as usize / 8) {
            *word = value;
        }
    }

    /// A store of the tree's own under Xen: tables are read-only to it, the hypervisor takes the trap and makes it.
    pub fn trapped_store(&self, env: &mut dyn Env, at: PteRef, word: u64) {
        self.put(ON_STACK, at.machine_address());
        self.put(ON_STACK + 8, word);
        env.note(Note::MmuImmediate);
        env.execute(Insn { op: Op::HcMmuUpdate, a: ON_STACK, b: 1 });
    }

    fn mask(&self, mask: u64) -> u64 {
        let at = self.masks.get();
        self.masks.set(if at + 16 < END { at + 8 } else { MASKS });
        self.put(at, mask);
        at
    }
}

/// The machine's address of what lies at an address of the tree's code.
fn translate(tree: &Tree, address: u64) -> u64 {
    tree.page_at(address).map_or(0, |(at, into)| virtual_address(at) + into)
}

/// The table entry that a hypercall names by a machine address of the tree's.
fn entry_of(tree: &Tree, pointer: u64) -> Option<PteRef> {
    tree.entry_at((pointer & !7) + enter(entry::GUEST, 0, 4, 0))
}

/// Where our guest memory has what the tree's code names: argument bytes keep their offset, the rest is on a stack.
fn argument(cpu: u8, pointer: u64) -> u64 {
    let arguments = enter(entry::GUEST, cpu.into(), 1, 0);
    if (arguments..arguments + 512).contains(&pointer) { pointer - arguments } else { ON_STACK }
}

fn copy_updates(tree: &Tree, to: u64, from: u64, count: u64) {
    for n in 0..count {
        let [pointer, value] = read_words(from + 16 * n);
        let entry = entry_of(tree, pointer);
        let address = entry.map_or(u64::MAX << 27, PteRef::machine_address);
        tree.x86.put(to + 16 * n, address | pointer & 7);
        tree.x86.updated.borrow_mut().extend(entry);
        tree.x86.put(to + 16 * n + 8, value);
    }
}

fn copy_operations(tree: &Tree, cpu: u8, to: u64, from: u64, count: u64) {
    for n in 0..count {
        // A command of 32 bits, an address, a pointer to a mask.
        let [command, address, mask] = read_words(from + 24 * n);
        let command = command & 0xffff_ffff;
        // The machine takes what is local for the CPU that runs, and the tree's code may stand on another one.
        let elsewhere = (cpu != tree.env().cpu()).then_some(1 << cpu);
        let (command, mask) = match (command, elsewhere) {
            (TLB_FLUSH_LOCAL, Some(there)) => (TLB_FLUSH_MULTI, there),
            (INVLPG_LOCAL, Some(there)) => (INVLPG_MULTI, there),
            (TLB_FLUSH_MULTI | INVLPG_MULTI, _) => (command, read(mask)),
            _ => (command, 0),
        };
        let is_page = matches!(command, INVLPG_LOCAL | INVLPG_MULTI | INVLPG_ALL);
        let address = if is_page { translate(tree, address) } else { 0 };
        let to = to + 24 * n;
        [command, address, tree.x86.mask(mask)].into_iter().zip([to, to + 8, to + 16]).for_each(|(word, at)| {
            tree.x86.put(at, word);
        });
    }
}

/// A hypercall: number, two arguments.
pub fn hypercall(tree: &Tree, number: u64, a: u64, count: u64) -> u64 {
    let cpu = tree.x86.remote.get().map_or_else(|| tree.env().cpu(), |remote| remote.cpu);
    let insn = match Hypercall::from_number(number) {
        Some(Hypercall::MmuUpdate) => {
            let at = argument(cpu, a);
            copy_updates(tree, at, a, count);
            if at == ON_STACK {
                tree.env().note(Note::MmuImmediate);
            }
            Insn { op: Op::HcMmuUpdate, a: at, b: count }
        }
        Some(Hypercall::MmuextOp) => {
            let at = argument(cpu, a);
            copy_operations(tree, cpu, at, a, count);
            Insn { op: Op::HcMmuextOp, a: at, b: count }
        }
        _ if number == MULTICALL => {
            multicall(tree, cpu, a, count);
            Insn { op: Op::HcMulticall, a: 0, b: count }
        }
        _ => return ENOSYS,
    };
    let result = tree.env().execute(insn);
    tree.x86.entries.set(0);
    let updated = tree.x86.updated.take();
    updated.iter().for_each(|&entry| tree.load_one(entry));
    result
}

const MULTICALL: u64 = 13;
/// `-ENOSYS`
const ENOSYS: u64 = -38i64 as u64;

/// Entries of 64 bytes: operation, result, six arguments.
fn multicall(tree: &Tree, cpu: u8, entries: u64, count: u64) {
    tree.x86.entries.set(entries);
    for n in 0..count.min(32) {
        let [operation, result, pointer, calls, done, domain] = read_words(entries + 64 * n);
        let at = argument(cpu, pointer);
        match Hypercall::from_number(operation) {
            Some(Hypercall::MmuUpdate) => copy_updates(tree, at, pointer, calls),
            Some(Hypercall::MmuextOp) => copy_operations(tree, cpu, at, pointer, calls),
            _ => {}
        }
        let to = ENTRIES + 64 * n;
        [operation, result, at, calls, done, domain].into_iter().zip(0..).for_each(|(word, field)| {
            tree.x86.put(to + 8 * field, word);
        });
    }
}

/// An instruction of bare hardware.
pub fn insn(tree: &Tree, which: u64, a: u64, _b: u64) -> u64 {
    let remote = tree.x86.remote.get();
    match (which, remote) {
        (number::LOCK_ADD, _) => tree.env().execute(Insn::plain(Op::LockXadd)),
        (number::INVLPG, None) => tree.env().execute(Insn::with(Op::Invlpg, translate(tree, a))),
        (number::INVLPG, Some(mut remote)) => {
            if remote.pages == 0 {
                remote.first = translate(tree, a);
            }
            remote.pages += 1;
            tree.x86.remote.set(Some(remote));
            0
        }
        (number::MOV_CR3, None) => {
            // The operand names the address space that is flushed.
            let mm = tree.open.get().flushing.map_or(Mm::KERNEL, |range| range.first.mm);
            tree.env().execute(Insn::with(Op::MovCr3, u64::from(mm.0) << 12))
        }
        (number::MOV_CR3, Some(remote)) => {
            tree.x86.remote.set(Some(Remote { all: true, ..remote }));
            0
        }
        (number::ACT_AS, Some(remote)) if a == NOWHERE => {
            tree.x86.remote.set(None);
            answered(tree, remote);
            0
        }
        (number::ACT_AS, _) => {
            tree.x86.remote.set(Some(Remote { cpu: a as u8, ..Remote::default() }));
            0
        }
        _ => 0,
    }
}

/// Another CPU has answered: what it did for this one is one event.
fn answered(tree: &Tree, remote: Remote) {
    let what = match remote {
        Remote { all: true, .. } => 0,
        Remote { pages: 0, .. } => return,
        Remote { first, pages, .. } => first | pages.min(0xfff),
    };
    tree.env().execute(Insn { op: Op::FlushIpi, a: remote.cpu.into(), b: what });
}

/// The table entries of x86, whose address in memory tells which they are.
impl Tree {
    fn entry_at(&self, place: u64) -> Option<PteRef> {
        [Size::Small, Size::Huge].into_iter().find_map(|size| self.entry_in(place, size))
    }
}
