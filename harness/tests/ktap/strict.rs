//! What the format asks and the kernel's parser lets pass: indentation, a plan before the first result and kept to the
//! number, a version line in each subtest, a parent that fails with its child, a reason for each skip, no result in a
//! subtest that has the subtest's own name (the parser takes it for its end), and no line that is none of these.
//!
//! What it is not: a reader of other people's logs. Called by `ktap.rs`.

use crate::reader::{Line, line};

/// An open group.
struct Group {
    plan: Option<usize>,
    results: usize,
    failed: bool,
    name: Option<String>,
}

/// Every fault of a log, with its line.
pub fn faults(log: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut open: Vec<Group> = Vec::new();
    for (number, text) in (1..).zip(log.lines()) {
        let bare = text.trim_start();
        let depth = (text.len() - bare.len()) / 4;
        let mut fault = |what: &str| faults.push(format!("{number}: {what}: {text}"));
        if (text.len() - bare.len()) % 4 != 0 {
            fault("no whole indentation");
        }
        match line(bare) {
            Line::Version(version) => {
                if version != 1 || depth != open.len() {
                    fault("a version line of another version or depth");
                }
                open.push(Group { plan: None, results: 0, failed: false, name: None });
            }
            _ if depth + 1 > open.len() => fault("deeper than any version line"),
            Line::Outcome(outcome) => {
                // Its own subtest ends with it.
                let inner = if depth + 2 == open.len() { open.pop() } else { None };
                if depth + 1 != open.len() {
                    fault("a result of a group that is not the innermost");
                    continue;
                }
                if let Some(inner) = inner {
                    if inner.plan != Some(inner.results) {
                        fault("the end of a subtest whose plan is not kept");
                    }
                    if inner.failed == outcome.ok {
                        fault("a result that is not its subtests'");
                    }
                    if inner.name.is_some_and(|name| name != outcome.name) {
                        fault("the result of another subtest");
                    }
                }
                let group = &mut open[depth];
                group.results += 1;
                group.failed |= !outcome.ok;
                if group.plan.is_none() {
                    fault("a result before the plan");
                }
                if outcome.number != group.results {
                    fault("a result out of order");
                }
                if group.name.as_deref() == Some(outcome.name) {
                    fault("a result with the name of the subtest it is in");
                }
                if outcome.skip == Some("") {
                    fault("a skip without a reason");
                }
            }
            Line::Plan(count) => {
                let group = &mut open[depth];
                if group.plan.replace(count).is_some() || group.results > 0 || count == 0 {
                    fault("a plan that is late, double or empty");
                }
            }
            Line::Subtest(name) => open[depth].name = Some(name.to_owned()),
            Line::Other if bare == "#" || bare.starts_with("# ") => {}
            Line::Other => fault("no line of the format"),
        }
    }
    match &open[..] {
        [top] if top.plan == Some(top.results) => {}
        [_] => faults.push("the end: the plan is not kept".to_owned()),
        [] => faults.push("the end: there was no version line".to_owned()),
        _ => faults.push("the end: a subtest has no result".to_owned()),
    }
    faults
}
