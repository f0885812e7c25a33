//! What a call does to its task's counters in each generation, and which hook it asks for: tables 10.2 to 10.6.
//!
//! Written from the tables, as the oracles are, and not from the subjects' code. Called by [`super::past`].

use lazy_mmu_engine::trace::{Call, Counters, Hook};

use super::cause::Causes;
use super::form::Layer;

/// A task's state in the generic layer.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// `enable_count`, the nesting level, or how many tokens are out.
    pub(super) enable: u8,
    /// `pause_count`.
    pub(super) pause: u8,
    /// v3 and v4: `enabled`, `active`.
    pub(super) enabled: bool,
    /// v2: the tokens, innermost last; whether each is NESTED, and why, if its caller does not expect that.
    pub(super) tokens: Vec<(bool, Causes)>,
}

/// What a call does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    /// The hook it asks for.
    pub(super) hook: Option<Hook>,
    /// v2: the token that a leave is given is NESTED.
    pub(super) nested: bool,
    /// v2: why that is so, if its caller does not expect that.
    pub(super) misled: Causes,
    /// It warns (or, v3, dies) because a counter is at its limit, which then wraps.
    pub(super) limit: bool,
    /// It warns, for another reason: v3 and v4 alone.
    pub(super) warns: bool,
    /// v3: level and flag are set behind the enter hook.
    pub(super) marks_later: bool,
}

impl State {
    /// As the trace shows them.
    pub(super) fn counters(&self, layer: Layer) -> Counters {
        let (enable, active) = (self.enable, self.active(layer));
        match layer {
            Layer::Stateless => Counters::default(),
            Layer::Token => Counters { enable: self.tokens.len().min(255) as u8, pause: 0, active: false },
            Layer::NestingV3 | Layer::NestingV4 => {
                Counters { enable, pause: u8::from(enable > 0 && !self.enabled), active }
            }
            Layer::Counted => Counters { enable, pause: self.pause, active },
        }
    }

    /// Whether the generic layer says that the mode is on, interrupt context not asked.
    pub(super) fn active(&self, layer: Layer) -> bool {
        match layer {
            Layer::Stateless | Layer::Token => false,
            Layer::NestingV3 | Layer::NestingV4 => self.enabled,
            Layer::Counted => self.enable > 0 && self.pause == 0,
        }
    }

    /// A call begins.
    pub(super) fn call(&mut self, layer: Layer, call: Call, interrupt: bool) -> Plan {
        match layer {
            Layer::Stateless => Plan { hook: hook_alone(call), ..Plan::default() },
            Layer::Token => {
                let token = if call == Call::Disable { self.tokens.pop() } else { None };
                let (nested, misled) = token.unwrap_or_default();
                Plan {
                    hook: hook_alone(call).map(|hook| if nested { Hook::Flush } else { hook }),
                    nested,
                    misled,
                    ..Plan::default()
                }
            }
            Layer::NestingV3 | Layer::NestingV4 if interrupt => Plan::default(),
            Layer::NestingV3 | Layer::NestingV4 => self.nesting(layer == Layer::NestingV4, call),
            Layer::Counted => self.counted(call, interrupt),
        }
    }

    fn counted(&mut self, call: Call, interrupt: bool) -> Plan {
        let tasks_own = matches!(call, Call::TaskPause(_) | Call::TaskResume(_));
        let section = matches!(call, Call::Enable | Call::Disable);
        if (interrupt && !tasks_own) || (section && self.pause > 0) {
            return Plan::default();
        }
        let begins = matches!(call, Call::Enable | Call::Pause | Call::TaskPause(_));
        let count = if section { &mut self.enable } else { &mut self.pause };
        let limit = *count == if begins { 255 } else { 0 };
        *count = if begins { count.wrapping_add(1) } else { count.wrapping_sub(1) };
        let first = if begins { count.wrapping_sub(1) == 0 } else { *count == 0 };
        let hook = match (section, begins) {
            (true, true) => first.then_some(Hook::Enter),
            (true, false) => Some(if first { Hook::Leave } else { Hook::Flush }),
            (false, true) => (first && self.enable > 0).then_some(Hook::Leave),
            (false, false) => (first && self.enable > 0).then_some(Hook::Enter),
        };
        Plan { hook, limit, ..Plan::default() }
    }

    fn nesting(&mut self, marks_first: bool, call: Call) -> Plan {
        let old = self.enable;
        match call {
            Call::Enable => {
                let warns = old > 0 && !self.enabled;
                let plan = Plan { limit: old == 255, warns, ..Plan::default() };
                if old > 0 {
                    self.enable = old.wrapping_add(1);
                    return plan;
                }
                self.enable = u8::from(marks_first);
                self.enabled |= marks_first;
                Plan { hook: Some(Hook::Enter), marks_later: !marks_first, ..plan }
            }
            Call::Disable => {
                let plan = Plan { limit: old == 0, warns: !self.enabled, ..Plan::default() };
                self.enable = old.wrapping_sub(1);
                self.enabled &= self.enable != 0;
                Plan { hook: Some(if self.enable == 0 { Hook::Leave } else { Hook::Flush }), ..plan }
            }
            Call::Pause => {
                let warns = old == 0 || !self.enabled;
                self.enabled = false;
                Plan { hook: Some(Hook::Leave), warns, ..Plan::default() }
            }
            Call::Resume => {
                let warns = old == 0 || self.enabled;
                self.enabled |= marks_first;
                Plan { hook: Some(Hook::Enter), warns, marks_later: !marks_first, ..Plan::default() }
            }
            Call::TaskPause(_) | Call::TaskResume(_) => Plan::default(),
        }
    }

    /// v3: behind the enter hook.
    pub(super) fn mark(&mut self, call: Call) {
        if call == Call::Enable {
            self.enable = 1;
        }
        self.enabled = true;
    }
}

/// Before 7.0 a call is its hook.
fn hook_alone(call: Call) -> Option<Hook> {
    match call {
        Call::Enable | Call::Resume => Some(Hook::Enter),
        Call::Disable | Call::Pause => Some(Hook::Leave),
        Call::TaskPause(_) | Call::TaskResume(_) => None,
    }
}
