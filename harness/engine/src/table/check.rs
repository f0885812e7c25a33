//! A transition table read back from its text, and each step of any trace held against its rows.
//!
//! The text is what people reviewed; this is how a program that nobody reviewed is judged by it. Of the counted and the
//! nesting generations a row says all there is: hook, counters, activity, warning. Of those before, the backend's own
//! state decides, which a trace shows only in part: a step must be some row of its call, and where the
//! state is known (sections opened and closed in task context, and nothing else) it must be that state's row.
//!
//! Not here: how tables are made ([`super::render`]). Called by the fuzz target `transitions`, `explore` and tests.

use std::collections::BTreeMap;

use super::CLASSES;
use crate::trace::{Call, Counters, Event, Hook, What, line};
use lazy_mmu_core::kernel::WarnSite;

/// Backend, call, sections open (0, 1, 2 or more), interrupt context: the hook's line.
type BackendRows = BTreeMap<(String, &'static str, u8, bool), String>;

/// What a row of counters says of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Step {
    hook: Option<(Hook, bool)>,
    enable: i16,
    pause: i16,
    active: bool,
    warns: bool,
    bug: bool,
}

/// Call, class of both counters (or of the level, and the flag), interrupt context.
type State = (&'static str, u8, u8, bool);

#[derive(Clone, Debug)]
enum Rows {
    /// By counters; whether the second is the flag of the nesting generations.
    Counters(BTreeMap<State, Step>, bool),
    /// By the backend's state.
    Backends(BackendRows),
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Rows,
}

/// A step that is not what its row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The event, as an index into the trace.
    pub event: usize,
    /// The row's state: call, class of each counter or sections open, context. Fit for a slug.
    pub state: String,
    /// What the row says and what was done.
    pub text: String,
}

const CALLS: [&str; 6] = ["enable", "disable", "pause", "resume", "task_pause", "task_resume"];

impl Table {
    /// Reads a table's text.
    ///
    /// # Errors
    /// The line that is no row, or no table.
    pub fn parse(text: &str) -> Result<Table, String> {
        let head = text.lines().next().unwrap_or_default();
        let rows = if head.starts_with("counted:") || head.starts_with("nesting-") {
            let rows = text.lines().skip(2).map(|row| counters_row(row).ok_or_else(|| format!("no row: {row}")));
            Rows::Counters(rows.collect::<Result<_, _>>()?, head.starts_with("nesting-"))
        } else if head.starts_with("stateless:") || head.starts_with("token:") {
            Rows::Backends(backend_rows(text)?)
        } else {
            return Err(format!("no transition table: {head}"));
        };
        Ok(Table { rows })
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.rows {
            Rows::Counters(rows, _) => rows.len(),
            Rows::Backends(rows) => rows.len(),
        }
    }

    /// Holds every step of a trace on a backend against the rows. `met` is told of each row met, by a number.
    #[must_use]
    pub fn check(&self, backend: &str, events: &[Event], met: &mut dyn FnMut(u32)) -> Option<Mismatch> {
        match &self.rows {
            Rows::Counters(rows, flag) => by_counters(rows, *flag, events, met),
            Rows::Backends(rows) => by_backend(rows, backend, events, met),
        }
    }
}

fn known(call: &str) -> Option<&'static str> {
    CALLS.into_iter().find(|known| *known == call)
}

fn counters_row(row: &str) -> Option<(State, Step)> {
    let mut words = row.split_whitespace().peekable();
    let call = known(words.next()?)?;
    let class = |word: &str| CLASSES.iter().position(|(name, _)| *name == word).map(|at| at as u8);
    let (first, second) = (class(words.next()?)?, class(words.next()?)?);
    let interrupt = context(words.next()?)?;
    let hook = match words.next()? {
        "-" => None,
        name => {
            let hook = [Hook::Enter, Hook::Flush, Hook::Leave].into_iter().find(|hook| hook.name() == name)?;
            Some((hook, words.next()? == "(active)"))
        }
    };
    let difference = |word: &str| if word == "=" { Some(0) } else { word.parse().ok() };
    let (enable, pause) = (difference(words.next()?)?, difference(words.next()?)?);
    let active = words.next()? == "yes";
    let warnings: Vec<_> = words.collect();
    let step = Step { hook, enable, pause, active, warns: warnings.contains(&"WARN"), bug: warnings.contains(&"BUG") };
    (!warnings.is_empty()).then_some(((call, first, second, interrupt), step))
}

