//! Where a target's findings and counts go: to a folder and a file if `lazymmu fuzz` named them, else to standard error.
//!
//! Not here: what becomes of them (`lazymmu fuzz`). Called by [`crate::run`].

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lazy_mmu_engine::fuzz::{Description, Found, Stats};

/// Executions between two looks at the clock.
const LOOK: u64 = 512;

/// How often counts are written.
const EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub struct Output {
    findings: Option<PathBuf>,
    counts: Option<PathBuf>,
    until: Option<String>,
    seen: HashSet<String>,
    written: Instant,
    calls: u64,
}

impl Output {
    /// What the environment says: `LAZYMMU_FINDINGS` a folder, `LAZYMMU_STATS` a file, `LAZYMMU_FUZZ_UNTIL` the id of
    /// the invariant whose first finding ends the process.
    pub fn of_environment() -> Output {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        Output {
            findings: path("LAZYMMU_FINDINGS"),
            counts: path("LAZYMMU_STATS"),
            until: std::env::var("LAZYMMU_FUZZ_UNTIL").ok(),
            seen: HashSet::new(),
            written: Instant::now(),
            calls: 0,
        }
    }

    /// Something was found: it goes to the folder, once, or ends the process.
    ///
    /// # Panics
    /// Where no folder is named, or it cannot be written to: libFuzzer then keeps the input.
    pub fn found(&mut self, target: &Description, data: &[u8], found: &Found) {
        if let Some(folder) = &self.findings {
            if !self.seen.insert(found.slug.clone()) {
                return;
            }
            match keep(folder, data, found) {
                Ok(()) => return,
                Err(error) => eprintln!("lazymmu: {}: cannot keep the finding: {error}", folder.display()),
            }
        }
        eprintln!("\n{}\n", report(target, data, found));
        panic!("found {}", found.slug);
    }

    /// Whether what was found is what was looked for, so that nothing more is.
    #[must_use]
    pub fn is_the_last(&self, found: &Found) -> bool {
        let invariant = found.signature.as_ref().map(|signature| signature.invariant.id());
        self.until.is_some() && self.until.as_deref() == invariant
    }

    /// Writes the counts, if it is time.
    pub fn now_and_then(&mut self, stats: &Stats) {
        self.calls += 1;
        if self.calls % LOOK == 0 && self.counts.is_some() && self.written.elapsed() > EVERY {
            self.written = Instant::now();
            self.write(stats);
        }
    }

    /// Writes the counts for the last time.
    pub fn finish(&mut self, stats: &Stats) {
        if self.counts.is_some() {
            self.write(stats);
        } else {
            eprint!("what was exercised:\n{}", lines(stats));
        }
    }

    fn write(&self, stats: &Stats) {
        let Some(path) = &self.counts else { return };
        // Counts that cannot be written are missed by `lazymmu fuzz`, which says so.
        let _ = put(&path.with_extension("new"), path, lines(stats).as_bytes());
    }
}

fn lines(stats: &Stats) -> String {
    stats.lines().into_iter().map(|(name, count)| format!("{count}\t{name}\n")).collect()
}

/// The input and what it shows, under the finding's slug; a name that is taken is the same finding.
fn keep(folder: &Path, data: &[u8], found: &Found) -> io::Result<()> {
    let place = folder.join(&found.slug);
    if place.exists() {
        return Ok(());
    }
    put(&folder.join(format!(".{}.{}", found.slug, std::process::id())), &place, data)
}

/// Writes a file under another name first, and leaves neither where that fails: a full disk stays as full as it was.
fn put(new: &Path, place: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = fs::write(new, bytes).and_then(|()| fs::rename(new, place));
    if written.is_err() {
        let _ = fs::remove_file(new);
    }
    written
}

/// What a person reads who ran the target without `lazymmu`.
fn report(target: &Description, data: &[u8], found: &Found) -> String {
    let mut text = format!("{}: {}\n{}\n", target.name, found.slug, found.what);
    if let Some((_, program)) = target.input.split(data) {
        text.push_str(&format!("\nprogram:\n{program}\n"));
        if let Some(subject) = found.subject {
            text.push_str(&format!("see it: save the program and run\n  cargo lazymmu run FILE --subject {subject}\n"));
        }
    }
    text.push_str("minimise it: cargo lazymmu fuzz ");
    text.push_str(target.name);
    text.push_str(" --replay ARTIFACT (the file that libFuzzer names below)");
    text
}

/// Says what is wrong and ends the process: there is nothing to fuzz.
pub fn end(why: &str) -> ! {
    eprintln!("lazymmu fuzz target: {why}");
    std::process::exit(2)
}

/// Ends the process from inside the target, with success: libFuzzer takes every other way out for a crash.
pub fn leave() -> ! {
    // SAFETY: this is the C library's own declaration, `void _exit(int)`.
    unsafe extern "C" {
        fn _exit(status: i32) -> !;
    }
    // SAFETY: C's _exit may be called at any time; what has to be written was.
    unsafe { _exit(0) }
}

/// Calls `f` when the process ends by itself.
pub fn at_exit(f: fn()) {
    use std::sync::OnceLock;
    static LAST: OnceLock<fn()> = OnceLock::new();
    // SAFETY: this is the C library's own declaration, `int atexit(void (*)(void))`.
    unsafe extern "C" {
        fn atexit(f: extern "C" fn()) -> i32;
    }
    extern "C" fn call() {
        if let Some(f) = LAST.get() {
            f();
        }
    }
    if LAST.set(f).is_ok() {
        // SAFETY: C's atexit takes a function without arguments, which `call` is; it is never unloaded.
        unsafe { atexit(call) };
    }
}
