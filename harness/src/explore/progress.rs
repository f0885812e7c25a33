//! Where an exploration stands, on standard error: in one line on a terminal, elsewhere a line every few seconds.
//!
//! Not here: what is said ([`super::report`]). Called by whoever explores.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::process;

/// How often a line is printed where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    said: Cell<Instant>,
}

impl Default for Progress {
    fn default() -> Progress {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        if let (Some(bar), Ok(style)) = (&bar, ProgressStyle::with_template("{spinner} {elapsed} {msg}")) {
            bar.set_style(style);
        }
        Progress { bar, said: Cell::new(Instant::now()) }
    }
}

impl Progress {
    /// Says it now and then; breaks if a signal came.
    pub fn say(&self, what: impl FnOnce() -> String) -> ControlFlow<()> {
        let every = if self.bar.is_some() { Duration::from_millis(120) } else { EVERY };
        if self.said.get().elapsed() >= every {
            self.said.set(Instant::now());
            match &self.bar {
                Some(bar) => {
                    bar.set_message(what());
                    bar.tick();
                }
                None => eprintln!("{}", what()),
            }
        }
        if process::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Takes the line away.
    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
