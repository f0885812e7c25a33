//! A kernel and a hypervisor small enough to read: two CPUs, two tasks, and a log of all that was asked of them. The
//! tests of the modules beside it run on this; layout tests are here.

extern crate std;

use std::collections::BTreeMap;
use std::vec::Vec;

use lazy_mmu_core::generation::counted;
use lazy_mmu_core::hooks::Hooks;
use lazy_mmu_core::kernel::{BugSite, Kernel, TaskState};
use lazy_mmu_core::state::LazyMmuState;

use super::decode::{Hypercall, update_parts};
use super::*;
use crate::backend::Backend;
use crate::context::{Context, Note};
use crate::insn::{Insn, Op};

/// What a backend asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Op(Op, u64, u64),
    Store(u64, u64),
    Note(Note),
    /// `preempt_disable` or `preempt_enable`.
    Preempt(i32),
    Bug(BugSite),
}

/// The kernel and, for a Xen form, the hypervisor under it. The generic layer is the counted generation.
pub(super) struct Mock<B: Backend> {
    pub cpus: [B::PerCpu; 2],
    pub threads: [B::Thread; 2],
    pub states: [LazyMmuState; 2],
    pub cpu: usize,
    pub current: usize,
    pub interrupt: bool,
    pub preempt: i32,
    pub irqs_off: i32,
    /// Hypercalls of the buffer made with preemption and interrupts on.
    pub preemptible_flushes: u32,
    pub thread_local: bool,
    pub events: Vec<Event>,
    /// Page tables by machine address.
    pub memory: BTreeMap<u64, u64>,
    /// What hypercalls return.
    pub result: u64,
    /// The hypervisor does no multicall and says so.
    pub refuses_multicalls: bool,
}

impl<B: Backend> Mock<B> {
    pub fn new() -> Self {
        Mock {
            cpus: Default::default(),
            threads: Default::default(),
            states: Default::default(),
            cpu: 0,
            current: 0,
            interrupt: false,
            preempt: 0,
            irqs_off: 0,
            preemptible_flushes: 0,
            thread_local: false,
            events: Vec::new(),
            memory: BTreeMap::new(),
            result: 0,
            refuses_multicalls: false,
        }
    }

    /// What was asked for since the last time.
    pub fn take(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
    }

    /// The instructions asked for since the last time.
    pub fn take_ops(&mut self) -> Vec<(Op, u64, u64)> {
        let only_ops = |event| if let Event::Op(op, a, b) = event { Some((op, a, b)) } else { None };
        self.take().into_iter().filter_map(only_ops).collect()
    }

    /// Whether all that was asked for since the last time, and something was, lies within one stay on this CPU.
    pub fn take_pinned(&mut self) -> bool {
        let events = self.take();
        let mut preempt = 0;
        let stays = events.iter().enumerate().all(|(at, event)| {
            preempt += if let Event::Preempt(by) = event { *by } else { 0 };
            preempt > 0 || at + 1 == events.len()
        });
        stays && preempt == 0 && events.len() > 1
    }

    /// The BUGs since the last time.
    pub fn take_bugs(&mut self) -> Vec<BugSite> {
        let only_bugs = |event| if let Event::Bug(site) = event { Some(site) } else { None };
        self.take().into_iter().filter_map(only_bugs).collect()
    }

    /// Sets the running task's counters.
    pub fn counters(&self, enable: u8, pause: u8) {
        self.states[self.current].enable_count.set(enable);
        self.states[self.current].pause_count.set(pause);
    }

    /// The scheduler switches to `next` on this CPU.
    pub fn switch_to(&mut self, next: usize) {
        B::start_context_switch(self, self.current);
        B::end_context_switch(self, next);
        self.current = next;
    }

    fn guest(&self, address: u64) -> u64 {
        B::guest_load(&self.cpus[self.cpu], address)
    }

    fn hypercall(&mut self, call: Hypercall, a: u64, b: u64) {
        match call {
            Hypercall::MmuUpdate => {
                for update in 0..b {
                    let (address, _) = update_parts(self.guest(a + 16 * update));
                    self.memory.insert(address, self.guest(a + 16 * update + 8));
                }
            }
            Hypercall::Multicall => {
                for entry in a..a + b {
                    let field = |n: u64| ENTRIES + 64 * entry + 8 * n;
                    let inner = Hypercall::from_number(self.guest(field(0))).expect("a hypercall's number");
                    assert_eq!(self.guest(field(5)), decode::DOMID_SELF);
                    self.hypercall(inner, self.guest(field(2)), self.guest(field(3)));
                    B::guest_store(&self.cpus[self.cpu], field(1), self.result);
                }
            }
            Hypercall::MmuextOp => assert_eq!(b, 1),
        }
    }
}

impl<B: Backend> Kernel for Mock<B> {
    type Task = usize;

    fn current(&self) -> usize {
        self.current
    }

    fn in_interrupt(&self) -> bool {
        self.interrupt
    }

    fn preempt_disable(&mut self) {
        self.preempt += 1;
        self.events.push(Event::Preempt(1));
    }

    fn preempt_enable(&mut self) {
        self.preempt -= 1;
        self.events.push(Event::Preempt(-1));
    }

    fn bug(&mut self, site: BugSite) {
        self.events.push(Event::Bug(site));
    }
}

