//! What walkers see, and what is late, operation by operation: reviewed against the rules in the memory's files.

use lazy_mmu_arches::page::{Mm, PteRef, Size};

use crate::Machine;
use lazy_mmu_abi::subject::Port;
use lazy_mmu_abi::trace::{Event, Point, What, line};
use lazy_mmu_program::text::parse;
use lazy_mmu_subjects::registry;

/// Subject, program, and per event its operation, CPU and line.
type Case = (&'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const CASES: &[Case] = &[
    // A kernel entry: walkers of no CPU see it before the barriers.
    (
        "aarch64",
        "enable; set K 1; cpu 1; access K 1; cpu 0; access K 1; disable; access K 1; cpu 1; access K 1",
        &[
            "1 c0 not in effect: K[1]: no barrier made the store visible to walkers",
            "3 c1 walk K[1] -> no entry (asked for: frame 512)",
            "5 c0 walk K[1] -> no entry (asked for: frame 512)",
            "7 c0 walk K[1] -> frame 512",
            "9 c1 walk K[1] -> frame 512",
        ],
    ),
    // A user entry needs none. A cached translation stays until the TLBI, on every CPU; whoever asks for the flush has seen the change.
    (
        "aarch64",
        "set U 1; access U 1; clear U 1; access U 1; cpu 1; access U 1; tlb_flush U 1; access U 1; cpu 0; access U 1",
        &[
            "1 c0 walk U[1] -> frame 512",
            "3 c0 walk U[1] -> frame 512 (asked for: no entry), not flushed yet",
            "5 c1 walk U[1] -> frame 512 (asked for: no entry), not flushed yet",
            "7 c1 walk U[1] -> no entry",
            "9 c0 walk U[1] -> no entry",
        ],
    ),
    // The kernel's, on both CPUs.
    (
        "aarch64",
        "set K 1; access K 1; cpu 1; access K 1; cpu 0; clear K 1; tlb_flush K 1; access K 1; cpu 1; access K 1",
        &[
            "1 c0 walk K[1] -> frame 512",
            "3 c1 walk K[1] -> frame 512",
            "7 c0 walk K[1] -> no entry",
            "9 c1 walk K[1] -> no entry",
        ],
    ),
    // A block's translation goes with any address in it.
    (
        "aarch64",
        "set K 1 huge; access K 1; set K 1; access K 1; tlb_flush K 1; access K 1",
        &[
            "1 c0 walk K[1] -> frame 512",
            "3 c0 walk K[1] -> frame 512 (asked for: frame 513), not flushed yet",
            "5 c0 walk K[1] -> frame 513",
        ],
    ),
    // Hash: entry and TLBs keep the old translation until the batch goes out.
    (
        "powerpc64-hash",
        "set U 1; access U 1; cpu 1; access U 1; cpu 0; enable; clear U 1; cpu 1; access U 1; cpu 0; disable; access U 1; cpu 1; access U 1",
        &[
            "1 c0 walk U[1] -> frame 512",
            "3 c1 walk U[1] -> frame 512",
            "6 c0 not in effect: U[1]: the hash table has the old translation",
            "8 c1 walk U[1] -> frame 512 (asked for: no entry), not flushed yet",
            "11 c0 walk U[1] -> no entry",
            "13 c1 walk U[1] -> no entry",
        ],
    ),
    // Radix: a tlbie of another page size misses.
    (
        "powerpc64-radix",
        "set U 1 large; access U 1; wrprot U 1; access U 1; tlb_flush U 1; access U 1; tlb_flush U 1 large; access U 1",
        &[
            "1 c0 walk U[1] -> frame 512",
            "3 c0 walk U[1] -> frame 512 (asked for: frame 512, read-only), not flushed yet",
            "4 c0 not in effect: U[1]: the TLB of CPU 0 has the old translation",
            "5 c0 walk U[1] -> frame 512 (asked for: frame 512, read-only), not flushed yet",
            "7 c0 walk U[1] -> frame 512, read-only",
        ],
    ),
    // sparc64: TSB, both TLBs, the other CPU by a cross call.
    (
        "sparc64",
        "set U 1 exec; access U 1; cpu 1; access U 1; cpu 0; enable; clear U 1; access U 1; cpu 1; access U 1; cpu 0; disable; access U 1; cpu 1; access U 1",
        &[
            "1 c0 walk U[1] -> frame 512",
            "3 c1 walk U[1] -> frame 512",
            "6 c0 not in effect: U[1]: a TSB has the old translation",
            "7 c0 walk U[1] -> frame 512 (asked for: no entry), not flushed yet",
            "9 c1 walk U[1] -> frame 512 (asked for: no entry), not flushed yet",
            "12 c0 walk U[1] -> no entry",
            "14 c1 walk U[1] -> no entry",
        ],
    ),
    // Either half of a huge page.
    (
        "sparc64",
        "set U 2 huge; access U 2; set U 3 huge; access U 3; clear U 2 x2; access U 2 x2",
        &[
            "1 c0 walk U[2] -> frame 512",
            "3 c0 walk U[3] -> frame 513",
            "5 c0 walk U[2] -> no entry",
            "5 c0 walk U[3] -> no entry",
        ],
    ),
    // A kernel's page waits for its flush.
    (
        "sparc64",
        "set K 1; access K 1; clear K 1; access K 1; tlb_flush K 1; access K 1",
        &[
            "1 c0 walk K[1] -> frame 512",
            "3 c0 walk K[1] -> frame 512 (asked for: no entry), not flushed yet",
            "5 c0 walk K[1] -> no entry",
        ],
    ),
    // A 64K page, under the hypervisor.
    (
        "sparc64-sun4v",
        "set V 5 large; access V 5; cpu 1; access V 5; cpu 0; set V 5; access V 5; cpu 1; access V 5",
        &[
            "1 c0 walk V[5] -> frame 512",
            "3 c1 walk V[5] -> frame 512",
            "6 c0 walk V[5] -> frame 513",
            "8 c1 walk V[5] -> frame 513",
        ],
    ),
    // x86: this CPU's invlpg, the other's interrupt.
    (
        "x86_64-native",
        "set U 1; access U 1; clear U 1; access U 1; cpu 1; access U 1; tlb_flush U 1; access U 1; cpu 0; access U 1",
        &[
            "1 c0 walk U[1] -> frame 512",
            "3 c0 walk U[1] -> frame 512 (asked for: no entry), not flushed yet",
            "5 c1 walk U[1] -> no entry",
            "7 c1 walk U[1] -> no entry",
            "9 c0 walk U[1] -> no entry",
        ],
    ),
    // Xen: the hypervisor makes the change, and then the flush behind it.
    (
        "counted/xen",
        "enable; set K 1; access K 1; disable; access K 1; enable; clear K 1; tlb_flush K 1; access K 1; disable; access K 1",
        &[
            "1 c0 not in effect: K[1]: the page table does not say it",
            "2 c0 walk K[1] -> no entry (asked for: frame 512)",
            "4 c0 walk K[1] -> frame 512",
            "6 c0 not in effect: K[1]: the page table does not say it",
            "7 c0 not in effect: K[1]: the page table does not say it",
            "8 c0 walk K[1] -> frame 512 (asked for: no entry), not flushed yet",
            "10 c0 walk K[1] -> no entry",
        ],
    ),
    // A frame is freed by the gather flush, and taken again.
    (
        "counted/xen",
        "set U 1; access U 1; clear U 1; gather_flush U 1; set U 2; access U 1; access U 2",
        &[
            "1 c0 walk U[1] -> frame 512",
            "3 c0 freed 1 frames, unmapped at U[1] and on",
            "5 c0 walk U[1] -> no entry",
            "6 c0 walk U[2] -> frame 512",
        ],
    ),
    // DEBUG_PAGEALLOC flushes this CPU alone: a freed frame is reached.
    (
        "x86_64-native",
        "alloc 3 debug; access K 1027; cpu 1; access K 1027; cpu 0; free 3 debug; access K 1027; cpu 1; access K 1027",
        &[
            "1 c0 walk K[1027] -> frame 3",
            "3 c1 walk K[1027] -> frame 3",
            "5 c0 freed frame 3 can still be reached by CPU 1 through K[1027]",
            "6 c0 walk K[1027] -> no entry",
            "8 c1 walk K[1027] -> frame 3, which is freed (asked for: no entry), not flushed yet",
        ],
    ),
    // Frames freed last are taken first.
    (
        "counted/none",
        "set U 0 x2; gather_flush U 0; clear U 0 x2; gather_flush U 0 x2; set U 5; set U 6; set U 7; access U 5 x3",
        &[
            "3 c0 freed 2 frames, unmapped at U[0] and on",
            "7 c0 walk U[5] -> frame 513",
            "7 c0 walk U[6] -> frame 512",
            "7 c0 walk U[7] -> frame 514",
        ],
    ),
    // A task that moves: its switch orders the store.
    (
        "aarch64",
        "preempt T1; migrate T0 1; cpu 1; preempt T0; set K 1; access K 1; enable; set K 2; preempt T3; migrate T0 0; cpu 0; switch T0; disable; access K 2; cpu 1; access K 2",
        &[
            "5 c1 walk K[1] -> frame 512",
            "7 c1 not in effect: K[2]: no barrier made the store visible to walkers",
            "13 c0 walk K[2] -> frame 513",
            "15 c1 walk K[2] -> frame 513",
        ],
    ),
    // Both CPUs are in the mask.
    (
        "counted/xen",
        "set U 1 x2; access U 1 x2; cpu 1; access U 1 x2; cpu 0; clear U 1 x2; tlb_flush U 1 x2; access U 1 x2; cpu 1; access U 1 x2",
        &[
            "1 c0 walk U[1] -> frame 512",
            "1 c0 walk U[2] -> frame 513",
            "3 c1 walk U[1] -> frame 512",
            "3 c1 walk U[2] -> frame 513",
            "7 c0 walk U[1] -> no entry",
            "7 c0 walk U[2] -> no entry",
            "9 c1 walk U[1] -> no entry",
            "9 c1 walk U[2] -> no entry",
        ],
    ),
    // The kernel's own operations.
    (
        "counted/none",
        "alloc 7 debug; access K 1031; free 7 debug; access K 1031; kasan_populate K 1536 x2; kasan_populate K 1536; access K 1536 x2; kasan_depopulate K 1536 x3; access K 1536 x2; fault 9; access K 9",
        &[
            "1 c0 walk K[1031] -> frame 7",
            "3 c0 walk K[1031] -> no entry",
            "6 c0 walk K[1536] -> frame 512",
            "6 c0 walk K[1537] -> frame 513",
            "8 c0 walk K[1536] -> no entry",
            "8 c0 walk K[1537] -> no entry",
            "10 c0 walk K[9] -> frame 514",
        ],
    ),
];

