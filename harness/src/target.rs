//! The four targets: their names, and the description of each ([`data`]), which is a file of `harness/targets`.
//!
//! What it is not: it looks at nothing on this machine. Whether a linker or an emulator is installed is
//! [`crate::setup`]'s business.
//!
//! Who calls it: every subcommand, to turn `--target` into data, and `setup`.

pub mod data;

pub use self::data::{Endian, Spec};

use lazy_mmu_arches::insn::Isa;
use std::fmt;
use std::str::FromStr;

/// One of the architectures the project tests on.
///
/// The order is the order of every table the command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// 64-bit Arm, little-endian.
    Aarch64,
    /// 64-bit POWER, big-endian.
    Powerpc64,
    /// SPARC V9, big-endian.
    Sparc64,
    /// x86-64, little-endian.
    X86_64,
}

impl Target {
    /// All of them, in the order tables use.
    pub const ALL: [Self; 4] = [Self::Aarch64, Self::Powerpc64, Self::Sparc64, Self::X86_64];

    /// The target a short name or a triple means.
    ///
    /// # Errors
    ///
    /// [`UnknownTarget`], which lists the known ones.
    pub fn parse(name: &str) -> Result<Self, UnknownTarget> {
        let known = Self::ALL.into_iter().find(|target| name == target.short() || name == target.triple());
        known.ok_or_else(|| UnknownTarget { name: name.to_owned() })
    }

    /// What is fixed about this target.
    #[must_use]
    pub fn spec(self) -> &'static Spec {
        data::of(self)
    }

    /// The name used in options, tables and file names.
    #[must_use]
    pub fn short(self) -> &'static str {
        &self.spec().name
    }

    /// The Rust target triple.
    #[must_use]
    pub fn triple(self) -> &'static str {
        &self.spec().triple
    }

    /// Its instruction set.
    #[must_use]
    pub fn isa(self) -> Isa {
        match self {
            Self::Aarch64 => Isa::Aarch64,
            Self::Powerpc64 => Isa::Powerpc64,
            Self::Sparc64 => Isa::Sparc64,
            Self::X86_64 => Isa::X86_64,
        }
    }

    /// Whether this machine runs the target's programs without an emulator.
    ///
    /// Decided by what this command was itself compiled for: a host with another C library builds a target of its own
    /// architecture like any other target.
    #[must_use]
    pub fn is_native(self) -> bool {
        let host_endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };
        cfg!(all(target_os = "linux", target_env = "gnu"))
            && std::env::consts::ARCH == self.short()
            && host_endian == self.spec().endian
    }

    /// The name of one of cargo's environment variables for this target, such as `CARGO_TARGET_<TRIPLE>_LINKER`.
    #[must_use]
    pub fn cargo_variable(self, key: &str) -> String {
        format!("CARGO_TARGET_{}_{key}", self.triple().to_uppercase().replace('-', "_"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` makes `{:<12}` work in tables.
        f.pad(self.short())
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(name: &str) -> Result<Self, UnknownTarget> {
        Self::parse(name)
    }
}

/// A `--target` that names none of the four.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no target of this project; it knows {}", known())]
pub struct UnknownTarget {
    /// What was asked for.
    pub name: String,
}

fn known() -> String {
    Target::ALL.map(|target| format!("{} ({})", target.short(), target.triple())).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_belongs_to_its_target() {
        for target in Target::ALL {
            let spec = target.spec();
            assert!(spec.triple.starts_with(&spec.name), "{spec:?}");
            assert_eq!(format!("{target:?}").to_lowercase(), spec.name);
            assert!(spec.linker.program.starts_with(&*spec.libc.sysroot.replace("/usr/", "")), "{spec:?}");
            assert_eq!(Target::parse(&spec.name), Ok(target));
            assert_eq!(spec.triple.parse(), Ok(target));
        }
    }

    #[test]
    fn an_unknown_target_lists_the_known_ones() {
        let message = Target::parse("mips").unwrap_err().to_string();
        assert!(message.starts_with("`mips` is no target"), "{message}");
        for target in Target::ALL {
            assert!(message.contains(target.triple()), "{message}");
        }
    }

    #[test]
    fn cargo_variables_are_spelt_as_cargo_reads_them() {
        assert_eq!(Target::X86_64.cargo_variable("RUNNER"), "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER");
    }

    #[test]
    fn at_most_one_target_is_native() {
        assert!(Target::ALL.into_iter().filter(|target| target.is_native()).count() <= 1);
    }
}
