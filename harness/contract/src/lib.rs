//! The contract: oracles that read a trace and say which invariants it breaks.
//!
//! Each oracle is a file: what it watches, when it may not judge, and unit tests with a breaking and a non-breaking
//! program. They share no code with subjects, nor with the machine: a trace is all they see. [`judge`] runs them all.
//! Reported is the first violation of each invariant; what comes after it is usually its consequence.
//!
//! | id | oracle | watches |
//! | --- | --- | --- |
//! | I1 | [`balance`] | counters return to their entry values, neither wraps |
//! | I2 | [`pairing`] | enter and leave alternate, flush only between them |
//! | I3 | [`visible`] | after `disable` and `pause` what was changed before is in effect |
//! | I4 | [`immediate`] | a change made while the mode is not active is in effect at once |
//! | I5 | [`batching`] | a change is not forced out without need, and nothing goes out that nothing needed |
//! | I6 | [`local`] | a switch leaves nothing in a CPU's batch |
//! | I7 | [`preemption`] | preempt_count comes back, is held where it must be, and nobody sleeps while it is |
//! | I8 | [`coherence`] | a read of an entry finds what was asked for last |
//! | I9 | [`order`] | a flush does not come before the changes it covers, and leaves nothing old |
//! | I10 | [`shape`] | a batch is of one kind, within its room, each change once |
//! | I11 | [`isolation`] | an interrupt leaves the interrupted task's counters and deferrals alone |
//! | I12 | [`neutrality`] | a switch leaves the task as it was; the architecture's mark says what the counters say |
//! | I13 | [`gating`] | hooks that are switched off do nothing |
//! | I14 | [`lifetime`] | a page is freed when nobody can reach it any more |
//! | I15 | [`quiet`] | no warning on a legal sequence, one on an illegal one |
//! | model | [`model`] | every call against the reference model of the counted generation |
//!
//! What cannot happen on a backend is not judged there: where the scheduler takes a CPU away from a task whose backend
//! keeps preemption off, the verdict is cut at that operation (but for the model's). Nor is what a trace holds behind its
//! stop: a call in which the kernel died never returns, though the machine has to come back from it. A verdict says so, and
//! which operations the machine refused ([`verdict`]).

pub mod balance;
pub mod batching;
mod brackets;
pub mod coherence;
pub mod deferral;
mod fingerprint;
pub mod gating;
pub mod immediate;
pub mod isolation;
pub mod legality;
pub mod lifetime;
pub mod local;
pub mod model;
pub mod neutrality;
pub mod order;
pub mod pairing;
pub mod preemption;
pub mod quiet;
mod refusals;
pub mod shape;
pub mod sizes;
pub mod verdict;
pub mod visible;

pub use lazy_mmu_abi::rules::{Invariant, Room, Rules, UPDATE};
use lazy_mmu_abi::trace::{Call, Event, What};
use lazy_mmu_program::Op;
use legality::Legality;
pub use verdict::{Answer, Part, Reason, Refused, Verdict, Violation};

/// How often each invariant was judged in a trace, in the order of [`Invariant::ALL`]: how often its oracle found something
/// that it may judge and that could have broken it.
pub type Judged = [u32; Invariant::ALL.len()];

/// Where the oracles put what they find: the first of each invariant, and how often each was judged.
#[derive(Debug, Default)]
pub struct Findings {
    /// Their texts are not wanted.
    brief: bool,
    /// Every violation is wanted, in the order in which they come, and not only the first of each invariant.
    every: Option<Vec<Violation>>,
    found: [Option<Violation>; Invariant::ALL.len()],
    judged: Judged,
}

impl Findings {
    /// An oracle judges something that could break its invariant.
    #[inline]
    pub fn judged(&mut self, invariant: Invariant) {
        self.judged[invariant as usize] += 1;
    }

    /// Reports a violation at an event, unless its invariant broke before. The text is made only if it is kept.
    pub fn report(&mut self, invariant: Invariant, event: usize, text: impl FnOnce() -> String) {
        let slot = &mut self.found[invariant as usize];
        if let Some(every) = &mut self.every {
            let text = if self.brief { String::new() } else { text() };
            every.push(Violation { invariant, event, text });
        } else if slot.is_none() {
            let text = if self.brief { String::new() } else { text() };
            *slot = Some(Violation { invariant, event, text });
        }
    }

    /// What was found: the first of each invariant in the order of these, or every one in the order in which it came.
    pub fn into_violations(self) -> impl Iterator<Item = Violation> {
        self.found.into_iter().flatten().chain(self.every.into_iter().flatten())
    }
}

/// Judges a whole trace, once. Who judges many keeps a [`Judge`].
#[must_use]
pub fn judge(events: &[Event], rules: Rules) -> Verdict {
    Judge::default().judge(events, rules)
}

