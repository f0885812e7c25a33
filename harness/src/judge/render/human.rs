//! A judged tree for people: its report, the tree beside its base, the conclusion; of a series a line for each patch, and
//! the report of the first that breaks something, that does not build, or that could not be judged on all targets.
//!
//! What it is not: the report's own text is [`crate::judge::report`]'s.

use super::{Begun, Beside, Judgement, Renderer};
use crate::check::render::Sink;
use crate::error::{Error, Exit, Result};
use crate::judge::base;

/// The report.
#[derive(Debug)]
pub struct Human {
    sink: Sink,
    is_verbose: bool,
    /// What patches ended with whose report is written.
    told: Vec<Exit>,
}

impl Human {
    /// A report that goes there, with every difference if that is wanted.
    #[must_use]
    pub fn new(sink: Sink, is_verbose: bool) -> Human {
        Human { sink, is_verbose, told: Vec::new() }
    }
}

impl Renderer for Human {
    fn begin(&mut self, _begun: Begun) -> Result<()> {
        Ok(())
    }

    fn tree(&mut self, judgement: &Judgement<'_>) -> Result<()> {
        let text = || judgement.report.text(judgement.items, self.is_verbose);
        let Some(patch) = judgement.patch else {
            let compared = judgement.base.map(|base| compared(judgement, base)).unwrap_or_default();
            return self.sink.write(&format!("{}{compared}\n{}\n", text(), judgement.conclusion()));
        };
        let exit = judgement.exit();
        let is_first = exit != Exit::Holds && !self.told.contains(&exit);
        let text = if is_first { text() } else { String::new() };
        if is_first {
            self.told.push(exit);
        }
        self.sink.write(&format!("patch {}: {}\n  {}\n{text}", patch.number, patch.subject, judgement.conclusion()))
    }

    fn lost(&mut self, _number: usize, _of: usize, _error: &Error) -> Result<()> {
        // The command ends with the error, and says it on standard error.
        Ok(())
    }

    fn finish(&mut self, _exit: Exit) -> Result<()> {
        Ok(())
    }
}

/// The tree beside its base.
pub(super) fn compared(judgement: &Judgement<'_>, base: Beside<'_>) -> String {
    let compared = base::compare(&judgement.report.findings, &base.report.findings);
    let mut text = format!("\nbeside {} (Linux {}):\n", base.report.path, base.report.release);
    for (word, titles) in [("new", &compared.new), ("gone", &compared.gone), ("the same", &compared.same)] {
        let titles = if titles.is_empty() { "nothing".to_owned() } else { titles.join("; ") };
        text.push_str(&format!("  {word}: {titles}\n"));
    }
    format!("{text}\n{}", base.prices.text())
}
