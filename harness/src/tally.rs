//! Counts what `cargo test` ran, from what it printed.
//!
//! What it is not: it does not print and starts nothing. It reads the lines libtest has printed for years, and takes
//! output that stops in the middle for what it is: a test binary without a result.
//!
//! Who calls it: `lazymmu test`, with every chunk it passes on to the terminal.

/// What the test binaries of one run reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that ran and passed.
    pub passed: u64,
    /// Tests that ran and failed.
    pub failed: u64,
    /// Tests that were not run because they are marked so.
    pub ignored: u64,
    /// Test binaries that began.
    pub begun: u64,
    /// Test binaries that reported a result.
    pub ended: u64,
    /// The names of the tests that failed.
    pub failures: Vec<String>,
    line: Vec<u8>,
}

impl Tally {
    /// Takes the next bytes of the output, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = plain(&String::from_utf8_lossy(&std::mem::take(&mut self.line)));
                self.take(line.trim());
            }
        }
    }

    /// How many tests ran.
    #[must_use]
    pub fn ran(&self) -> u64 {
        self.passed + self.failed
    }

    /// How many test binaries ended without a result: they crashed, or were killed.
    #[must_use]
    pub fn cut_short(&self) -> u64 {
        self.begun.saturating_sub(self.ended)
    }

    fn take(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            let count = |what: &str| {
                let field = result.split([';', '.']).find_map(|field| field.trim().strip_suffix(what));
                field.and_then(|number| number.trim().parse::<u64>().ok())
            };
            // A line without counts was printed by somebody else.
            if let (Some(passed), Some(failed)) = (count("passed"), count("failed")) {
                self.passed += passed;
                self.failed += failed;
                self.ignored += count("ignored").unwrap_or(0);
                self.ended += 1;
            }
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.trim_end_matches(" - should panic").to_owned());
        } else if is_heading(line) {
            self.begun += 1;
        }
    }
}

/// `running 3 tests`, which every test binary prints first.
fn is_heading(line: &str) -> bool {
    let mut words = line.split(' ');
    words.next() == Some("running")
        && words.next().is_some_and(|count| count.parse::<u64>().is_ok())
        && matches!(words.next(), Some("test" | "tests"))
        && words.next().is_none()
}

/// A line without the escape sequences that colour it.
fn plain(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        text + &part[end..]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(text: &str) -> Tally {
        let mut tally = Tally::default();
        tally.feed(text.as_bytes());
        tally
    }

    const GOOD: &str = "\nrunning 2 tests\ntest a ... ok\ntest b ... ignored, slow\n\n\
        test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.03s\n\n\
        \nrunning 0 tests\n\n\
        test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
        all doctests ran in 0.34s; merged doctests compilation took 0.24s\n";

    const BAD: &str = "running 3 tests\ntest x::a ... ok\ntest x::b ... FAILED\ntest x::c - should panic ... FAILED\n\n\
        failures:\n\n---- x::b stdout ----\nassertion failed: 1.0 passed\n\n\
        test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";

    #[test]
    fn binaries_add_up() {
        let tally = tally(GOOD);
        assert_eq!((tally.passed, tally.failed, tally.ignored), (1, 0, 1));
        assert_eq!((tally.begun, tally.ended, tally.cut_short()), (2, 2, 0));
    }

    #[test]
    fn failures_are_counted_and_named() {
        let tally = tally(BAD);
        assert_eq!((tally.passed, tally.failed, tally.ran()), (1, 2, 3));
        assert_eq!(tally.failures, ["x::b", "x::c"]);
    }

    #[test]
    fn any_cut_of_the_output_gives_the_same() {
        let text = format!("{GOOD}{BAD}");
        for cut in 0..text.len() {
            let mut pieces = Tally::default();
            pieces.feed(&text.as_bytes()[..cut]);
            pieces.feed(&text.as_bytes()[cut..]);
            assert_eq!(pieces, tally(&text), "cut at {cut}");
        }
    }

    #[test]
    fn a_binary_that_crashed_has_no_result() {
        let crashed =
            "running 3 tests\ntest a ... ok\ntest b ... qemu: uncaught target signal 11 (Segmentation fault)\n";
        assert_eq!(tally(crashed).cut_short(), 1);
        assert_eq!(tally(&format!("{crashed}{GOOD}")).cut_short(), 1);
    }

    #[test]
    fn colours_do_not_hide_a_result() {
        let tally = tally("test result: \x1b[31mFAILED\x1b[m. 1 passed; 2 failed; 3 ignored; 0 measured\n");
        assert_eq!((tally.passed, tally.failed, tally.ignored), (1, 2, 3));
    }

    #[test]
    fn what_others_print_is_not_counted() {
        let text = "test result: pending\nrunning late\nrunning 3 tests today\ntest result\ntested ... FAILED\n";
        assert_eq!(tally(text), Tally::default());
    }
}
