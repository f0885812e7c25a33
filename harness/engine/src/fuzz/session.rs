//! A target with its settings: what stays between executions.
//!
//! Not here: where findings and counts go; the fuzz package and the host command decide that. Called by both.

use super::{Description, Found, Stats, Target};
use crate::contract::Violation;
use crate::program::Program;
use crate::program::minimise::minimise;
use crate::trace::Event;

/// The name of the known finding that explains each violation on a faithful subject, by its name in the registry and the
/// events of the run; none where nothing explains it. The violations are in the order of their events.
pub type Explain = fn(&str, &[Event], &[Violation]) -> Vec<Option<&'static str>>;

/// What a target is told besides its input.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The only subject to run, of the registry or of the zoo; else the input chooses among the registry's.
    pub subject: Option<&'static str>,
    /// What is known.
    pub explain: Explain,
    /// The reviewed transition table of a generation, by its name.
    pub table: fn(&str) -> Option<&'static str>,
}

/// A target that is being fuzzed, or asked again.
pub struct Session {
    description: &'static Description,
    target: Box<dyn Target>,
}

impl Session {
    /// Starts one.
    ///
    /// # Errors
    /// The settings name a subject that does not exist or that the target does not run, or a table is unreadable.
    pub fn new(description: &'static Description, settings: &Settings) -> Result<Session, String> {
        Ok(Session { description, target: description.make(settings)? })
    }

    /// Runs and judges one input.
    ///
    /// # Errors
    /// What was found.
    pub fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.target.judge(data, hit)
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        self.target.stats()
    }

    /// The smallest input found in which the same is found, and its program where the input is one; none if nothing is
    /// found in the input itself. The answer was run last: it is confirmed.
    pub fn minimised(&mut self, data: &[u8]) -> Option<(Vec<u8>, Option<Program>, Found)> {
        let found = self.target.judge(data, &mut |_| {}).err()?;
        let input = self.description.input;
        let small = match input.split(data) {
            Some((chosen, program)) => {
                let same = |p: &Program| self.finds(&input.join(chosen, p), &found.slug).is_some();
                input.join(chosen, &minimise(&program, same))
            }
            None => shortened(data, |bytes| self.finds(bytes, &found.slug).is_some()),
        };
        match self.finds(&small, &found.slug) {
            Some(found) => Some((small.clone(), input.split(&small).map(|(_, program)| program), found)),
            // The input in its canonical form finds nothing: it stays as it came.
            None => Some((data.to_vec(), input.split(data).map(|(_, program)| program), found)),
        }
    }

    fn finds(&mut self, data: &[u8], slug: &str) -> Option<Found> {
        self.target.judge(data, &mut |_| {}).err().filter(|found| found.slug == slug)
    }
}

/// Bytes without the runs that do not matter, halves first.
fn shortened(data: &[u8], mut still: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = data.to_vec();
    let mut length = best.len().div_ceil(2);
    while length > 0 {
        let mut end = best.len();
        while end > 0 {
            let start = end.saturating_sub(length);
            let shorter = [&best[..start], &best[end..]].concat();
            if !shorter.is_empty() && still(&shorter) {
                best = shorter;
            }
            end = start.min(best.len());
        }
        length /= 2;
    }
    best
}
