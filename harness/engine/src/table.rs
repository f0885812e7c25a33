//! Transition tables: for each generation, state x call -> hook, counters, warning, as text to be reviewed.
//!
//! Made by running programs that bring a task into the state and make the call; nothing is read off the code. The
//! reviewed text is a snapshot; fuzzers check every step of arbitrary programs against it. A state's numbers are
//! classes: 0, 1, `n` for 2 to 254, `255`; a class's row is made at both its ends, which must agree.

pub mod check;

use std::fmt::Write as _;

use crate::machine::Machine;
use crate::program::{Block, Op, Program};
use crate::registry::{Descriptor, GenerationName, SUBJECTS};
use crate::subject::{Port, Subject};
use crate::trace::{Counters, Event, Hook, What};

/// The tables of one generation, as text.
#[must_use]
pub fn render(generation: GenerationName) -> String {
    match generation {
        GenerationName::Counted => counted(),
        GenerationName::NestingV3 | GenerationName::NestingV4 => nesting(generation),
        GenerationName::Stateless | GenerationName::Token => by_backend(generation),
    }
}

/// What a call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Step {
    hook: Option<(Hook, bool)>,
    warns: u8,
    bug: bool,
    enable: i16,
    pause: i16,
    active: bool,
}

const CALLS: [(&str, Op); 4] =
    [("enable", Op::Enable), ("disable", Op::Disable), ("pause", Op::Pause), ("resume", Op::Resume)];

struct Bench {
    subject: Box<dyn Subject>,
    machine: Machine,
}

impl Bench {
    fn new(subject: &Descriptor) -> Bench {
        Bench { subject: subject.make(Port::Model), machine: Machine::new() }
    }

    fn events(&mut self, ops: Vec<Op>) -> &[Event] {
        let program = Program::new(ops).unwrap_or_default();
        self.machine.run(&*self.subject, &program)
    }

    /// Brings the task into a state and makes the call; the events from the call on.
    fn call(&mut self, state: &[(Op, u8)], call: Op, interrupt: bool) -> Vec<Event> {
        let mut ops: Vec<Op> = state.iter().flat_map(|&(op, times)| (0..times).map(move |_| op)).collect();
        if interrupt {
            ops.extend([Op::Open(Block::Irq), call, Op::Close]);
        } else {
            ops.push(call);
        }
        let at = (ops.len() - 1 - usize::from(interrupt)) as u32;
        let skipped = |event: &&Event| event.op == at;
        self.events(ops).iter().filter(skipped).copied().collect()
    }

    /// What the call leaves behind, seen by the task itself.
    fn after(&mut self, state: &[(Op, u8)], call: Op, interrupt: bool) -> String {
        let mut ops: Vec<Op> = state.iter().flat_map(|&(op, times)| (0..times).map(move |_| op)).collect();
        ops.extend(if interrupt { vec![Op::Open(Block::Irq), call, Op::Close] } else { vec![call] });
        ops.push(Op::Query);
        let events = self.events(ops);
        let answers = events.iter().rev().find_map(|event| match event.what {
            What::Answer(active) => Some(active),
            _ => None,
        });
        let mode = match answers {
            Some(true) => "on",
            Some(false) => "off",
            None => return "dead".to_owned(),
        };
        format!("{mode:<4} {:+}", self.machine.preempt_count(0))
    }

    fn step(&mut self, state: &[(Op, u8)], call: Op, interrupt: bool) -> Step {
        let events = self.call(state, call, interrupt);
        let mut step = Step::default();
        let mut before = Counters::default();
        for event in events.iter().filter(|event| event.is_generic()) {
            match event.what {
                What::Call(_, counters) => before = counters,
                What::Hook(hook, active) => step.hook = Some((hook, active)),
                What::Warn(_) => step.warns += 1,
                What::VmBug(_) | What::Bug(_) => step.bug = true,
                What::Return(_, after) => {
                    step.enable = i16::from(after.enable) - i16::from(before.enable);
                    step.pause = i16::from(after.pause) - i16::from(before.pause);
                    step.active = after.active;
                }
                _ => {}
            }
        }
        step
    }
}

fn subject(generation: GenerationName, backend: &str) -> Option<&'static Descriptor> {
    SUBJECTS.iter().find(|subject| subject.generation == generation && subject.backend == backend)
}

/// The classes of a u8 counter, and the values at which each is tried.
const CLASSES: [(&str, &[u8]); 4] = [("0", &[0]), ("1", &[1]), ("n", &[2, 254]), ("255", &[255])];

fn counted() -> String {
    let mut text = String::from(
        "counted: enable_count e, pause_count p; n is any of 2..=254; e and p after the call as differences\n\
         call           e    p    context    hook            e     p     active  warning\n",
    );
    let Some(subject) = subject(GenerationName::Counted, "none") else { return text };
    let mut bench = Bench::new(subject);
    let task_calls = [("task_pause", Op::TaskPause(0)), ("task_resume", Op::TaskResume(0))];
    for (name, call) in CALLS.into_iter().chain(task_calls) {
        for interrupt in [false, true] {
            for (e_class, e_values) in CLASSES {
                for (p_class, p_values) in CLASSES {
                    let states = e_values.iter().flat_map(|&e| p_values.iter().map(move |&p| (e, p)));
                    let steps = states.map(|(e, p)| bench.step(&[(Op::Enable, e), (Op::Pause, p)], call, interrupt));
                    row(&mut text, name, (e_class, p_class), interrupt, &steps.collect::<Vec<_>>());
                }
            }
        }
    }
    text
}

