//! The conversation: one answer per request, in order.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use lazy_mmu_engine::registry::{GenerationName, SUBJECTS};
use lazy_mmu_engine::replay::{Rejection, Replay};
use lazy_mmu_engine::runner::{Generated, Runner, decode, subjects_digest};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::table;
use lazy_mmu_engine::trace::listing;
use lazy_mmu_engine::wire::{self, Frame, VERSION, WireError};

/// Subjects beside the registry's: their numbers begin where the registry's end.
pub trait More {
    /// How many.
    fn subjects(&self) -> usize;
    /// What they are, as JSON.
    fn facts(&self) -> String;
    /// The answer to a question about the one at `index`: a `Batch`, `Show`, `Generate`, `Examine`, `Reduce`, `Costs` or
    /// `Expand`.
    fn answer(&mut self, index: usize, request: &Frame) -> Frame;
}

/// No other subjects than the registry's.
#[derive(Clone, Copy, Debug)]
pub struct NoMore;

impl More for NoMore {
    fn subjects(&self) -> usize {
        0
    }

    fn facts(&self) -> String {
        "{}".to_owned()
    }

    fn answer(&mut self, _: usize, _: &Frame) -> Frame {
        Frame::Bye
    }
}

/// Answers frames until the host says goodbye or its end of the pipe closes.
///
/// # Errors
/// A frame that is none, a host of another version, or a broken pipe.
pub fn serve(input: impl Read, output: impl Write, more: &mut dyn More) -> Result<(), WireError> {
    let (input, output) = (BufReader::new(input), BufWriter::new(output));
    let mut agent = Agent { input, output, runner: Runner::new(), more };
    let hello = agent.next()?;
    if hello != (Frame::Hello { version: VERSION, arch: String::new(), subjects: subjects_digest() }) {
        return Err(WireError::Garbled("the host speaks another version; rebuild the agent"));
    }
    let arch = std::env::consts::ARCH.to_owned();
    agent.answer(&Frame::Hello { version: VERSION, arch, subjects: subjects_digest() })?;
    loop {
        let frame = match agent.next() {
            Err(WireError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            frame => frame?,
        };
        match frame {
            Frame::Bye => return Ok(()),
            Frame::Replay(name) => agent.replay(&name)?,
            request => {
                let answer = agent.request(request)?;
                agent.answer(&answer)?;
            }
        }
    }
}

struct Agent<'m, I, O> {
    input: I,
    output: O,
    runner: Runner,
    more: &'m mut dyn More,
}

