//! The four targets, as data: what each is called, what builds for it and what runs it.
//!
//! What it is not: it looks at nothing on this machine. Whether a linker or an emulator is installed is
//! [`crate::setup`]'s business.
//!
//! Who calls it: every subcommand, to turn `--target` into data, and `setup`.

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

/// Which end of a word comes first in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// What is fixed about a target, whichever machine it is built on.
///
/// File names follow Debian's cross packages, which other distributions share.
#[derive(Debug)]
pub struct Spec {
    /// The name used in options, tables and file names.
    pub short: &'static str,
    /// The Rust target triple.
    pub triple: &'static str,
    /// The GNU name, which prefixes the tools and names the sysroot.
    pub gnu: &'static str,
    /// The linker: the cross C compiler's driver.
    pub linker: &'static str,
    /// The user-mode emulator's program.
    pub qemu: &'static str,
    /// The directory of the target's own C library, given to the emulator with `-L`.
    pub sysroot: &'static str,
    /// The Debian package of the linker.
    pub gcc_package: &'static str,
    /// The Debian package of the C library and its headers.
    pub libc_package: &'static str,
    /// The order of bytes in a word.
    pub endian: Endian,
}

const SPECS: [Spec; 4] = [
    Spec {
        short: "aarch64",
        triple: "aarch64-unknown-linux-gnu",
        gnu: "aarch64-linux-gnu",
        linker: "aarch64-linux-gnu-gcc",
        qemu: "qemu-aarch64",
        sysroot: "/usr/aarch64-linux-gnu",
        gcc_package: "gcc-aarch64-linux-gnu",
        libc_package: "libc6-dev-arm64-cross",
        endian: Endian::Little,
    },
    Spec {
        short: "powerpc64",
        triple: "powerpc64-unknown-linux-gnu",
        gnu: "powerpc64-linux-gnu",
        linker: "powerpc64-linux-gnu-gcc",
        qemu: "qemu-ppc64",
        sysroot: "/usr/powerpc64-linux-gnu",
        gcc_package: "gcc-powerpc64-linux-gnu",
        libc_package: "libc6-dev-ppc64-cross",
        endian: Endian::Big,
    },
    Spec {
        short: "sparc64",
        triple: "sparc64-unknown-linux-gnu",
        gnu: "sparc64-linux-gnu",
        linker: "sparc64-linux-gnu-gcc",
        qemu: "qemu-sparc64",
        sysroot: "/usr/sparc64-linux-gnu",
        gcc_package: "gcc-sparc64-linux-gnu",
        libc_package: "libc6-dev-sparc64-cross",
        endian: Endian::Big,
    },
    Spec {
        short: "x86_64",
        triple: "x86_64-unknown-linux-gnu",
        gnu: "x86_64-linux-gnu",
        linker: "x86_64-linux-gnu-gcc",
        qemu: "qemu-x86_64",
        sysroot: "/usr/x86_64-linux-gnu",
        gcc_package: "gcc-x86-64-linux-gnu",
        libc_package: "libc6-dev-amd64-cross",
        endian: Endian::Little,
    },
];

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
        const { &SPECS }.get(self as usize).unwrap_or(const { &SPECS[0] })
    }

    /// The name used in options, tables and file names.
    #[must_use]
    pub fn short(self) -> &'static str {
        self.spec().short
    }

    /// The Rust target triple.
    #[must_use]
    pub fn triple(self) -> &'static str {
        self.spec().triple
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
            assert!(spec.triple.starts_with(spec.short), "{spec:?}");
            assert_eq!(spec.linker, format!("{}-gcc", spec.gnu));
            assert_eq!(spec.sysroot, format!("/usr/{}", spec.gnu));
            assert_eq!(Target::parse(spec.short), Ok(target));
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
