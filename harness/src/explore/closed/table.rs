//! The reviewed transition table of the counted generation, read from its snapshot: what a call does, by classes of the
//! counters.
//!
//! Not here: how the table was made (the engine's `table`). Called by the closed space.

use std::collections::BTreeMap;

use lazy_mmu_engine::trace::{Event, What};

/// What a call does: the hook and what the query answers in it, what the counters move by, whether the task is active
/// after it, and the warnings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    hook: String,
    enable: i16,
    pause: i16,
    active: bool,
    warns: bool,
}

impl Row {
    /// Of one call's events, the first of which are not its own.
    pub(super) fn of(events: &[Event]) -> Row {
        let mut row = Row { hook: "-".to_owned(), ..Row::default() };
        let mut before = None;
        for event in events {
            match event.what {
                What::Call(_, counters) => before = Some(counters),
                What::Hook(hook, active) => {
                    row.hook = format!("{} {}", hook.name(), if active { "(active)" } else { "(off)" });
                }
                What::Warn(_) => row.warns = true,
                What::Return(_, after) => {
                    let before = before.unwrap_or_default();
                    row.enable = i16::from(after.enable) - i16::from(before.enable);
                    row.pause = i16::from(after.pause) - i16::from(before.pause);
                    row.active = after.active;
                }
                _ => {}
            }
        }
        row
    }

    /// As a line of the table says it.
    pub(super) fn text(&self) -> String {
        let active = if self.active { "active after it" } else { "not active after it" };
        let warns = if self.warns { ", a warning" } else { "" };
        format!("hook {}, enable_count {:+}, pause_count {:+}, {active}{warns}", self.hook, self.enable, self.pause)
    }
}

/// A row's call, classes of both counters, and whether it is in interrupt context.
type Key = (String, &'static str, &'static str, bool);

/// The rows.
pub(super) struct Table(BTreeMap<Key, Row>);

impl Table {
    /// Reads the table; `None` if the text is not one.
    pub(super) fn read(text: &str) -> Option<Table> {
        let rows: Option<BTreeMap<_, _>> = text.lines().skip(2).map(row).collect();
        rows.filter(|rows| rows.len() == 6 * 2 * 16).map(Table)
    }

    /// The row of a call.
    pub(super) fn row(&self, call: &str, enable: u8, pause: u8, interrupt: bool) -> Option<&Row> {
        self.0.get(&(call.to_owned(), class(enable), class(pause), interrupt))
    }
}

fn class(value: u8) -> &'static str {
    match value {
        0 => "0",
        1 => "1",
        255 => "255",
        _ => "n",
    }
}

fn row(line: &str) -> Option<(Key, Row)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let known = |word: &str| ["0", "1", "n", "255"].into_iter().find(|class| *class == word);
    let (key, rest) = words.split_at_checked(4)?;
    let hook = if rest.first() == Some(&"-") { 1 } else { 2 };
    let (hook, rest) = rest.split_at_checked(hook)?;
    let [enable, pause, active, warning] = rest else { return None };
    let by = |word: &str| if word == "=" { Some(0) } else { word.parse().ok() };
    let row = Row {
        hook: hook.join(" "),
        enable: by(enable)?,
        pause: by(pause)?,
        active: *active == "yes",
        warns: *warning == "WARN",
    };
    Some(((key[0].to_owned(), known(key[1])?, known(key[2])?, key[3] == "interrupt"), row))
}
