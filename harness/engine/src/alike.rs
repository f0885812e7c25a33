//! A trace in the form in which a kernel tree's events and our Rust's are compared.
//!
//! Some of what two subjects of one machine do cannot be equal and is not what they did. Here
//!
//! - a stored word is what it means: frame, size if it is valid, flags, each by its own subject's codec; other software
//!   bits are each side's own;
//! - a store of what the entry holds already is left out: it changes nothing, and the adapter of a kernel tree, which looks at
//!   memory now and then, does not see it;
//! - of deferred work the digest is left out, not its count: it is of addresses in each side's layout;
//! - a hypercall's arguments have no place: each side has them in its own buffer;
//! - the place of a warning that is an event by itself is left out: our Rust tells no place.
//!
//! Every other event stays as it is: each store, instruction, operand, hook, note, warning, and their order.
//!
//! Not here: which differences are explained. Called where a kernel tree's code runs and by whoever judges it.

use std::collections::HashMap;
use std::fmt::Write as _;

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{PteFlags, PteRef, Size};

use crate::machine::touched;
use crate::subject::Subject;
use crate::trace::{Complaint, Event, What, line, place};

/// What a stored word means: the bits of [`PteFlags`] in the order of [`LETTERS`], then the size, then the frame.
fn meaning(subject: &dyn Subject, word: u64) -> u64 {
    if word == 0 {
        return EMPTY;
    }
    let PteFlags { valid, write, user, exec, accessed, dirty } = subject.pte_flags(word);
    let flags = [valid, write, user, exec, accessed, dirty].into_iter().rev();
    let flags = flags.fold(0, |bits, on| bits << 1 | u64::from(on));
    let size = if valid { subject.pte_size(word) as u64 } else { NO_SIZE };
    u64::from(subject.pte_frame(word)) << 16 | size << 8 | flags
}

/// The size of an entry that is not valid: it maps nothing.
const NO_SIZE: u64 = 3;

/// What the word 0 means.
const EMPTY: u64 = u64::MAX;

/// What the line of a generic event begins with.
pub const GENERIC: &str = "=";

/// A letter for each flag.
const LETTERS: [char; 6] = ['v', 'w', 'u', 'x', 'a', 'd'];

/// What entries hold while a trace is read, by address space and page: a store of what is there already is known by it.
struct Reading<'s> {
    subject: &'s dyn Subject,
    held: HashMap<(u8, u16), u64>,
}

impl Reading<'_> {
    /// Whether two words mean the same, and both or neither are marked by a use.
    fn is_same(&self, a: u64, b: u64) -> bool {
        let [a, b] = [a, b].map(|word| (meaning(self.subject, word), touched(self.subject.mmu(), word) == word));
        a == b
    }

    /// The event as it is compared; none if it is not.
    fn alike(&mut self, event: &Event) -> Option<Event> {
        let counted = |held: Deferred| Deferred { digest: 0, ..held };
        let what = match event.what {
            What::Complaint(Complaint::Place, _) => return None,
            What::Store(at, word) => {
                let held = self.held.insert((at.mm.0, at.page), word).unwrap_or(0);
                if self.is_same(held, word) {
                    return None;
                }
                What::Store(PteRef { size: Size::Small, ..at }, meaning(self.subject, word))
            }
            What::Walk(at, walked) => {
                if let (Some(word), true) = (self.held.get_mut(&(at.mm.0, at.page)), walked.found.is_some()) {
                    *word = touched(self.subject.mmu(), *word);
                }
                event.what
            }
            What::Held(held) => What::Held(counted(held)),
            What::Left(held) => What::Left(counted(held)),
            What::Insn(insn) if matches!(insn.op, Op::HcMmuUpdate | Op::HcMmuextOp) => {
                What::Insn(Insn { a: 0, ..insn })
            }
            other => other,
        };
        Some(Event { what, ..*event })
    }
}

/// Every event in this form.
fn each(subject: &dyn Subject, events: &[Event]) -> impl Iterator<Item = Event> {
    let mut reading = Reading { subject, held: HashMap::new() };
    events.iter().filter_map(move |event| reading.alike(event))
}

/// Digests of a subject's trace in this form, of its generic events and of all: equal for equal listings.
#[must_use]
pub fn digests(subject: &dyn Subject, events: &[Event]) -> (u64, u64) {
    crate::trace::digests(each(subject, events))
}