fn events(subject: &str, program: &str) -> Vec<Event> {
    let subject = registry::find(subject).expect("a known subject").make(Port::Model);
    Machine::new().run(&*subject, &parse(program).expect("a program")).to_vec()
}

#[test]
fn walkers_see_what_the_hardware_would() {
    let shown = |what: &What| {
        matches!(what, What::Walk(..) | What::Late(_) | What::Freed(..) | What::Reachable { .. } | What::Denied(_))
    };
    for (subject, program, expected) in CASES {
        let events = events(subject, program);
        let shown = events.iter().filter(|event| shown(&event.what));
        let lines: Vec<String> =
            shown.map(|event| format!("{} c{} {}", event.op, event.cpu, line(&event.what))).collect();
        assert_eq!(&lines, expected, "{subject}: {program}");
    }
}

/// Pages of one segment share a group of the hash table, and a second one: of many some are evicted. Their TLB entries
/// stay, and the batch's tlbie reaches them all the same.
#[test]
fn evicted_hash_entries_leave_nothing_behind() {
    let program = "set U 1024 x40; access U 1024 x40; enable; clear U 1024 x40; disable; access U 1024 x40";
    let walks = events("powerpc64-hash", program);
    let walks: Vec<bool> = walks
        .iter()
        .filter_map(|event| match event.what {
            What::Walk(_, walked) => Some(walked.found.is_some()),
            _ => None,
        })
        .collect();
    assert_eq!(walks.len(), 80);
    assert!(walks[..40].iter().all(|found| *found) && !walks[40..].iter().any(|found| *found));
}