impl<I: Read, O: Write> Agent<'_, I, O> {
    fn next(&mut self) -> Result<Frame, WireError> {
        wire::read(&mut self.input)
    }

    fn answer(&mut self, frame: &Frame) -> Result<(), WireError> {
        wire::write(&mut self.output, frame)?;
        Ok(self.output.flush()?)
    }

    fn request(&mut self, request: Frame) -> Result<Frame, WireError> {
        if let Some(index) = self.of_more(&request) {
            return Ok(self.more.answer(index, &request));
        }
        Ok(match request {
            Frame::Facts => Frame::Text(self.more.facts()),
            Frame::Batch { subject, port, programs } => {
                let (subject, port) = known(subject, port)?;
                self.batch(subject, port, &programs)
            }
            Frame::Show { subject, port, program } => {
                let (subject, port) = known(subject, port)?;
                self.guarded(0, |runner| {
                    let (events, verdict) = runner.run(subject, port, &decode(&program));
                    Frame::Text(format!("{}{verdict}\n", listing(events)))
                })
            }
            Frame::Generate { subject, port, seed, count, length, legal } => {
                let (subject, port) = known(subject, port)?;
                let batch = Generated { seed, count, length, legal };
                self.guarded(0, |runner| Frame::Results(vec![runner.generated(subject, port, batch)]))
            }
            Frame::Tables => self.guarded(0, |_| Frame::Text(GenerationName::ALL.map(table::render).join("\n"))),
            _ => return Err(WireError::Garbled("a frame that is no request")),
        })
    }

    /// Which of the other subjects a request is about, if it is about one.
    fn of_more(&self, request: &Frame) -> Option<usize> {
        let (Frame::Batch { subject, port: 0, .. }
        | Frame::Show { subject, port: 0, .. }
        | Frame::Generate { subject, port: 0, .. }
        | Frame::Examine { subject, .. }
        | Frame::Reduce { subject, .. }
        | Frame::Costs { subject, .. }
        | Frame::Expand { subject, .. }
        | Frame::Known { subject, .. }
        | Frame::Listings { subject, .. }) = request
        else {
            return None;
        };
        usize::from(*subject).checked_sub(SUBJECTS.len()).filter(|&index| index < self.more.subjects())
    }

    fn batch(&mut self, subject: usize, port: Port, programs: &[Vec<u8>]) -> Frame {
        let mut results = Vec::with_capacity(programs.len());
        for (at, program) in programs.iter().enumerate() {
            let mut summary = None;
            let answer = self.guarded(at as u32, |runner| {
                summary = Some(runner.summary(subject, port, &decode(program)));
                Frame::Bye
            });
            match summary {
                Some(summary) => results.push(summary),
                None => return answer,
            }
        }
        Frame::Results(results)
    }

    /// Runs something; a panic becomes an answer, and the runner a fresh one.
    fn guarded(&mut self, program: u32, run: impl FnOnce(&mut Runner) -> Frame) -> Frame {
        let runner = &mut self.runner;
        match catch_unwind(AssertUnwindSafe(|| run(runner))) {
            Ok(frame) => frame,
            Err(panic) => {
                let message = panic.downcast_ref::<String>().cloned();
                let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                self.runner = Runner::new();
                Frame::Panicked { program, message: message.unwrap_or_else(|| "a panic without a text".to_owned()) }
            }
        }
    }

    /// A recorded kernel trace, streamed in; the data after a rejection is read and dropped.
    fn replay(&mut self, name: &str) -> Result<(), WireError> {
        let mut replay = Replay::new(name);
        let mut rejected: Option<Rejection> = None;
        loop {
            match self.next()? {
                Frame::ReplayData(data) if rejected.is_none() => rejected = replay.feed(&data).err(),
                Frame::ReplayData(_) => {}
                Frame::ReplayEnd => break,
                _ => return Err(WireError::Garbled("not a part of a replay")),
            }
        }
        let outcome = match rejected {
            Some(rejection) => Err(rejection),
            None => replay.finish(),
        };
        let answer = outcome.map(|summary| summary.to_string()).map_err(|rejection| rejection.to_string());
        self.answer(&Frame::Replayed(answer))
    }
}

