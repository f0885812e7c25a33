//! The host's end of the agent: one long-lived child per target, asked and answered in frames.
//!
//! A child that dies is started again and the batch is bisected until the program that kills it is known. Not here:
//! processes as such ([`crate::process`]), what an answer means ([`crate::check`]). Called by `check`, `run`, `bench`.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use lazy_mmu_engine::runner::subjects_digest;
use lazy_mmu_engine::wire::{self, Frame, MAX_FRAME, Summary, VERSION};

use crate::process::{self, Child};

/// How long one answer may take. Generous: an emulator on a loaded machine is slow, and a hang is a hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// The variable that sets another, in seconds.
const PATIENCE_VARIABLE: &str = "LAZYMMU_PATIENCE";

/// An agent that did not answer is asked less the next time, and is given this part of the time, until it answers again.
const SECOND_PATIENCE: u32 = 8;

/// How often in a row the agent may fail before it is given up: more than the halvings which lead to one program of the
/// largest batch. An emulator that is gone, or hangs whatever it is asked, must not be asked about every program.
const FAILURES: u32 = 24;

/// How often it may fail in all, however well it answers in between: a program that kills it is made smaller within a hundred.
const ALL_FAILURES: u32 = 500;

/// How often it may not answer at all, in all. Each of these costs the whole patience.
const HANGS: u32 = 24;

/// Why the agent did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It ended, or could not be started or talked to.
    #[error("the agent died: {status}{said}")]
    Died {
        /// How, in words.
        status: String,
        /// What it wrote on standard error, if anything, on a line of its own.
        said: String,
    },
    /// It did not answer in time and was killed.
    #[error("the agent did not answer within {0:?} and was killed")]
    Silent(Duration),
    /// It answered, but not what was asked.
    #[error("the agent answered what was not asked: {0}")]
    Garbled(String),
    /// It failed too often, in a row or in all, and is not started again.
    #[error(
        "the agent was given up: it failed {all} times, {row} of them in a row, and {hung} times it did not answer at all"
    )]
    GivenUp {
        /// Failures of any kind.
        all: u32,
        /// Those since its last answer.
        row: u32,
        /// Those in which it was killed for its silence.
        hung: u32,
    },
}

/// What became of one program of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran.
    Ran(Summary),
    /// It made the engine panic.
    Panicked(String),
    /// It killed the agent, or hung it.
    Crashed(String),
}

/// A batch to run.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'p> {
    /// The subject's place in the registry.
    pub subject: u8,
    /// The port's number on the wire.
    pub port: u8,
    /// Programs as bytes.
    pub programs: &'p [Vec<u8>],
}

/// An agent that is started when it is first asked, and again after it died.
pub struct Agent {
    start: Box<dyn Fn() -> Command + Send>,
    patience: Duration,
    /// Answers in a row that did not come.
    failures: u32,
    /// The same, in a row or not, and those of them that were silent.
    all: u32,
    hung: u32,
    child: Option<Child>,
    arch: String,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("child", &self.child).field("arch", &self.arch).finish_non_exhaustive()
    }
}

impl Agent {
    /// An agent that `start` starts. Its deadline per answer is two minutes, or what `LAZYMMU_PATIENCE` says.
    pub fn new(start: impl Fn() -> Command + Send + 'static) -> Agent {
        let wanted = std::env::var(PATIENCE_VARIABLE).ok().and_then(|text| text.parse().ok());
        let patience = wanted.map_or(PATIENCE, Duration::from_secs);
        Agent { start: Box::new(start), patience, failures: 0, all: 0, hung: 0, child: None, arch: String::new() }
    }

