//! `architectures`: one program on every backend of Linux 7.2 in one process; the generic events must be equal (rule 9).
//!
//! Xen PV is left out where a program looks at tasks that are away, or makes new ones: its switch hooks keep those
//! paused, which the generic layer sees; and it is compared up to the first counter that wraps. Programs with code of one
//! architecture are left out altogether. A backend whose kernel dies is compared up to there, and so is a run that comes to
//! its limit. Not here: any oracle. One of the [`super::TARGETS`].

use super::{Description, Found, Guide, Input, Stats, Target};
use crate::finding;
use crate::machine::Machine;
use crate::program::{Block, Op, Program, bytes};
use crate::registry::SUBJECTS;
use crate::subject::{Port, Subject};
use crate::trace::{Event, What, line};

pub(super) const DESCRIPTION: Description = Description {
    name: "architectures",
    about: "one program on all backends of 7.2: equal generic events",
    input: Input::Program(0),
    guide: Guide::Functions,
    kinds: &[
        "nested sections",
        "nested pauses",
        "interrupts",
        "injections between halves",
        "switches in a section",
        "programs compared on all backends",
    ],
    make: |_| Ok(Box::new(Architectures::new())),
};

struct Architectures {
    machine: Machine,
    /// What all are compared with: the backend that does nothing.
    first: Box<dyn Subject>,
    others: Vec<Other>,
    expected: Vec<Event>,
    stats: Stats,
}

/// A backend that is compared.
struct Other {
    name: &'static str,
    /// Its switch hooks pause tasks that are away. Asked at every event, so not read from the name each time: libFuzzer
    /// listens to every comparison of strings, which was a third of an execution.
    is_xen: bool,
    subject: Box<dyn Subject>,
}

impl Architectures {
    fn new() -> Architectures {
        let mut machine = Machine::new();
        machine.set_limit(super::LIMIT);
        let mut current: Vec<_> =
            SUBJECTS.iter().filter(|s| s.is_current()).map(|s| (s.name, s.make(Port::Model))).collect();
        let first = current.iter().position(|(name, _)| name.ends_with("/none")).unwrap_or(0);
        let (_, first) = current.remove(first);
        let others = current.into_iter().map(|(name, subject)| Other { name, is_xen: name.contains("xen"), subject });
        Architectures { machine, first, others: others.collect(), expected: Vec::new(), stats: Stats::default() }
    }
}

impl Target for Architectures {
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        let program = bytes::decode(data);
        if program.ops().iter().any(|op| matches!(op, Op::Open(Block::On(_)))) {
            self.stats.add("programs with one architecture's code, left out", 1);
            return Ok(());
        }
        let away = looks_at_tasks_away(&program);
        let events = self.machine.run(&*self.first, &program);
        self.stats.run(&program, events, hit);
        self.expected.clear();
        self.expected.extend(events.iter().filter(|event| event.is_generic()));
        self.stats.add("programs compared without Xen", u64::from(away));
        self.stats.add("programs compared on all backends", u64::from(!away));
        for other in self.others.iter().filter(|other| !(away && other.is_xen)) {
            let events = self.machine.run(&*other.subject, &program);
            if let Some(found) = difference(&program, other, &self.expected, events) {
                return Err(found);
            }
        }
        Ok(())
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}

fn looks_at_tasks_away(program: &Program) -> bool {
    let looks =
        |op: &Op| matches!(op, Op::TaskPause(_) | Op::TaskResume(_) | Op::TaskQuery(_) | Op::Fork(_) | Op::Exit(_));
    program.ops().iter().any(looks)
}

/// The first generic event that is not as expected.
fn difference(program: &Program, other: &Other, expected: &[Event], events: &[Event]) -> Option<Found> {
    let Other { name, is_xen, .. } = *other;
    let mut expected = expected.iter();
    for event in events.iter().filter(|event| event.is_generic()) {
        // Calls that are open when a run stops end nowhere.
        if matches!(event.what, What::Bug(_) | What::Stop(_)) || (is_xen && matches!(event.what, What::Warn(_))) {
            return None;
        }
        match expected.next() {
            // A counter has wrapped: it does so elsewhere where the switch hooks move it too.
            Some(Event { what: What::Warn(_), .. }) if is_xen => return None,
            Some(same) if same == event => {}
            other => return Some(found(program, name, other, Some(event))),
        }
    }
    expected.next().map(|missing| found(program, name, Some(missing), None))
}

fn found(program: &Program, name: &'static str, expected: Option<&Event>, event: Option<&Event>) -> Found {
    let op = event.or(expected).map_or_else(|| "end".to_owned(), |event| finding::keyword(program, event.op as usize));
    let text = |event: Option<&Event>| event.map_or_else(|| "nothing more".to_owned(), |event| line(&event.what));
    Found {
        slug: format!("architectures-{op}-{}", name.replace(['/', '@'], "-")),
        what: format!("at {op} counted/none says \"{}\" and {name} says \"{}\"", text(expected), text(event)),
        subject: Some(name),
        signature: None,
    }
}