/// A subject's trace in this form, a line each: `OP CPU TASK EVENT`, where TASK has a `!` in an interrupt and a `_` below
/// the generic layer. The line of a generic event has [`GENERIC`] before it.
#[must_use]
pub fn listing(subject: &dyn Subject, events: &[Event]) -> String {
    let mut text = String::new();
    for event in each(subject, events) {
        let generic = if event.is_generic() { GENERIC } else { "" };
        let Event { op, cpu, task, interrupt, below, what } = event;
        let (interrupt, below) = (if interrupt { "!" } else { "" }, if below { "_" } else { "" });
        let _ = write!(text, "{generic}{op} c{cpu} T{task}{interrupt}{below} ");
        let _ = match what {
            What::Store(at, EMPTY) => writeln!(text, "store {} = nothing", place(at)),
            What::Store(at, meaning) => writeln!(text, "store {} = {}", place(at), words(meaning)),
            other => writeln!(text, "{}", line(&other)),
        };
    }
    text
}

/// `frame 5 large vw-xa-`
fn words(meaning: u64) -> String {
    let flags: String =
        (0..).zip(LETTERS).map(|(n, letter)| if meaning >> n & 1 == 1 { letter } else { '-' }).collect();
    let size = ["small", "large", "huge", "not valid"].get((meaning >> 8 & 0xff) as usize).copied().unwrap_or_default();
    format!("frame {} {size} {flags}", meaning >> 16)
}

#[cfg(test)]
mod tests {
    use lazy_mmu_arches::page::Mm;

    use super::*;
    use crate::registry::{self, SUBJECTS};
    use crate::subject::Port;
    use crate::trace::Site;
    use crate::trace::{Translation, Walked};

    const FIRST: PteRef = PteRef { mm: Mm::KERNEL, page: 0, size: Size::Small };

    fn event(what: What) -> Event {
        Event { op: 3, cpu: 0, task: 1, interrupt: false, below: true, what }
    }

    #[test]
    fn a_word_is_what_it_means() {
        for descriptor in SUBJECTS {
            let subject = descriptor.make(Port::Model);
            let flags = PteFlags { valid: true, user: true, dirty: true, ..PteFlags::default() };
            let store = |flags, frame| event(What::Store(FIRST, subject.pte_word(flags, frame, Size::Small)));
            let text = listing(&*subject, &[store(flags, 7)]);
            assert_eq!(text, "3 c0 T1_ store K[0] = frame 7 small v-u--d\n", "{}", descriptor.name);
            let of = |events: &[Event]| digests(&*subject, events).1;
            assert_eq!(of(&[store(flags, 7)]), of(&[store(flags, 7)]));
            assert_ne!(of(&[store(flags, 7)]), of(&[store(flags, 8)]), "another frame");
            let writable = PteFlags { write: true, ..flags };
            assert_ne!(of(&[store(flags, 7)]), of(&[store(writable, 7)]), "another flag");
            let cleared = listing(&*subject, &[store(flags, 7), event(What::Store(FIRST, 0))]);
            assert!(cleared.ends_with("\n3 c0 T1_ store K[0] = nothing\n"), "{cleared}");
        }
    }

    #[test]
    fn what_one_side_alone_can_say_is_left_out_and_nothing_else() {
        let subject = SUBJECTS[0].make(Port::Model);
        let place = event(What::Complaint(Complaint::Place, Site::of("a.c", 1, "f", "c")));
        let warn = event(What::Complaint(Complaint::Warn, Site::of("a.c", 1, "f", "c")));
        let digest = |events: &[Event]| digests(&*subject, events).1;
        assert_eq!(listing(&*subject, &[place]), "");
        assert_eq!(digest(&[place, warn]), digest(&[warn]));
        assert_ne!(digest(&[warn]), digest(&[]));
        let held = |entries, digest| event(What::Held(Deferred { pending: false, entries, digest }));
        assert_eq!(digest(&[held(2, 5)]), digest(&[held(2, 6)]));
        assert_ne!(digest(&[held(2, 5)]), digest(&[held(3, 5)]));
    }

    #[test]
    fn a_store_of_what_is_there_already_is_left_out() {
        let hash = registry::find("counted/powerpc64-hash").expect("a subject").make(Port::Model);
        let word = hash.pte_word(PteFlags { valid: true, ..PteFlags::default() }, 7, Size::Large);
        let (store, marked) = (event(What::Store(FIRST, word)), event(What::Store(FIRST, touched(hash.mmu(), word))));
        let found = Some(Translation { frame: 7, write: false });
        let walked = event(What::Walk(FIRST, Walked { found, asked: found, unflushed: false, freed: false }));
        let stores = |events: &[Event]| listing(&*hash, events).matches("store").count();
        assert_eq!(stores(&[event(What::Store(FIRST, 0))]), 0, "an entry is empty at first");
        assert_eq!(stores(&[store, store]), 1);
        assert_eq!(stores(&[store, walked, store]), 2, "the walk has marked it");
        assert_eq!(stores(&[store, walked, marked]), 1);
        assert_eq!(stores(&[store, event(What::Store(FIRST, 0)), store]), 3);
    }
}
