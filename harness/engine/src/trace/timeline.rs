//! The timeline: a trace for people. Calls and blocks nest by indentation; the first violation of each invariant is
//! marked where it broke.
//!
//! One line per event: CPU and task (with `!` in interrupt context), then the event; architecture events carry a dot.
//! Called by `lazymmu run` and by whoever reports a failure.

use std::fmt::Write as _;

use super::{Call, Counters, Event, What, line};
use crate::contract::Verdict;
use crate::program::{Block, Op};

/// Renders a trace with its verdict's marks.
#[must_use]
pub fn render(events: &[Event], verdict: &Verdict) -> String {
    let mut text = String::new();
    let mut depth = 0usize;
    for (at, event) in events.iter().enumerate() {
        depth = depth.saturating_sub(closes(&event.what));
        let who = format!("cpu{} T{}{}", event.cpu, event.task, if event.interrupt { "!" } else { " " });
        let dot = if event.is_generic() { "" } else { ". " };
        let _ = writeln!(text, "{who} | {:indent$}{dot}{}", "", short(&event.what), indent = 2 * depth.min(20));
        depth += opens(&event.what);
        marks(&mut text, verdict, at);
    }
    marks(&mut text, verdict, events.len());
    text
}

/// The verdict in words: what holds or broke, and whether the program itself misused the API.
#[must_use]
pub fn conclusion(verdict: &Verdict, ops: &[Op]) -> String {
    let mut text = format!("verdict: {verdict}\n");
    for violation in &verdict.violations {
        let _ = writeln!(text, "  {}: {}", violation.invariant.name(), violation.text);
    }
    if let Some(misuse) = verdict.misuse {
        let op = ops.get(misuse.op as usize).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(
            text,
            "  the program misuses the API at operation {} (`{op}`): it {}; what breaks from there on may be its own",
            misuse.op,
            misuse.how.text()
        );
    }
    text
}

fn marks(text: &mut String, verdict: &Verdict, at: usize) {
    for violation in verdict.violations.iter().filter(|violation| violation.event == at) {
        let _ = writeln!(text, ">>> {} broken: {}", violation.invariant.name(), violation.text);
    }
}

fn opens(what: &What) -> usize {
    match what {
        What::Call(..) | What::Open(..) | What::SwitchOut { .. } => 1,
        _ => 0,
    }
}

fn closes(what: &What) -> usize {
    match what {
        What::Return(..) | What::Close(..) | What::SwitchIn { .. } => 1,
        _ => 0,
    }
}

/// A line of the timeline: as in snapshots, but a call's end shows only where it led.
fn short(what: &What) -> String {
    let counters = |c: &Counters| format!("{}/{}{}", c.enable, c.pause, if c.active { " active" } else { "" });
    match what {
        What::Call(call @ (Call::TaskPause(task) | Call::TaskResume(task)), _) => format!("{} T{task}", call.name()),
        What::Call(call, _) => call.name().to_owned(),
        What::Return(_, after) => format!("= {}", counters(after)),
        What::Open(block @ (Block::Between | Block::Repeat(_)), _) => Op::Open(*block).to_string(),
        What::Close(..) => "}".to_owned(),
        other => line(other),
    }
}