    /// The same with another deadline per answer.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Agent {
        self.patience = patience;
        self
    }

    /// The process that runs now, if one does.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The architecture the agent says it runs on.
    ///
    /// # Errors
    /// It could not be started.
    pub fn arch(&mut self) -> Result<&str, AgentError> {
        self.running()?;
        Ok(&self.arch)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// No answer came; the child is dead then, and the next question starts another.
    pub fn ask(&mut self, question: &Frame) -> Result<Frame, AgentError> {
        self.tell(question)?;
        let deadline = self.deadline();
        let child = self.running()?;
        let answer = receive(child, deadline).map_err(|error| self.give_up(error))?;
        self.failures = 0;
        Ok(answer)
    }

    /// When the next answer must be there.
    fn deadline(&self) -> Instant {
        Instant::now() + self.now_patient()
    }

    fn now_patient(&self) -> Duration {
        self.patience / if self.failures == 0 { 1 } else { SECOND_PATIENCE }
    }

    /// Sends a frame that is not answered: a part of a stream.
    ///
    /// # Errors
    /// The child is dead.
    pub fn tell(&mut self, frame: &Frame) -> Result<(), AgentError> {
        let deadline = self.deadline();
        let bytes = wire::bytes(frame);
        let sent = self.running()?.write_all(&bytes, deadline);
        sent.map_err(|error| self.give_up(Receive::Process(error)))
    }

    /// Runs every program of a batch, whatever some of them do to the agent. Outcomes come in the batch's order.
    ///
    /// # Errors
    /// The agent cannot even be started, or answers nonsense.
    pub fn batch(&mut self, batch: Batch<'_>) -> Result<Vec<Outcome>, AgentError> {
        let Batch { subject, port, programs } = batch;
        if programs.is_empty() {
            return Ok(Vec::new());
        }
        self.running()?;
        let answer = self.ask(&Frame::Batch { subject, port, programs: programs.to_vec() });
        match answer {
            Ok(Frame::Results(results)) if results.len() == programs.len() => {
                Ok(results.into_iter().map(Outcome::Ran).collect())
            }
            Ok(Frame::Panicked { program, message }) if (program as usize) < programs.len() => {
                let (before, rest) = programs.split_at(program as usize);
                let mut outcomes = self.batch(Batch { programs: before, ..batch })?;
                outcomes.push(Outcome::Panicked(message));
                outcomes.extend(self.batch(Batch { programs: &rest[1..], ..batch })?);
                Ok(outcomes)
            }
            Ok(other) => Err(AgentError::Garbled(format!("{other:?}").chars().take(80).collect())),
            Err(error @ (AgentError::Died { .. } | AgentError::Silent(_))) if programs.len() == 1 => {
                Ok(vec![Outcome::Crashed(error.to_string())])
            }
            Err(AgentError::Died { .. } | AgentError::Silent(_)) => {
                let (first, second) = programs.split_at(programs.len() / 2);
                let mut outcomes = self.batch(Batch { programs: first, ..batch })?;
                outcomes.extend(self.batch(Batch { programs: second, ..batch })?);
                Ok(outcomes)
            }
            Err(error) => Err(error),
        }
    }

    /// The child, started and greeted if need be.
    fn running(&mut self) -> Result<&mut Child, AgentError> {
        if self.child.is_none() {
            let spent = self.all >= ALL_FAILURES || self.hung >= HANGS;
            if spent || (self.failures >= FAILURES && !self.still_answers()) {
                return Err(AgentError::GivenUp { all: self.all, row: self.failures, hung: self.hung });
            }
            self.start()?;
        }
        self.child.as_mut().ok_or_else(|| died("it is gone".to_owned(), ""))
    }

    /// Whether it is the questions that kill the agent, as when a program that does is being made smaller: then it answers
    /// one that is empty. The child does not stay.
    fn still_answers(&mut self) -> bool {
        let nothing = wire::bytes(&Frame::Batch { subject: 0, port: 0, programs: Vec::new() });
        let deadline = self.deadline();
        let Some(mut child) = self.start().ok().and_then(|()| self.child.take()) else { return false };
        let sent = child.write_all(&nothing, deadline).map_err(Receive::Process);
        let answers = sent.and_then(|()| receive(&mut child, deadline)).is_ok();
        if answers {
            self.failures = 0;
        }
        answers
    }

    /// Starts a child and greets it.
    fn start(&mut self) -> Result<(), AgentError> {
        let mut child = match Child::spawn((self.start)()) {
            Ok(child) => child,
            Err(error) => {
                self.failed();
                return Err(died(error.to_string(), ""));
            }
        };
        let hello = Frame::Hello { version: VERSION, arch: String::new(), subjects: subjects_digest() };
        let deadline = self.deadline();
        let greeted = child.write_all(&wire::bytes(&hello), deadline).map_err(Receive::Process);
        match greeted.and_then(|()| receive(&mut child, deadline)) {
            Ok(Frame::Hello { version, arch, subjects }) if (version, subjects) == (VERSION, subjects_digest()) => {
                self.arch = arch;
                self.child = Some(child);
                Ok(())
            }
            Ok(other) => {
                self.failed();
                Err(AgentError::Garbled(format!("{other:?} for a greeting")))
            }
            Err(error) => {
                self.child = Some(child);
                Err(self.give_up(error))
            }
        }
    }

    fn failed(&mut self) {
        self.failures += 1;
        self.all += 1;
    }

    /// Ends the child that did not answer, and says why it did not.
    fn give_up(&mut self, error: Receive) -> AgentError {
        let waited = self.now_patient();
        self.failed();
        let Some(mut child) = self.child.take() else { return died("it is gone".to_owned(), "") };
        match error {
            Receive::Process(process::Error::Deadline { .. }) => {
                child.kill_and_reap();
                self.hung += 1;
                AgentError::Silent(waited)
            }
            Receive::Process(process::Error::Ended { .. } | process::Error::Pipe { .. }) => {
                // It is ending by itself; only if it does not is it killed, and then its status says so.
                let _ = child.wait(Instant::now() + Duration::from_secs(5));
                child.kill_and_reap();
                died(child.status_text(), &child.stderr_tail())
            }
            Receive::Process(other) => {
                child.kill_and_reap();
                died(other.to_string(), "")
            }
            Receive::Frame(error) => {
                child.kill_and_reap();
                AgentError::Garbled(error)
            }
        }
    }
}

