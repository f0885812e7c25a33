//! A target's standard library: where it is, and how it gets there.
//!
//! In order of preference: the active toolchain's own; one compiled here from the distribution's sources of the same
//! version; the distribution's own compiler, with a standard library compiled from its sources. `rustup target add`
//! is tried first, and gives up fast where its server is refused.
//!
//! What it is not: it does not compile ([`super::compile`]) and does not speak to the archive ([`super::apt`]).
//!
//! Who calls it: [`super::prepare`].

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::cache::{self, Cache, Lock};
use super::compile::{self, Sources};
use super::compiler::{self, Compiler, Toolchain};
use super::packages::which;
use super::{Missing, apt, say};
use crate::target::Target;

/// Where a standard library may come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// The first of the others that works.
    #[default]
    Any,
    /// The active toolchain, by `rustup target add` where needed.
    Toolchain,
    /// Debian's sources of the active compiler's version, compiled once into the cache.
    Sources,
    /// Debian's compiler and its sources, unpacked into the cache.
    Compiler,
}

impl Source {
    fn allows(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}

/// The compiler packages of one version that Debian keeps current for its browsers.
const COMPILER_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// The packages that hold a compiler's sources.
const SOURCE_PACKAGES: [&str; 2] = ["rust-src", "rust-web-src"];

/// The toolchain that has a standard library for a target now, if there is one.
#[must_use]
pub fn find(target: Target, active: &Compiler, cache: &Cache, source: Source) -> Option<Toolchain> {
    let own = source.allows(Source::Toolchain) || target.is_native();
    if own && Compiler::has_std(&active.sysroot, target) {
        return Some(active.toolchain(None, "its own std"));
    }
    if source.allows(Source::Sources)
        && let Some(toolchain) = private(target, active, cache)
    {
        return Some(toolchain);
    }
    let unpacked = if source.allows(Source::Compiler) { unpacked(cache) } else { None };
    unpacked.and_then(|compiler| private(target, &compiler, cache))
}

/// A compiler with the standard library that was compiled for it.
fn private(target: Target, compiler: &Compiler, cache: &Cache) -> Option<Toolchain> {
    let sysroot = cache.std(&compiler.key());
    let about = if compiler.unpacked { "Debian's, std compiled from its sources" } else { "std compiled from sources" };
    Compiler::has_std(&sysroot, target).then(|| compiler.toolchain(Some(&sysroot), about))
}

/// The newest compiler unpacked into the cache.
fn unpacked(cache: &Cache) -> Option<Compiler> {
    let entries = fs::read_dir(cache.compilers()).ok()?.flatten();
    let newest = entries.max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).ok())?;
    Compiler::unpacked(&newest.path())
}

/// Makes standard libraries for those of the targets that have none. What could not be made is in the result.
#[must_use]
pub fn make(
    targets: &[Target],
    active: &Compiler,
    cache: &Cache,
    lock: &Lock,
    source: Source,
) -> BTreeMap<Target, Missing> {
    let lacking = || -> Vec<Target> {
        targets.iter().copied().filter(|&target| find(target, active, cache, source).is_none()).collect()
    };
    let mut refusals = Vec::new();
    let ways: [(Source, Way); 3] = [
        (Source::Toolchain, |todo, active, _, _| rustup(todo, active)),
        (Source::Sources, from_sources),
        (Source::Compiler, |todo, _, cache, lock| from_compiler(todo, cache, lock)),
    ];
    for (way, run) in ways {
        let todo = lacking();
        if todo.is_empty() {
            break;
        }
        if source.allows(way)
            && let Err(why) = run(&todo, active, cache, lock)
        {
            say(&why);
            refusals.push(why);
        }
    }
    let why = refusals.join("; ");
    lacking().into_iter().map(|target| (target, unmade(target, active, &why))).collect()
}

/// One way to a standard library: for these targets, or why not.
type Way = fn(&[Target], &Compiler, &Cache, &Lock) -> Result<(), String>;

fn unmade(target: Target, active: &Compiler, why: &str) -> Missing {
    Missing {
        what: format!("{target} has no standard library for rustc {}", active.version),
        why: why.to_owned(),
        remedy: format!("rustup target add {} (where rustup's server is reachable)", target.triple()),
    }
}

/// Asks rustup for the targets, unless its server is out of reach.
fn rustup(targets: &[Target], active: &Compiler) -> Result<(), String> {
    let toolchain = rustup_toolchain(&active.sysroot).ok_or("rustup does not manage the active compiler")?;
    let server = env::var("RUSTUP_DIST_SERVER").unwrap_or_else(|_| "https://static.rust-lang.org".to_owned());
    if which("curl").is_some() {
        // A server that does not answer at all would keep rustup waiting for minutes.
        let mut probe = Command::new("curl");
        probe.args(["--silent", "--show-error", "--head", "--connect-timeout", "5", "--max-time", "10", &server]);
        probe.stderr(Stdio::piped());
        apt::output(probe, Duration::from_secs(15)).map_err(|why| format!("rustup's server is refused here: {why}"))?;
    }
    let triples = targets.iter().map(|target| target.triple());
    say(&format!("asking rustup for {}", targets.iter().map(|target| target.short()).collect::<Vec<_>>().join(", ")));
    let mut command = Command::new("rustup");
    command.args(["target", "add", "--toolchain", &toolchain]).args(triples);
    command.env("RUSTUP_MAX_RETRIES", "1").env("RUST_BACKTRACE", "0").stderr(Stdio::piped());
    apt::output(command, Duration::from_secs(240)).map(drop).map_err(|why| format!("rustup is no help: {why}"))
}

