//! KTAP version 1 (Documentation/dev-tools/ktap.rst), as `tools/testing/kunit/kunit_parser.py` of Linux 7.2 reads it.
//!
//! A group is a version line, its name as `# Subtest:`, its plan, what is in it, and its result; each depth is indented by
//! four spaces, as KUnit prints them. What belongs to a result stands before it, as diagnostics: a parser gives what
//! follows to the next test. Lines appear as parts are done, so a run that is cut short has a plan that is not kept.
//! A result in a group never has the group's own name: that parser would take it for the group's end.
//!
//! What it is not: a parser; `harness/tests/ktap` has the rules that this is held against.

use super::Sink;
use crate::check::Case;
use crate::check::event::{Event, Renderer};
use crate::error::Result;
use crate::setup::Missing;

/// The report.
#[derive(Debug)]
pub struct Ktap {
    sink: Sink,
    open: Vec<Open>,
}

/// A group that has begun.
#[derive(Debug)]
struct Open {
    name: String,
    /// Results so far.
    number: usize,
    failed: bool,
}

impl Ktap {
    /// A report that goes there.
    #[must_use]
    pub fn new(sink: Sink) -> Ktap {
        Ktap { sink, open: Vec::new() }
    }

    fn line(&mut self, depth: usize, text: &str) -> Result<()> {
        self.sink.write(&format!("{:width$}{text}\n", "", width = 4 * depth))
    }

    fn begin(&mut self, name: &str, tests: usize) -> Result<()> {
        let depth = self.open.len();
        self.line(depth, "KTAP version 1")?;
        if depth > 0 {
            self.line(depth, &format!("# Subtest: {}", plain(name)))?;
        }
        self.open.push(Open { name: plain(name), number: 0, failed: false });
        self.line(depth, &format!("1..{tests}"))
    }

    fn diagnostics(&mut self, depth: usize, text: &str) -> Result<()> {
        text.lines().try_for_each(|line| self.line(depth, format!("# {}", harmless(line)).trim_end()))
    }

    /// A result in the innermost open group.
    fn result(&mut self, ok: bool, name: &str, remark: &str) -> Result<()> {
        let depth = self.open.len().saturating_sub(1);
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        open.number += 1;
        open.failed |= !ok;
        let number = open.number;
        let name = if open.name == plain(name) { format!("{}_itself", plain(name)) } else { plain(name) };
        let remark = if remark.is_empty() { String::new() } else { format!(" # {}", harmless(remark)) };
        let result = if ok { "ok" } else { "not ok" };
        self.line(depth, &format!("{result} {number} {name}{remark}"))
    }

    fn case(&mut self, case: &Case) -> Result<()> {
        let depth = self.open.len().saturating_sub(1);
        for failure in &case.failures {
            self.diagnostics(depth, &failure.to_string())?;
        }
        if !case.holds() {
            let remark = format!("{} of {} runs{}", case.failed, case.count, case.remark());
            return self.result(false, &case.name, &remark);
        }
        self.result(true, &case.name, &format!("{} runs{}", case.count, case.remark()))
    }

    fn skip(&mut self, name: &str, missing: &Missing) -> Result<()> {
        let depth = self.open.len().saturating_sub(1);
        self.diagnostics(depth, &format!("to do: {}", missing.remedy))?;
        self.result(true, name, &format!("SKIP {missing}: {}", missing.why))
    }

    fn end(&mut self, about: &str) -> Result<()> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        self.diagnostics(self.open.len().saturating_sub(1), about)?;
        self.result(!open.failed, &open.name, "")
    }
}

impl Renderer for Ktap {
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        match *event {
            Event::Begin { command, profile, seed, tests } => {
                self.begin("", tests)?;
                self.diagnostics(0, &format!("lazymmu {command}, profile {profile:?}, seed {seed}"))
            }
            Event::Group { name, tests, .. } => self.begin(name, tests),
            Event::Case(case) => self.case(case),
            Event::Skip { name, missing } => self.skip(name, missing),
            Event::End { about, .. } => self.end(about),
            Event::Finish { conclusion, .. } => self.diagnostics(0, conclusion),
        }
    }
}

/// A name that no parser takes for more: one word, no `#`, which would begin a directive.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_whitespace() || c == '#' || c.is_control() { '_' } else { c }).collect()
}

/// A text on one line that no parser takes for the beginning of a subtest.
fn harmless(line: &str) -> String {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.trim_start().starts_with("Subtest:") { format!("- {line}") } else { line }
}
