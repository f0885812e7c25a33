//! What the machine answers a subject: the kernel and the processor as [`Env`].

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{Mm, PteRef};
use lazy_mmu_arches::x86_64;
use lazy_mmu_arches::x86_64::decode::Hypercall;
use lazy_mmu_core::kernel::{BugSite, WarnSite};

use super::Run;
use crate::program::CPUS;
use crate::subject::Env;
use crate::trace::{Call, Hook, Stop, What};

impl Env for Run<'_> {
    #[inline]
    fn cpu(&self) -> u8 {
        self.cpu
    }

    fn cpus(&self) -> u8 {
        CPUS
    }

    #[inline]
    fn current(&self) -> u8 {
        self.current_task()
    }

    #[inline]
    fn in_interrupt(&self) -> bool {
        self.interrupted()
    }

    fn preempt_disable(&mut self) {
        self.task_mut().arch_preempt += 1;
    }

    fn preempt_enable(&mut self) {
        // Below zero where a leave came without its enter.
        self.task_mut().arch_preempt -= 1;
    }

    fn warn_once(&mut self, site: WarnSite) {
        let key = u64::from(self.op) << 2 | site as u64;
        if !self.machine.warned.contains(&key) {
            self.machine.warned.push(key);
            self.emit(What::Warn(site));
        }
    }

    fn vm_bug(&mut self, site: WarnSite) {
        self.emit(What::VmBug(site));
    }

    fn bug(&mut self, site: BugSite) {
        if !self.stopped {
            self.emit(What::Bug(site));
            self.emit(What::Stop(Stop::Bug));
            self.stopped = true;
        }
    }

    fn schedule_point(&mut self) {
        self.point();
    }

    fn hook(&mut self, hook: Hook, active: bool) {
        self.emit(What::Hook(hook, active));
    }

    fn idle_hook(&mut self, hook: Hook) {
        self.emit(What::IdleHook(hook));
    }

    fn handler(&self) -> Option<(u16, u32)> {
        let cpu = &self.machine.cpus[usize::from(self.cpu)];
        let open = cpu.hardirq + cpu.softirq + cpu.nmi;
        let innermost = self.machine.frames.iter().rev().find(|frame| frame.handler > 0 && frame.cpu == self.cpu)?;
        Some((open, innermost.handler))
    }

    fn nested_call(&mut self, call: Call) {
        let about = call.subject_of(self.current_task());
        self.emit(What::Call(call, self.subject.counters(about)));
    }

    fn nested_return(&mut self, call: Call) {
        let about = call.subject_of(self.current_task());
        self.emit(What::Return(call, self.subject.counters(about)));
    }

    fn pte_load(&mut self, at: PteRef) -> u64 {
        self.machine.memory.load(at)
    }

    fn pte_store(&mut self, at: PteRef, word: u64) {
        if !self.stopped {
            self.machine.memory.store(at, word);
            self.emit(What::Store(at, word));
        }
    }

    fn execute(&mut self, insn: Insn) -> u64 {
        if self.stopped {
            return 0;
        }
        self.emit(What::Insn(insn));
        match insn.op {
            Op::HcMmuUpdate => self.mmu_update(insn.a, insn.b),
            Op::HcMulticall => self.multicall(insn.a, insn.b),
            _ => {}
        }
        0
    }

    fn is_thread_local(&self, mm: Mm) -> bool {
        // No other CPU runs a task of it, or ever can hold one of the kernel's alone.
        !mm.is_kernel()
            && self.machine.cpus.iter().enumerate().all(|(cpu, state)| {
                cpu == usize::from(self.cpu) || self.machine.tasks[usize::from(state.current)].mm != mm
            })
    }

    fn note(&mut self, note: Note) {
        self.emit(What::Note(note));
    }
}

impl Run<'_> {
    /// Hypercall 1: the hypervisor changes the page tables, update by update.
    fn mmu_update(&mut self, address: u64, count: u64) {
        for i in 0..count {
            let pointer = self.subject.guest_load(self.cpu, address + 16 * i);
            let value = self.subject.guest_load(self.cpu, address + 16 * i + 8);
            self.pte_store(PteRef::at_machine_address(pointer), value);
        }
    }

    /// Hypercall 13: entries of 64 bytes, each a call with its arguments; its result goes into the second word.
    fn multicall(&mut self, first: u64, entries: u64) {
        for entry in first..first + entries {
            let address = x86_64::ENTRIES + 64 * entry;
            let operation = self.subject.guest_load(self.cpu, address);
            if operation == Hypercall::MmuUpdate.number() {
                let updates = self.subject.guest_load(self.cpu, address + 16);
                let count = self.subject.guest_load(self.cpu, address + 24);
                self.mmu_update(updates, count);
            }
            self.subject.guest_store(self.cpu, address + 8, 0);
        }
    }
}