/// The name of the toolchain a sysroot belongs to, when rustup manages it.
fn rustup_toolchain(sysroot: &Path) -> Option<String> {
    which("rustup")?;
    let toolchains = sysroot.parent()?.file_name()? == "toolchains";
    toolchains.then(|| sysroot.file_name().map(|name| name.to_string_lossy().into_owned())).flatten()
}

/// Compiles standard libraries for the active compiler.
fn from_sources(targets: &[Target], active: &Compiler, cache: &Cache, lock: &Lock) -> Result<(), String> {
    let sources = sources(active, cache, lock)?;
    compile_all(targets, active, &sources, cache, lock)
}

/// All at once; when that fails, one by one, so that a target that cannot be compiled does not take others with it.
fn compile_all(
    targets: &[Target],
    compiler: &Compiler,
    sources: &Sources,
    cache: &Cache,
    lock: &Lock,
) -> Result<(), String> {
    let one_line = |missing: Missing| format!("{}: {} ({})", missing.what, missing.why, missing.remedy);
    let result = compile::std(compiler, sources, targets, cache, lock).map_err(one_line);
    if result.is_ok() || targets.len() == 1 {
        return result;
    }
    let singly = targets.iter().map(|target| compile::std(compiler, sources, &[*target], cache, lock));
    singly.filter_map(Result::err).map(one_line).next_back().map_or(Ok(()), Err)
}

/// Sources of the very version of a compiler: its own, the cache's, or the distribution's.
fn sources(compiler: &Compiler, cache: &Cache, lock: &Lock) -> Result<Sources, String> {
    let own = compiler.sysroot.join("lib/rustlib/src/rust");
    let fetched = cache.sources(&compiler.version);
    let is_whole = |dir: &Path| dir.join("library/std/Cargo.toml").is_file();
    if is_whole(&own) {
        return Ok(Sources { dir: own, name: format!("the toolchain's own rust-src {}", compiler.version) });
    }
    let name = format!("Debian's rust-src {}", compiler.version);
    if !is_whole(&fetched) {
        fetch_sources(&compiler.version, &fetched, cache, lock)?;
    }
    Ok(Sources { dir: fetched, name })
}