fn died(status: String, said: &str) -> AgentError {
    let said = said.trim();
    let said = if said.is_empty() { String::new() } else { format!("\n  it said: {said}") };
    AgentError::Died { status, said }
}

/// Why a frame could not be received.
enum Receive {
    Process(process::Error),
    Frame(String),
}

fn receive(child: &mut Child, deadline: Instant) -> Result<Frame, Receive> {
    let mut length = [0; 4];
    child.read_exact(&mut length, deadline).map_err(Receive::Process)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_FRAME {
        return Err(Receive::Frame("a frame longer than any".to_owned()));
    }
    let mut payload = vec![0; length as usize];
    child.read_exact(&mut payload, deadline).map_err(Receive::Process)?;
    wire::parse(&payload).map_err(|error| Receive::Frame(error.to_string()))
}

#[cfg(test)]
pub(crate) mod testing {
    //! Shells that behave as agents, and as bad ones.

    use super::*;

    /// A shell that greets like an agent and then does as the script says.
    pub fn pretender(script: &str) -> Agent {
        let hello = Frame::Hello { version: VERSION, arch: "pretender".into(), subjects: subjects_digest() };
        let octal: String = wire::bytes(&hello).iter().map(|byte| format!("\\{byte:03o}")).collect();
        // What the host says first is read first: a child that is gone before that would be another test.
        let said = wire::bytes(&Frame::Hello { version: VERSION, arch: String::new(), subjects: subjects_digest() });
        let script = format!("head -c {} > /dev/null; printf '{octal}'; {script}", said.len());
        Agent::new(move || {
            let mut command = Command::new("sh");
            command.arg("-c").arg(&script).stderr(std::process::Stdio::piped());
            command
        })
        .with_patience(Duration::from_millis(400))
    }

    /// Reads frames with the tools every shell has, answers batches with empty summaries, and dies of any batch that
    /// holds a byte 99.
    pub const MORTAL: &str = r#"
        take() { dd bs=1 count="$1" 2>/dev/null | od -An -v -tu1 | tr -s ' \n' ' '; }
        frame() { set -- $(take 4); take $(( ($1 << 24) | ($2 << 16) | ($3 << 8) | $4 )); }
        number() { printf "\\$(printf %03o $(($1 >> 24 & 255)))\\$(printf %03o $(($1 >> 16 & 255)))"
            printf "\\$(printf %03o $(($1 >> 8 & 255)))\\$(printf %03o $(($1 & 255)))"; }
        while set -- $(frame) && [ $# -gt 6 ]; do
            case " $* " in *" 99 "*) kill -SEGV $$ ;; esac
            number $((5 + 36 * $7)); printf '\002'; number "$7"; head -c $((36 * $7)) /dev/zero
        done"#;
}