fn nesting(generation: GenerationName) -> String {
    let mut text = format!(
        "{}: level c, flag a; n is any of 2..=254; c after the call as a difference, p: 1 more or less is paused\n\
         call           c    a    context    hook            c     p     active  warning\n",
        generation.name()
    );
    let Some(subject) = subject(generation, "none") else { return text };
    let mut bench = Bench::new(subject);
    for (name, call) in CALLS {
        for interrupt in [false, true] {
            for (class, values) in CLASSES {
                for active in [false, true] {
                    // At level 0 only a misplaced resume leaves the flag set; above it only a pause leaves it clear.
                    let toggle = match (class, active) {
                        ("0", true) => (Op::Resume, 1),
                        ("0", false) | (_, true) => (Op::Pause, 0),
                        (_, false) => (Op::Pause, 1),
                    };
                    let steps = values.iter().map(|&c| bench.step(&[(Op::Enable, c), toggle], call, interrupt));
                    let active = if active { "1" } else { "0" };
                    row(&mut text, name, (class, active), interrupt, &steps.collect::<Vec<_>>());
                }
            }
        }
    }
    text
}

fn row(text: &mut String, call: &str, state: (&str, &str), interrupt: bool, steps: &[Step]) {
    let first = steps.first().copied().unwrap_or_default();
    let context = if interrupt { "interrupt" } else { "task" };
    if steps.iter().any(|step| *step != first) {
        let _ = writeln!(
            text,
            "{call:<14} {:<4} {:<4} {context:<10} THE CLASS DOES NOT AGREE: {steps:?}",
            state.0, state.1
        );
        return;
    }
    let hook = first.hook.map_or_else(
        || "-".to_owned(),
        |(hook, active)| format!("{} {}", hook.name(), if active { "(active)" } else { "(off)" }),
    );
    let warning = match (first.bug, first.warns) {
        (true, 0) => "BUG",
        (true, _) => "BUG WARN",
        (false, 0) => "-",
        (false, _) => "WARN",
    };
    let _ = writeln!(
        text,
        "{call:<14} {:<4} {:<4} {context:<10} {hook:<15} {:<5} {:<5} {:<7} {warning}",
        state.0,
        state.1,
        difference(first.enable),
        difference(first.pause),
        if first.active { "yes" } else { "no" }
    );
}

fn difference(by: i16) -> String {
    if by == 0 { "=".to_owned() } else { format!("{by:+}") }
}

/// Tables 10.2 and 10.3: the state is the backend's, outside a section, inside one, and inside two.
fn by_backend(generation: GenerationName) -> String {
    let mut text = format!(
        "{}: the hook a call runs and what the backend does, then whether the mode is on and the preempt_count after\n",
        generation.name()
    );
    for subject in SUBJECTS.iter().filter(|subject| subject.generation == generation) {
        let _ = writeln!(text, "\n{}", subject.backend);
        let mut bench = Bench::new(subject);
        for (name, call) in CALLS {
            for (state, enables) in [("outside", 0), ("inside", 1), ("nested", 2)] {
                for interrupt in [false, true] {
                    let events = bench.call(&[(Op::Enable, enables)], call, interrupt);
                    let context = if interrupt { "interrupt" } else { "task" };
                    let after = bench.after(&[(Op::Enable, enables)], call, interrupt);
                    let _ = writeln!(text, "  {name:<8} {state:<8} {context:<10} {:<44} {after}", effect(&events));
                }
            }
        }
    }
    text
}

fn effect(events: &[Event]) -> String {
    // What the mode is afterwards has a column of its own.
    let left_out = |what: &What| matches!(what, What::Call(..) | What::Return(..) | What::Mode { .. } | What::Held(_));
    let what = events.iter().filter(|event| !left_out(&event.what));
    let lines: Vec<_> = what.map(|event| crate::trace::line(&event.what)).collect();
    if lines.is_empty() { "-".to_owned() } else { lines.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counted_table_has_a_row_per_state_and_no_class_that_disagrees() {
        let text = render(GenerationName::Counted);
        assert_eq!(text.lines().count(), 2 + 6 * 2 * 16);
        assert!(!text.contains("DOES NOT AGREE"), "{text}");
        assert!(
            text.contains("enable         255  0    task       -               -255  =     no      WARN"),
            "{text}"
        );
        assert!(
            text.contains("disable        0    0    task       flush (active)  +255  =     yes     WARN"),
            "{text}"
        );
    }

    /// A class is tried at both its ends; where these do not agree no row is made up.
    #[test]
    fn a_class_that_disagrees_is_no_row() {
        let ends = CLASSES.map(|(_, values)| (values[0], values[values.len() - 1]));
        assert_eq!(ends, [(0, 0), (1, 1), (2, 254), (255, 255)]);
        let (low, high) = (Step::default(), Step { enable: 1, ..Step::default() });
        for (steps, agree) in [([low, low], true), ([low, high], false)] {
            let mut text = String::new();
            row(&mut text, "enable", ("n", "0"), false, &steps);
            assert_eq!(!text.contains("THE CLASS DOES NOT AGREE"), agree, "{text}");
        }
    }
}
