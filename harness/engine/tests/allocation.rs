//! Running and judging programs allocates nothing once the buffers have grown: counted, not timed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lazy_mmu_engine::contract::Judge;
use lazy_mmu_engine::machine::Machine;
use lazy_mmu_engine::program::generate::{any, legal};
use lazy_mmu_engine::program::{Op, Program};
use lazy_mmu_engine::registry::{GenerationName, SUBJECTS};
use lazy_mmu_engine::subject::Port;

/// The system's allocator, counting what this thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|n| n.set(n.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged; the counter is a thread's own cell without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn runs_and_verdicts_allocate_nothing_after_warm_up() {
    // Violations are texts, so only what breaks nothing is judged here; anything may be run. (Under Xen new tasks break
    // something.)
    let makes_tasks = |program: &Program| program.ops().iter().any(|op| matches!(op, Op::Fork(_)));
    let legal: Vec<Program> = (0..60).map(|seed| legal(seed, 64)).filter(|program| !makes_tasks(program)).collect();
    let any: Vec<Program> = (0..60).map(|seed| any(seed, 64)).collect();
    let current = |subject: &&lazy_mmu_engine::registry::Descriptor| {
        subject.generation == GenerationName::Counted && !subject.backend.contains('@')
    };
    for descriptor in SUBJECTS.iter().filter(current) {
        let subject = descriptor.make(Port::Model);
        let (mut machine, mut judge) = (Machine::new(), Judge::default());
        let mut all = || {
            let mut operations = 0;
            for program in &any {
                machine.run(&*subject, program);
            }
            for program in &legal {
                let verdict = judge.judge(machine.run(&*subject, program), descriptor.rules());
                assert!(verdict.holds(), "{}: {verdict:?}\n{program}", descriptor.name);
                operations += program.ops().len();
            }
            operations
        };
        all();
        let before = ALLOCATIONS.with(Cell::get);
        let operations = all();
        let allocations = ALLOCATIONS.with(Cell::get) - before;
        assert!(operations > 3000);
        assert_eq!(allocations, 0, "{}", descriptor.name);
    }
}
