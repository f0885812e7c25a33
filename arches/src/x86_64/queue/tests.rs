//! The buffer's limits, what its flushes execute, and the guest memory a hypervisor reads.

extern crate std;

use std::hash::{BuildHasher, RandomState};
use std::vec::Vec;

use super::*;
use crate::backend::Backend;
use crate::page::Range;
use crate::x86_64::tests::{Event, Mock, page};
use crate::x86_64::{ENTRIES, Xen};

/// 31 updates fill a buffer: any number of them goes out in ceil(n / 31) hypercalls, never as a multicall.
#[test]
fn updates_go_out_in_hypercalls_of_31() {
    for updates in 0..=200_u16 {
        let mut cx = Mock::<Xen>::new();
        cx.counters(1, 0);
        for n in 0..updates {
            Xen::set_ptes(&mut cx, page(1, n), u64::from(n) + 1, 1);
        }
        cx.counters(0, 0);
        Xen::leave(&mut cx);
        let counts: Vec<u64> = cx.take_ops().into_iter().map(direct_update).collect();
        assert_eq!(counts.len(), usize::from(updates.div_ceil(31)));
        assert_eq!(counts.iter().sum::<u64>(), updates.into());
        assert!(counts.iter().rev().skip(1).all(|&count| count == 31), "{counts:?}");
        let memory: Vec<u64> = cx.memory.into_values().collect();
        assert_eq!(memory, Vec::from_iter(1..=u64::from(updates)), "none lost, none twice");
    }
}

fn direct_update((op, a, b): (Op, u64, u64)) -> u64 {
    assert_eq!((op, a), (Op::HcMmuUpdate, 0));
    b
}

/// The same through one call, and what the notes say: 31 queued, then a flush of one entry with 496 bytes.
#[test]
fn the_32nd_update_flushes() {
    let mut cx = Mock::<Xen>::new();
    cx.counters(1, 0);
    Xen::set_ptes(&mut cx, page(1, 0), 1, 31);
    assert_eq!(cx.take(), [Event::Note(Note::MmuQueued); 31]);
    assert_eq!(cx.cpus[0].fill(), (1, 496));
    Xen::set_ptes(&mut cx, page(1, 31), 1, 1);
    let flush = [Event::Note(Note::McFlush(1, 496)), Event::Op(Op::HcMmuUpdate, 0, 31), Event::Note(Note::MmuQueued)];
    assert_eq!(cx.take(), flush);
    assert_eq!(cx.cpus[0].fill(), (1, 16));
}

fn flush_tlb(cx: &mut Mock<Xen>, at: u16) {
    Xen::flush_tlb_range(cx, Range { first: page(1, at), pages: 1 });
}

/// A TLB flush between two updates: three entries, in their order, in one multicall.
#[test]
fn mixed_operations_are_a_multicall() {
    let mut cx = Mock::<Xen>::new();
    cx.counters(1, 0);
    Xen::set_ptes(&mut cx, page(1, 1), 0x10, 2);
    flush_tlb(&mut cx, 1);
    Xen::set_ptes(&mut cx, page(1, 3), 0x30, 1);
    assert_eq!(cx.cpus[0].fill(), (3, 32 + 32 + 16));
    cx.take();
    Xen::flush(&mut cx);
    assert_eq!(cx.take_ops(), [(Op::HcMulticall, 0, 3)]);
    let cpu = &cx.cpus[0];
    let entry = |n: u64| [0, 16, 24, 32, 40].map(|field| Xen::guest_load(cpu, ENTRIES + 64 * n + field));
    assert_eq!(entry(0), [1, 0, 2, 0, DOMID_SELF]);
    assert_eq!(entry(1), [26, 32, 1, 0, DOMID_SELF]);
    assert_eq!(entry(2), [1, 64, 1, 0, DOMID_SELF]);
    let pointer = page(1, 2).machine_address();
    assert_eq!([16, 24].map(|address| Xen::guest_load(cpu, address)), [pointer, 0x1010]);
    assert_eq!(cx.memory.len(), 3);
    assert_eq!(cx.cpus[0].failed_results(), 0);
}