/// A subject and a port that exist.
fn known(subject: u8, port: u8) -> Result<(usize, Port), WireError> {
    let subject = usize::from(subject);
    let port = match port {
        0 => Port::Model,
        1 if SUBJECTS.get(subject).is_some_and(|subject| subject.has_asm_here()) => Port::Asm,
        _ => return Err(WireError::Garbled("a port that this build does not have")),
    };
    if subject < SUBJECTS.len() { Ok((subject, port)) } else { Err(WireError::Garbled("an unknown subject")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lazy_mmu_engine::program::bytes::encode;
    use lazy_mmu_engine::program::text::parse;

    /// What the agent answers to requests, the handshake done.
    fn conversation(requests: &[Frame]) -> (Vec<Frame>, Result<(), WireError>) {
        let hello = Frame::Hello { version: VERSION, arch: String::new(), subjects: subjects_digest() };
        let input: Vec<u8> = std::iter::once(&hello).chain(requests).flat_map(wire::bytes).collect();
        let mut output = Vec::new();
        let ended = serve(input.as_slice(), &mut output, &mut NoMore);
        let mut answers = output.as_slice();
        let answers = std::iter::from_fn(|| wire::read(&mut answers).ok()).collect();
        (answers, ended)
    }

    #[test]
    fn a_batch_is_summed_up_program_by_program() {
        let programs = ["enable; disable", "disable", "enable; disable"];
        let programs = programs.map(|text| encode(&parse(text).expect("a program"))).to_vec();
        let (answers, ended) = conversation(&[Frame::Batch { subject: 0, port: 0, programs }, Frame::Bye]);
        assert!(ended.is_ok());
        let Some(Frame::Results(results)) = answers.get(1) else { panic!("{answers:?}") };
        assert_eq!(results.len(), 3);
        assert_eq!(results[0], results[2]);
        assert_ne!(results[0].all, results[1].all);
        assert_eq!((results[0].broken, results[1].broken & 2), (0, 2));
    }

    #[test]
    fn another_version_is_refused_before_anything_runs() {
        let hello = Frame::Hello { version: VERSION + 1, arch: String::new(), subjects: subjects_digest() };
        let mut output = Vec::new();
        assert!(serve(wire::bytes(&hello).as_slice(), &mut output, &mut NoMore).is_err());
        let hello = Frame::Hello { version: VERSION, arch: String::new(), subjects: !subjects_digest() };
        assert!(serve(wire::bytes(&hello).as_slice(), &mut output, &mut NoMore).is_err(), "other subjects");
        assert!(output.is_empty());
    }

    /// Whatever is asked for, the answer is what the engine says here.
    #[test]
    fn answers_are_the_engines() {
        let mut runner = Runner::new();
        let program = parse("enable; set U 1; access U 1; clear U 1; irq { enable }; pause").expect("a program");
        for (subject, descriptor) in SUBJECTS.iter().enumerate() {
            let summary = runner.summary(subject, Port::Model, &program);
            let (events, verdict) = runner.run(subject, Port::Model, &program);
            let shown = format!("{}{verdict}\n", listing(events));
            let batch = Generated { seed: 3, count: 4, length: 12, legal: subject % 2 == 0 };
            let generated = runner.generated(subject, Port::Model, batch);
            let name = descriptor.name;
            let subject = subject as u8;
            let Generated { seed, count, length, legal } = batch;
            let (answers, _) = conversation(&[
                Frame::Batch { subject, port: 0, programs: vec![encode(&program)] },
                Frame::Show { subject, port: 0, program: encode(&program) },
                Frame::Generate { subject, port: 0, seed, count, length, legal },
            ]);
            let expected = [Frame::Results(vec![summary]), Frame::Text(shown), Frame::Results(vec![generated])];
            assert_eq!(answers[1..], expected, "{name}");
        }
        let tables = GenerationName::ALL.map(table::render).join("\n");
        assert_eq!(conversation(&[Frame::Tables]).0[1..], [Frame::Text(tables)]);
    }

    /// A rejection is answered once the whole trace has come, whatever came after it.
    #[test]
    fn a_trace_is_replayed_to_its_end() {
        let trace = |lines: &[&str]| {
            let data = lines.iter().map(|line| Frame::ReplayData(line.as_bytes().to_vec()));
            let frames = [Frame::Replay("case".into())].into_iter().chain(data).chain([Frame::ReplayEnd]);
            conversation(&frames.collect::<Vec<_>>()).0.remove(1)
        };
        let Frame::Replayed(Ok(summary)) = trace(&["0 0 5 1 ena", "ble 0 0\n"]) else { panic!("it is accepted") };
        assert!(summary.starts_with("case: "), "{summary}");
        let rejected = trace(&["0 0 5 0 enable 2 0\n", "1 0 5 0 enable 1 0\n"]);
        let text = "1:16: expected `enable 1 0`: row E3, pid 5 was at 0 0, found `enable 2 0` from pid 5 on CPU 0";
        assert_eq!(rejected, Frame::Replayed(Err(text.into())));
        assert!(conversation(&[Frame::Replay("case".into()), Frame::Tables, Frame::ReplayEnd]).1.is_err());
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for request in [
            Frame::Batch { subject: 255, port: 0, programs: vec![] },
            Frame::Batch { subject: 0, port: 9, programs: vec![] },
            Frame::ReplayEnd,
        ] {
            assert!(conversation(&[request]).1.is_err());
        }
        let foreign = SUBJECTS.iter().position(|subject| !subject.has_asm_here()).expect("another architecture's");
        assert!(conversation(&[Frame::Batch { subject: foreign as u8, port: 1, programs: vec![] }]).1.is_err());
    }

    #[test]
    fn it_ends_when_its_input_does() {
        assert!(conversation(&[Frame::Tables]).1.is_ok());
    }
}
