//! What the C of released trees does and no Rust of ours does: causes that explain violations on a tree's own code alone.
//!
//! Each is what the kernel does whatever the generation of the mode, read in the tree's own sources. A cause is judged at
//! the violation, as the findings of the registry are: what the violation is about must be as the cause left it. Not here:
//! the findings of the registry ([`super::KNOWN`]). Called by the agent with a tree's code and by `lazymmu judge`.

use std::collections::{BTreeMap, BTreeSet};

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::page::PteRef;
use lazy_mmu_engine::contract::{Invariant, Violation};
use lazy_mmu_engine::trace::{Ask, Event, Hook, What};

use super::names;

/// Causes that only a tree's own code has: name, and why.
pub const OF_TREES: [(&str, &str); 5] = [
    (
        SET_OVER_LIVE,
        "the program sets an entry that is live: set_ptes() warns under DEBUG_VM, and hash keeps the old hash entry; callers \
         clear first",
    ),
    (
        TRAPPED_EXCHANGE,
        "ptep_get_and_clear() and ptep_set_wrprotect() exchange natively under Xen: the hypervisor makes the change at once, \
         past what is queued",
    ),
    (
        LEAVE_ALONE,
        "before 7.0 a leave without its enter turns preemption on that was on: DEBUG_PREEMPT warns of the count, and of the \
         batch in preemptible code",
    ),
    (
        MODE_MOVES,
        "before 7.0 __switch_to() of powerpc takes a mode that is on away with its task; a leave without its enter has turned \
         preemption on there",
    ),
    (NO_MODE, "this architecture has no lazy MMU mode in this tree: a section's updates take effect one by one"),
];

const SET_OVER_LIVE: &str = "set-over-live";
const TRAPPED_EXCHANGE: &str = "xen-trapped-exchange";
const LEAVE_ALONE: &str = "leave-alone-warns";
const MODE_MOVES: &str = "hash-mode-moves";
const NO_MODE: &str = "no-mode";

/// The functions that warn where preempt_count is not what the code around them takes it for.
const PREEMPT_WARNERS: [&str; 3] = ["smp_processor_id()", "__this_cpu_preempt_check()", "preempt_count_sub()"];

/// The functions that warn where a live entry is set.
const WARNERS: [&str; 3] = ["set_ptes()", "set_huge_pte_at()", "__check_safe_pte_update()"];

/// The name of what explains each violation on a tree's code, by the faithful subject of its kind: a finding of that, or a
/// cause that only trees have. `violations` are in the order of their events.
#[must_use]
pub fn names_of_tree(kind: &str, events: &[Event], violations: &[Violation]) -> Vec<Option<&'static str>> {
    let mut past = Past::default();
    let mut watched = 0;
    let mut one = |violation: &Violation| {
        let end = events.len().min(violation.event + 1);
        events[watched.min(end)..end].iter().for_each(|event| past.watch(event));
        watched = watched.max(end);
        let of_tree = events.get(violation.event).and_then(|event| past.explains(violation, event, kind));
        (of_tree, past.moved(violation, events.get(violation.event), kind))
    };
    let found = names(kind, events, violations);
    let all = found.into_iter().zip(violations);
    all.map(|(known, violation)| {
        let (of_tree, moved) = one(violation);
        of_tree.or(known).or(moved)
    })
    .collect()
}

type Place = (u8, u16);

/// What has happened up to an event.
#[derive(Debug, Default)]
struct Past {
    /// Entries that the kernel last asked to be valid.
    live: BTreeSet<Place>,
    /// Live entries that were set.
    overwritten: BTreeSet<Place>,
    /// Entries with an update in the queue.
    waiting: BTreeSet<Place>,
    /// Entries exchanged while an update of theirs waited.
    passed: BTreeSet<Place>,
    /// By task: enter hooks less leave hooks, and whether that was ever below zero.
    entered: BTreeMap<u8, (i64, bool)>,
    /// CPUs whose mode is on by the last hook or by what was shown.
    on: BTreeSet<u8>,
    /// Tasks that were switched out like that and have not left the mode as often as they entered it, each with its CPU.
    away: BTreeMap<u8, u8>,
    /// The operation at hand, whether it exchanges, and whether an update of it was made at once.
    op: u32,
    /// The CPU of a mode that came back with its task and was left for good by this operation.
    left: Option<u8>,
    exchanges: bool,
    at_once: bool,
}

fn place(at: PteRef, n: u16) -> Place {
    (at.mm.0, at.page.wrapping_add(n))
}

impl Past {
    fn watch(&mut self, event: &Event) {
        if event.op != self.op {
            (self.op, self.exchanges, self.at_once, self.left) = (event.op, false, false, None);
        }
        match event.what {
            What::Asked(at, n, ask) => (0..n).for_each(|n| self.asked(place(at, n), ask)),
            What::Note(Note::MmuImmediate) => self.at_once = true,
            What::Mode { arch, .. } => {
                self.on.remove(&event.cpu);
                self.on.extend(arch.then_some(event.cpu));
            }
            What::SwitchOut { .. } if self.on.contains(&event.cpu) => {
                self.away.insert(event.task, event.cpu);
            }
            What::Hook(hook @ (Hook::Enter | Hook::Leave), _) => {
                // The mode is not shown with bottom halves off, nor between the halves of a call.
                self.on.remove(&event.cpu);
                self.on.extend((hook == Hook::Enter).then_some(event.cpu));
                let (balance, was_below) = self.entered.entry(event.task).or_default();
                *balance += if hook == Hook::Enter { 1 } else { -1 };
                *was_below |= *balance < 0;
                if hook == Hook::Leave && *balance <= 0 {
                    self.left = self.away.remove(&event.task);
                }
            }
            // The queue goes out whole.
            What::Note(Note::McFlush(..)) => self.waiting.clear(),
            _ => {}
        }
    }

