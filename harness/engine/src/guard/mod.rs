//! Guards: what a verdict of the machine rests on, checked before anyone believes the verdict.
//!
//! "Holds" is worth something only while the machine can tell a subject that does its work from one that does not: an
//! `isb` that is missing must show, a translation that nobody flushed must stay. Each [`Guard`] is one such difference:
//! a program on a subject, faithful or with one thing [`Wrong`], and what that [`Shows`]. If it shows something else the
//! machine has lost the difference, whatever the collection says. A [`Mutant`] of the machine loses one difference on
//! purpose, and the test of the table takes each away in turn.
//!
//! Not here: the defects that subjects may have (`zoo`), nor any judgement of a subject. Called by `lazymmu check`.

mod table;

use std::fmt;

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{Mm, PteRef};

use crate::contract::{Invariant, Verdict, judge};
use crate::machine::{Machine, Mutant};
use crate::program::text::parse;
use crate::registry;
use crate::subject::{Env, Port, Subject};
use crate::trace::{Ask, Event, Refusal, Walked, What};
use crate::zoo::bent::{Bend, Bent};
pub use table::GUARDS;

/// A difference that the machine must make.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// What the machine has lost, if the difference is gone.
    pub mutant: Mutant,
    /// The registry's name of the subject.
    pub subject: &'static str,
    /// What is wrong with it.
    pub wrong: Wrong,
    /// The program, as text.
    pub program: &'static str,
    /// What the run shows.
    pub shows: Shows,
    /// What is told from what.
    pub tells: [&'static str; 2],
}

/// What is wrong with a guard's subject.
#[derive(Clone, Copy, Debug)]
pub enum Wrong {
    /// Nothing: it is the faithful one.
    Nothing,
    /// An instruction gets lost.
    Without(Op),
    /// An instruction is executed twice.
    Twice(Op),
    /// It executes something else, or nothing, in an instruction's place.
    Instead(fn(Insn) -> Option<Insn>),
    /// It executes nothing in interrupt context.
    MuteInHandlers,
    /// It never turns preemption off.
    Preemptible,
    /// It takes every address space for this CPU's alone.
    Local,
    /// It stores to the guest's page tables.
    Stores,
    /// Its hypercalls name entries of another table.
    OtherTable,
}

/// What a run shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// That the invariant is broken.
    Breaks(Invariant),
    /// That nothing is.
    Holds,
    /// The last access finds something else than what was asked for.
    Stale,
    /// It finds what was asked for.
    Fresh,
    /// The last access leads to a page that was freed.
    Freed,
    /// The frame that is mapped last is one that was mapped before.
    Again,
    /// An update is refused.
    Denied,
    /// The kernel warns.
    Warns,
    /// An operation is refused for that reason.
    Refused(Refusal),
    /// The instruction is not executed.
    No(Op),
    /// Work on per-CPU state with preemption on.
    Preemptible,
}

impl fmt::Display for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shows::Breaks(invariant) => write!(f, "breaks {}", invariant.id()),
            Shows::Holds => f.write_str("holds"),
            Shows::Stale => f.write_str("the last access finds an old entry"),
            Shows::Fresh => f.write_str("the last access finds the new entry"),
            Shows::Freed => f.write_str("the last access leads to a freed page"),
            Shows::Again => f.write_str("a frame is mapped again"),
            Shows::Denied => f.write_str("an update is refused"),
            Shows::Warns => f.write_str("a warning"),
            Shows::Refused(why) => write!(f, "refused: {}", why.text()),
            Shows::No(op) => write!(f, "no {}", op.mnemonic()),
            Shows::Preemptible => f.write_str("preemption is on"),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Nothing => Ok(()),
            Wrong::Without(op) => write!(f, " without {}", op.mnemonic()),
            Wrong::Twice(op) => write!(f, " executing {} twice", op.mnemonic()),
            Wrong::Instead(_) => f.write_str(" with an instruction changed"),
            Wrong::MuteInHandlers => f.write_str(" executing nothing in handlers"),
            Wrong::Preemptible => f.write_str(" with preemption on"),
            Wrong::Local => f.write_str(" flushing here alone"),
            Wrong::Stores => f.write_str(" storing by itself"),
            Wrong::OtherTable => f.write_str(" naming another table"),
        }
    }
}