fn context(word: &str) -> Option<bool> {
    match word {
        "task" => Some(false),
        "interrupt" => Some(true),
        _ => None,
    }
}

fn backend_rows(text: &str) -> Result<BackendRows, String> {
    let mut rows = BTreeMap::new();
    let mut backend = "";
    for row in text.lines().skip(1).filter(|row| !row.is_empty()) {
        let Some(rest) = row.strip_prefix("  ") else {
            backend = row;
            continue;
        };
        let bad = || format!("no row: {row}");
        let mut words = rest.split_whitespace();
        let call = words.next().and_then(known).ok_or_else(bad)?;
        let state = words.next().and_then(|word| ["outside", "inside", "nested"].iter().position(|s| *s == word));
        let interrupt = words.next().and_then(context).ok_or_else(bad)?;
        let (_, effect) = rest.split_once(if interrupt { "interrupt" } else { "task" }).ok_or_else(bad)?;
        // The first thing a call does; what the backend does besides has other snapshots.
        let hook = effect.trim().split("; ").next().unwrap_or_default();
        let hook = hook.split("  ").next().unwrap_or_default().to_owned();
        rows.insert((backend.to_owned(), call, state.ok_or_else(bad)? as u8, interrupt), hook);
    }
    Ok(rows)
}

/// The class of a counter.
fn class(count: u8) -> u8 {
    match count {
        0 | 1 => count,
        255 => 3,
        _ => 2,
    }
}

/// A call in progress.
struct Open {
    call: Call,
    /// The task whose counters it moves.
    task: u8,
    /// The task that runs it.
    by: u8,
    before: Counters,
    interrupt: bool,
    op: u32,
    seen: Step,
    /// Somebody else moved its counters meanwhile: no row says what comes of that.
    disturbed: bool,
}

fn by_counters(
    rows: &BTreeMap<State, Step>,
    flag: bool,
    events: &[Event],
    met: &mut dyn FnMut(u32),
) -> Option<Mismatch> {
    let mut open: Vec<Open> = Vec::new();
    // Call sites that warned before: they keep quiet. The form on a named task warns where the plain one does.
    let mut spent: Vec<(u32, WarnSite)> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event.what {
            What::Call(call, before) => {
                let (task, seen) = (call.subject_of(event.task), Step::default());
                let by_number = matches!(call, Call::TaskPause(_) | Call::TaskResume(_));
                for open in open.iter_mut().filter(|open| open.task == task) {
                    open.disturbed |= by_number || open.by != event.task;
                }
                open.push(Open {
                    call,
                    task,
                    by: event.task,
                    before,
                    interrupt: event.interrupt,
                    op: event.op,
                    seen,
                    disturbed: false,
                });
            }
            What::Hook(hook, active) => {
                if let Some(open) = open.last_mut() {
                    // The query's answer is the running task's, which a switch hook does not act on.
                    let others = event.below || open.task != event.task;
                    let expected = if others { open.expected_active(rows, flag) } else { None };
                    open.seen.hook = Some((hook, expected.unwrap_or(active)));
                }
            }
            What::Warn(site) => {
                spent.push((event.op, site));
                if let Some(open) = open.last_mut() {
                    open.seen.warns = true;
                }
            }
            What::VmBug(_) => {
                if let Some(open) = open.last_mut() {
                    open.seen.bug = true;
                }
            }
            // Calls that are open when a run stops end nowhere.
            What::Stop(_) => return None,
            What::Return(call, after) => {
                let done = open.pop()?;
                if done.call != call || done.disturbed {
                    continue;
                }
                let state = state(flag, &done);
                let Some(row) = rows.get(&state) else { continue };
                met(number(state));
                let quiet = row.warns && !done.seen.warns && spent.contains(&(done.op, site(call)));
                let (e, p) = (difference(after.enable, done.before.enable), difference(after.pause, done.before.pause));
                let seen =
                    Step { enable: e, pause: p, active: after.active, warns: done.seen.warns || quiet, ..done.seen };
                if seen != *row {
                    return Some(mismatch(at, state, &format!("{row:?}"), &format!("{seen:?}")));
                }
            }
            _ => {}
        }
    }
    None
}

impl Open {
    /// What the query answers in the hook, by the row.
    fn expected_active(&self, rows: &BTreeMap<State, Step>, flag: bool) -> Option<bool> {
        Some(rows.get(&state(flag, self))?.hook?.1)
    }
}

