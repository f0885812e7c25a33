//! The report of a finding: plain text that a developer can paste into a mail.
//!
//! Signature and violation, the program, what happened, and the command that replays it, in 78 columns: the timeline's
//! long lines are broken once more. Called by the fuzzer and the host command.

use std::fmt::Write as _;

use super::{Signature, Suspect};
use crate::program::Program;
use crate::runner::Runner;
use crate::timeline;

/// Columns of a mail.
pub(super) const WIDTH: usize = 78;

/// The report; `path` is where the program lies, as a shell takes it. None if the subject has no such name.
#[must_use]
pub fn render(program: &Program, signature: &Signature, path: &str) -> Option<String> {
    let suspect = Suspect::find(&signature.subject)?;
    let mut runner = Runner::new();
    let program = &*suspect.program_of(program);
    let (events, verdict) = suspect.run(&mut runner, program);
    let mut text = format!("finding: {signature}\n\n");
    for violation in &verdict.violations {
        let line = format!("{}: {}", violation.invariant.name(), violation.text);
        for (n, part) in wrapped(&line, WIDTH - 4).into_iter().enumerate() {
            let _ = writeln!(text, "{}{part}", if n == 0 { "  " } else { "    " });
        }
    }
    text.push_str("\nprogram:\n");
    program.to_string().lines().for_each(|line| {
        let _ = writeln!(text, "  {line}");
    });
    let reader = suspect.base.make(crate::subject::Port::Model);
    text.push_str("\nwhat happens:\n\n");
    timeline::render(program, &*reader, events, &verdict).lines().for_each(|line| narrow(line, &mut text));
    let _ = writeln!(text, "\n{}", replay(path, &signature.subject));
    Some(text)
}

/// The command, over two lines if it is long.
fn replay(path: &str, subject: &str) -> String {
    let line = format!("replay: cargo lazymmu run {path} --subject {subject}");
    if line.len() <= WIDTH {
        return line;
    }
    format!("replay:\n  cargo lazymmu run {path} \\\n    --subject {subject}")
}

/// A line of the timeline in lines of a mail: what does not fit hangs below it, its columns left empty.
fn narrow(line: &str, text: &mut String) {
    if line.chars().count() <= WIDTH {
        let _ = writeln!(text, "{line}");
        return;
    }
    let (columns, said) = line.split_once('|').map_or(("", line), |(columns, said)| (columns, said));
    // A mark has no columns.
    let (columns, said) = if line.starts_with('>') { ("", line) } else { (columns, said) };
    let indent = said.len() - said.trim_start().len();
    let bar = if columns.is_empty() { "" } else { "|" };
    let hanging = format!("{:1$}{bar}{2:3$}", "", columns.len(), "", indent + 4);
    for (n, part) in wrapped(said, WIDTH - hanging.len().min(WIDTH / 2)).into_iter().enumerate() {
        let head = if n == 0 { format!("{columns}{bar}{:indent$}", "") } else { hanging.clone() };
        let _ = writeln!(text, "{head}{part}");
    }
}

/// What broke, in the words of the oracle: the verdict text of the other artefacts. Empty if this run breaks nothing of
/// the kind.
#[must_use]
pub fn violation(program: &Program, signature: &Signature) -> String {
    let Some(suspect) = Suspect::find(&signature.subject) else { return String::new() };
    let mut runner = Runner::new();
    let (_, verdict) = suspect.run(&mut runner, &suspect.program_of(program));
    let found = verdict.violations.into_iter().find(|violation| violation.invariant == signature.invariant);
    found.map_or_else(String::new, |found| format!("{}: {}", found.invariant.name(), found.text))
}

/// A text in lines of at most so many columns, but for words that are longer.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            let space = if lines[last].is_empty() { "" } else { " " };
            let _ = write!(lines[last], "{space}{word}");
        }
    }
    lines
}