/// What a hypervisor checks: the kind of update, the entry, the frame.
#[test]
fn a_hypervisor_refuses_bad_updates() {
    use lazy_mmu_arches::mmu::Mmu;
    let mut memory = super::Memory::new();
    memory.reset(Mmu::Xen);
    let entry = PteRef { mm: Mm(1), page: 5, size: Size::Small };
    let pointer = entry.machine_address();
    let word = |frame: u64| frame << 12 | 1;
    let rows: [(&str, u64, u64, Option<i64>); 8] = [
        ("an update", pointer, word(600), None),
        ("one that keeps accessed and dirty", pointer | 2, word(600), None),
        ("an entry that is not valid names no frame", pointer, u64::MAX << 12 & !(1 << 63), None),
        ("a machine-to-physical entry is no PTE", pointer | 1, word(600), Some(-22)),
        ("half an entry", pointer | 4, word(600), Some(-22)),
        ("no such address space", PteRef { mm: Mm(3), ..entry }.machine_address(), word(600), Some(-22)),
        ("no such page", PteRef { page: 2048, ..entry }.machine_address(), word(600), Some(-22)),
        ("another domain's frame", pointer, word(1 << 20), Some(-1)),
    ];
    for (what, pointer, value, refused) in rows {
        let made = memory.hypervisor_update(pointer, value);
        assert_eq!(made.map_err(|(_, error)| error as i64).err(), refused, "{what}");
    }
    let keeps = |pointer, value| {
        let mut memory = super::Memory::new();
        memory.reset(Mmu::Xen);
        memory.hypervisor_update(entry.machine_address(), word(600) | 0x60).expect("it is made");
        memory.hypervisor_update(pointer, value).map(|(_, stored)| stored)
    };
    assert_eq!(keeps(pointer, word(601)), Ok(word(601)));
    assert_eq!(keeps(pointer | 2, word(601)), Ok(word(601) | 0x60), "accessed and dirty are kept");
    assert!(!memory.store(0, entry, word(600)), "the guest's own tables are read-only to it");
}

