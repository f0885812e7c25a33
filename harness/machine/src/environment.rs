//! What the machine answers a subject: the kernel and the processor as [`Env`].

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{Mm, PteRef};
use lazy_mmu_core::kernel::{BugSite, WarnSite};

use super::Run;
use super::codec::xen::{self, Cpus};
use super::mutant::Mutant;
use lazy_mmu_abi::subject::{Depths, Env};
use lazy_mmu_abi::trace::{Call, Complaint, Event, Hook, Site, Stop, What};
use lazy_mmu_program::CPUS;

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

    fn depths(&self) -> Depths {
        let (task, cpu) = (self.task(), &self.machine.cpus[usize::from(self.cpu)]);
        let count = |n: i64| n.clamp(0, 200) as u8;
        Depths {
            preempt: count(i64::from(task.preempt_count()) - i64::from(task.bh_off)),
            bh: count(task.bh_off.into()),
            softirq: count(cpu.softirq.into()),
            hardirq: count(cpu.hardirq.into()),
            nmi: count(cpu.nmi.into()),
            irqs_off: count(i64::from(task.irq_off + task.arch_irq_off + cpu.hardirq + cpu.nmi)),
        }
    }

    fn preempt_disable(&mut self) {
        self.task_mut().arch_preempt += 1;
    }

    fn preempt_enable(&mut self) {
        // Below zero where a leave came without its enter.
        self.task_mut().arch_preempt -= 1;
    }

    fn local_irq_save(&mut self) {
        self.task_mut().arch_irq_off += 1;
    }

    fn local_irq_restore(&mut self) {
        let off = &mut self.task_mut().arch_irq_off;
        *off = off.saturating_sub(1);
    }

    fn warn_once(&mut self, site: WarnSite) {
        let key = u64::from(self.op) << 2 | site as u64;
        if !self.machine.warned.contains(&key) && !self.machine.memory.is(Mutant::WarningsLost) {
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

    fn complain(&mut self, complaint: Complaint, site: Site) {
        let what = What::Complaint(complaint, site);
        match complaint {
            // The complaint before it was left out: it had been made at this operation.
            Complaint::Place => {
                let last = self.machine.events.last().copied();
                if let Some(Event { what: What::Stop(Stop::Bug), .. }) = last {
                    // The run's last word stays the last.
                    self.machine.events.pop();
                    self.emit(what);
                    self.machine.events.extend(last);
                } else if matches!(last, Some(Event { what: What::Warn(_) | What::VmBug(_), .. })) {
                    self.emit(what);
                }
            }
            Complaint::Warn => {
                let key = 1 << 63 | u64::from(self.op) << 16 | u64::from(site.number());
                if !self.machine.warned.contains(&key) {
                    self.machine.warned.push(key);
                    self.emit(what);
                }
            }
            Complaint::Bug if !self.stopped => {
                self.emit(what);
                self.emit(What::Stop(Stop::Bug));
                self.stopped = true;
            }
            Complaint::Bug => {}
        }
    }

    fn schedule_point(&mut self) {
        self.point();
    }

    fn hook(&mut self, hook: Hook, active: bool) {
        self.out();
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
        self.out();
        let about = call.subject_of(self.current_task());
        self.emit(What::Call(call, self.subject.counters(about)));
    }

    fn nested_return(&mut self, call: Call) {
        self.out();
        let about = call.subject_of(self.current_task());
        self.emit(What::Return(call, self.subject.counters(about)));
    }

    fn pte_load(&mut self, at: PteRef) -> u64 {
        self.machine.memory.load(at)
    }

    fn pte_store(&mut self, at: PteRef, word: u64) {
        if self.stopped {
            return;
        }
        self.out();
        let stored = self.machine.memory.store(self.cpu, at, word);
        self.emit(if stored { What::Store(at, word) } else { What::Denied(at) });
    }

    fn execute(&mut self, insn: Insn) -> u64 {
        if self.stopped {
            return 0;
        }
        if self.machine.memory.begins_another(insn) {
            self.out();
        }
        self.emit(What::Insn(insn));
        if self.machine.memory.burst_is_empty()
            && is_per_cpu(insn)
            && self.is_preemptible()
            && !self.machine.memory.is(Mutant::PreemptibleUnnoticed)
        {
            self.emit(What::Preemptible(insn.op));
        }
        match insn.op {
            Op::HcMmuUpdate => {
                let on_stack = insn.a == xen::ON_STACK;
                if !on_stack || !self.machine.memory.is_immediate() {
                    self.out();
                }
                let bytes = if on_stack { 0 } else { bytes_of(insn.b, xen::UPDATE_BYTES) };
                self.machine.memory.hypercall(1, bytes.max(u16::from(insn.b > 0)));
                self.mmu_update(insn.a, insn.b)
            }
            Op::HcMmuextOp => {
                self.out();
                self.machine.memory.hypercall(1, bytes_of(insn.b, xen::EXTENDED_WITH_MASK));
                self.mmuext_op(insn.a, insn.b)
            }
            Op::HcMulticall => {
                self.out();
                self.multicall(insn.a, insn.b)
            }
            _ => self.machine.memory.execute(self.cpu, insn),
        }
    }

    fn is_thread_local(&self, mm: Mm) -> bool {
        self.machine.memory.is_thread_local(self.cpu, mm)
    }

    fn is_context_valid(&self, mm: Mm) -> bool {
        self.machine.memory.is_context_valid(mm)
    }

    fn note(&mut self, note: Note) {
        self.emit(What::Note(note));
        if note == Note::MmuQueued && self.machine.memory.is(Mutant::QueuedAtOnce) {
            let queued = self.subject.deferred(self.cpu, self.current_task()).entries;
            self.multicall(0, queued.into());
        }
    }
}

impl Run<'_> {
    /// `preemptible()`
    fn is_preemptible(&self) -> bool {
        self.task().preempt_count() == 0 && self.task().irq_off + self.task().arch_irq_off == 0 && !self.in_handler()
    }

    /// Hypercall 1: the hypervisor changes the page tables, update by update, up to the first that it refuses.
    fn mmu_update(&mut self, address: u64, count: u64) -> u64 {
        for i in 0..count {
            let pointer = self.subject.guest_load(self.cpu, address + 16 * i);
            let value = self.subject.guest_load(self.cpu, address + 16 * i + 8);
            match self.machine.memory.hypervisor_update(pointer, value) {
                Ok((at, stored)) => self.emit(What::Store(at, stored)),
                Err(_) if self.machine.memory.is(Mutant::HypercallsSucceed) => {}
                Err((at, error)) => {
                    self.emit(What::Denied(at));
                    return error;
                }
            }
        }
        0
    }

    /// Hypercall 26: TLB flushes, up to the first operation that is no flush.
    fn mmuext_op(&mut self, address: u64, count: u64) -> u64 {
        for i in 0..count {
            let operation = address + xen::EXTENDED_BYTES * i;
            let Some(flush) = xen::extended(|n| self.subject.guest_load(self.cpu, operation + 8 * n)) else {
                return xen::ENOSYS;
            };
            let mask = match flush.cpus {
                Cpus::Own => 1 << self.cpu,
                Cpus::Mask(address) => self.subject.guest_load(self.cpu, address),
                Cpus::All => u64::MAX,
            };
            self.machine.memory.hypervisor_flush(flush.address, mask);
        }
        0
    }

    /// Hypercall 13: entries of 64 bytes, each a call with its arguments; its result goes into the second word.
    fn multicall(&mut self, first: u64, entries: u64) -> u64 {
        let mut bytes = 0u16;
        let last = (first + entries).saturating_sub(1);
        let reversed = self.machine.memory.is(Mutant::MulticallReversed);
        for n in first..first + entries {
            let entry = xen::entry(if reversed { last - (n - first) } else { n });
            let result = match xen::call(|n| self.subject.guest_load(self.cpu, entry + 8 * n)) {
                xen::Call::Update(array, count) => {
                    bytes = bytes.saturating_add(bytes_of(count, xen::UPDATE_BYTES));
                    self.mmu_update(array, count)
                }
                xen::Call::Extended(array, count) => {
                    let operation = |n| {
                        xen::extended(|word| {
                            self.subject.guest_load(self.cpu, array + xen::EXTENDED_BYTES * n + 8 * word)
                        })
                    };
                    let is_masked = |n| operation(n).is_some_and(|flush| matches!(flush.cpus, Cpus::Mask(_)));
                    let each = |n| if is_masked(n) { xen::EXTENDED_WITH_MASK } else { xen::EXTENDED_BYTES };
                    let of_operations: u64 = (0..count.min(32)).map(each).sum();
                    bytes = bytes.saturating_add(bytes_of(1, of_operations));
                    self.mmuext_op(array, count)
                }
                xen::Call::Refused(error) => error,
            };
            self.subject.guest_store(self.cpu, xen::result_of(entry), result);
        }
        self.machine.memory.hypercall(entries.min(255) as u8, bytes);
        0
    }
}

/// Bytes of so many structures; a hypercall that names more than memory has names all.
fn bytes_of(count: u64, each: u64) -> u16 {
    u16::try_from(count.saturating_mul(each)).unwrap_or(u16::MAX)
}

/// Whether an instruction works on what a per-CPU batch or buffer holds.
fn is_per_cpu(insn: Insn) -> bool {
    match insn.op {
        Op::HpteInvalidate | Op::HcMulticall | Op::HcMmuextOp => true,
        Op::HcMmuUpdate => insn.a != xen::ON_STACK,
        Op::TsbFlush => insn.b >> 8 != 0,
        _ => false,
    }
}
