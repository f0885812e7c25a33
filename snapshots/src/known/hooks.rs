//! What the hooks do to the mode that a backend keeps by itself, and when they die: tables 10.2, 10.3, 10.7 and 10.8.
//!
//! Written from the tables. Called by [`super::past`].

use lazy_mmu_core::kernel::BugSite;
use lazy_mmu_engine::trace::Hook;

use super::form::{Form, Keeps, Layer, Switch};

/// Xen's mode of a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    None,
    Mmu,
    Cpu,
}

/// What a CPU keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    /// `active` of the batch, before 7.0.
    pub(super) active: bool,
    pub(super) mode: Mode,
    nesting: u32,
}

/// What a task keeps below the generic layer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Thread {
    /// arm64 before 7.0: the mode is on.
    pub(super) on: bool,
    /// Xen up to 6.19: it was switched out of the mode.
    marked: bool,
    /// What the hooks hold of its preempt_count.
    pub(super) preempt: i32,
}

/// What a hook did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    /// What was held back went out.
    pub(super) released: bool,
    /// It left what was held back, though it was called to send it out.
    pub(super) kept: bool,
    /// v2: the mode was on when it was entered.
    pub(super) nested: bool,
    /// The kernel died.
    pub(super) bug: Option<BugSite>,
}

impl Form {
    /// Whether the backend itself says that the mode is on, interrupt context asked where it asks.
    pub(super) fn mode_is_on(self, cpu: &Cpu, thread: &Thread, interrupt: bool) -> bool {
        match self.keeps {
            Keeps::Nothing => false,
            Keeps::Flag => thread.on && !interrupt,
            Keeps::Batch => cpu.active,
            Keeps::Queue(_) => cpu.mode == Mode::Mmu && !interrupt,
        }
    }

    /// Whether the hook is one that the backend ignores altogether (recorded as without effect before 7.0).
    pub(super) fn ignores(self, interrupt: bool) -> bool {
        self.keeps == Keeps::Nothing || (self.keeps == Keeps::Flag && interrupt)
    }

    /// A hook runs; `nested` is the token that a leave of v2 was given.
    pub(super) fn hook(self, hook: Hook, nested: bool, cpu: &mut Cpu, thread: &mut Thread, interrupt: bool) -> Done {
        match self.keeps {
            Keeps::Nothing => Done::default(),
            Keeps::Flag if self.layer.counts() => Done { released: hook != Hook::Enter, ..Done::default() },
            Keeps::Flag if interrupt => Done::default(),
            Keeps::Flag => {
                let was = thread.on;
                thread.on = if hook == Hook::Enter { true } else { thread.on && (nested || hook == Hook::Flush) };
                Done { released: hook != Hook::Enter, nested: was && hook == Hook::Enter, ..Done::default() }
            }
            Keeps::Batch => self.batch(hook, nested, cpu, thread),
            Keeps::Queue(switch) => self.queue(switch, hook, nested, cpu, interrupt),
        }
    }

    fn batch(self, hook: Hook, nested: bool, cpu: &mut Cpu, thread: &mut Thread) -> Done {
        let counts = self.layer.counts();
        match hook {
            Hook::Enter => {
                thread.preempt += 1;
                let was = std::mem::replace(&mut cpu.active, !counts);
                Done { nested: was, ..Done::default() }
            }
            Hook::Leave => {
                thread.preempt -= 1;
                cpu.active &= nested;
                Done { released: true, ..Done::default() }
            }
            // v2's leave with NESTED is recorded as a flush.
            Hook::Flush if nested => {
                thread.preempt -= 1;
                Done { released: true, ..Done::default() }
            }
            Hook::Flush => Done { released: counts, kept: !counts, ..Done::default() },
        }
    }

    fn queue(self, switch: Switch, hook: Hook, nested: bool, cpu: &mut Cpu, interrupt: bool) -> Done {
        let released = Done { released: true, ..Done::default() };
        match (hook, switch) {
            (Hook::Enter, Switch::Pauses) => Done::default(),
            (_, Switch::Pauses) => released,
            (Hook::Enter, _) if self.layer == Layer::Token && cpu.mode == Mode::Mmu => {
                Done { nested: true, ..Done::default() }
            }
            (Hook::Enter, Switch::AsksTolerant) if cpu.mode == Mode::Mmu && !interrupt => Done::default(),
            (Hook::Enter, _) => Done { bug: cpu.enter(Mode::Mmu, switch), ..Done::default() },
            (Hook::Flush, _) if nested => released,
            (Hook::Flush, _) => Done { released: cpu.mode == Mode::Mmu && !interrupt, ..Done::default() },
            (Hook::Leave, Switch::AsksTolerant) if cpu.mode == Mode::None || interrupt => released,
            (Hook::Leave, _) => Done { bug: cpu.leave(Mode::Mmu, switch), ..released },
        }
    }

    /// A context switch, both hooks; `next_is_active` is the answer for the task that comes. Only where the CPU has a mode.
    pub(super) fn switch(
        self,
        cpu: &mut Cpu,
        threads: (&mut Thread, &mut Thread),
        next_is_active: bool,
    ) -> Option<BugSite> {
        let Keeps::Queue(switch) = self.keeps else { return None };
        let marks = matches!(switch, Switch::Marks | Switch::MarksNested);
        if cpu.mode == Mode::Mmu {
            cpu.leave(Mode::Mmu, switch);
            threads.0.marked |= marks;
        }
        let died = cpu.enter(Mode::Cpu, switch).or_else(|| cpu.leave(Mode::Cpu, switch));
        if died.is_some() {
            return died;
        }
        let enters = if marks { std::mem::take(&mut threads.1.marked) } else { next_is_active };
        if enters { cpu.enter(Mode::Mmu, switch) } else { None }
    }
}

impl Cpu {
    fn enter(&mut self, to: Mode, switch: Switch) -> Option<BugSite> {
        if switch == Switch::MarksNested && self.mode == to {
            self.nesting += 1;
            return None;
        }
        if self.mode != Mode::None {
            return Some(BugSite::EnterLazy);
        }
        self.mode = to;
        None
    }

    fn leave(&mut self, from: Mode, switch: Switch) -> Option<BugSite> {
        if switch == Switch::MarksNested && self.mode == from && self.nesting > 0 {
            self.nesting -= 1;
            return None;
        }
        if self.mode != from {
            return Some(BugSite::LeaveLazy);
        }
        self.mode = Mode::None;
        None
    }

    /// Whether nested enters are counted that have not been taken back.
    pub(super) fn is_nested(&self) -> bool {
        self.nesting > 0
    }
}
