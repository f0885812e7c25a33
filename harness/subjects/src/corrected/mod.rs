//! Our Rust with known differences from the kernel taken away, one by one: what a kernel tree's events are held against.
//!
//! A difference that changes what is held back changes every event behind it. To list all of those would explain more than
//! the difference; so the subject is run again with the difference corrected, and what it does then must be what the tree
//! does, event by event. The faithful subjects stay as they are: a later change mends them, and the correction goes.
//! Written from the kernel's source, as each correction says. Not here: reasons and reports (the host's `judge`). Called by
//! `lazymmu judge`.

mod hash_4k;
mod powerpc64;
mod sparc64;
mod xen;

use lazy_mmu_arches::sparc64::{Sparc64, Sun4v};

use lazy_mmu_abi::subject::Subject;

/// One difference that can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Its name.
    pub name: &'static str,
    /// The subject of the registry that differs.
    pub of: &'static str,
    /// Whether it is of kernels with 4K pages alone, which no subject of the registry is.
    pub is_4k: bool,
    /// Its bit among those of its subject.
    bit: u8,
}

impl Correction {
    /// Whether it is one of a subject of the registry, as it stands beside a kernel with 4K pages, or with the usual ones.
    #[must_use]
    pub fn is_of(&self, subject: &str, is_4k: bool) -> bool {
        self.of == subject && (is_4k || !self.is_4k)
    }
}

const fn correction(name: &'static str, of: &'static str, bit: u8) -> Correction {
    Correction { name, of, is_4k: false, bit }
}

const fn of_4k(correction: Correction) -> Correction {
    Correction { is_4k: true, ..correction }
}

/// All of them.
pub const CORRECTIONS: &[Correction] = &[
    correction("xen-exchange", "counted/x86_64-xen", xen::EXCHANGE),
    correction("xen-huge-set", "counted/x86_64-xen", xen::HUGE_SET),
    correction("xen-own-flush", "counted/x86_64-xen", xen::OWN_FLUSH),
    correction("xen-linear-flush", "counted/x86_64-xen", xen::LINEAR_FLUSH),
    correction("hash-set-over-live", "counted/powerpc64-hash", powerpc64::SET_OVER_LIVE),
    correction("hash-linear-insert", "counted/powerpc64-hash", powerpc64::LINEAR_INSERT),
    of_4k(correction("hash-4k-one-size", "counted/powerpc64-hash", powerpc64::ONE_SIZE)),
    correction("radix-flush", "counted/powerpc64-radix", powerpc64::RADIX_FLUSH),
    of_4k(correction("radix-4k-table", "counted/powerpc64-radix", powerpc64::TABLE_4K)),
    correction("sparc-linear-word", "counted/sparc64", sparc64::LINEAR_WORD),
    correction("sparc-linear-word", "counted/sparc64-sun4v", sparc64::LINEAR_WORD),
];

/// A subject of the registry with all its corrections, or with all but one, as it stands beside a kernel with 4K pages or with
/// the usual ones; none where it has no such correction.
#[must_use]
pub fn make(subject: &str, is_4k: bool, without: Option<Correction>) -> Option<Box<dyn Subject>> {
    let mut here = CORRECTIONS.iter().filter(|one| one.is_of(subject, is_4k)).peekable();
    here.peek()?;
    let is_without = |bit: u8| without.is_some_and(|one| one.of == subject && one.bit == bit);
    let mask = here.fold(0, |mask, one| if is_without(one.bit) { mask } else { mask | one.bit });
    match subject {
        "counted/x86_64-xen" => Some(xen::make(mask)),
        "counted/powerpc64-hash" => Some(powerpc64::hash(mask)),
        "counted/powerpc64-radix" => Some(powerpc64::radix(mask)),
        "counted/sparc64" => Some(sparc64::make::<Sparc64>(mask)),
        "counted/sparc64-sun4v" => Some(sparc64::make::<Sun4v>(mask)),
        _ => None,
    }
}
