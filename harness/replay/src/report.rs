//! A summary as text: what the recording was, what it exercised, what is worth a look, and what the contract says.
//!
//! A count of zero is said too. Called by whoever prints a [`Summary`]; an agent sends this text to its host.

use super::header::Arch;
use super::judge::{Breach, Cause, Verdict};
use super::summary::{Notes, Outcome, Summary};
use lazy_mmu_abi::trace::counted;
use lazy_mmu_contract::Invariant;
use std::fmt;

/// How many warnings, tasks and open ends are printed.
const PRINTED: usize = 8;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arch = self.arch.map_or("no architecture named: calls and hooks only".to_owned(), |arch| arch.to_string());
        let (tasks, cpus) = (counted(self.tasks, ["task", "tasks"]), counted(self.cpus, ["CPU", "CPUs"]));
        writeln!(f, "{}: {arch}, {} events, {tasks}, {cpus}", self.name, self.events)?;
        self.counts(f)?;
        self.warned(f)?;
        self.ends(f)?;
        self.cost(f)?;
        for (invariant, verdict) in self.verdicts.all() {
            self.verdict(f, invariant, verdict)?;
        }
        self.findings(f)?;
        writeln!(f, "  verdict        {}", self.in_short())
    }
}

impl Summary {
    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  sections       {} outermost, {} nested", self.sections, self.nested)?;
        writeln!(f, "  pauses         {} inside a section, {} without effect", self.pauses, self.idle_pauses)?;
        let (paused, irq) = (self.calls_while_paused, self.calls_in_interrupt);
        writeln!(f, "  no-effect      {paused} calls while paused, {irq} in an interrupt")?;
        let (enters, flushes, leaves) = (self.enters, self.flushes, self.leaves);
        writeln!(f, "  hooks          {enters} enter, {flushes} flush, {leaves} leave")?;
        writeln!(f, "  updates        {} deferred, {} at once", self.deferred, self.immediate)?;
        writeln!(f, "  completions    {}, and {} direct barriers", self.completions, self.direct_barriers)?;
        if self.switches + self.new_tasks > 0 || self.arch == Some(Arch::XenPv) {
            writeln!(f, "  switches       {}, {} new tasks", self.switches, self.new_tasks)?;
        }
        writeln!(f, "  recorded early {}", self.recorded_early)
    }

    fn warned(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  warnings       {}", self.warnings.total)?;
        for warning in self.warnings.first.iter().take(PRINTED) {
            writeln!(f, "    {warning}")?;
        }
        more(f, self.warnings.total)?;
        notes(f, "unusual", &self.unusual)?;
        if self.longer_lines > 0 {
            let lines = counted(self.longer_lines, ["line", "lines"]);
            writeln!(f, "  ignored        what follows the last field of {lines}")?;
        }
        Ok(())
    }

    /// Where the recording does not begin or end with nobody in a section, and what it lost.
    fn ends(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.begun_amid {
            let state = if self.assumed.total == 0 { "; no task was seen to be in a section" } else { "" };
            writeln!(f, "  begins         in the middle, at seq {}{state}", self.first_seq)?;
        }
        notes(f, "assumed", &self.assumed)?;
        if self.gaps > 0 {
            let gaps = counted(self.gaps, ["place", "places"]);
            writeln!(f, "  lost           {} in {gaps}: what tasks had after them is assumed", events(self.lost))?;
        }
        if let Some(wrote) = self.wrote {
            writeln!(f, "  ends           early: the header says {}, the file has {}", events(wrote), self.events)?;
        }
        if self.cut_line {
            writeln!(f, "  ends           in the middle of a line, which was left out")?;
        }
        for open in self.open_ends.iter().take(PRINTED) {
            writeln!(f, "  ends           {open}")?;
        }
        more(f, self.open_ends.len() as u64)
    }

    /// What the mode saved.
    fn cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (changes, operations) = (self.cost.changes, self.cost.operations);
        if changes == 0 {
            return writeln!(f, "  saved          nothing: no update inside a section was recorded");
        }
        let noun = match self.arch {
            Some(Arch::Aarch64) => ["barrier pair", "barrier pairs"],
            Some(Arch::XenPv) => ["hypercall", "hypercalls"],
            _ => ["flush", "flushes"],
        };
        let each = operations as f64 / changes as f64;
        let saved = changes.saturating_sub(operations);
        let inside = counted(changes, ["update", "updates"]);
        writeln!(
            f,
            "  saved          {saved} of {changes} {}: {inside} inside sections took {}, {each:.2} each",
            noun[1],
            counted(operations, noun)
        )
    }

    fn verdict(&self, f: &mut fmt::Formatter<'_>, invariant: Invariant, verdict: &Verdict) -> fmt::Result {
        let name = invariant.name();
        if verdict.breaches.is_empty() {
            return match verdict.judged {
                0 => writeln!(f, "  {name:<22} not judged: {}", unseen(invariant)),
                judged => writeln!(f, "  {name:<22} holds, judged {judged} times"),
            };
        }
        for breach in &verdict.breaches {
            let Breach { line, text, times, tasks, .. } = breach;
            let known = breach.cause.map_or("NOT a known finding".to_owned(), known);
            writeln!(f, "  {name:<22} breaks at line {line}: {text}")?;
            let times = counted(*times, ["line", "lines"]);
            writeln!(f, "    {times} of {}: {known}", counted(*tasks, ["task", "tasks"]))?;
        }
        Ok(())
    }

    /// Each known finding once, with what it did to the whole recording.
    fn findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for cause in Cause::ALL {
            if !self.verdicts.breaches().any(|breach| breach.cause == Some(cause)) {
                continue;
            }
            match cause {
                Cause::NewTask => {
                    let updates = self.deferred + self.immediate;
                    write!(f, "  {} ", known(cause))?;
                    if !self.paused_for_life.is_empty() {
                        write!(f, "paused for life since its first switch-in, {}; ", self.paused())?;
                    }
                    writeln!(f, "{} of {updates} changes deferred", self.deferred)?;
                }
                Cause::Wrap => writeln!(f, "  {} a call too many wrapped a count", known(cause))?,
            }
        }
        Ok(())
    }

    /// The tasks that are paused for life.
    fn paused(&self) -> String {
        let name = |&(pid, cpu): &(u32, u16)| if pid == 0 { format!("0 of CPU {cpu}") } else { pid.to_string() };
        let tasks = &self.paused_for_life;
        let shown: Vec<String> = tasks.iter().take(PRINTED).map(name).collect();
        let hidden = tasks.len() - shown.len();
        let rest = if hidden > 0 { format!(" and {hidden} more") } else { String::new() };
        format!("{} (pid {}{rest})", counted(tasks.len() as u64, ["task", "tasks"]), shown.join(", "))
    }

    /// The verdict in a line.
    pub fn in_short(&self) -> String {
        match self.outcome() {
            Outcome::Holds => {
                "holds: a kernel could have recorded every line, and no judged invariant breaks".to_owned()
            }
            Outcome::Part => {
                let what = if self.gaps > 0 { "events were lost" } else { "the recording began in the middle" };
                format!("judged in part: {what}; nothing that it shows breaks")
            }
            Outcome::Breaks => {
                let all = self.verdicts.all();
                let broken: Vec<_> =
                    all.filter(|(_, verdict)| !verdict.breaches.is_empty()).map(|(id, _)| id.id()).collect();
                let unknown = self.verdicts.breaches().filter(|breach| breach.cause.is_none()).count();
                let rest = if unknown == 0 { "; known findings explain all of it" } else { "" };
                format!("breaks {}{rest}", broken.join(" "))
            }
        }
    }
}

/// Notes of a kind, a line each.
fn notes(f: &mut fmt::Formatter<'_>, label: &str, notes: &Notes) -> fmt::Result {
    for note in &notes.first {
        writeln!(f, "  {:<14} {note}", format!("{label}:"))?;
    }
    if notes.total > notes.first.len() as u64 {
        writeln!(f, "    and {} more", notes.total - notes.first.len() as u64)?;
    }
    Ok(())
}

/// How many are not printed.
fn more(f: &mut fmt::Formatter<'_>, total: u64) -> fmt::Result {
    let hidden = total.saturating_sub(PRINTED as u64);
    if hidden > 0 { writeln!(f, "    and {hidden} more") } else { Ok(()) }
}

fn known(cause: Cause) -> String {
    format!("known/{}", cause.finding())
}

fn events(count: u64) -> String {
    counted(count, ["event", "events"])
}

/// Why an invariant was not judged.
fn unseen(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::I1 | Invariant::I15 => "no call was made outside interrupts",
        Invariant::I2 => "no hook was recorded",
        Invariant::I5 => "no update inside a section was recorded",
        Invariant::I7 => "no line shows preemption",
        Invariant::I11 => "no interrupt was recorded",
        _ => "no change of tasks was recorded",
    }
}
