//! The reference model of the counted generation: table 10.6 as two stacks of open brackets per task.
//!
//! Written from the specification alone, another way than the generation itself, and sharing nothing with it: there
//! are no counters here. A counter that wraps is a stack that has room for 255 brackets: the 256th pushed empties it,
//! and a pop of the empty stack finds it full of brackets nobody opened. Of every call it says which hook runs, what
//! the activity query answers in it, whether a warning comes, and how many brackets are open after; any other trace
//! is a violation. It may not judge other generations, nor how a new task's state comes about (I12 does).

use std::hash::{Hash, Hasher};

use super::{Findings, Invariant};
use lazy_mmu_abi::trace::{Call, Counters, Event, Hook, What};
use lazy_mmu_program::TASKS;

/// A stack's room.
const ROOM: usize = 255;

/// Who opened a bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    Opened,
    /// Nobody did: a pop of the empty stack left it.
    Phantom,
}

/// Open brackets, innermost last.
#[derive(Clone, Debug, Default)]
struct Stack(Vec<Bracket>);

impl Stack {
    fn is_open(&self) -> bool {
        !self.0.is_empty()
    }

    /// Yields whether it was full, and so is empty now.
    fn push(&mut self) -> bool {
        let full = self.0.len() == ROOM;
        if full {
            self.0.clear()
        } else {
            self.0.push(Bracket::Opened)
        }
        full
    }

    /// Yields whether it was empty, and so is full now.
    fn pop(&mut self) -> bool {
        let empty = self.0.pop().is_none();
        if empty {
            self.0.resize(ROOM, Bracket::Phantom);
        }
        empty
    }
}

#[derive(Clone, Debug, Default)]
struct Task {
    sections: Stack,
    pauses: Stack,
}

impl Task {
    fn active(&self) -> bool {
        self.sections.is_open() && !self.pauses.is_open()
    }