/// An address space has a number in sparc64's TLB from when a task of it first runs until its last one ends: without
/// a number a batch leaves the TLBs alone, and nothing is missing.
#[test]
fn a_batch_of_an_address_space_without_a_number_leaves_the_tlb_alone() {
    use lazy_mmu_arches::insn::Op;
    const ENDS: &str = "set V 0 x2; access V 0 x2; migrate T2 1; cpu 1; switch T2; exit T3; cpu 0; exit T1";
    let demaps = |end: &str| {
        let events = events("sparc64", &format!("{ENDS}; {end}"));
        let late = events.iter().any(|event| matches!(event.what, What::Late(late) if late.point == Point::Settle));
        assert!(!late, "{end}");
        let is = |op| move |event: &&Event| matches!(event.what, What::Insn(insn) if insn.op == op);
        (events.iter().filter(is(Op::TsbFlush)).count(), events.iter().filter(is(Op::MembarSync)).count())
    };
    assert_eq!(demaps("enable; clear V 0 x2; disable"), (2, 0), "the TSB always, the TLB not");
    assert_eq!(demaps("access V 0; enable; clear V 0 x2; disable; access V 0"), (2, 2), "it has a number again");
    assert_eq!(demaps("clear V 0"), (1, 1), "outside a section the kernel does not ask");
    let other = events("sparc64", "set U 0 x2; exit T1; enable; clear U 0 x2; disable");
    assert!(other.iter().any(|event| matches!(event.what, What::Insn(insn) if insn.op == Op::MembarSync)));
}