/// TLB flushes never share an entry: 32 bytes each, the 16th has no room.
#[test]
fn flushes_alone_fill_the_argument_bytes() {
    let mut cx = Mock::<Xen>::new();
    cx.counters(1, 0);
    for n in 1..=15_u8 {
        flush_tlb(&mut cx, 1);
        assert_eq!(cx.cpus[0].fill(), (n, u16::from(n) * 32));
    }
    cx.take();
    flush_tlb(&mut cx, 1);
    assert_eq!(cx.take_ops(), [(Op::LockXadd, 0, 0), (Op::HcMulticall, 0, 15)]);
    assert_eq!(cx.cpus[0].fill(), (1, 32));
}

/// Arguments too run out first when sets and flushes alternate: 48 bytes a pair, ten pairs and one update.
#[test]
fn alternating_operations_fill_the_argument_bytes() {
    let mut cx = Mock::<Xen>::new();
    cx.counters(1, 0);
    for n in 0..10 {
        Xen::set_ptes(&mut cx, page(1, n), 1, 1);
        flush_tlb(&mut cx, n);
    }
    Xen::set_ptes(&mut cx, page(1, 10), 1, 1);
    assert_eq!(cx.cpus[0].fill(), (21, 496));
    cx.take();
    flush_tlb(&mut cx, 10);
    assert_eq!(cx.take_ops(), [(Op::LockXadd, 0, 0), (Op::HcMulticall, 0, 21)]);
    assert_eq!(cx.cpus[0].fill(), (1, 32));
}

/// The entries' own limit: reached only by entries without arguments, which no MMU operation makes.
#[test]
fn the_33rd_entry_flushes() {
    let mut cx = Mock::<Xen>::new();
    for n in 0..BATCH {
        assert_eq!(new_entry(&mut cx, Hypercall::MmuextOp, 8), u16::from(n) * 8);
    }
    assert_eq!(cx.take(), []);
    assert_eq!(new_entry(&mut cx, Hypercall::MmuextOp, 8), 0);
    assert_eq!(cx.take_ops(), [(Op::HcMulticall, 0, 32)]);
    assert_eq!(cx.cpus[0].fill(), (1, 8));
}

/// An odd number of argument bytes: the next entry's begin at a multiple of 8.
#[test]
fn arguments_are_aligned() {
    let mut cx = Mock::<Xen>::new();
    new_entry(&mut cx, Hypercall::MmuextOp, 12);
    assert_eq!(new_entry(&mut cx, Hypercall::MmuextOp, 8), 16);
    assert_eq!(cx.cpus[0].fill(), (2, 24));
}

#[test]
fn an_empty_flush_is_noted_and_executes_nothing() {
    let mut cx = Mock::<Xen>::new();
    flush(&mut cx);
    assert_eq!(cx.take(), [Event::Note(Note::McFlush(0, 0))]);
}

/// -22 from every hypercall: counted for those of the buffer, ignored for an immediate one.
#[test]
fn failed_results_are_counted() {
    let mut cx = Mock::<Xen>::new();
    cx.result = -22_i64 as u64;
    Xen::set_ptes(&mut cx, page(1, 1), 1, 1);
    assert_eq!(cx.cpus[0].failed_results(), 0);
    cx.counters(1, 0);
    Xen::set_ptes(&mut cx, page(1, 1), 1, 1);
    Xen::flush(&mut cx);
    assert_eq!(cx.cpus[0].failed_results(), 1);
    Xen::set_ptes(&mut cx, page(1, 1), 1, 1);
    flush_tlb(&mut cx, 1);
    Xen::flush(&mut cx);
    assert_eq!(cx.cpus[0].failed_results(), 3);
    assert_eq!(Xen::guest_load(&cx.cpus[0], ENTRIES + 64 + 8), cx.result);
    cx.cpus[0].reset();
    assert_eq!(cx.cpus[0].failed_results(), 0);
}

/// The hypervisor refuses the multicall itself: the kernel dies, nothing was done.
#[test]
fn a_refused_multicall_is_a_bug() {
    let mut cx = Mock::<Xen>::new();
    cx.refuses_multicalls = true;
    cx.counters(1, 0);
    Xen::set_ptes(&mut cx, page(1, 1), 1, 1);
    flush_tlb(&mut cx, 1);
    Xen::flush(&mut cx);
    assert_eq!(cx.take_bugs(), [BugSite::MulticallFlush]);
    assert!(cx.memory.is_empty());
    assert_eq!(cx.cpus[0].fill(), (2, 48));
}

