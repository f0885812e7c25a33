//! JUnit XML: a test suite for each innermost group, a test case for each case. Written at the end, as the form demands.
//!
//! What it is not: its elements are quick-junit's.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Sink;
use crate::check::Case;
use crate::check::event::{Event, Renderer};
use crate::error::{Error, Result};

/// The report.
#[derive(Debug)]
pub struct Junit {
    sink: Sink,
    report: Report,
    /// The open groups: each a suite under its whole name, which stays out of the report while it has no case.
    open: Vec<TestSuite>,
}

impl Junit {
    /// A report that goes there.
    #[must_use]
    pub fn new(sink: Sink) -> Junit {
        Junit { sink, report: Report::new("lazymmu"), open: Vec::new() }
    }

    /// The name of a group or skip with those of the open groups before it.
    fn whole(&self, name: &str) -> String {
        self.open.last().map_or_else(|| name.to_owned(), |parent| format!("{}.{name}", parent.name.as_str()))
    }

    fn case(&mut self, case: &Case) {
        let status = if case.holds() {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            if let Some(failure) = case.failures.first() {
                status.set_type(failure.cause.to_string());
            }
            let texts: Vec<_> = case.failures.iter().map(ToString::to_string).collect();
            let what = case.failures.first().map_or_else(String::new, |failure| format!(": {}", failure.what));
            status.set_message(format!("{} of {} runs{what}", case.failed, case.count));
            status.set_description(texts.join("\n"));
            status
        };
        if let Some(suite) = self.open.last_mut() {
            let mut test = TestCase::new(case.name.as_str(), status);
            test.set_classname(suite.name.as_str());
            let remark = case.remark();
            if !remark.is_empty() {
                test.set_system_out(format!("{} runs{remark}", case.count));
            }
            suite.add_test_case(test);
        }
    }

    fn end(&mut self, about: &str, took: std::time::Duration) {
        let Some(mut suite) = self.open.pop() else { return };
        if !about.is_empty() {
            suite.set_system_out(about);
        }
        if !took.is_zero() {
            suite.set_time(took);
        }
        if suite.tests > 0 || !about.is_empty() {
            self.report.add_test_suite(suite);
        }
    }
}

impl Renderer for Junit {
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        match *event {
            Event::Begin { .. } => {}
            Event::Group { name, .. } => {
                let suite = TestSuite::new(self.whole(name));
                self.open.push(suite);
            }
            Event::Case(case) => self.case(case),
            Event::Skip { name, missing } => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(format!("{missing}: {}", missing.why));
                status.set_description(format!("to do: {}", missing.remedy));
                let mut suite = TestSuite::new(self.whole(name));
                suite.add_test_case(TestCase::new("set-up", status));
                self.report.add_test_suite(suite);
            }
            Event::End { about, took } => self.end(about, took),
            Event::Finish { .. } => {
                let text = self.report.to_string().map_err(|error| Error::Broke {
                    what: format!("the JUnit report cannot be made: {error}"),
                    place: None,
                    remedy: "use another --format, and report this".to_owned(),
                })?;
                self.sink.write(&text)?;
            }
        }
        Ok(())
    }
}
