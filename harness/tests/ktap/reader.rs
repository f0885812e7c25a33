//! A reader of KTAP that comes to what the kernel's `kunit_parser.py` comes to: the same counts, the same complaints.
//!
//! That parser goes by lines and not by indentation, which it takes off: a version line or `# Subtest:` opens a subtest,
//! its plan says how many results belong to it, and its own result follows; without a plan it ends at a result of its name.
//!
//! What it is not: the parser; no line of it is here. Called by `ktap.rs`.

/// What was found in a log. Only results without subtests of their own are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub crashed: usize,
    pub errors: Vec<String>,
}

/// A result line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'l> {
    pub ok: bool,
    pub number: usize,
    pub name: &'l str,
    /// The reason of a skip, which may be empty.
    pub skip: Option<&'l str>,
}

/// One line, without its indentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'l> {
    Version(usize),
    Subtest(&'l str),
    Plan(usize),
    Outcome(Outcome<'l>),
    Other,
}

/// Tells what a line is.
pub fn line(text: &str) -> Line<'_> {
    if let Some(number) = text.strip_prefix("KTAP version ").and_then(|rest| rest.parse().ok()) {
        return Line::Version(number);
    }
    if let Some(name) = text.strip_prefix("# Subtest: ") {
        return Line::Subtest(name);
    }
    if let Some(rest) = text.strip_prefix("1..") {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if let Ok(count) = rest[..digits].parse() {
            return Line::Plan(count);
        }
    }
    outcome(text).map_or(Line::Other, Line::Outcome)
}

fn outcome(text: &str) -> Option<Outcome<'_>> {
    let (ok, rest) = match text.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok ")?),
    };
    let (number, rest) = rest.split_once(' ')?;
    let number = number.parse().ok()?;
    let rest = rest.strip_prefix("- ").unwrap_or(rest);
    // A `#` that does not stand as ` # ` makes the line no result.
    let (name, remark) = match rest.find('#') {
        None => (rest, None),
        Some(at) => (rest[..at].strip_suffix(' ')?, Some(rest[at..].strip_prefix("# ")?)),
    };
    let skip = remark.and_then(|remark| remark.strip_prefix("SKIP")).map(str::trim);
    Some(Outcome { ok, number, name, skip })
}

/// Reads a log, which may have other lines before and a console's prefix before each.
pub fn read(log: &str) -> Found {
    let start = log.lines().position(|line| line.contains("KTAP version "));
    let Some(start) = start else {
        return Found { errors: vec!["could not find any KTAP output".to_owned()], ..Found::default() };
    };
    let prefix = log.lines().nth(start).and_then(|line| line.find("KTAP version ")).unwrap_or(0);
    let lines = log.lines().skip(start).map(|line| line.get(prefix..).unwrap_or("").trim());
    let mut reader = Reader { lines: lines.collect(), at: 0, found: Found::default() };
    reader.group(true);
    reader.found
}

struct Reader<'l> {
    lines: Vec<&'l str>,
    at: usize,
    found: Found,
}

impl<'l> Reader<'l> {
    fn peek(&self) -> Option<Line<'l>> {
        self.lines.get(self.at).map(|text| line(text))
    }

    /// Goes past what is neither a result nor the beginning of a subtest.
    fn diagnostics(&mut self) {
        while matches!(self.peek(), Some(Line::Other | Line::Plan(_))) {
            self.at += 1;
        }
    }

    fn error(&mut self, what: &str) {
        self.found.errors.push(what.to_owned());
    }

    /// A group with its version line or name, its plan and its tests; of one that is not the top, not its result.
    /// Yields its name, where it says it.
    fn group(&mut self, top: bool) -> Option<&'l str> {
        if let Some(Line::Version(number)) = self.peek() {
            self.at += 1;
            if number > 1 {
                self.error("version higher than expected");
            }
        }
        let name = match self.peek() {
            Some(Line::Subtest(name)) if !top => Some(name),
            _ => None,
        };
        self.at += usize::from(name.is_some());
        let plan = if let Some(Line::Plan(count)) = self.peek() { Some(count) } else { None };
        self.at += usize::from(plan.is_some());
        let mut number = 1;
        while plan.is_none_or(|plan| number <= plan) {
            self.diagnostics();
            let is_own =
                matches!(self.peek(), Some(Line::Outcome(outcome)) if !top && outcome.name == name.unwrap_or(""));
            if self.peek().is_none() || is_own {
                if plan.is_none() {
                    break;
                }
                self.error("missing expected subtest");
                self.found.crashed += 1;
                number += 1;
                continue;
            }
            self.test(number);
            number += 1;
        }
        if number == 1 {
            self.error("0 tests run");
        }
        name
    }

    /// A test in a group: a result, or a group and its result.
    fn test(&mut self, expected: usize) {
        let is_group = matches!(self.peek(), Some(Line::Version(_) | Line::Subtest(_)));
        let name = if is_group { self.group(false) } else { None };
        self.diagnostics();
        match self.peek() {
            Some(Line::Outcome(outcome)) if name.is_none_or(|name| name == outcome.name) => {
                self.at += 1;
                if outcome.number != expected {
                    self.error(&format!("expected test number {expected} but found {}", outcome.number));
                }
                match outcome {
                    _ if is_group => {}
                    Outcome { skip: Some(_), .. } => self.found.skipped += 1,
                    Outcome { ok: true, .. } => self.found.passed += 1,
                    Outcome { ok: false, .. } => self.found.failed += 1,
                }
            }
            _ if name.is_some() => self.error("missing subtest result line"),
            _ => {}
        }
    }
}