impl Guard {
    /// Whether the machine still makes the difference; else what is said of it.
    ///
    /// # Errors
    /// The message, in words for whoever changed the machine.
    ///
    /// # Panics
    /// If the table names a subject or has a program that does not exist, which its test excludes.
    pub fn check(&self, machine: &mut Machine) -> Result<(), String> {
        let descriptor = registry::find(self.subject).expect("a subject of the registry");
        let program = parse(self.program).expect("a program");
        let faithful = descriptor.make(Port::Model);
        let subject: Box<dyn Subject> = match self.wrong {
            Wrong::Nothing => faithful,
            wrong => Box::new(Bent::new(faithful, wrong)),
        };
        let events = machine.run(&*subject, &program);
        let verdict = judge(events, descriptor.rules());
        if self.shown(events, &verdict) { Ok(()) } else { Err(self.message(&verdict)) }
    }

    fn message(&self, verdict: &Verdict) -> String {
        let Guard { subject, wrong, program, shows, tells: [one, other], .. } = self;
        format!(
            "the machine no longer tells {one} from {other}: `{program}` on {subject}{wrong} must show \"{shows}\" (verdict: {verdict})"
        )
    }

    fn shown(&self, events: &[Event], verdict: &Verdict) -> bool {
        let any = |wanted: &dyn Fn(&What) -> bool| events.iter().any(|event| wanted(&event.what));
        match self.shows {
            Shows::Breaks(invariant) => verdict.violations.iter().any(|violation| violation.invariant == invariant),
            Shows::Holds => verdict.holds(),
            Shows::Stale => last_walk(events).is_some_and(|walked| walked.found != walked.asked),
            Shows::Fresh => last_walk(events).is_some_and(|walked| walked.found == walked.asked),
            Shows::Freed => last_walk(events).is_some_and(|walked| walked.freed),
            Shows::Again => last_frame_is_an_old_one(events),
            Shows::Denied => any(&|what| matches!(what, What::Denied(_))),
            Shows::Warns => any(&|what| matches!(what, What::Warn(_))),
            Shows::Refused(why) => any(&|what| *what == What::Refused(why)),
            Shows::Preemptible => any(&|what| matches!(what, What::Preemptible(_))),
            Shows::No(op) => !any(&|what| matches!(what, What::Insn(insn) if insn.op == op)),
        }
    }
}

fn last_walk(events: &[Event]) -> Option<Walked> {
    events.iter().rev().find_map(|event| match event.what {
        What::Walk(_, walked) => Some(walked),
        _ => None,
    })
}

fn last_frame_is_an_old_one(events: &[Event]) -> bool {
    let mapped = events.iter().filter_map(|event| match event.what {
        What::Asked(_, _, Ask::Map(translation)) => Some(translation.frame),
        _ => None,
    });
    let frames: Vec<u32> = mapped.collect();
    frames.split_last().is_some_and(|(last, before)| before.contains(last))
}

impl Bend for Wrong {
    fn execute(&self, env: &mut dyn Env, insn: Insn) -> u64 {
        if matches!(self, Wrong::Twice(op) if *op == insn.op) {
            env.execute(insn);
        }
        let insn = match *self {
            Wrong::Without(op) => Some(insn).filter(|insn| insn.op != op),
            Wrong::Instead(change) => change(insn),
            Wrong::MuteInHandlers => Some(insn).filter(|_| !env.in_interrupt()),
            _ => Some(insn),
        };
        insn.map_or(0, |insn| env.execute(insn))
    }

    fn preempt_disable(&self, env: &mut dyn Env) {
        if !matches!(self, Wrong::Preemptible) {
            env.preempt_disable();
        }
    }

    fn preempt_enable(&self, env: &mut dyn Env) {
        if !matches!(self, Wrong::Preemptible) {
            env.preempt_enable();
        }
    }

    fn is_thread_local(&self, env: &dyn Env, mm: Mm) -> bool {
        matches!(self, Wrong::Local) || env.is_thread_local(mm)
    }

    fn set_ptes(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef, word: u64, n: u16) {
        match self {
            Wrong::Stores => env.pte_store(at, word),
            _ => to.set_ptes(env, at, word, n),
        }
    }

    fn guest_load(&self, to: &dyn Subject, cpu: u8, address: u64) -> u64 {
        let word = to.guest_load(cpu, address);
        // The first word of the update on the stack says what table it is of.
        if matches!(self, Wrong::OtherTable) && address == 0x2000 { word | 1 } else { word }
    }
}

/// Every guard: how many hold, and what those say that do not.
#[must_use]
pub fn check_all() -> (usize, Vec<String>) {
    let mut machine = Machine::new();
    let failed: Vec<String> = GUARDS.iter().filter_map(|guard| guard.check(&mut machine).err()).collect();
    (GUARDS.len() - failed.len(), failed)
}

#[cfg(test)]
mod tests;
