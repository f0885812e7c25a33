//! The smallest kernel the generic layer runs on: one task, and a log of what was asked of it.
//!
//! Not the harness's machine: it injects nothing. Only the unit tests of the generations call it.

use core::cell::Cell;

use crate::hooks::{Hooks, Token, TokenHooks};
use crate::kernel::{BugSite, Kernel, TaskState, WarnSite};
use crate::state::{LazyMmuState, NestingState};

/// What one call asked for, in its order. At most one hook runs per call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub hook: Option<Hook>,
    /// The activity query's answer inside the hook.
    pub inside: bool,
    pub warn: Option<WarnSite>,
    pub vm_bug: Option<WarnSite>,
    /// Counter updates come before the scheduling point: what the counters were there.
    pub points: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    Enter,
    Flush,
    Leave,
}

/// One task, both kinds of state, one interrupt flag.
#[derive(Default)]
pub(super) struct Bench {
    pub counted: LazyMmuState,
    pub nesting: NestingState,
    pub interrupt: Cell<bool>,
    pub asked: Asked,
    /// How the hook asks whether the mode is active.
    pub query: Option<fn(&Bench) -> bool>,
}

impl Bench {
    fn hook(&mut self, hook: Hook) {
        assert_eq!(self.asked.hook, None, "a call runs at most one hook");
        self.asked.hook = Some(hook);
        self.asked.inside = self.query.is_some_and(|query| query(self));
    }
}

impl Kernel for Bench {
    type Task = ();

    fn current(&self) {}

    fn in_interrupt(&self) -> bool {
        self.interrupt.get()
    }

    fn preempt_disable(&mut self) {}

    fn preempt_enable(&mut self) {}

    fn warn_once(&mut self, site: WarnSite) {
        self.asked.warn = Some(site);
    }

    fn vm_bug(&mut self, site: WarnSite) {
        self.asked.vm_bug = Some(site);
    }

    fn bug(&mut self, site: BugSite) {
        panic!("the generic layer has no BUG_ON, yet {site:?} fired");
    }

    fn schedule_point(&mut self) {
        self.asked.points += 1;
    }
}

impl TaskState<LazyMmuState> for Bench {
    fn task_state(&self, (): ()) -> &LazyMmuState {
        &self.counted
    }
}

impl TaskState<NestingState> for Bench {
    fn task_state(&self, (): ()) -> &NestingState {
        &self.nesting
    }
}

impl Hooks for Bench {
    fn arch_enter_lazy_mmu_mode(&mut self) {
        self.hook(Hook::Enter);
    }

    fn arch_flush_lazy_mmu_mode(&mut self) {
        self.hook(Hook::Flush);
    }

    fn arch_leave_lazy_mmu_mode(&mut self) {
        self.hook(Hook::Leave);
    }
}

impl TokenHooks for Bench {
    fn arch_enter_lazy_mmu_mode(&mut self) -> Token {
        self.hook(Hook::Enter);
        Token::Nested
    }

    fn arch_leave_lazy_mmu_mode(&mut self, token: Token) {
        self.hook(if token == Token::Nested { Hook::Flush } else { Hook::Leave });
    }
}