impl<B: Backend> TaskState<LazyMmuState> for Mock<B> {
    fn task_state(&self, task: usize) -> &LazyMmuState {
        &self.states[task]
    }
}

impl<B: Backend> Hooks for Mock<B> {
    fn arch_enter_lazy_mmu_mode(&mut self) {
        B::enter(self);
    }

    fn arch_flush_lazy_mmu_mode(&mut self) {
        B::flush(self);
    }

    fn arch_leave_lazy_mmu_mode(&mut self) {
        B::leave(self);
    }
}

impl<B: Backend> Context for Mock<B> {
    type PerCpu = B::PerCpu;
    type Thread = B::Thread;

    fn this_cpu(&self) -> &B::PerCpu {
        &self.cpus[self.cpu]
    }

    fn thread(&self, task: usize) -> &B::Thread {
        &self.threads[task]
    }

    fn is_lazy_mmu_mode_active(&mut self) -> bool {
        counted::is_lazy_mmu_mode_active(self)
    }

    fn task_lazy_mmu_mode_active(&mut self, task: usize) -> bool {
        counted::task_lazy_mmu_mode_active(self, task)
    }

    fn task_lazy_mmu_mode_pause(&mut self, task: usize) {
        counted::task_lazy_mmu_mode_pause(self, task);
    }

    fn task_lazy_mmu_mode_resume(&mut self, task: usize) {
        counted::task_lazy_mmu_mode_resume(self, task);
    }

    fn pte_load(&mut self, at: PteRef) -> u64 {
        self.memory.get(&at.machine_address()).copied().unwrap_or(0)
    }

    fn pte_store(&mut self, at: PteRef, word: u64) {
        self.memory.insert(at.machine_address(), word);
        self.events.push(Event::Store(at.machine_address(), word));
    }

    fn execute(&mut self, insn: Insn) -> u64 {
        self.events.push(Event::Op(insn.op, insn.a, insn.b));
        // xen_mc_flush() and whoever fills the buffer: BUG_ON(preemptible()).
        let own_buffer = matches!(insn.op, Op::HcMmuextOp | Op::HcMulticall)
            || insn.op == Op::HcMmuUpdate && insn.a != super::ON_STACK;
        self.preemptible_flushes += u32::from(own_buffer && self.preempt == 0 && self.irqs_off == 0);
        match insn.op {
            Op::HcMmuUpdate => self.hypercall(Hypercall::MmuUpdate, insn.a, insn.b),
            Op::HcMmuextOp => self.hypercall(Hypercall::MmuextOp, insn.a, insn.b),
            Op::HcMulticall if self.refuses_multicalls => return -22_i64 as u64,
            Op::HcMulticall => {
                self.hypercall(Hypercall::Multicall, insn.a, insn.b);
                return 0;
            }
            _ => {}
        }
        self.result
    }

    fn local_irq_save(&mut self) {
        self.irqs_off += 1;
    }

    fn local_irq_restore(&mut self) {
        self.irqs_off -= 1;
    }

    fn is_thread_local(&self, _mm: Mm) -> bool {
        self.thread_local
    }

    fn is_context_valid(&self, _mm: Mm) -> bool {
        panic!("sparc64 alone asks that");
    }

    fn cpus(&self) -> u8 {
        2
    }

    fn cpu(&self) -> u8 {
        self.cpu as u8
    }

    fn note(&mut self, note: Note) {
        self.events.push(Event::Note(note));
    }
}

/// A base page.
pub(super) fn page(mm: u8, page: u16) -> PteRef {
    PteRef { mm: Mm(mm), page, size: Size::Small }
}

#[test]
fn a_page_has_one_address_and_an_address_one_page() {
    for mm in [0, 1, 7, 63] {
        for n in 0..PAGES {
            let at = page(mm, n);
            let (mm, va) = (at.mm, virtual_address(at));
            for size in [Size::Small, Size::Large, Size::Huge] {
                assert_eq!(virtual_address(PteRef { size, ..at }), va);
                assert_eq!(va % (1 << page_shift(size)), 0, "{at:?} is aligned for {size:?}");
            }
            assert_eq!(page_at(va), Some(at));
            assert_eq!(page_at(va + (1 << SLOT_SHIFT) - 1), Some(at));
            assert_eq!(va >> 47, if mm.is_kernel() { 0x1_ffff } else { 0 }, "{at:?} is in the right half");
            assert!(va >= 1 << 40 || n < HIGH_PAGE, "{at:?} is above 1 TiB if it should be");
        }
    }
    let at = |mm, n| virtual_address(page(mm, n));
    assert_eq!([at(0, 0), at(0, LINEAR_PAGE + 2)], [0xffff_c900_0000_0000, 0xffff_8880_0040_0000]);
    assert_eq!(at(0, SHADOW_PAGE + 1), 0xffff_ec00_0020_0000);
    assert_eq!([at(1, 1), at(3, HIGH_PAGE)], [0x200_1020_0000, 0x700_0000_0000]);
    assert_eq!(page_at(0), None);
    // Behind the last page of a region that ends with the last of all.
    assert_eq!([0, 1].map(|mm| page_at(at(mm, PAGES - 1) + (1 << SLOT_SHIFT))), [None; 2]);
    assert_eq!(page_at(1 << MM_SHIFT), None);
}
