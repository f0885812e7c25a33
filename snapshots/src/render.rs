//! What snapshots hold, as text.
//!
//! Runs of equal events are folded (`set_pte x31`), so that a full batch is one line to review. Called by the tests
//! that compare with the snapshot files, and by `lazymmu check`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lazy_mmu_arches::context::Note;
use lazy_mmu_engine::program::{Block, Op, Program, TASKS};
use lazy_mmu_engine::registry::{Descriptor, GenerationName, SUBJECTS};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::{Event, Point, What, line};

/// Where a subject stands in the registry.
fn index(generation: GenerationName, backend: &str) -> Option<usize> {
    SUBJECTS.iter().position(|subject| subject.generation == generation && subject.backend == backend)
}

/// The subject whose generic events stand for a program's: `none`, which no program is made for, or the first one on the
/// MMU of the program's first `on` block, so that the block is shown.
fn generic_subject(program: &Program) -> Option<usize> {
    let of = program.ops().iter().find_map(|op| if let Op::Open(Block::On(mmu)) = op { Some(*mmu) } else { None });
    let counted = |subject: &Descriptor| subject.generation == GenerationName::Counted;
    match of {
        None => index(GenerationName::Counted, "none"),
        Some(mmu) => SUBJECTS.iter().position(|subject| counted(subject) && subject.make(Port::Model).mmu() == mmu),
    }
}

/// A program's snapshot: its generic events under the counted generation, then every subject's verdict.
pub fn program(runner: &mut Runner, program: &Program) -> String {
    let mut text = String::new();
    if let Some(counted) = generic_subject(program) {
        let (events, _) = runner.run(counted, Port::Model, program);
        text.push_str(&generic(events));
    }
    text.push_str("\nverdicts\n");
    for generation in GenerationName::ALL {
        text.push_str(&verdicts(runner, generation, program));
    }
    text
}

/// The generic events, one per line, repeated ones folded.
#[must_use]
pub fn generic(events: &[Event]) -> String {
    let lines = events.iter().filter(|event| event.is_generic()).map(|event| {
        let who = format!("cpu{} T{}{}", event.cpu, event.task, if event.interrupt { "!" } else { " " });
        format!("{:>3} {who} {}", event.op, line(&event.what))
    });
    fold(lines)
}

/// A generation's verdicts: the commonest, and the backends that differ.
fn verdicts(runner: &mut Runner, generation: GenerationName, program: &Program) -> String {
    let mut by_verdict: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (at, subject) in SUBJECTS.iter().enumerate().filter(|(_, subject)| subject.generation == generation) {
        let (_, verdict) = runner.run(at, Port::Model, program);
        by_verdict.entry(verdict.to_string()).or_default().push(subject.backend);
    }
    let mut sorted: Vec<_> = by_verdict.into_iter().collect();
    sorted.sort_by_key(|(_, backends)| std::cmp::Reverse(backends.len()));
    let mut text = String::new();
    for (n, (verdict, backends)) in sorted.iter().enumerate() {
        let whose = if n == 0 { String::new() } else { format!(" on {}", backends.join(", ")) };
        let _ = writeln!(text, "{:<11} {verdict}{whose}", generation.name());
    }
    text
}

/// The verdict of every subject in a program's snapshot, by the subject's name: what [`program`] wrote there.
#[must_use]
pub fn reviewed_verdicts(body: &str) -> BTreeMap<&'static str, &str> {
    let rows = body.split_once("\nverdicts\n").map_or("", |(_, rows)| rows);
    let mut verdicts = BTreeMap::new();
    for row in rows.lines() {
        let Some((generation, rest)) = row.split_once(' ') else { continue };
        let (verdict, backends) = match rest.trim_start().split_once(" on ") {
            Some((verdict, backends)) => (verdict, Some(backends)),
            None => (rest.trim_start(), None),
        };
        let of = SUBJECTS.iter().filter(|subject| subject.generation.name() == generation);
        // The commonest comes first, and the backends that differ overwrite it.
        let is_named = |backend: &str| backends.is_none_or(|all| all.split(", ").any(|named| named == backend));
        verdicts.extend(of.filter(|subject| is_named(subject.backend)).map(|subject| (subject.name, verdict)));
    }
    verdicts
}

/// What each backend of the counted generation does with a program: per operation, its deferrals and instructions, and
/// what it leaves of preempt_count. Empty if no backend does anything of its own.
///
/// Xen's forms before 7.0 are shown too, because their switch hooks are theirs alone. `operands` spells instructions out.
pub fn architectures(runner: &mut Runner, program: &Program, operands: bool) -> String {
    let mut text = String::new();
    for (at, subject) in SUBJECTS.iter().enumerate() {
        let counted = subject.generation == GenerationName::Counted;
        let earlier_xen = subject.generation <= GenerationName::Token && subject.backend.contains("xen");
        if !counted && !earlier_xen {
            continue;
        }
        let (events, _) = runner.run(at, Port::Model, program);
        let mut own = own_events(events, program, operands);
        for task in 0..TASKS {
            let count = runner.preempt_count(task);
            if count != 0 {
                let _ = writeln!(own, "  end: T{task} is left with preempt_count {count:+}");
            }
        }
        if !own.is_empty() {
            let name = if counted { subject.backend } else { subject.name };
            let _ = write!(text, "{name}\n{own}");
        }
    }
    text
}

