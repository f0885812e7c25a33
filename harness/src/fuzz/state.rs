//! How far a run has come: written while it goes on, so that one that was interrupted goes on with `--resume`.
//!
//! The corpus is libFuzzer's own state and lies apart. Not here: running. Called by the supervisor.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::counts::Counts;
use super::pulse::Pulse;
use crate::error::{Error, Result};
use crate::output;

/// A moment of a run: all of its processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Since the run began, interruptions left out, in milliseconds.
    pub at: u64,
    /// Executions, coverage, features and corpus then.
    pub pulse: Pulse,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What was counted.
    pub counts: Counts,
    /// A sample a second, the last one last.
    pub samples: Vec<Sample>,
}

impl State {
    /// How long the run has taken so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.samples.last().map_or(0, |sample| sample.at))
    }

    /// Executions so far.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.samples.last().map_or(0, |sample| sample.pulse.executions)
    }

    /// Reads a state; none where there is no file, or one that was not written to its end.
    #[must_use]
    pub fn load(path: &Path) -> Option<State> {
        State::parse(&fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<State> {
        let (head, counts) = text.strip_suffix("end\n")?.split_once("counts\n")?;
        let sample = |line: &str| {
            let mut numbers = line.split(' ').map(|number| number.parse().ok());
            let mut next = || numbers.next().flatten();
            let at = next()?;
            let pulse = Pulse { executions: next()?, coverage: next()?, features: next()?, corpus: next()? };
            Some(Sample { at, pulse })
        };
        Some(State { counts: Counts::parse(counts), samples: head.lines().map(sample).collect::<Option<_>>()? })
    }

    fn text(&self) -> String {
        let line = |Sample { at, pulse: p }: &Sample| {
            format!("{at} {} {} {} {}\n", p.executions, p.coverage, p.features, p.corpus)
        };
        let samples: String = self.samples.iter().map(line).collect();
        format!("{samples}counts\n{}end\n", self.counts.text())
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full.
    pub fn save(&self, path: &Path) -> Result<()> {
        output::file(path, self.text()).map_err(Error::io("write how far the run has come", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_and_half_a_one_does_not() {
        let pulse = Pulse { executions: 5, coverage: 6, features: 7, corpus: 8 };
        let samples = vec![Sample { at: 1000, pulse }, Sample { at: 2003, pulse }];
        let state = State { counts: Counts::parse("3\texecutions\n0\twarnings\n"), samples };
        let text = state.text();
        assert_eq!(State::parse(&text), Some(state.clone()));
        assert_eq!(state.elapsed(), Duration::from_millis(2003));
        for end in 0..text.len() {
            assert_eq!(State::parse(&text[..end]), None, "{end} bytes");
        }
        assert_eq!(State::parse("1 2 x 4 5\ncounts\nend\n"), None);
    }
}
