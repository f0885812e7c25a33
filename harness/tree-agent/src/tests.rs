//! The adapter over a border without C: a subject that keeps counters and one table, and stores at once.
//!
//! It is no model of any kernel: it shows what the adapter makes of entries, upcalls and memory.

use std::cell::{Cell, RefCell};

use lazy_mmu_arches::page::Mm;
use lazy_mmu_border::numbers::{self, at_parts, call, entry, fact, form, hook, pte_flag, upcall};
use lazy_mmu_engine::examine::Examiner;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::space::Reached;
use lazy_mmu_engine::subject::Subject;
use lazy_mmu_engine::trace::{Event, Hook, What};
use lazy_mmu_engine::wire::Frame;

use crate::contiguous::CONT;
use crate::groups::Contpte;
use crate::state::{Arenas, Facts};
use crate::tree::{FORMS, Tree};
use crate::upcall::lazymmu_machine;

const ENTRIES: usize = 9 * numbers::PAGES as usize;

/// What the subject keeps: one counter per task, in an arena; tables.
#[repr(C, align(64))]
struct Memory {
    counters: [Cell<u64>; 8],
    current: Cell<u64>,
    table: [Cell<u64>; ENTRIES],
}

thread_local! {
    static MEMORY: &'static Memory = Box::leak(Box::new(Memory {
        counters: [const { Cell::new(0) }; 8],
        current: Cell::new(0),
        table: [const { Cell::new(0) }; ENTRIES],
    }));
    /// What was asked that is remembered.
    static ASKED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// How many entries of a set get the contiguous bit.
    static CONTIGUOUS: Cell<u64> = const { Cell::new(0) };
}

fn index(at: u64) -> usize {
    let (mm, page, size) = at_parts(at);
    (usize::from(mm) * 3 + usize::from(size)) * numbers::PAGES as usize + usize::from(page)
}

fn say(what: u64, a: u64, b: u64) {
    // SAFETY: an entry is in progress, the numbers are the header's.
    unsafe { lazymmu_machine(what, a, b, 0, 0) };
}

/// # Safety
/// None is needed: it is the tests' own end of the border.
#[unsafe(no_mangle)]
unsafe extern "C" fn lazymmu_enter(which: u64, a: u64, b: u64, c: u64, _: u64) -> u64 {
    let memory = MEMORY.with(|memory| *memory);
    let mine = || &memory.counters[memory.current.get() as usize];
    match which {
        entry::FACT if a == fact::BORDER => return numbers::VERSION,
        entry::FACT if a == fact::API => return numbers::api::COUNTED,
        entry::FACT if a == fact::FORMS => return 1 << form::NATIVE,
        entry::FACT if a == fact::SHIFTS => return 12 | 12 << 8 | 21 << 16,
        entry::ARENA if a == 0 && b == 0 => return std::ptr::from_ref(memory) as u64,
        entry::ARENA if a == 0 => return 128,
        entry::RUN => memory.current.set(b),
        entry::COUNTERS => {
            let count = memory.counters[a as usize].get();
            return count | u64::from(count > 0) << 16;
        }
        entry::CALL if a == call::ENABLE => {
            mine().set(mine().get() + 1);
            if mine().get() == 1 {
                say(upcall::POINT, hook::ENTER, 0);
                say(upcall::HOOK, hook::ENTER, 1);
            }
        }
        entry::CALL if a == call::DISABLE => {
            mine().set(mine().get() - 1);
            say(upcall::POINT, hook::LEAVE, 0);
            say(upcall::HOOK, hook::LEAVE, 0);
        }
        entry::SET_PTES => (0..c).for_each(|n| {
            let bit = if n < CONTIGUOUS.get() { CONT } else { 0 };
            memory.table[index(a) + n as usize].set((b + (n << 12)) | bit);
        }),
        entry::CLEAR => return memory.table[index(a)].replace(0),
        entry::PTE_PLACE => return std::ptr::from_ref(&memory.table[index(a)]) as u64,
        entry::FORGET => {
            ASKED.with_borrow_mut(|asked| asked.push(a));
            memory.table[index(a)].set(0);
        }
        entry::PTE_WORD => return b << 12 | a,
        entry::PTE_FLAGS => return a & 0x3f,
        entry::PTE_FRAME => return a >> 12,
        entry::PAGE_AT => return numbers::NOWHERE,
        entry::ARCH_MODE => return 2,
        _ => {}
    }
    0
}

fn tree() -> &'static Tree {
    let facts = Facts::ask().expect("this border's version");
    let form = FORMS.into_iter().find(|form| form.number == form::NATIVE).expect("a form");
    Tree::boot(form, &facts, &Arenas::new().image())
}

