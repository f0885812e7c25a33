//! Judging a program that may go on: what broke so far, and what later verdicts depend on, for a hasher.
//!
//! A program that stops in a section breaks I1 at its end, and would not if it went on: so the end is judged apart, and
//! only where nobody has anything open. Not an oracle. Called by the exhaustive exploration.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use super::{Findings, Judge, Judged, Rules, Verdict, Violation};
use lazy_mmu_abi::trace::{Event, What};

/// What the oracles say of a program that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Of what has happened, the program's end not looked at.
    pub so_far: Verdict,
    /// Of the whole run, its end included, if nobody has anything open there and it is judged to its end.
    pub ended: Option<Verdict>,
    /// How often each invariant was judged in the part that is new.
    pub judged: Judged,
}

impl Judge {
    /// Judges a trace that is the program's up to the end of `new`, and from there on its end; what comes before `new` was
    /// judged in an earlier run. Puts what later verdicts depend on into the hasher, as it is before the end.
    pub fn prefix<H: Hasher>(&mut self, events: &[Event], new: Range<usize>, rules: Rules, state: &mut H) -> Prefix {
        let mut findings = Findings::default();
        self.reset(rules);
        // From where on nothing is judged but the model, or nothing at all.
        let (mut cut, mut stopped, mut since) = (None, None, None);
        let mut before = Judged::default();
        for (at, event) in events.iter().enumerate().take(new.end) {
            if at == new.start {
                before = findings.judged;
            }
            match event.what {
                What::Stop(why) => {
                    stopped = Some((event.op, why));
                    break;
                }
                What::Atomic { voluntary: false, .. } if cut.is_none() => cut = Some(event.op),
                _ if cut.is_some() => self.model(at, event, rules, &mut findings),
                _ => {
                    self.watch(at, event, rules, &mut findings);
                    if since.is_none() && self.legality.misuse().is_some() {
                        since = Some(at);
                    }
                }
            }
        }
        (cut.is_some(), stopped.is_some()).hash(state);
        self.fingerprint(state);
        let judged = std::array::from_fn(|at| findings.judged[at].saturating_sub(before[at]));
        let (misuse, open) = (self.legality.misuse(), self.legality.left_open());
        let refused = self.refusals.refused();
        let verdict = |violations: Vec<Violation>| Verdict { violations, misuse, cut, refused, stopped, open, since };
        let so_far = verdict(findings.found.iter().flatten().cloned().collect());
        let ended = (self.legality.is_closed() && cut.is_none() && stopped.is_none()).then(|| {
            for (at, event) in events.iter().enumerate().skip(new.end) {
                self.watch(at, event, rules, &mut findings);
            }
            self.balance.finish(events.len(), &mut findings);
            verdict(findings.into_violations().collect())
        });
        Prefix { so_far, ended, judged }
    }

    /// Left out: what is counted of flushes, refusals and judgements, by which no violation goes.
    fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Judge {
            legality,
            balance,
            pairing,
            batching,
            preemption,
            isolation,
            neutrality,
            gating,
            order: _,
            quiet,
            model,
            refusals: _,
            judged: _,
        } = self;
        legality.fingerprint(state);
        batching.fingerprint(state);
        isolation.fingerprint(state);
        model.fingerprint(state);
        (balance, pairing, preemption, neutrality, gating, quiet).hash(state);
    }
}