/// The oracles, kept between traces so that judging allocates nothing once their buffers have grown.
#[derive(Debug, Default)]
pub struct Judge {
    legality: Legality,
    balance: balance::Balance,
    pairing: pairing::Pairing,
    batching: batching::Batching,
    preemption: preemption::Preemption,
    isolation: isolation::Isolation,
    neutrality: neutrality::Neutrality,
    gating: gating::Gating,
    order: order::Order,
    quiet: quiet::Quiet,
    model: model::Model,
    refusals: refusals::Refusals,
    judged: Judged,
}

impl Judge {
    /// Judges a whole trace; what was judged before does not matter.
    #[must_use]
    pub fn judge(&mut self, events: &[Event], rules: Rules) -> Verdict {
        self.find(events, rules, Findings::default(), false)
    }

    /// The same up to the program's first misuse, behind which the model alone judges: for who looks for a subject's
    /// faults ([`Verdict::faults`]). Nothing that breaks behind a misuse is in it.
    #[must_use]
    pub fn judge_to_misuse(&mut self, events: &[Event], rules: Rules) -> Verdict {
        self.find(events, rules, Findings::default(), true)
    }

    /// The same for who only counts what broke: the violations have no text (making it is 5 % of an arbitrary program's
    /// run).
    #[must_use]
    pub fn judge_briefly(&mut self, events: &[Event], rules: Rules) -> Verdict {
        self.find(events, rules, Findings { brief: true, ..Findings::default() }, false)
    }

    /// Judges a whole trace and keeps every violation, in the order in which they come, not only the first of each
    /// invariant: for who takes out what is known of a subject, behind which something else may break. With `brief` the
    /// violations have no text.
    #[must_use]
    pub fn judge_every(&mut self, events: &[Event], rules: Rules, brief: bool) -> Verdict {
        self.find(events, rules, Findings { brief, every: Some(Vec::new()), ..Findings::default() }, false)
    }

    fn find(&mut self, events: &[Event], rules: Rules, mut findings: Findings, to_misuse: bool) -> Verdict {
        self.reset(rules);
        let (mut cut, mut stopped, mut since) = (None, None, None);
        let mut ended = false;
        for (at, event) in events.iter().enumerate() {
            if self.watch(at, event, rules, &mut findings) {
                if since.is_some() || self.legality.misuse().is_none() {
                    continue;
                }
                since = Some(at);
                if !to_misuse {
                    continue;
                }
                self.model_alone(events, at + 1, rules, &mut findings);
            } else if let What::Stop(why) = event.what {
                stopped = Some((event.op, why));
            } else {
                cut = Some(event.op);
                self.model_alone(events, at, rules, &mut findings);
            }
            ended = true;
            break;
        }
        if !ended {
            self.balance.finish(events.len(), &mut findings);
        }
        self.judged = findings.judged;
        let violations: Vec<Violation> = findings.into_violations().collect();
        // What is judged by its violation alone (an update that the hypervisor refuses) is judged when it breaks.
        for violation in &violations {
            let judged = &mut self.judged[violation.invariant as usize];
            *judged = (*judged).max(1);
        }
        let (misuse, open) = (self.legality.misuse(), self.legality.left_open());
        Verdict { violations, misuse, cut, refused: self.refusals.refused(), stopped, open, since }
    }

    /// From an event on, and up to the trace's stop, only the model judges.
    fn model_alone(&mut self, events: &[Event], from: usize, rules: Rules, findings: &mut Findings) {
        let rest = events.iter().enumerate().skip(from);
        let rest = rest.take_while(|(_, event)| !matches!(event.what, What::Stop(_)));
        rest.for_each(|(at, event)| self.model(at, event, rules, findings));
    }

    /// How often each invariant was judged in the last trace.
    #[must_use]
    pub fn judged(&self) -> &Judged {
        &self.judged
    }

