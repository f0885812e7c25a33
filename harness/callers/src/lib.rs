//! Workloads: the kernel's own call sites of lazy MMU mode as named programs.
//!
//! Each entry of the table is one function of Linux 7.2 that opens a section, pauses one, or is called back inside one,
//! or a chain in which several of them meet. Its program is complete: it maps what must be there before, does what the
//! function does (shape, early exits, locks), does the flush that the caller does afterwards, and uses the pages. What
//! is no PTE operation is left out, and what the program language has no operation for is done by the nearest one:
//!
//! - clearing the young bit is `wrprot`: both read, change and write one entry;
//! - so is powerpc's `pte_update()` with nothing to change, on entries that are read-only already;
//! - a split page lock, a PMD lock and a spinlock are locks alike.
//!
//! Nobody is judged here, and nothing runs. Programs are legal: they hold on 7.2, but for what the list of
//! known findings (`lazy-mmu-snapshots`) says of them. Called by `cargo lazymmu workload` and by `check`. `docs/workloads.md` is the user's manual.

mod arch;
mod builder;
mod chains;
mod indirect;
mod kasan;
mod memory;
mod parameter;
mod protect;
mod reclaim;
mod vmalloc;
mod xen;

use std::fmt;

use lazy_mmu_arches::mmu::Mmu;

use builder::Builder;
pub use builder::{INIT_MM, PTL, PTL2};
use lazy_mmu_program::Program;
pub use parameter::{BadParameter, DEFAULT_LEN, Parameter, Parameters};

/// One call site, or one chain of them.
#[derive(Debug)]
pub struct Workload {
    /// The kernel's function; for a chain its number and what happens.
    pub name: &'static str,
    /// File, function where it is another, and lines, in Linux 7.2.13.
    pub source: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What it can be told.
    pub takes: &'static [Parameter],
    /// The MMUs whose kernels have this code; none: all of them.
    pub mmus: &'static [Mmu],
    make: fn(&mut Builder, &Parameters),
}

/// The tables, one for each area of the kernel, in the order of the list.
const AREAS: [&[Workload]; 9] = [
    vmalloc::WORKLOADS,
    memory::WORKLOADS,
    reclaim::WORKLOADS,
    protect::WORKLOADS,
    kasan::WORKLOADS,
    indirect::WORKLOADS,
    arch::WORKLOADS,
    xen::WORKLOADS,
    chains::WORKLOADS,
];

/// Every workload.
pub fn all() -> impl Iterator<Item = &'static Workload> {
    AREAS.into_iter().flatten()
}

/// Finds a workload by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Workload> {
    all().find(|workload| workload.name == name)
}

/// The names that are most like one that is none, the nearest first: parts of each other, or a few letters apart.
#[must_use]
pub fn near(name: &str) -> Vec<&'static str> {
    let name: String = name.chars().take(64).collect();
    let alike = |known: &'static str| {
        let part = name.len() >= 3 && (known.contains(&name) || name.contains(known));
        let apart = distance(known.as_bytes(), name.as_bytes());
        (part || apart <= known.len() / 4).then_some((apart, known))
    };
    let mut found: Vec<_> = all().filter_map(|workload| alike(workload.name)).collect();
    found.sort_by_key(|&(apart, _)| apart);
    found.into_iter().take(5).map(|(_, known)| known).collect()
}

/// How many letters must be changed, added or taken away to make one of the other (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

impl Workload {
    /// Code of every architecture's kernel.
    const fn generic(
        name: &'static str,
        source: &'static str,
        about: &'static str,
        takes: &'static [Parameter],
        make: fn(&mut Builder, &Parameters),
    ) -> Workload {
        Workload { name, source, about, takes, mmus: &[], make }
    }

    /// Code of these kernels alone: on others the program does nothing.
    const fn on(self, mmus: &'static [Mmu]) -> Workload {
        Workload { mmus, ..self }
    }

    /// Whether it can be told this.
    ///
    /// # Errors
    /// The first parameter that means nothing for it, or whose value is out of range.
    pub fn accepts(&self, parameters: &Parameters) -> Result<(), BadParameter> {
        let meaningless = parameters.given().find(|(parameter, _)| !self.takes.contains(parameter));
        match meaningless.map(|(parameter, _)| BadParameter::NotTaken(parameter)).or(parameters.out_of_range()) {
            None => Ok(()),
            Some(bad) => Err(bad),
        }
    }

    /// Its program.
    ///
    /// # Errors
    /// As [`Workload::accepts`].
    pub fn program(&self, parameters: &Parameters) -> Result<Program, BadParameter> {
        self.accepts(parameters)?;
        let mut builder = Builder::default();
        (self.make)(&mut builder, parameters);
        // Blocks close where they open, and 512 pages stay far below the limit.
        Ok(Program::new(builder.only_on(self.mmus).into_ops()).unwrap_or_default())
    }

    /// The parameters under which `check` runs it: none, the lengths at which batches of 192 and 512 end, and each of
    /// its exits.
    pub fn variants(&self) -> impl Iterator<Item = Parameters> {
        let lengths = self.takes.contains(&Parameter::Len).then_some([0, 1, 192, 193, 512]);
        let lengths = lengths.into_iter().flatten().map(|len| Parameters::default().with(Parameter::Len, len));
        let exits = self.takes.iter().filter(|&&parameter| parameter != Parameter::Len).map(|&parameter| {
            let value = if parameter == Parameter::Size { 1 } else { DEFAULT_LEN / 2 - 1 };
            Parameters::default().with(parameter, value)
        });
        [Parameters::default()].into_iter().chain(lengths).chain(exits)
    }

    /// The parameters under which tests run it: none, each length at which a batch of 32, 64, 192 or 512 fills, and those
    /// next to it, and each exit at the first, a middle and the last slot.
    pub fn cases(&self) -> impl Iterator<Item = Parameters> {
        let lengths = [0, 1, 31, 32, 33, 63, 64, 65, 191, 192, 193, 384, 385, 511, 512];
        let lengths = lengths.into_iter().map(|len| Parameters::default().with(Parameter::Len, len));
        let exits = self.takes.iter().filter(|&&parameter| parameter != Parameter::Len).flat_map(|&parameter| {
            let values: &[u16] = if parameter == Parameter::Size { &[0, 1, 2] } else { &[0, 1, 7, 15, 16] };
            values.iter().map(move |&value| Parameters::default().with(parameter, value))
        });
        let all = [Parameters::default()].into_iter().chain(lengths).chain(exits);
        all.filter(|parameters| self.accepts(parameters).is_ok())
    }
}

impl fmt::Display for Workload {
    /// What it is, as the comment above its program.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {} ({}): {}.", self.name, self.source, self.about)
    }
}
