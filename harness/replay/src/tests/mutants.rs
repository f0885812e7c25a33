//! Every small change of every legal case, renumbered so that the sequence does not give it away.
//!
//! A checker that accepts everything passes every legal trace, so each legal case is changed in all the ways in which
//! a recording can be damaged, and what is still accepted is listed in `cases/survivors.txt` with the reason why a
//! kernel could have recorded it. A survivor that is not listed fails, and so does a listed one that no longer occurs.
//!
//! The changed traces are whole recordings by what their headers promise. The same changes in a partial capture, of which
//! neither end is known, are counted apart: what is refused there is refused whatever came before and after.

use super::{cases, replay};
use std::collections::BTreeSet;

/// The fields of an event line after its sequence number.
type Fields = Vec<String>;

const CPU: usize = 0;
const PID: usize = 1;
const IRQ: usize = 2;
const EVENT: usize = 3;
const ENABLE: usize = 4;
const PAUSE: usize = 5;

/// A trace with one change, and the name of the change.
struct Mutant {
    class: String,
    lines: Vec<Fields>,
}

fn fields(trace: &str) -> Vec<Fields> {
    let events = trace.lines().filter(|line| !line.trim_start().starts_with('#'));
    events.map(|line| line.split(' ').skip(1).map(str::to_owned).collect()).collect()
}

/// A whole recording: it begins at 0, and its header says that it is complete.
fn whole(header: &str, lines: &[Fields]) -> String {
    let header = format!("{header}# complete: all {} recorded events\n", lines.len());
    render(&header, 0, lines)
}

fn render(header: &str, first: usize, lines: &[Fields]) -> String {
    let events = lines.iter().enumerate().map(|(n, line)| format!("{} {}\n", first + n, line.join(" ")));
    header.to_owned() + &events.collect::<String>()
}

/// The legal cases that can be changed: whole ones, with nothing but comments and plain event lines. Header and lines.
fn legal() -> impl Iterator<Item = (String, Vec<Fields>)> {
    let is_plain = |line: &str| {
        let fields: Vec<_> = line.split(' ').collect();
        line.trim_start().starts_with('#') || fields.get(4).is_some_and(|event| fields.len() == 7 + extra(event))
    };
    let plain = cases().filter(move |case| case.verdict.starts_with("accepted") && case.trace.lines().all(is_plain));
    let parts = plain.map(|case| {
        let header: String =
            case.trace.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        (header, fields(case.trace))
    });
    let promises_nothing = |header: &str| header.contains("# window:") || header.contains("# incomplete:");
    parts.filter(move |(header, lines)| {
        !promises_nothing(header) && replay(whole(header, lines).as_bytes()).is_ok_and(|s| s.gaps == 0)
    })
}

/// The numbers that follow an event's counts.
fn extra(event: &str) -> usize {
    match event {
        "batch_add" | "flush_pending" | "flush_immediate" | "new_task" => 1,
        "mc_flush" => 2,
        _ => 0,
    }
}

/// What a field's values are anywhere in the trace.
fn values(lines: &[Fields], field: usize) -> BTreeSet<String> {
    lines.iter().map(|line| line[field].clone()).collect()
}

/// Every change at line `i`.
fn changes(lines: &[Fields], i: usize) -> Vec<Mutant> {
    let line = &lines[i];
    let name = format!("{}{}", line[EVENT], if line[IRQ] == "1" { " in an interrupt" } else { "" });
    let mut mutants = Vec::new();
    let mut add = |class: String, new: Vec<Fields>, used: usize| {
        let changed = [&lines[..i], &new, &lines[i + used..]].concat();
        if changed != lines {
            mutants.push(Mutant { class, lines: changed });
        }
    };
    add(format!("drop {name}"), vec![], 1);
    add(format!("double {name}"), vec![line.clone(), line.clone()], 1);
    if let Some(next) = lines.get(i + 1) {
        let whose = if next[CPU] != line[CPU] { "another CPU's" } else { "its CPU's" };
        add(format!("swap {name} with {whose} {}", next[EVENT]), vec![next.clone(), line.clone()], 2);
    }
    let mut set = |class: &str, field: usize, value: String| {
        let mut new = line.clone();
        new[field] = value;
        new.resize(6 + extra(&new[EVENT]), "1".to_owned());
        add(format!("{class} of {name}"), vec![new], 1);
    };
    for field in ENABLE..line.len() {
        let class = ["enable_count", "pause_count", "nr", "argument bytes"][field - ENABLE];
        let value: i64 = line[field].parse().expect("a count");
        for near in [value + 1, value - 1] {
            if near >= 0 && (near < 256 || field > PAUSE) {
                set(class, field, near.to_string());
            }
        }
    }
    for event in values(lines, EVENT) {
        set(&format!("name {event} instead"), EVENT, event);
    }
    set("irq", IRQ, if line[IRQ] == "1" { "0" } else { "1" }.to_owned());
    for pid in values(lines, PID) {
        set("pid", PID, pid);
    }
    for cpu in values(lines, CPU) {
        set("cpu", CPU, cpu);
    }
    mutants
}

/// The survivors, `<architecture>: <change>`.
fn survivors() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (header, lines) in legal() {
        for mutant in (0..lines.len()).flat_map(|i| changes(&lines, i)) {
            if let Ok(summary) = replay(whole(&header, &mutant.lines).as_bytes()) {
                let arch = summary.arch.map_or("any".to_owned(), |arch| arch.to_string());
                found.insert(format!("{arch}: {}", mutant.class));
            }
        }
    }
    found
}

#[test]
fn every_survivor_is_listed_with_a_reason() {
    let list = include_str!("../cases/survivors.txt");
    let entries = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let listed: BTreeSet<String> = entries.map(str::to_owned).collect();
    let found = survivors();
    let new: Vec<_> = found.difference(&listed).map(String::as_str).collect();
    let gone: Vec<_> = listed.difference(&found).map(String::as_str).collect();
    assert!(new.is_empty() && gone.is_empty(), "not listed:\n{}\n\ngone:\n{}", new.join("\n"), gone.join("\n"));
}

/// A partial capture excuses a change that some beginning, or a later line, could explain, and no more.
#[test]
fn most_changes_are_refused_in_a_partial_capture_too() {
    let (mut refused, mut still) = (0, 0);
    for (header, lines) in legal() {
        for mutant in (0..lines.len()).flat_map(|i| changes(&lines, i)) {
            if replay(whole(&header, &mutant.lines).as_bytes()).is_err() {
                refused += 1;
                still += u32::from(replay(render(&header, 1000, &mutant.lines).as_bytes()).is_err());
            }
        }
    }
    println!("of {refused} changes that a whole recording shows, a partial capture shows {still}");
    assert!(refused > 5000 && still * 20 > refused * 19, "{still} of {refused}");
}