    /// Takes the next event in: each goes to those whom it concerns. Yields whether what comes after it is judged: not where
    /// it cannot happen at all, nor behind the end of the run.
    ///
    /// An oracle's `watch` is always inlined: where the kind of event is known here, its own `match` costs nothing. It was
    /// an eighth of a run.
    fn watch(&mut self, at: usize, event: &Event, rules: Rules, findings: &mut Findings) -> bool {
        match event.what {
            What::Atomic { voluntary: false, .. } | What::Stop(_) => return false,
            What::Store(..) => self.gating.side_effect(at, event, rules, findings),
            What::Insn(insn) => {
                self.gating.side_effect(at, event, rules, findings);
                if batching::concerns(insn) {
                    self.batching.watch(at, event, rules, &self.legality, findings);
                }
                if self.isolation.is_open() {
                    self.isolation.watch(at, event, findings);
                }
            }
            // What a subject says of itself is for people.
            What::Note(_) => {}
            What::Walk(_, walked) if walked.found == walked.asked => {
                findings.judged(Invariant::I3);
                self.legality.watch(event);
            }
            What::Read { found, asked, .. } if found == asked => {
                findings.judged(Invariant::I8);
                self.legality.watch(event);
            }
            What::Asked(_, _, ask) => {
                self.legality.watch(event);
                immediate::asked(event, &self.legality, findings);
                lifetime::asked(event, ask, findings);
                self.batching.watch(at, event, rules, &self.legality, findings);
            }
            What::Op(op) => {
                self.legality.watch(event);
                if matches!(op, Op::TlbFlush(_) | Op::GatherFlush(_) | Op::Kunmap(_) | Op::Flush) {
                    self.flush(event, op, findings);
                }
                self.batching.watch(at, event, rules, &self.legality, findings);
                self.gating.watch(at, event, rules, findings);
            }
            What::Burst(burst) => {
                preemption::given_back(at, event, burst, rules, findings);
                self.batching.watch(at, event, rules, &self.legality, findings);
                shape::watch(at, event, rules, findings);
                if self.isolation.is_open() {
                    self.isolation.watch(at, event, findings);
                }
            }
            What::Late(_) => {
                visible::watch(at, event, rules, &self.legality, findings);
                immediate::watch(at, event, &self.legality, findings);
                order::watch(at, event, &self.legality, findings);
            }
            What::Call(..) => self.call(at, event, rules, findings),
            What::Return(..) => self.call(at, event, rules, findings),
            What::Hook(..) | What::IdleHook(_) => {
                self.pairing.watch(at, event, rules, findings);
                self.gating.watch(at, event, rules, findings);
                self.model(at, event, rules, findings);
            }
            What::Mode { .. } => {
                self.balance.watch(at, event, findings);
                self.neutrality.watch(at, event, &self.legality, findings);
            }
            What::Held(_) => self.isolation.watch(at, event, findings),
            What::Point(_) | What::Answer(_) => {}
            _ => self.rest(at, event, rules, findings),
        }
        true
    }

    /// A flush begins, of the TLB or of what the mode defers.
    fn flush(&mut self, event: &Event, op: Op, findings: &mut Findings) {
        if op != Op::Flush {
            self.order.flush(event, &self.legality, findings);
        } else if !event.interrupt {
            visible::settles(&self.legality, findings);
            self.order.settles(event.task, findings);
        }
    }

    /// A call begins or ends: most oracles follow it.
    #[inline(always)]
    fn call(&mut self, at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
        self.legality.watch(event);
        let legality = &self.legality;
        self.balance.watch(at, event, findings);
        self.pairing.watch(at, event, rules, findings);
        self.batching.watch(at, event, rules, legality, findings);
        self.preemption.watch(at, event, rules, legality, findings);
        self.neutrality.watch(at, event, legality, findings);
        self.gating.watch(at, event, rules, findings);
        self.quiet.watch(at, event, legality, findings);
        self.model(at, event, rules, findings);
        if matches!(event.what, What::Return(Call::Disable | Call::Pause, _)) && !event.below && !event.interrupt {
            visible::settles(&self.legality, findings);
            self.order.settles(event.task, findings);
        }
    }

    /// What is rare: blocks, switches, warnings, and what memory does otherwise than asked.
    #[inline(never)]
    fn rest(&mut self, at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
        self.refusals.watch(event);
        self.legality.watch(event);
        let legality = &self.legality;
        self.balance.watch(at, event, findings);
        self.pairing.watch(at, event, rules, findings);
        visible::watch(at, event, rules, legality, findings);
        self.batching.watch(at, event, rules, legality, findings);
        local::watch(at, event, rules, findings);
        self.preemption.watch(at, event, rules, legality, findings);
        coherence::watch(at, event, findings);
        self.isolation.watch(at, event, findings);
        self.neutrality.watch(at, event, legality, findings);
        self.gating.watch(at, event, rules, findings);
        lifetime::watch(at, event, findings);
        self.quiet.watch(at, event, legality, findings);
        self.model(at, event, rules, findings);
    }

    #[inline(always)]
    fn model(&mut self, at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
        if rules.counted {
            self.model.watch(at, event, findings);
        }
    }

    fn reset(&mut self, rules: Rules) {
        self.legality.reset();
        self.balance.reset(rules);
        self.pairing.reset();
        self.batching.reset();
        self.preemption.reset();
        self.isolation.reset();
        self.neutrality.reset();
        self.gating.reset();
        self.order.reset();
        self.quiet.reset(rules);
        self.model.reset();
        self.refusals = Default::default();
    }
}

pub use fingerprint::Prefix;

#[cfg(test)]
mod tests;
