//! libFuzzer's log: what its status lines say, and how a process of it ended.
//!
//! Not here: processes, and the log's file. Called by the supervisor ([`super::job`]) and, on recorded logs, by tests.

/// What a status line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Executions so far.
    pub executions: u64,
    /// Edges covered.
    pub coverage: u64,
    /// Features: edges by how often, and states of the mode.
    pub features: u64,
    /// Inputs in the corpus.
    pub corpus: u64,
}

/// Reads a status line: `#123 NEW cov: 10 ft: 20 corp: 3/40b ...`; none if it is another line.
#[must_use]
pub fn pulse(line: &str) -> Option<Pulse> {
    let (number, rest) = line.strip_prefix('#')?.split_once(['\t', ' '])?;
    let mut pulse = Pulse { executions: number.parse().ok()?, ..Pulse::default() };
    let mut words = rest.split_whitespace();
    let mut any = false;
    while let Some(word) = words.next() {
        let slot = match word {
            "cov:" => &mut pulse.coverage,
            "ft:" => &mut pulse.features,
            "corp:" => &mut pulse.corpus,
            _ => continue,
        };
        let value = words.next()?;
        *slot = value.split('/').next()?.parse().ok()?;
        any = true;
    }
    any.then_some(pulse)
}

/// What ended a process that did not end by itself, in the log's own words, and the artifact it left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Death {
    /// The panic's place or the sanitizer's summary.
    pub what: String,
    /// The file with the input.
    pub artifact: Option<String>,
}

/// Reads the end of a log.
#[must_use]
pub fn death(log: &str) -> Option<Death> {
    let mut death = Death::default();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some((_, place)) = line.split_once("' panicked at ").or_else(|| line.split_once(") panicked at ")) {
            let message = lines.peek().copied().unwrap_or_default();
            death.what = format!("panicked at {} {message}", place.trim_end_matches(':'));
        } else if let Some(summary) = line.strip_prefix("SUMMARY: ") {
            if death.what.is_empty() {
                death.what = summary.to_owned();
            }
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            death.artifact = Some(path.trim().to_owned());
        }
    }
    (!death.what.is_empty() || death.artifact.is_some()).then_some(death)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines_are_read_and_others_are_not() {
        let line = "#1915\tREDUCE cov: 2863 ft: 11585 corp: 385/60Kb lim: 193 exec/s: 638 rss: 83Mb L: 28/193 MS: 2 CrossOver-";
        let expected = Pulse { executions: 1915, coverage: 2863, features: 11_585, corpus: 385 };
        assert_eq!(pulse(line), Some(expected));
        assert_eq!(pulse("#2\tINITED cov: 9 ft: 10 corp: 1/1b exec/s: 0 rss: 28Mb").map(|p| p.corpus), Some(1));
        for other in ["", "#", "#x NEW cov: 1", "INFO: Seed: 1", "#12\tDONE", "#1 NEW cov: x", "#1 NEW cov:"] {
            assert_eq!(pulse(other), None, "{other}");
        }
    }

    #[test]
    fn a_death_names_its_cause_and_its_artifact() {
        let log = "#12\tNEW cov: 1 ft: 1 corp: 1/1b\n\nthread '<unnamed>' (71) panicked at src/a.rs:3:4:\nindex out of bounds\n\
                   ==7== ERROR: libFuzzer: deadly signal\nSUMMARY: libFuzzer: deadly signal\n\
                   artifact_prefix='a/'; Test unit written to a/crash-12\n";
        let expected = Death {
            what: "panicked at src/a.rs:3:4 index out of bounds".to_owned(),
            artifact: Some("a/crash-12".to_owned()),
        };
        assert_eq!(death(log), Some(expected));
        let timeout = death("SUMMARY: libFuzzer: timeout\nTest unit written to a/timeout-1\n").expect("a death");
        assert_eq!(timeout.what, "libFuzzer: timeout");
        assert_eq!(death("#12\tDONE cov: 1 ft: 1\nDone 12 runs in 1 second(s)\n"), None);
    }
}