/// Where a call warns.
fn site(call: Call) -> WarnSite {
    match call {
        Call::Enable => WarnSite::Enable,
        Call::Disable => WarnSite::Disable,
        Call::Pause | Call::TaskPause(_) => WarnSite::Pause,
        Call::Resume | Call::TaskResume(_) => WarnSite::Resume,
    }
}

fn difference(after: u8, before: u8) -> i16 {
    i16::from(after) - i16::from(before)
}

fn state(flag: bool, open: &Open) -> State {
    let second = if flag { u8::from(open.before.active) } else { class(open.before.pause) };
    (open.call.name(), class(open.before.enable), second, open.interrupt)
}

fn number((call, first, second, interrupt): State) -> u32 {
    let call = CALLS.iter().position(|known| *known == call).unwrap_or_default() as u32;
    ((call * 4 + u32::from(first)) * 4 + u32::from(second)) * 2 + u32::from(interrupt)
}

fn mismatch(event: usize, (call, first, second, interrupt): State, row: &str, seen: &str) -> Mismatch {
    let name = |class: u8| CLASSES[usize::from(class)].0;
    let context = if interrupt { "interrupt" } else { "task" };
    let state = format!("{call}-{}-{}-{context}", name(first), name(second));
    Mismatch { event, text: format!("the table's row {state} says {row}, and it did {seen}"), state }
}

fn by_backend(rows: &BackendRows, backend: &str, events: &[Event], met: &mut dyn FnMut(u32)) -> Option<Mismatch> {
    let mut open: Vec<(Call, bool, Option<String>)> = Vec::new();
    // Sections that T0 has opened, while nothing but sections was.
    let mut depth = Some(0u8);
    for (at, event) in events.iter().enumerate() {
        match event.what {
            What::Call(call, _) => {
                // Another task's, or one between the halves of another.
                if event.task != 0 || !open.is_empty() {
                    depth = None;
                }
                open.push((call, event.interrupt, None));
            }
            What::Hook(..) | What::IdleHook(_) | What::Note(_) | What::PreemptCount(_) => {
                if let Some((_, _, first @ None)) = open.last_mut() {
                    *first = Some(line(&event.what));
                }
            }
            What::SwitchOut { .. } | What::Open(..) => depth = None,
            What::Stop(_) => return None,
            What::Return(call, _) => {
                let (_, interrupt, hook) = open.pop()?;
                if event.below {
                    // The architecture's own section: before counters, its end is the end of the caller's.
                    depth = None;
                    continue;
                }
                let hook = hook.unwrap_or_else(|| "-".to_owned());
                // A row of interrupt context is a handler's; what bottom halves off make one has the task's tokens.
                let state = depth.filter(|_| !interrupt).map(|depth| depth.min(2));
                let row = |state: u8, interrupt| rows.get(&(backend.to_owned(), call.name(), state, interrupt));
                let fits = match state {
                    Some(state) => row(state, interrupt).is_none_or(|row| *row == hook),
                    None => {
                        // A token may come from the other context, or be used where the mode is off already:
                        // then only which hook it is remains of the row.
                        let all = (0..6).filter_map(|n| row(n / 2, n % 2 == 1));
                        let mut all = all.peekable();
                        let name = |hook: &str| hook.split([',', '(']).next().unwrap_or_default().trim().to_owned();
                        all.peek().is_none() || all.any(|row| name(row) == name(&hook))
                    }
                };
                if !fits {
                    let state = format!(
                        "{}-{}-{}",
                        call.name(),
                        state.map_or("some", |state| ["outside", "inside", "nested"][usize::from(state)]),
                        if interrupt { "interrupt" } else { "task" }
                    );
                    let text = format!("no row {state} of {backend} says \"{hook}\"");
                    return Some(Mismatch { event: at, state, text });
                }
                met(number((call.name(), depth.unwrap_or(3).min(3), 0, interrupt)));
                depth = next_depth(depth, call, interrupt);
            }
            _ => {}
        }
    }
    None
}

/// Sections open after a call, while that is known.
fn next_depth(depth: Option<u8>, call: Call, interrupt: bool) -> Option<u8> {
    match (call, depth?) {
        _ if interrupt => None,
        (Call::Enable, depth) => depth.checked_add(1),
        // The end of an inner section: what is on afterwards is the generation's affair.
        (Call::Disable, 1) => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
