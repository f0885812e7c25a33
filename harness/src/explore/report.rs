//! What an exploration prints: numbers, what it exercised and what not, and the failing path as a program with its timeline.
//!
//! Not here: the numbers. Called by `lazymmu explore`.

use std::fmt::Write as _;
use std::time::Duration;

use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::examine::Examiner;
use lazy_mmu_engine::exercise::{Exercised, KINDS};
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::registry::Descriptor;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::space::Counts;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::timeline;

use super::alphabet::Alphabet;
use super::closed::{Closed, PLACES};
use super::{End, Explored, Failure};
use crate::table;

/// The alphabet, one step per line with its number.
#[must_use]
pub fn alphabet(alphabet: Alphabet, full: u16) -> String {
    let lines = alphabet.lines(full);
    let mut text = format!("alphabet {}, {} steps\n", alphabet.name(), lines.len());
    for (at, line) in lines.iter().enumerate() {
        let _ = writeln!(text, "  {at:>2}  {line}");
    }
    text
}

/// Where an exploration stands, in one line.
#[must_use]
pub fn progress(explored: &Explored) -> String {
    let Explored { states, expanded, transitions, depth, .. } = explored;
    format!("depth {depth}: {states} states, {expanded} of them expanded, {transitions} transitions")
}

/// The same of the closed space.
#[must_use]
pub fn progress_closed(closed: &Closed) -> String {
    let (states, Closed { transitions, depth, .. }) = (closed.states.iter().sum::<usize>(), closed);
    format!("depth {depth}: {states} states, {transitions} transitions")
}

/// The numbers of an exploration, complete or not.
#[must_use]
pub fn explored(explored: &Explored, name: &str) -> String {
    let seconds = explored.time.as_secs_f64();
    let per_second = explored.transitions as f64 / seconds.max(1e-9);
    let mut rows = vec![
        row("states", explored.states.to_string()),
        row("of these expanded", explored.expanded.to_string()),
        row("transitions, merged ones included", explored.transitions.to_string()),
        row("steps of the longest path", explored.depth.to_string()),
        row("ended by the program's own misuse", explored.misuses.to_string()),
        row("ended where the backend cannot come", explored.cuts.to_string()),
        row("seconds", format!("{seconds:.2}")),
        row("states per second", format!("{:.0}", explored.states as f64 / seconds.max(1e-9))),
        row("transitions per second", format!("{per_second:.0}")),
    ];
    rows.extend(
        explored
            .known
            .iter()
            .map(|(finding, times)| row(&format!("ended by known finding {finding}"), times.to_string())),
    );
    format!("{name}\n{}\n{}\n{}", table::render(&rows), exercised(&explored.exercised), judged(&explored.judged))
}

fn row(name: &str, value: String) -> Vec<String> {
    vec![format!("  {name}"), value]
}

/// What was met by the steps, and what never was.
fn exercised(exercised: &Exercised) -> String {
    let met = KINDS.into_iter().zip(exercised.counts).filter(|(_, count)| *count > 0);
    let met: Vec<_> = met.map(|(kind, count)| row(kind, count.to_string())).collect();
    let missing: Vec<_> = exercised.missing().collect();
    let missing = if missing.is_empty() { "nothing".to_owned() } else { missing.join(", ") };
    format!("exercised by the steps\n{}not exercised: {missing}\n", table::render(&met))
}

/// How often each invariant was judged, and which never.
fn judged(counts: &Counts) -> String {
    let all = || Invariant::ALL.into_iter().zip(counts);
    let met: Vec<_> =
        all().filter(|(_, count)| **count > 0).map(|(is, count)| row(is.name(), count.to_string())).collect();
    let never: Vec<_> = all().filter(|(_, count)| **count == 0).map(|(invariant, _)| invariant.name()).collect();
    let never = if never.is_empty() { "none".to_owned() } else { never.join(", ") };
    format!("judged in the steps\n{}never judged: {never}\n", table::render(&met))
}

/// The numbers of the closed space.
#[must_use]
pub fn closed(closed: &Closed, name: &str) -> String {
    let mut rows = vec![row("states", closed.states.iter().sum::<usize>().to_string())];
    rows.extend(
        PLACES.into_iter().zip(closed.states).map(|(place, count)| row(&format!("  {place}"), count.to_string())),
    );
    let (enable, pause) = closed.values;
    rows.extend([
        row("transitions, merged ones included", closed.transitions.to_string()),
        row("calls made, each judged by the model", closed.calls.to_string()),
        row("  of these compared with the table", closed.rows.to_string()),
        row("warnings given", closed.warnings.to_string()),
        row("values of enable_count reached", enable.to_string()),
        row("values of pause_count reached", pause.to_string()),
        row("transitions to the farthest state", closed.depth.to_string()),
        row("seconds", format!("{:.2}", closed.time.as_secs_f64())),
    ]);
    format!("{name}, the whole space of the counters\n{}", table::render(&rows))
}

/// The failing path: what broke, the program as it was run, and the command that replays it: `shown` is its timeline and
/// verdict, `on` the options that name the subject, `file` where the program was put, if anywhere.
#[must_use]
pub fn failure(failure: &Failure, shown: &str, on: &str, file: Option<&str>) -> String {
    let Failure { program, steps, invariant, text: said, op } = failure;
    let what = invariant.map_or("the code crashes", Invariant::name);
    let mut text = format!("BROKEN: {what}, at operation {op}: {said}\n");
    if *steps > 0 {
        let _ = writeln!(text, "searched breadth first: no path of fewer than {steps} steps breaks anything");
    }
    let lines: String = program.to_string().lines().map(|line| format!("  {line}\n")).collect();
    let _ = write!(text, "\n{shown}\nprogram:\n{lines}\n{}", replay(program, on, file));
    text
}

/// The timeline and the verdict of the failing path on our Rust.
#[must_use]
pub fn shown(program: &Program, judged: Examiner<'_>, plain: &Descriptor) -> String {
    let mut runner = Runner::new();
    let (events, verdict) = runner.run_on(judged.subject, judged.rules, program);
    let timeline = timeline::render(program, &*plain.make(Port::Model), events, &verdict);
    format!("{timeline}\n{}", timeline::conclusion(&verdict, program))
}

/// The command line that runs the program again.
fn replay(program: &Program, on: &str, file: Option<&str>) -> String {
    match file {
        Some(file) => format!("replay: cargo lazymmu run {} {on}\n", crate::show::quoted(file)),
        None => {
            let program = program.to_string();
            format!("replay: cargo lazymmu run - {on} <<'END'\n{}\nEND\n", program.trim_end())
        }
    }
}

/// The last line.
#[must_use]
pub fn conclusion(end: End, depth: Option<u8>, states: usize, time: Duration) -> String {
    let all = depth.map_or_else(|| "the whole space".to_owned(), |depth| format!("every path of up to {depth} steps"));
    match end {
        End::Complete => format!("holds: {all} was explored"),
        End::Broken => "broken".to_owned(),
        End::States => format!(
            "PARTIAL: {states} states were found, as many as --max-states lets be kept; give a lower --depth or a higher --max-states"
        ),
        End::Interrupted => {
            format!("PARTIAL: interrupted after {:.1} s; nothing was broken so far", time.as_secs_f64())
        }
        End::Lost => format!("PARTIAL: after {states} states the agent did not answer"),
    }
}
