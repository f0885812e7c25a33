//! The machine as a state of the state space: what the rest of a run depends on, for a hasher.
//!
//! Taken between two runs, of the machine as the program's last operation left it (what the end of a run asks moves
//! nothing). Every field is named, so that a new one must be put in or left out with a reason. Not here: the subject's
//! own state and the oracles'. Called by the exhaustive exploration; a run does not pay for it.

use std::hash::{Hash, Hasher};

use super::{Left, Machine};

impl Machine {
    /// How many events of the last run are the program's: those after them say how it ended.
    #[must_use]
    pub fn program_events(&self) -> usize {
        self.left.events
    }

    /// Puts in what the rest of a run depends on.
    ///
    /// Left out: the trace; the call sites that warned, whose operations are over; how many handlers ran and how many
    /// steps were taken, because a handler's number only has to be another one, and no explored path comes near the
    /// limit of steps.
    pub fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Machine { events: _, memory, tasks, cpus, locks, mutex, frames, warned: _, limit: _, left } = self;
        let Left { events: _, cpu, stopped } = *left;
        (tasks, cpus, locks, mutex, frames.len(), cpu, stopped).hash(state);
        memory.fingerprint(state);
    }
}