/// What is shown of what a backend does: what it executes and says, and what memory then does otherwise than asked.
fn is_shown(what: &What) -> bool {
    match what {
        What::Note(_) | What::Insn(_) | What::Atomic { .. } | What::Bug(_) => true,
        What::Walk(_, walked) => walked.found != walked.asked,
        What::Read { found, asked, .. } => found != asked,
        What::Late(late) => late.point != Point::Write,
        What::Reachable { .. } | What::Denied(_) | What::Left(_) | What::Preemptible(_) | What::Complaint(..) => true,
        _ => false,
    }
}

/// Events of the backend, grouped by the operation they happened in.
fn own_events(events: &[Event], program: &Program, operands: bool) -> String {
    let mut text = String::new();
    let own = |event: &&Event| {
        is_shown(&event.what)
            || (event.below && matches!(event.what, What::Hook(..) | What::Return(..) | What::Warn(_)))
            || matches!(event.what, What::Mode { arch, task: Some(task) } if arch != task)
    };
    let mut own = events.iter().filter(own).peekable();
    while let Some(event) = own.next() {
        let mut words = vec![word(&event.what, operands)];
        while let Some(next) = own.next_if(|next| next.op == event.op) {
            words.push(word(&next.what, operands));
        }
        let op = program.ops().get(event.op as usize).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "{:>5} {op}: {}", event.op, fold_words(&words));
    }
    text
}

/// An event without its operands, where these say nothing to a reader of a long run.
fn word(what: &What, operands: bool) -> String {
    match what {
        What::Insn(insn) if !operands => insn.op.mnemonic().to_owned(),
        What::Note(Note::BatchAdd(_)) => "batch_add".to_owned(),
        other => line(other),
    }
}

fn fold(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    let mut last: Option<(String, u32)> = None;
    for line in lines.map(Some).chain([None]) {
        match (&mut last, line) {
            (Some((known, times)), Some(line)) if *known == line => *times += 1,
            (_, line) => {
                if let Some((known, times)) = last.take() {
                    let again = if times > 1 { format!("  x{times}") } else { String::new() };
                    let _ = writeln!(text, "{known}{again}");
                }
                last = line.map(|line| (line, 1));
            }
        }
    }
    text
}

/// Folds repeated words, and repeated groups of up to eight words.
fn fold_words(words: &[String]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let best = (1..=8usize.min((words.len() - at) / 2).max(1))
            .map(|length| (length, repeats(&words[at..], length)))
            .filter(|&(_, times)| times > 1)
            .max_by_key(|&(length, times)| (length * times, std::cmp::Reverse(length)));
        match best {
            Some((1, times)) => {
                parts.push(format!("{} x{times}", words[at]));
                at += times;
            }
            Some((length, times)) => {
                parts.push(format!("({}) x{times}", words[at..at + length].join("; ")));
                at += length * times;
            }
            None => {
                parts.push(words[at].clone());
                at += 1;
            }
        }
    }
    parts.join("; ")
}

/// How many times the first `length` words stand there one after the other.
fn repeats(words: &[String], length: usize) -> usize {
    if length > words.len() {
        return 0;
    }
    words.chunks_exact(length).take_while(|chunk| *chunk == &words[..length]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a snapshot is what was written, for every subject.
    #[test]
    fn verdicts_are_read_back() {
        let mut runner = Runner::new();
        for entry in crate::PROGRAMS {
            let parsed = lazy_mmu_engine::program::text::parse(entry.text).expect("a program");
            let body = program(&mut runner, &parsed);
            let verdicts = reviewed_verdicts(&body);
            for (at, subject) in SUBJECTS.iter().enumerate() {
                let (_, verdict) = runner.run(at, Port::Model, &parsed);
                assert_eq!(verdicts.get(subject.name), Some(&verdict.to_string().as_str()), "{}", entry.name);
            }
        }
    }

    #[test]
    fn repeated_words_and_groups_are_folded() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(fold_words(&words("a a a b")), "a x3; b");
        assert_eq!(fold_words(&words("s a b a b a b c")), "s; (a; b) x3; c");
        assert_eq!(fold_words(&words("a")), "a");
        assert_eq!(fold_words(&[]), "");
        assert_eq!(fold(["x", "y", "y"].map(str::to_owned).into_iter()), "x\ny  x2\n");
    }
}
