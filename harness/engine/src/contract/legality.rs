//! What callers may do: brackets. Not an oracle, but what the oracles ask before they blame a subject.
//!
//! `enable`/`disable` and `pause`/`resume` nest properly per task, and both ends of a pair lie in the same context:
//! a section opened with bottom halves off (where calls have no effect) and closed with them on is no pair. Handlers
//! pair among themselves. At most 255 sections and 255 pauses are open. After the first misuse nothing more is said.

use crate::program::{Block, TASKS};
use crate::trace::{Call, Event, What};

/// How the API was misused first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// The operation of the program.
    pub op: u32,
    /// How.
    pub how: How,
}

/// Ways to misuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// An end without a beginning, where the call has an effect.
    Underflow,
    /// More than 255 open.
    Overflow,
    /// An end that does not match the innermost beginning.
    Crossing,
    /// A pair whose ends lie in different contexts, or a handler that ends with a pair open.
    Asymmetric,
    /// A task-level call on a task that is neither current nor switched out, or unpaired.
    TaskCall,
}

impl How {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            How::Underflow => "ends what was never begun",
            How::Overflow => "opens the 256th",
            How::Crossing => "does not match the innermost open section or pause",
            How::Asymmetric => "pairs with a call made in another context, where calls have no effect",
            How::TaskCall => "acts on a task other than the switch hooks may",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bracket {
    pause: bool,
    /// Made in interrupt context: by a handler, or with bottom halves off.
    interrupt: bool,
    /// Made while paused: a section there has no effect.
    paused: bool,
}

/// The brackets open in each task, and in each handler.
#[derive(Debug, Default)]
pub struct Legality {
    open: [Vec<Bracket>; TASKS as usize],
    /// For each open handler, which task it interrupted and how many brackets were open then.
    handlers: Vec<(u8, usize)>,
    misuse: Option<Misuse>,
}

impl Legality {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.open.iter_mut().for_each(Vec::clear);
        self.handlers.clear();
        self.misuse = None;
    }

    /// The first misuse so far.
    #[must_use]
    pub fn misuse(&self) -> Option<Misuse> {
        self.misuse
    }

    /// Whether the task has a section open that is not paused, as its callers see it.
    #[must_use]
    pub fn active(&self, task: u8) -> bool {
        let in_force = self.open[usize::from(task)].iter().filter(|bracket| !bracket.interrupt);
        let (mut sections, mut pauses) = (0, 0);
        for bracket in in_force {
            pauses += u32::from(bracket.pause);
            sections += u32::from(!bracket.pause && !bracket.paused);
        }
        sections > 0 && pauses == 0
    }

    /// Takes the next event in. Calls that hooks make below the generic layer are the backend's, not the program's.
    pub fn watch(&mut self, event: &Event) {
        if self.misuse.is_some() {
            return;
        }
        let how = match event.what {
            What::Call(call, _) if !event.below => self.call(event, call),
            What::Open(Block::Irq | Block::Softirq | Block::Nmi, _) => {
                self.handlers.push((event.task, self.open[usize::from(event.task)].len()));
                None
            }
            // The block did not run.
            What::Refused(crate::trace::Refusal::Masked) => {
                self.handlers.pop();
                None
            }
            What::Close(Block::Irq | Block::Softirq | Block::Nmi, _) => self.handler_ends(),
            What::Fork { child, .. } => {
                self.open[usize::from(child)].clear();
                None
            }
            _ => None,
        };
        self.misuse = how.map(|how| Misuse { op: event.op, how });
    }

    fn handler_ends(&mut self) -> Option<How> {
        let (task, before) = self.handlers.pop()?;
        let open = &mut self.open[usize::from(task)];
        let left = open.len() > before;
        open.truncate(before);
        left.then_some(How::Asymmetric)
    }

    fn call(&mut self, event: &Event, call: Call) -> Option<How> {
        let open = &mut self.open[usize::from(event.task)];
        let floor = self.handlers.last().filter(|handler| handler.0 == event.task).map_or(0, |handler| handler.1);
        let paused = open.iter().any(|bracket| bracket.pause && !bracket.interrupt);
        let pause = matches!(call, Call::Pause | Call::Resume);
        match call {
            Call::Enable | Call::Pause => {
                let bracket = Bracket { pause, interrupt: event.interrupt, paused };
                let counted = |b: &&Bracket| b.pause == pause && !b.interrupt && (pause || !b.paused);
                let full = open.iter().filter(counted).count() >= 255;
                open.push(bracket);
                (full && !event.interrupt && (pause || !paused)).then_some(How::Overflow)
            }
            Call::Disable | Call::Resume => {
                if open.len() <= floor {
                    let no_effect = event.interrupt || (!pause && paused);
                    return Some(if no_effect { How::Asymmetric } else { How::Underflow });
                }
                let innermost = open.pop()?;
                if innermost.pause != pause {
                    Some(How::Crossing)
                } else if innermost.interrupt != event.interrupt {
                    Some(How::Asymmetric)
                } else {
                    None
                }
            }
            // Nobody but the switch hooks has any business with these.
            Call::TaskPause(_) | Call::TaskResume(_) => Some(How::TaskCall),
        }
    }
}