/// A CPU boots with nothing of the run before.
#[test]
fn a_reset_leaves_nothing() {
    let mut cx = Mock::<Xen>::new();
    cx.counters(1, 0);
    Xen::set_ptes(&mut cx, page(1, 1), 1, 1);
    let cpu = &cx.cpus[0];
    cpu.mode.set(Mode::Cpu);
    cpu.nesting.set(3);
    cpu.cpu_lazy.set(true);
    cx.threads[0].lazy_mmu_updates.set(true);
    Xen::reset_cpu(cpu);
    Xen::reset_thread(&cx.threads[0]);
    assert_eq!((cpu.fill(), cpu.mode.get(), cpu.nesting.get(), cpu.cpu_lazy.get()), ((0, 0), Mode::None, 0, false));
    assert!(!cx.threads[0].lazy_mmu_updates.get());
}

/// Entries and order tell digests apart, and so does the value.
#[test]
fn digests() {
    let digest = |updates: &[(u16, u64)]| {
        let mut cx = Mock::<Xen>::new();
        cx.counters(1, 0);
        for &(at, word) in updates {
            Xen::set_ptes(&mut cx, page(1, at), word, 1);
        }
        cx.cpus[0].deferred().digest
    };
    let all = [digest(&[(1, 1)]), digest(&[(1, 2)]), digest(&[(1, 1), (2, 2)]), digest(&[(2, 2), (1, 1)])];
    assert!(all.iter().enumerate().all(|(i, a)| *a != 0 && !all[..i].contains(a)), "{all:x?}");
    assert_eq!(digest(&[]), 0);
    // What lies behind the argument bytes in use is left from before, and no part of it.
    let mut cx = Mock::<Xen>::new();
    cx.counters(1, 0);
    Xen::set_ptes(&mut cx, page(1, 5), 5, 3);
    Xen::flush(&mut cx);
    Xen::set_ptes(&mut cx, page(1, 1), 1, 1);
    assert_eq!(cx.cpus[0].deferred().digest, digest(&[(1, 1)]));
}

#[test]
fn memory_that_no_hypercall_names_reads_as_zero() {
    let cpu = PerCpu::default();
    for address in [512, ENTRIES + 64 * 32, ENTRIES + 64 * 32 + 8, ON_STACK + 16, 0x3000, u64::MAX] {
        cpu.guest_store(address, 1);
        assert_eq!(cpu.guest_load(address), 0, "{address:#x}");
    }
    cpu.guest_store(ENTRIES + 8, 5);
    assert_eq!(cpu.guest_load(ENTRIES + 8), 5);
    cpu.guest_store(ENTRIES, 5);
    assert_eq!(cpu.guest_load(ENTRIES), 1, "only results are written");
}

/// CPUs and tasks that differ in what the rest of a run depends on are not taken for one another where states are
/// merged; what is not in use, and what is written before it is read, is no such thing.
#[test]
fn what_is_in_the_hash() {
    type Change = fn(&PerCpu);
    let builder = RandomState::new();
    let hash = |change: Change| {
        let cpu = PerCpu::default();
        cpu.mcidx.set(1);
        cpu.argidx.set(16);
        change(&cpu);
        builder.hash_one(&cpu)
    };
    let told: [Change; 11] = [
        |_| (),
        |cpu| cpu.mcidx.set(0),
        |cpu| cpu.argidx.set(8),
        |cpu| cpu.failed.set(1),
        |cpu| cpu.mode.set(Mode::Mmu),
        |cpu| cpu.nesting.set(1),
        |cpu| cpu.cpu_lazy.set(true),
        |cpu| cpu.entries[0].op.set(Hypercall::MmuextOp),
        |cpu| cpu.entries[0].args[1].set(1),
        |cpu| cpu.arguments[0].set(1),
        |cpu| cpu.arguments[1].set(1),
    ];
    let hashes = told.map(hash);
    assert!(hashes.iter().enumerate().all(|(n, one)| !hashes[..n].contains(one)), "{hashes:x?}");
    let untold: [Change; 4] = [
        |cpu| cpu.entries[1].args[0].set(1),
        |cpu| cpu.arguments[2].set(1),
        |cpu| cpu.entries[0].result.set(1),
        |cpu| cpu.on_stack[0].set(1),
    ];
    assert_eq!(untold.map(hash), [hashes[0]; 4]);
    let thread = |lazy| builder.hash_one(Thread { lazy_mmu_updates: Cell::new(lazy) });
    assert!(thread(true) != thread(false) && thread(true) == thread(true));
}
