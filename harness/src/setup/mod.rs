//! What a target needs before anything can be built for it and run: found, and set up once when it is missing.
//!
//! Two things: programs ([`packages`]: linker, C library, emulator) and a standard library ([`std`]: the toolchain's own,
//! one compiled from the distribution's sources, or the distribution's compiler). Every step is said on standard error
//! in one line. A machine where all is there spends a few file look-ups here.
//!
//! What it is not: it builds nothing of the project.
//!
//! Who calls it: `lazymmu setup` and `lazymmu test`, and every subcommand that runs something on a target.

pub mod apt;
pub mod cache;
pub mod compile;
pub mod compiler;
pub mod cpu;
pub mod packages;
pub mod ready;
pub mod std;

pub use self::compiler::Toolchain;
pub use self::ready::Ready;
pub use self::std::Source;

use ::std::collections::{BTreeMap, BTreeSet};

use self::cache::{Cache, Lock};
use self::compiler::Compiler;
use crate::target::Target;

/// What a set-up may do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether what is missing is installed and compiled, or only reported.
    pub allow_install: bool,
    /// Where standard libraries may come from.
    pub source: Source,
    /// Whether programs are emulated on a native target too.
    pub emulated: bool,
    /// Whether a kernel tree is to be compiled: what kbuild runs is needed too.
    pub tree: bool,
}

/// Something the machine lacks: what, why it could not be set up, and the command that mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Missing {
    /// What is missing, for whom.
    pub what: String,
    /// Why it was not set up.
    pub why: String,
    /// The one command, or the one thing to do, that mends it.
    pub remedy: String,
}

/// Finds what every target needs and, where allowed, sets up what is missing.
///
/// The result has the order of the arguments. A target that fails does not stop another.
#[must_use]
pub fn prepare(targets: &[Target], options: Options) -> Vec<(Target, Result<Ready, Missing>)> {
    match Session::open(options) {
        Ok(session) => session.prepare(targets),
        Err(missing) => targets.iter().map(|&target| (target, Err(missing.clone()))).collect(),
    }
}

/// What one target has on this machine, each with its version, for a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The compiler with a standard library for the target.
    pub compiler: Option<String>,
    /// The linker.
    pub linker: Option<String>,
    /// The C library's directory.
    pub libc: Option<&'static str>,
    /// The emulator, also where programs run without.
    pub emulator: Option<String>,
}

/// What targets have, in the order of the arguments. Nothing is changed.
#[must_use]
pub fn inventory(targets: &[Target], source: Source) -> Vec<Inventory> {
    let session = Session::open(Options { source, ..Options::default() }).ok();
    let compiler = |target| {
        let session = session.as_ref()?;
        std::find(target, &session.compiler, &session.cache, source).map(|found| found.about)
    };
    let of = |&target: &Target| Inventory {
        compiler: compiler(target),
        linker: packages::linker_text(target),
        libc: packages::libc(target),
        emulator: packages::emulator_text(target),
    };
    targets.iter().map(of).collect()
}

/// Says one step of a set-up on standard error.
pub(crate) fn say(step: &str) {
    eprintln!("set-up: {step}");
}

/// What one call of [`prepare`] works with.
struct Session {
    options: Options,
    cache: Cache,
    compiler: Compiler,
}

impl Session {
    fn open(options: Options) -> Result<Self, Missing> {
        Ok(Self { options, cache: Cache::find()?, compiler: Compiler::active()? })
    }

    fn prepare(&self, targets: &[Target]) -> Vec<(Target, Result<Ready, Missing>)> {
        let look = || targets.iter().map(|&target| (target, self.look(target)));
        if !self.options.allow_install || look().all(|(_, result)| result.is_ok()) {
            return look().collect();
        }
        let reasons = match self.cache.lock() {
            // Another set-up may have done it all while this one waited for the lock.
            Ok(lock) => self.install(look().filter(|(_, result)| result.is_err()).map(|row| row.0).collect(), &lock),
            Err(missing) => targets.iter().map(|&target| (target, missing.clone())).collect(),
        };
        let explain = |target: Target, missing: Missing| reasons.get(&target).cloned().unwrap_or(missing);
        look().map(|(target, result)| (target, result.map_err(|missing| explain(target, missing)))).collect()
    }

    /// Sets up what can be; the result says why the rest could not.
    fn install(&self, lacking: Vec<Target>, lock: &Lock) -> BTreeMap<Target, Missing> {
        let of = |target| self.packages(target);
        let packages: BTreeSet<&str> = lacking.iter().flat_map(|&target| of(target)).collect();
        let refused = if packages.is_empty() { None } else { packages::install(&packages, &self.cache).err() };
        // A target that still lacks programs is not worth a compilation: its user has to act first.
        let (fit, unfit) = lacking.into_iter().partition::<Vec<_>, _>(|&target| of(target).is_empty());
        let unfit = unfit.into_iter().filter_map(|target| Some((target, refused.clone()?)));
        unfit.chain(std::make(&fit, &self.compiler, &self.cache, lock, self.options.source)).collect()
    }

    /// The packages that a target lacks.
    fn packages(&self, target: Target) -> BTreeSet<&'static str> {
        let for_trees = if self.options.tree { packages::lacking_for_trees() } else { Vec::new() };
        packages::lacking(target, self.options.emulated).into_iter().chain(for_trees).collect()
    }

    /// What a target has now; nothing is changed.
    fn look(&self, target: Target) -> Result<Ready, Missing> {
        let emulated = self.options.emulated || !target.is_native();
        if let Some(version) = packages::too_old(target).filter(|_| emulated) {
            return Err(too_old(target, &version));
        }
        let packages = self.packages(target);
        let mut lacks: Vec<String> = packages.iter().copied().map(str::to_owned).collect();
        let toolchain = std::find(target, &self.compiler, &self.cache, self.options.source);
        match toolchain {
            Some(toolchain) if lacks.is_empty() => Ok(Ready::new(target, toolchain, self.options.emulated)),
            found => {
                if found.is_none() {
                    lacks.push(format!("a standard library for rustc {}", self.compiler.version));
                }
                Err(Missing {
                    what: format!("{target} lacks {}", lacks.join(", ")),
                    why: "it is not set up yet".to_owned(),
                    remedy: remedy(target, &packages, self.options.tree),
                })
            }
        }
    }
}

/// An emulator that is there, and older than the target's minimum.
fn too_old(target: Target, version: &str) -> Missing {
    let emulator = &target.spec().emulator;
    let (program, minimum, package) = (&emulator.program, &emulator.minimum, &*emulator.package);
    Missing {
        what: format!("{target} needs {program} {minimum} or later, and this one is {version}"),
        why: emulator.reason.clone(),
        remedy: format!("{} (Debian has it from release 12 on)", packages::command(&BTreeSet::from([package]))),
    }
}

/// The one command that mends a target: ours, unless somebody else's rights are needed first, or a tree needs what `setup`
/// leaves alone.
fn remedy(target: Target, packages: &BTreeSet<&str>, tree: bool) -> String {
    let all_by_setup = packages::is_root() && !(tree && packages::KBUILD.iter().any(|pair| packages.contains(pair.1)));
    if packages.is_empty() || all_by_setup {
        format!("cargo lazymmu setup --target {target}")
    } else {
        packages::command(packages)
    }
}