#[cfg(test)]
mod tests {
    use super::testing::{MORTAL, pretender};
    use super::*;

    #[test]
    fn a_child_that_ends_is_named_with_how_it_ended_and_what_it_said() {
        let mut agent = pretender("echo 'out of luck' >&2; kill -SEGV $$");
        assert_eq!(agent.arch().expect("a greeting"), "pretender");
        let error = agent.ask(&Frame::Tables).expect_err("no answer").to_string();
        assert!(error.contains("signal") && error.contains("out of luck"), "{error}");
    }

    #[test]
    fn the_program_that_kills_the_agent_is_found_and_the_others_run() {
        let mut agent = pretender(MORTAL).with_patience(Duration::from_secs(60));
        let programs = [1, 2, 3, 99, 4, 5].map(|byte| vec![byte; 6]);
        let outcomes = agent.batch(Batch { subject: 0, port: 0, programs: &programs }).expect("outcomes");
        for (at, outcome) in outcomes.iter().enumerate() {
            let crashed = matches!(outcome, Outcome::Crashed(how) if how.contains("signal"));
            assert_eq!(crashed, at == 3, "{outcomes:?}");
        }
        assert_eq!(outcomes.len(), 6);
    }

    #[test]
    fn a_child_that_hangs_is_killed_and_the_batch_names_every_program() {
        let mut agent = pretender("sleep 1000");
        let programs = [vec![1], vec![2]];
        let outcomes = agent.batch(Batch { subject: 0, port: 0, programs: &programs }).expect("outcomes");
        assert!(outcomes.iter().all(|o| matches!(o, Outcome::Crashed(how) if how.contains("killed"))), "{outcomes:?}");
        assert_eq!(outcomes.len(), 2);
    }

    #[test]
    fn an_agent_that_fails_whatever_it_is_asked_is_given_up() {
        let mut agent = pretender("exit 1").with_patience(Duration::from_secs(60));
        let programs: Vec<_> = (0..100).map(|byte| vec![byte; 6]).collect();
        let error = agent.batch(Batch { subject: 0, port: 0, programs: &programs }).expect_err("no outcomes");
        assert!(matches!(error, AgentError::GivenUp { .. }), "{error}");
        assert!(matches!(agent.ask(&Frame::Tables), Err(AgentError::GivenUp { .. })), "it is not started again");
    }

    #[test]
    fn an_agent_that_answers_once_and_hangs_is_given_up() {
        // Its one answer, to nothing asked, ends every row of failures.
        let once = r"head -c 8 > /dev/null; printf '\000\000\000\005\002\000\000\000\000'; sleep 1000";
        let mut agent = pretender(once).with_patience(Duration::from_millis(250));
        let nothing = Frame::Batch { subject: 0, port: 0, programs: Vec::new() };
        let error = loop {
            match agent.ask(&nothing) {
                Ok(_) | Err(AgentError::Silent(_)) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AgentError::GivenUp { hung: HANGS, row: ..HANGS, .. }), "{error}");
    }

    #[test]
    fn programs_that_kill_the_agent_do_not_make_it_given_up() {
        let mut agent = pretender(MORTAL).with_patience(Duration::from_secs(60));
        for _ in 0..=FAILURES {
            let outcomes = agent.batch(Batch { subject: 0, port: 0, programs: &[vec![99; 6]] }).expect("an outcome");
            assert!(matches!(outcomes[..], [Outcome::Crashed(_)]), "{outcomes:?}");
        }
    }

    #[test]
    fn a_child_that_babbles_is_refused() {
        let mut agent = pretender("printf '\\000\\000\\000\\001\\143'; sleep 1000");
        let error = agent.ask(&Frame::Tables).expect_err("no answer").to_string();
        assert!(error.contains("not asked"), "{error}");
    }

    #[test]
    fn a_program_that_is_no_agent_is_no_agent() {
        let mut agent = Agent::new(|| Command::new("true")).with_patience(Duration::from_secs(5));
        assert!(matches!(agent.arch(), Err(AgentError::Died { .. })));
    }
}