    fn asked(&mut self, at: Place, ask: Ask) {
        match ask {
            Ask::Map(_) | Ask::Mark(_) => {
                if self.live.contains(&at) {
                    self.overwritten.insert(at);
                }
                self.waiting.insert(at);
                if matches!(ask, Ask::Map(_)) {
                    self.live.insert(at);
                }
            }
            Ask::Clear | Ask::Wrprotect => {
                self.exchanges = true;
                if self.waiting.contains(&at) {
                    self.passed.insert(at);
                }
                if ask == Ask::Clear {
                    self.live.remove(&at);
                }
            }
        }
    }

    /// What follows from a switch in the mode: the mark comes back with its task, and the next one has none. Without an event
    /// the violation is of the program's end, and about every CPU.
    fn moved(&self, violation: &Violation, event: Option<&Event>, kind: &str) -> Option<&'static str> {
        let about_mode = matches!(violation.invariant, Invariant::I1 | Invariant::I2 | Invariant::I12);
        let is_there = |&cpu: &u8| event.is_none_or(|event| event.cpu == cpu);
        let is_of_task = event.is_some_and(|event| self.away.contains_key(&event.task));
        let moved = is_of_task || self.away.values().chain(&self.left).any(is_there);
        (about_mode && moved && kind == "stateless/powerpc64-hash").then_some(MODE_MOVES)
    }

    fn explains(&self, violation: &Violation, event: &Event, kind: &str) -> Option<&'static str> {
        use Invariant::{I3, I4, I5, I8, I9, I14, I15};
        let about = match event.what {
            What::Late(late) => Some(place(late.at, 0)),
            What::Walk(at, _) | What::Read { at, .. } | What::Reachable { at, .. } => Some(place(at, 0)),
            _ => None,
        };
        let is_in = |set: &BTreeSet<Place>| about.is_some_and(|about| set.contains(&about));
        let (hash, xen) = (kind.ends_with("powerpc64-hash"), kind.contains("x86_64-xen"));
        match violation.invariant {
            I15 => {
                let What::Complaint(_, site) = event.what else { return None };
                let text = site.text();
                let is_of = |warners: &[&str]| warners.iter().any(|warner| text.contains(warner));
                if !self.overwritten.is_empty() && is_of(&WARNERS) {
                    return Some(SET_OVER_LIVE);
                }
                let alone =
                    kind.starts_with("stateless/") && self.entered.get(&event.task).is_some_and(|&(_, was)| was);
                (alone && is_of(&PREEMPT_WARNERS)).then_some(LEAVE_ALONE)
            }
            I5 if kind.ends_with("/none") => Some(NO_MODE),
            I5 if xen && self.exchanges && self.at_once => Some(TRAPPED_EXCHANGE),
            I3 | I4 | I8 | I9 | I14 if xen && is_in(&self.passed) => Some(TRAPPED_EXCHANGE),
            I3 | I4 | I9 | I14 if hash && is_in(&self.overwritten) => Some(SET_OVER_LIVE),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use lazy_mmu_engine::contract::judge;
    use lazy_mmu_engine::program::text::parse;
    use lazy_mmu_engine::registry;
    use lazy_mmu_engine::runner::Runner;
    use lazy_mmu_engine::subject::Port;

    use super::*;

    /// The causes that a program's violations have on a subject of ours, taken for a tree's code of the same kind.
    fn said(subject: &str, program: &str) -> Vec<Option<&'static str>> {
        let found = registry::find(subject).expect("a subject");
        let mut runner = Runner::new();
        runner.run_on(&*found.make(Port::Model), found.rules(), &parse(program).expect("a program"));
        let violations = judge(runner.events(), found.rules()).violations;
        names_of_tree(found.name, runner.events(), &violations)
    }

    #[test]
    fn the_mode_that_moves_is_known_by_the_last_hook() {
        let moves = |program| said("stateless/powerpc64-hash", program).contains(&Some(MODE_MOVES));
        // A leave without its enter, alone, moves nothing.
        assert!(!moves("pause; resume"));
        let mut past = Past::default();
        let event = |what| Event { op: 0, cpu: 0, task: 0, interrupt: false, below: false, what };
        past.watch(&event(What::SwitchOut { next: 1, counters: Default::default() }));
        assert!(past.away.is_empty());
        past.watch(&event(What::Hook(Hook::Enter, true)));
        past.watch(&event(What::SwitchOut { next: 1, counters: Default::default() }));
        assert_eq!(past.away, BTreeMap::from([(0, 0)]));
        // The task is back and leaves the mode: from the next operation on nothing has moved.
        past.watch(&event(What::Hook(Hook::Leave, true)));
        let violation = Violation { invariant: Invariant::I2, event: 0, text: String::new() };
        let what = What::Hook(Hook::Enter, true);
        let moved = |past: &Past, event: &Event| past.moved(&violation, Some(event), "stateless/powerpc64-hash");
        assert_eq!(moved(&past, &event(what)), Some(MODE_MOVES));
        let next = Event { op: 1, ..event(what) };
        past.watch(&next);
        assert_eq!(moved(&past, &next), None);
    }

    #[test]
    fn an_architecture_without_the_mode_keeps_no_batch() {
        let all = said("stateless/none", "enable; set K 0; disable");
        assert!(all.iter().all(|known| known.is_none_or(|known| known == NO_MODE)), "{all:?}");
    }
}
