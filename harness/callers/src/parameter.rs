//! What a workload can be told: how many pages, and where which of its exits is taken.
//!
//! Every parameter has a default, under which no exit is taken. Which of them mean something for a workload stands in
//! its entry; [`Workload::accepts`](super::Workload::accepts) refuses the others. Called by the workloads, by whoever
//! takes parameters from a user, and by `check`.

use std::fmt;

use lazy_mmu_arches::page::Size;

use lazy_mmu_program::MAX_PAGES;

/// Pages of a workload that is told nothing.
pub const DEFAULT_LEN: u16 = 16;

/// One thing that a workload can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Parameter {
    /// How many pages.
    Len,
    /// Their size class, as a number: 0 small, 1 large, 2 huge.
    Size,
    /// The slot that holds an entry already.
    BusyAt,
    /// The slot at which the function gives up with an error, or has to start again.
    FailAt,
    /// After how many entries the scheduler wants the CPU, again and again.
    ReschedEvery,
    /// The slot at which a large folio is split, with the section closed.
    SplitAt,
    /// The slot at which a split leaves no page table to go on with.
    GiveUpAt,
    /// The slot whose page is pinned.
    PinnedAt,
    /// The slot that belongs to no VMA, or holds nothing.
    HoleAt,
    /// The slot with which the gathered pages are too many.
    FullAt,
    /// The slot after which a page is allocated, with DEBUG_PAGEALLOC.
    AllocAt,
}

impl Parameter {
    /// All of them, in the order of help texts.
    pub const ALL: [Parameter; 11] = [
        Parameter::Len,
        Parameter::Size,
        Parameter::BusyAt,
        Parameter::FailAt,
        Parameter::ReschedEvery,
        Parameter::SplitAt,
        Parameter::GiveUpAt,
        Parameter::PinnedAt,
        Parameter::HoleAt,
        Parameter::FullAt,
        Parameter::AllocAt,
    ];

    /// Its name on a command line, without the dashes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Parameter::Len => "len",
            Parameter::Size => "size",
            Parameter::BusyAt => "busy-at",
            Parameter::FailAt => "fail-at",
            Parameter::ReschedEvery => "resched-every",
            Parameter::SplitAt => "split-at",
            Parameter::GiveUpAt => "give-up-at",
            Parameter::PinnedAt => "pinned-at",
            Parameter::HoleAt => "hole-at",
            Parameter::FullAt => "full-at",
            Parameter::AllocAt => "alloc-at",
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}", self.name())
    }
}

const SIZES: [(Size, &str); 3] = [(Size::Small, "small"), (Size::Large, "large"), (Size::Huge, "huge")];

/// What one workload is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    given: [Option<u16>; Parameter::ALL.len()],
}

impl Parameters {
    /// The same with one more.
    #[must_use]
    pub fn with(mut self, parameter: Parameter, value: u16) -> Parameters {
        self.given[parameter as usize] = Some(value);
        self
    }

    /// What was given, in the order of [`Parameter::ALL`].
    pub fn given(&self) -> impl Iterator<Item = (Parameter, u16)> {
        Parameter::ALL.into_iter().zip(self.given).filter_map(|(parameter, value)| Some((parameter, value?)))
    }

    /// How many pages.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is the length of what is mapped, not of this")]
    pub fn len(&self) -> u16 {
        self.given[Parameter::Len as usize].unwrap_or(DEFAULT_LEN)
    }

    /// Their size class.
    #[must_use]
    pub fn size(&self) -> Size {
        SIZES[usize::from(self.given[Parameter::Size as usize].unwrap_or(0)) % SIZES.len()].0
    }

    /// Whether this is the slot that a parameter names.
    #[must_use]
    pub(super) fn is(&self, parameter: Parameter, slot: u16) -> bool {
        self.given[parameter as usize] == Some(slot)
    }

    /// Whether the scheduler wants the CPU before this slot.
    #[must_use]
    pub(super) fn resched(&self, slot: u16) -> bool {
        self.given[Parameter::ReschedEvery as usize].is_some_and(|every| slot > 0 && slot.is_multiple_of(every.max(1)))
    }

    /// What is wrong with a value, if anything is.
    pub(super) fn out_of_range(&self) -> Option<BadParameter> {
        self.given().find_map(|(parameter, value)| {
            let (first, last) = match parameter {
                Parameter::Len => (0, MAX_PAGES.into()),
                Parameter::Size => (0, SIZES.len() as i32 - 1),
                Parameter::ReschedEvery => (1, MAX_PAGES.into()),
                _ => (0, i32::from(self.len()) - 1),
            };
            let fits = (first..=last).contains(&value.into());
            (!fits).then_some(BadParameter::Range { parameter, value, first, last })
        })
    }
}

impl fmt::Display for Parameters {
    /// As on a command line: ` --len 193 --busy-at 7`, each with a space before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.given().try_for_each(|(parameter, value)| match (parameter, SIZES.get(usize::from(value))) {
            (Parameter::Size, Some((_, name))) => write!(f, " {parameter} {name}"),
            _ => write!(f, " {parameter} {value}"),
        })
    }
}

/// Why a workload cannot be made of these parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadParameter {
    /// It means nothing for this workload.
    NotTaken(Parameter),
    /// Its value is out of range.
    Range {
        /// Which.
        parameter: Parameter,
        /// What was given.
        value: u16,
        /// The least that makes sense.
        first: i32,
        /// The most; less than `first` where nothing makes sense.
        last: i32,
    },
}

impl BadParameter {
    /// Which parameter it is about.
    #[must_use]
    pub fn parameter(self) -> Parameter {
        match self {
            BadParameter::NotTaken(parameter) | BadParameter::Range { parameter, .. } => parameter,
        }
    }
}

impl fmt::Display for BadParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            BadParameter::NotTaken(parameter) => write!(f, "{parameter} means nothing for it"),
            BadParameter::Range { parameter, value, first, last } if first <= last => {
                write!(f, "{parameter} {value}: expected {first} to {last}")
            }
            BadParameter::Range { parameter, value, .. } => write!(f, "{parameter} {value}: there is no such page"),
        }
    }
}

impl std::error::Error for BadParameter {}
