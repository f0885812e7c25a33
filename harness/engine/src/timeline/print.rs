//! The timeline's page: one column for each CPU that takes part, then the text, indented, at most 100 columns wide.
//!
//! In a CPU's column stands the task that acts there. Marks begin in the first column of all, so that the eye and
//! `grep` find them. Called by the timeline.

use std::fmt::Write as _;

use super::fold::{Block, Who};

/// Columns a line should not exceed.
const WIDTH: usize = 100;
/// The indentation stops growing here: a text must not grow with the square of its depth.
const DEEPEST: usize = 20;
/// How much further the rest of a long line is indented.
const HANGING: usize = 4;

/// Prints them.
pub(super) fn print(blocks: &[Block]) -> String {
    let mut page = Page { text: String::new(), cpus: Vec::new() };
    let rows = || {
        blocks.iter().flat_map(|block| match block {
            Block::Row(row) => std::slice::from_ref(row),
            Block::Times(_, rows) => rows,
        })
    };
    page.cpus = rows().map(|row| row.line.who.cpu).collect();
    page.cpus.sort_unstable();
    page.cpus.dedup();
    if page.cpus.is_empty() {
        return page.text;
    }
    let interrupt = if rows().any(|row| row.line.who.interrupt) { "; `!` is in_interrupt()" } else { "" };
    let columns = page.columns(|cpu| format!("cpu{cpu}"));
    let _ = writeln!(page.text, "{columns}| counters are enable/pause{interrupt}");
    for block in blocks {
        match block {
            Block::Row(row) => {
                page.line(row.line.who, row.line.depth, &row.text());
                row.line.marks.iter().for_each(|mark| page.mark(mark));
            }
            Block::Times(n, rows) => {
                page.line(rows[0].line.who, rows[0].line.depth, &format!("{n} times:"));
                rows.iter().for_each(|row| page.line(row.line.who, row.line.depth + 1, &row.text()));
            }
        }
    }
    page.text
}

struct Page {
    text: String,
    cpus: Vec<u8>,
}

impl Page {
    fn columns(&self, text: impl Fn(u8) -> String) -> String {
        self.cpus.iter().map(|&cpu| format!("{:<5}", text(cpu))).collect()
    }

    fn line(&mut self, who: Who, depth: usize, line: &str) {
        let mark = if who.interrupt { "!" } else { "" };
        let columns = self.columns(|cpu| if cpu == who.cpu { format!("T{}{mark}", who.task) } else { String::new() });
        let indent = 2 * depth.min(DEEPEST);
        let width = WIDTH - columns.len() - 2 - indent - HANGING;
        for (i, part) in wrapped(line, width).into_iter().enumerate() {
            let indent = if i == 0 { indent } else { indent + HANGING };
            let _ = writeln!(self.text, "{columns}| {:indent$}{part}", "");
        }
    }

    fn mark(&mut self, mark: &str) {
        let _ = writeln!(self.text, "{mark}");
    }
}

/// A line's parts, each of at most so many columns but for words that are longer, cut behind a semicolon where there is
/// one. The first may be longer by what the others hang in.
fn wrapped(line: &str, width: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line;
    let mut room = width + HANGING;
    while rest.len() > room {
        let fits = |behind: &str| {
            let cuts = rest.match_indices(' ').map(|(at, _)| at).take_while(|&at| at <= room);
            cuts.filter(|&at| rest[..at].ends_with(behind)).last()
        };
        let Some(at) = fits(";").or_else(|| fits("")).or_else(|| rest.find(' ')) else { break };
        parts.push(&rest[..at]);
        rest = &rest[at + 1..];
        room = width;
    }
    parts.push(rest);
    parts
}