    fn counters(&self) -> Counters {
        let (enable, pause) = (self.sections.0.len() as u8, self.pauses.0.len() as u8);
        Counters { enable, pause, active: self.active() }
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Effect {
    hook: Option<Hook>,
    warn: bool,
}

/// A call in progress.
#[derive(Debug, Hash)]
struct Open {
    /// The counters before it, as the model has them.
    before: Counters,
    expected: Effect,
    seen: Effect,
    /// Whether it warns and its call site warned before: then it keeps quiet.
    site_spent: bool,
    /// The task whose brackets it moves, and the one that runs it.
    about: usize,
    by: u8,
    /// Another task, or a call on the task by its number, came between the halves: which hook runs then nobody says.
    disturbed: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Model {
    tasks: [Task; TASKS as usize],
    calls: Vec<Open>,
    /// Call sites that warned: operation and kind of call.
    spent: Vec<(u32, &'static str)>,
}

impl Model {
    /// Before the first event.
    pub fn reset(&mut self) {
        for task in &mut self.tasks {
            task.sections.0.clear();
            task.pauses.0.clear();
        }
        self.calls.clear();
        self.spent.clear();
    }

    /// What later verdicts depend on: not the sites that warned, whose operations are over, nor who opened a bracket.
    pub fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Model { tasks, calls, spent: _ } = self;
        tasks.iter().for_each(|task| task.counters().hash(state));
        calls.hash(state);
    }

    /// Takes the next event in.
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, findings: &mut Findings) {
        match event.what {
            What::Call(call, before) => self.begin(at, event, call, before, findings),
            What::Warn(_) => {
                if let Some(open) = self.calls.last_mut() {
                    open.seen.warn = true;
                }
            }
            What::Hook(hook, active) => self.hook(at, event, hook, active, findings),
            What::Return(call, after) => self.end(at, event, call, after, findings),
            What::Fork { child, counters } | What::Away { task: child, counters } => {
                let fresh = &mut self.tasks[usize::from(child)];
                for (stack, n) in [(&mut fresh.sections, counters.enable), (&mut fresh.pauses, counters.pause)] {
                    stack.0.clear();
                    stack.0.resize(n.into(), Bracket::Phantom);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, at: usize, event: &Event, call: Call, before: Counters, findings: &mut Findings) {
        findings.judged(Invariant::Model);
        let about = usize::from(call.subject_of(event.task));
        let mine = self.tasks[about].counters();
        if mine != before {
            differ(at, call, "begins", mine, before, findings);
        }
        let by_number = matches!(call, Call::TaskPause(_) | Call::TaskResume(_));
        for open in self.calls.iter_mut().filter(|open| open.about == about) {
            open.disturbed |= by_number || open.by != event.task;
        }
        let expected = self.effect(about, call, event.interrupt);
        let site = (event.op, kind(call));
        let site_spent = expected.warn && self.spent.contains(&site);
        if expected.warn && !site_spent {
            self.spent.push(site);
        }
        let by = event.task;
        self.calls.push(Open {
            before: mine,
            expected,
            seen: Effect::default(),
            site_spent,
            about,
            by,
            disturbed: false,
        });
    }

    /// Rows E1 to TR.
    fn effect(&mut self, about: usize, call: Call, interrupt: bool) -> Effect {
        let task = &mut self.tasks[about];
        let bails_out = match call {
            Call::Enable | Call::Disable => interrupt || task.pauses.is_open(),
            Call::Pause | Call::Resume => interrupt,
            Call::TaskPause(_) | Call::TaskResume(_) => false,
        };
        if bails_out {
            return Effect::default();
        }
        let was_active = task.active();
        match call {
            Call::Enable => {
                let warn = task.sections.push();
                Effect { hook: (!was_active).then_some(Hook::Enter), warn }
            }
            Call::Disable => {
                let warn = task.sections.pop();
                Effect { hook: Some(if task.active() { Hook::Flush } else { Hook::Leave }), warn }
            }
            Call::Pause | Call::TaskPause(_) => {
                let warn = task.pauses.push();
                Effect { hook: was_active.then_some(Hook::Leave), warn }
            }
            Call::Resume | Call::TaskResume(_) => {
                let warn = task.pauses.pop();
                let enters = !warn && task.active();
                Effect { hook: enters.then_some(Hook::Enter), warn }
            }
        }
    }

    fn hook(&mut self, at: usize, event: &Event, hook: Hook, active: bool, findings: &mut Findings) {
        let Some(open) = self.calls.last_mut() else {
            findings.report(Invariant::Model, at, || format!("hook {} outside any call", hook.name()));
            return;
        };
        if open.seen.hook.is_some() {
            findings.report(Invariant::Model, at, || format!("a second hook, {}, in one call", hook.name()));
        }
        open.seen.hook = Some(hook);
        // The query is about the running task, whatever task the call is about.
        let mine = !event.interrupt && self.tasks[usize::from(event.task)].active();
        if active != mine {
            findings.report(Invariant::Model, at, || {
                format!("the query answers {active} in hook {}, expected {mine}", hook.name())
            });
        }
    }

    fn end(&mut self, at: usize, event: &Event, call: Call, after: Counters, findings: &mut Findings) {
        let Some(open) = self.calls.pop() else { return };
        let expected = Effect { warn: open.expected.warn && !open.site_spent, ..open.expected };
        if open.seen != expected && !open.disturbed {
            findings.report(Invariant::Model, at, || {
                let Counters { enable, pause, .. } = open.before;
                let name = call.name();
                format!("{name} at {enable}/{pause}: expected {}, found {}", effect(expected), effect(open.seen))
            });
        }
        let mine = self.tasks[usize::from(call.subject_of(event.task))].counters();
        if mine != after {
            differ(at, call, "ends", mine, after, findings);
        }
    }
}

fn differ(at: usize, call: Call, when: &str, mine: Counters, found: Counters, findings: &mut Findings) {
    findings.report(Invariant::Model, at, || {
        // The mode is named where it is what differs.
        let mode = |active: bool| match (found.active == mine.active, active) {
            (true, _) => "",
            (false, true) => " and active",
            (false, false) => " and not active",
        };
        let said = |counters: Counters| format!("{}/{}{}", counters.enable, counters.pause, mode(counters.active));
        format!("{} {when} at {}, expected {}", call.name(), said(found), said(mine))
    });
}

/// The warning's site: a task-level call warns where the call it is built of does.
fn kind(call: Call) -> &'static str {
    match call {
        Call::TaskPause(_) => Call::Pause.name(),
        Call::TaskResume(_) => Call::Resume.name(),
        _ => call.name(),
    }
}

fn effect(effect: Effect) -> String {
    let hook = effect.hook.map_or_else(|| "no hook".to_owned(), |hook| format!("hook {}", hook.name()));
    format!("{hook}{}", if effect.warn { " and a warning" } else { "" })
}