fn events(tree: &Tree, program: &str) -> Vec<What> {
    let program = parse(program).expect("a program");
    let mut runner = Runner::new();
    let (events, _) = runner.run_on(tree, tree.rules(), &program);
    events.iter().map(|Event { what, .. }| *what).collect()
}

#[test]
fn a_store_in_memory_is_a_store_of_the_machine() {
    let tree = tree();
    let all = events(tree, "set K 5 x3; clear K 6");
    let stores: Vec<_> = all
        .iter()
        .filter_map(|what| if let What::Store(at, word) = what { Some((at.page, *word >> 12)) } else { None })
        .collect();
    let first = stores[0].1;
    assert_eq!(stores, [(5, first), (6, first + 1), (7, first + 2), (6, 0)]);
}

#[test]
fn a_call_reaches_its_point_and_its_hook_and_goes_on_as_who_it_was() {
    let all = events(tree(), "enable between { preempt T1; set K 1; preempt T0 }; disable");
    let hooks: Vec<_> = all.iter().filter(|what| matches!(what, What::Hook(..))).collect();
    assert_eq!(hooks, [&What::Hook(Hook::Enter, true), &What::Hook(Hook::Leave, false)]);
    assert!(all.iter().any(|what| matches!(what, What::Point(_))));
    let returns = all.iter().filter(|what| matches!(what, What::Return(_, counters) if counters.pause == 0)).count();
    assert_eq!(returns, 2);
}

#[test]
fn a_reset_forgets_what_a_run_has_touched_and_nothing_else() {
    let tree = tree();
    events(tree, "enable; set K 5 x2; set U 9");
    let dirty = tree.fingerprint();
    ASKED.with_borrow_mut(Vec::clear);
    tree.reset();
    let forgotten = ASKED.with_borrow_mut(std::mem::take);
    assert_eq!(forgotten, [numbers::at(0, 5, 0), numbers::at(0, 6, 0), numbers::at(1, 9, 0)]);
    assert_eq!(tree.counters(0).enable, 0);
    assert_ne!(tree.fingerprint(), dirty, "the counter is state");
    assert!(Mm::KERNEL.is_kernel() && pte_flag::VALID == 1);
}

/// Each step is taken on the tree's code: what leads to a known state has its fingerprint; what no alphabet has is refused.
#[test]
fn steps_of_an_exploration_are_taken() {
    let tree = tree();
    let steps = ["enable", "query"].map(|text| encode(&parse(text).expect("a program")));
    let of = Examiner { subject: tree, rules: tree.rules(), kind: "", explain: |_, _, _| Vec::new() };
    let ask = |paths: &[Vec<u8>]| crate::explore::expand(of, &steps, paths);
    let Frame::Expanded(expanded) = ask(&[vec![], vec![1]]) else { panic!("no answer") };
    let [opened, asked, again, asked_twice] = &expanded.reached[..] else { panic!("{expanded:?}") };
    let boot = Reached::State(expanded.boot);
    assert_eq!((asked, asked_twice, opened), (&boot, &boot, again));
    assert!(opened != &boot && matches!(opened, Reached::State(_)), "{expanded:?}");
    for bad in [vec![2], vec![0; 24], vec![200]] {
        assert!(matches!(ask(&[bad]), Frame::Panicked { .. }));
    }
}

/// A group that is set with the contiguous bit is told without it; one that has it in part is a finding, once.
#[test]
fn the_machine_hears_of_no_contiguous_bit_and_the_adapter_checks_it() {
    let facts = Facts { contpte: Contpte::of(1 | 64 << 8 | 48 << 16), ..Facts::ask().expect("this border's version") };
    let form = FORMS.into_iter().find(|form| form.number == form::AARCH64).expect("a form");
    let tree = Tree::boot(form, &facts, &Arenas::new().image());
    for (bits, expected) in [(16, None), (15, Some("some of 16 entries carry the contiguous bit"))] {
        CONTIGUOUS.set(bits);
        let all = events(tree, "set U 16 x16; get U 20");
        CONTIGUOUS.set(0);
        let stores: Vec<_> =
            all.iter().filter_map(|what| if let What::Store(_, word) = what { Some(*word) } else { None }).collect();
        assert!(stores.len() == 16 && stores.iter().all(|word| word & CONT == 0), "{stores:x?}");
        assert_eq!(tree.groups.seen().batch, expected.is_none());
        let said = |what: &What| if let What::Complaint(_, site) = what { Some(site.text()) } else { None };
        let mixed = all.iter().filter_map(said).filter(|text| text.contains("some of 16"));
        assert_eq!(mixed.count(), usize::from(expected.is_some()), "{bits}: {all:?}");
    }
}
