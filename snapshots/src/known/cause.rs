//! The conditions of known findings: what must have happened before a violation, so that a finding explains it.
//!
//! A cause is a small predicate over the events up to the violation; [`super::past`] evaluates them all in one pass. Not
//! here: which finding names which ([`super::KNOWN`]).

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A section began or ended inside another one, and the generation does not count.
    InnerSection,
    /// The mode was paused, or resumed, where no section was active: outside, or in an outer pause.
    PauseOutside,
    /// After that the task was left with the mode on.
    LeftOn,
    /// A section began or ended inside a pause.
    SectionInPause,
    /// A handler made a call, and nothing asked for interrupt context.
    HandlerCall,
    /// A handler changed an entry, and the change went into the batch of the interrupted task.
    HandlerChange,
    /// A section was open, or a change was made in it, with bottom halves off.
    BottomHalves,
    /// `arch_flush_lazy_mmu_mode()` was called, which is an empty function.
    EmptyFlush,
    /// Of two nested sections one pause took one back.
    NestedPause,
    /// Inside two nested sections the CPU was switched.
    NestedSwitch,
    /// The task was switched out between the halves of a call.
    BetweenHalves,
    /// A task was forked inside a section or pause.
    ForkInSection,
    /// A counter was at its limit: 255 at a begin, 0 at an end.
    Limit,
    /// What a section has changed is read or used in that section.
    ReadsDeferred,
    /// The switch hooks have resumed a new task, which nobody had paused.
    NewTask,
    /// While a flush waited in the queue, a CPU that it does not go to took the old translation.
    QueuedFlush,
    /// A gather's flush waits in the queue, and its pages are freed.
    QueuedGather,
    /// The page allocator flushed the TLB of this CPU alone, and the page is cached by another.
    OneCpuFlush,
}

impl Cause {
    /// The condition in words, for the list.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Cause::InnerSection => "a section begins or ends inside another",
            Cause::PauseOutside => "a pause or resume where no section is active",
            Cause::LeftOn => "the mode is on, after a pause where no section was active",
            Cause::SectionInPause => "a section begins or ends in a pause",
            Cause::HandlerCall => "a handler calls",
            Cause::HandlerChange => "a handler's change is in the interrupted task's batch",
            Cause::BottomHalves => "a section is used with bottom halves off",
            Cause::EmptyFlush => "an explicit flush while the entry is in the batch",
            Cause::NestedPause => "a pause inside two sections",
            Cause::NestedSwitch => "a context switch inside two sections",
            Cause::BetweenHalves => "a context switch between the halves of the call",
            Cause::ForkInSection => "the task, or its parent, was forked in a section or pause",
            Cause::Limit => "a counter was at its limit",
            Cause::ReadsDeferred => "the entry is in the queue",
            Cause::NewTask => "the switch hooks resumed this task when it was new",
            Cause::QueuedFlush => "a CPU outside the flush's mask used the entry while the flush waited in the queue",
            Cause::QueuedGather => "the gather's flush waits in the queue",
            Cause::OneCpuFlush => "the allocator unmapped the page, and another CPU has it in its TLB",
        }
    }
}

/// Causes, the newest first: so many that a violation has one, and so few that none of them is old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Causes([Option<Cause>; 4]);

impl Causes {
    /// None.
    pub(super) const NONE: Causes = Causes([None; 4]);

    pub(super) fn iter(self) -> impl Iterator<Item = Cause> {
        self.0.into_iter().flatten()
    }

    pub(super) fn is_none(self) -> bool {
        self.0[0].is_none()
    }

    pub(super) fn has(self, cause: Cause) -> bool {
        self.0.contains(&Some(cause))
    }

    /// These, and then the others.
    pub(super) fn and(self, others: impl Into<Causes>) -> Causes {
        let mut all = self;
        for cause in others.into().iter().filter(|cause| !self.has(*cause)) {
            if let Some(free) = all.0.iter_mut().find(|place| place.is_none()) {
                *free = Some(cause);
            }
        }
        all
    }

    /// These if there are any, else the others.
    pub(super) fn or(self, others: impl FnOnce() -> Causes) -> Causes {
        if self.is_none() { others() } else { self }
    }

    /// These if it is so, else none.
    pub(super) fn only_if(self, is: bool) -> Causes {
        if is { self } else { Causes::NONE }
    }
}

impl From<Cause> for Causes {
    fn from(cause: Cause) -> Causes {
        Causes([Some(cause), None, None, None])
    }
}

impl From<Option<Cause>> for Causes {
    fn from(cause: Option<Cause>) -> Causes {
        Causes([cause, None, None, None])
    }
}