/// Searches the suites of the archive for the sources of a version and unpacks them to a place in the cache.
fn fetch_sources(version: &str, place: &Path, cache: &Cache, lock: &Lock) -> Result<(), String> {
    say(&format!("looking for Debian's rust-src {version}"));
    let mut why =
        format!("Debian has no rust-src {version} in {}, nor in this machine's own suites", apt::SUITES.join(", "));
    let own = std::iter::once(None);
    for suite in apt::SUITES.into_iter().map(Some).chain(own) {
        let dir = cache.scratch(lock, suite.unwrap_or("own")).map_err(|missing| missing.why)?;
        let repository = suite.map_or_else(|| apt::Repository::own(&dir), |suite| apt::Repository::suite(&dir, suite));
        let repository = match repository {
            Ok(repository) => repository,
            // A suite this mirror does not have is no obstacle; no archive at all is.
            Err(error) if suite.is_none() => return Err(format!("{why}; {error}")),
            Err(_) => continue,
        };
        let found = SOURCE_PACKAGES.iter().find_map(|name| Some((name, repository.version(name, version)?)));
        let Some((name, exact)) = found else { continue };
        match fetch_library(&repository, &format!("{name}={exact}"), place, cache, lock) {
            Ok(()) => return Ok(()),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// Downloads a source package and puts its `library/` in place.
fn fetch_library(
    repository: &apt::Repository,
    package: &str,
    place: &Path,
    cache: &Cache,
    lock: &Lock,
) -> Result<(), String> {
    say(&format!("fetching {package} (once, 45 MB)"));
    let files = repository.download(&[package.to_owned()])?;
    let [file] = files.as_slice() else { return Err(format!("apt-get download {package} gave no file")) };
    place_library(file, place, cache, lock)
}

fn place_library(file: &Path, place: &Path, cache: &Cache, lock: &Lock) -> Result<(), String> {
    let unpacked = cache.scratch(lock, "sources").map_err(|missing| missing.why)?;
    apt::unpack_library(file, &unpacked)?;
    cache::publish(&unpacked, place).map_err(|missing| missing.why)
}

/// Fetches Debian's compiler, unless the cache has it, and compiles standard libraries with it.
fn from_compiler(targets: &[Target], cache: &Cache, lock: &Lock) -> Result<(), String> {
    let compiler = match unpacked(cache) {
        Some(compiler) => compiler,
        None => fetch_compiler(cache, lock)?,
    };
    let sources = sources(&compiler, cache, lock)?;
    compile_all(targets, &compiler, &sources, cache, lock)
}

/// Unpacks Debian's compiler, its cargo, its sources and the libraries they need, of one version, into the cache.
fn fetch_compiler(cache: &Cache, lock: &Lock) -> Result<Compiler, String> {
    let dir = cache.scratch(lock, "own").map_err(|missing| missing.why)?;
    let repository = apt::Repository::own(&dir)?;
    let additions = repository.additions(&COMPILER_PACKAGES)?;
    let version = one_version(&additions)?;
    if !new_enough(&version, env!("CARGO_PKG_RUST_VERSION")) {
        let needed = env!("CARGO_PKG_RUST_VERSION");
        return Err(format!("Debian's compiler here is {version}; this project needs {needed} or later"));
    }
    say(&format!("fetching Debian's compiler {version}: {} (once, ~150 MB)", COMPILER_PACKAGES.join(", ")));
    let files = repository.download(&additions)?;
    let finished = cache.scratch(lock, "compiler").map_err(|missing| missing.why)?;
    for file in &files {
        if file_name(file).starts_with("rust-web-src_") {
            place_library(file, &cache.sources(&version), cache, lock)?;
        } else {
            apt::unpack(file, &finished.join("root"))?;
        }
    }
    let libraries = driver_dir(&finished.join("root/usr")).ok_or("rustc-web brought no compiler library")?;
    compiler::write_scripts(&finished, &libraries).map_err(|error| error.to_string())?;
    let place = cache.compilers().join(&version);
    cache::publish(&finished, &place).map_err(|missing| missing.why)?;
    Compiler::unpacked(&place).ok_or_else(|| "Debian's compiler does not start here".to_owned())
}

/// Whether a version is at least another: numbers, compared part by part.
fn new_enough(version: &str, least: &str) -> bool {
    let parts = |text: &str| text.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    parts(version) >= parts(least)
}

/// The upstream version all the compiler packages share.
fn one_version(additions: &[String]) -> Result<String, String> {
    let version_of = |name: &str| {
        let found = additions.iter().find_map(|addition| addition.strip_prefix(name)?.strip_prefix('='));
        found
            .map(apt::upstream_of)
            .ok_or_else(|| format!("{name} is installed already, but `rustc` is another compiler"))
    };
    let versions = COMPILER_PACKAGES.map(version_of);
    let first = versions[0].clone()?;
    match versions.into_iter().find(|version| version.as_ref() != Ok(&first)) {
        None => Ok(first.to_owned()),
        Some(Ok(other)) => Err(format!("Debian's compiler {first} and its packages of version {other} do not fit")),
        Some(Err(why)) => Err(why),
    }
}

/// The directory, relative to `usr`, that holds the compiler's shared library: it is named after the architecture.
fn driver_dir(usr: &Path) -> Option<String> {
    let holds_driver = |dir: &PathBuf| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| file_name(&entry.path()).starts_with("librustc_driver-"))
    };
    let dirs = fs::read_dir(usr.join("lib")).ok()?.flatten().map(|entry| entry.path());
    dirs.into_iter().find(holds_driver).map(|dir| format!("lib/{}", file_name(&dir)))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(new_enough("1.95.0", "1.95") && new_enough("1.100.0", "1.95") && new_enough("2.0.0", "1.95"));
        assert!(!new_enough("1.85.0", "1.95") && !new_enough("1.9.0", "1.95"));
    }

    #[test]
    fn compiler_packages_must_be_of_one_version() {
        let all = |src: &str| {
            ["libllvm22=1:22.1.8-1", "rustc-web=1.96.0+dfsg1-1", "cargo-web=1.96.0+dfsg1-1~b1", src].map(str::to_owned)
        };
        assert_eq!(one_version(&all("rust-web-src=1.96.0+dfsg1-1")), Ok("1.96.0".to_owned()));
        assert!(one_version(&all("rust-web-src=1.85.0+dfsg3-1")).unwrap_err().contains("1.85.0"));
        assert!(one_version(&[]).unwrap_err().starts_with("rustc-web is installed already"));
    }

    #[test]
    fn a_toolchain_is_named_only_when_it_is_rustups() {
        assert_eq!(rustup_toolchain(Path::new("/usr")), None);
        let named = rustup_toolchain(Path::new("/home/x/.rustup/toolchains/stable-x86_64-unknown-linux-gnu"));
        assert_eq!(named.is_some(), which("rustup").is_some());
    }

    #[test]
    fn an_empty_cache_has_no_standard_library() {
        let active = Compiler::active().unwrap();
        let cache = Cache::at("/nowhere");
        for target in Target::ALL {
            assert_eq!(find(target, &active, &cache, Source::Sources).is_some(), target.is_native());
            assert_eq!(find(target, &active, &cache, Source::Compiler).is_some(), target.is_native());
        }
    }
}
