//! Frames between the host command and the agent: length, kind, payload, all integers big-endian.
//!
//! The agent is the same engine built for a target; this is the whole of what crosses its stdin and stdout. A version
//! and a digest of the subjects' names open the conversation, so that an old agent is told apart before it answers
//! anything. Not here: processes and deadlines (host command), running programs ([`crate::runner`]).

use std::io::{self, Read, Write};

use crate::contract::Invariant;
use crate::costs::Costs;
use crate::examine::{Examined, Fault};
use crate::space::{Broken, Expanded, Reached};

/// Changes whenever a frame's meaning does.
pub const VERSION: u16 = 7;

/// The longest frame either side accepts: 64 MiB.
pub const MAX_FRAME: u32 = 64 << 20;

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Both ways, first: who speaks.
    Hello {
        /// [`VERSION`].
        version: u16,
        /// The target's architecture, as `std::env::consts::ARCH` has it; empty from the host.
        arch: String,
        /// Digest of the subjects' names, in order.
        subjects: u64,
    },
    /// To the agent: run programs on a subject.
    Batch {
        /// The subject's place in the registry.
        subject: u8,
        /// 0: model, 1: asm.
        port: u8,
        /// Programs as bytes.
        programs: Vec<Vec<u8>>,
    },
    /// From the agent: one summary per program of the batch, in order.
    Results(Vec<Summary>),
    /// To the agent: run one program and answer with its events.
    Show {
        /// The subject's place in the registry.
        subject: u8,
        /// 0: model, 1: asm.
        port: u8,
        /// The program as bytes.
        program: Vec<u8>,
    },
    /// To the agent: generate programs and run them; answered by [`Frame::Results`] of one summary, the digest of all.
    Generate {
        /// The subject's place in the registry.
        subject: u8,
        /// 0: model, 1: asm.
        port: u8,
        /// The first seed.
        seed: u64,
        /// How many programs.
        count: u32,
        /// Operations of each, about.
        length: u32,
        /// Whether they keep to the rules.
        legal: bool,
    },
    /// To the agent: render the transition tables.
    Tables,
    /// From the agent: text, for `Show` and `Tables`.
    Text(String),
    /// To the agent: what subjects of a kernel tree it has beside the registry's; answered by [`Frame::Text`].
    Facts,
    /// To the agent: run one program on a kernel tree's subject and say all of it; answered by [`Frame::Examined`].
    Examine {
        /// The subject's number, from [`Frame::Facts`].
        subject: u8,
        /// The program as bytes.
        program: Vec<u8>,
    },
    /// From the agent.
    Examined(Examined),
    /// To the agent: find the smallest program with an unexplained violation of the same cause; answered by
    /// [`Frame::Reduced`].
    Reduce {
        /// The subject's number.
        subject: u8,
        /// The program as bytes.
        program: Vec<u8>,
        /// The invariant's place in `Invariant::ALL`.
        invariant: u8,
        /// The operation's name.
        op: String,
    },
    /// From the agent: that program as bytes.
    Reduced(Vec<u8>),
    /// To the agent: what programs cost on a kernel tree's subject; answered by [`Frame::Counted`].
    Costs {
        /// The subject's number.
        subject: u8,
        /// Programs as bytes.
        programs: Vec<Vec<u8>>,
    },
    /// From the agent: the costs of each, in order.
    Counted(Vec<Costs>),
    /// To the agent: take every step from where some paths lead on a kernel tree's subject; answered by
    /// [`Frame::Expanded`].
    Expand {
        /// The subject's number.
        subject: u8,
        /// The alphabet: programs as bytes.
        steps: Vec<Vec<u8>>,
        /// Paths: places in the alphabet.
        paths: Vec<Vec<u8>>,
    },
    /// From the agent.
    Expanded(Box<Expanded>),
    /// To the agent: run programs on a kernel tree's subject; answered by [`Frame::Texts`], their traces as they are compared.
    Listings {
        /// The subject's number.
        subject: u8,
        /// Programs as bytes.
        programs: Vec<Vec<u8>>,
    },
    /// To the agent: run programs on a kernel tree's subject; answered by [`Frame::Texts`], the names of the known findings
    /// that explain what they break, a space between two.
    Known {
        /// The subject's number.
        subject: u8,
        /// Programs as bytes.
        programs: Vec<Vec<u8>>,
    },
    /// From the agent: a text for each, in order.
    Texts(Vec<String>),
    /// To the agent: a recorded kernel trace begins; its name.
    Replay(String),
    /// To the agent: bytes of it.
    ReplayData(Vec<u8>),
    /// To the agent: it ended.
    ReplayEnd,
    /// From the agent: what became of it. The summary, or the rejection.
    Replayed(Result<String, String>),
    /// From the agent: a panic in the program at this place of the batch.
    Panicked {
        /// Its place.
        program: u32,
        /// What the panic said.
        message: String,
    },
    /// To the agent: end.
    Bye,
}

/// What the agent says of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Digest of the generic events.
    pub generic: u64,
    /// Digest of all events.
    pub all: u64,
    /// Bit per invariant broken, in the order of `Invariant::ALL`; bit 31: the program misused the API; bit 30:
    /// the run was not judged to its end.
    pub broken: u32,
    /// The bits of `broken` that no known finding explains, where the agent was told what is known; else 0.
    pub left: u32,
    /// How many events.
    pub events: u32,
    /// Programs summed up here.
    pub programs: u32,
    /// Instructions executed for real, in the asm port.
    pub executed: u32,
}

/// Why a frame could not be read.
#[derive(Debug)]
pub enum WireError {
    /// The stream ended, or broke.
    Io(io::Error),
    /// What came is no frame.
    Garbled(&'static str),
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WireError::Io(error) => write!(f, "the stream broke: {error}"),
            WireError::Garbled(what) => write!(f, "garbled frame: {what}"),
        }
    }
}

impl std::error::Error for WireError {}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        WireError::Io(error)
    }
}

/// Writes one frame; the caller flushes.
///
/// # Errors
/// What the stream says.
pub fn write(stream: &mut impl Write, frame: &Frame) -> io::Result<()> {
    let payload = Payload::of(frame);
    stream.write_all(&(payload.0.len() as u32).to_be_bytes())?;
    stream.write_all(&payload.0)
}

/// A frame's bytes, length included.
#[must_use]
pub fn bytes(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into memory cannot fail.
    let _ = write(&mut bytes, frame);
    bytes
}

/// Reads one frame.
///
/// # Errors
/// The stream ended or broke, or what came is no frame.
pub fn read(stream: &mut impl Read) -> Result<Frame, WireError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_FRAME {
        return Err(WireError::Garbled("a frame longer than 64 MiB"));
    }
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload)?;
    parse(&payload)
}

/// Parses a frame's payload, its length stripped.
///
/// # Errors
/// What is wrong with it.
pub fn parse(payload: &[u8]) -> Result<Frame, WireError> {
    let mut from = Reader(payload);
    let frame = from.frame()?;
    if from.0.is_empty() { Ok(frame) } else { Err(WireError::Garbled("bytes after the frame's end")) }
}

struct Payload(Vec<u8>);

impl Payload {
    fn of(frame: &Frame) -> Payload {
        let mut to = Payload(Vec::new());
        match frame {
            Frame::Hello { version, arch, subjects } => {
                to.u8(0).u16(*version).bytes(arch.as_bytes()).u64(*subjects);
            }
            Frame::Batch { subject, port, programs } => {
                to.u8(1).u8(*subject).u8(*port).list(programs);
            }
            Frame::Results(results) => {
                to.u8(2).u32(results.len() as u32);
                for r in results {
                    to.u64(r.generic)
                        .u64(r.all)
                        .u32(r.broken)
                        .u32(r.left)
                        .u32(r.events)
                        .u32(r.programs)
                        .u32(r.executed);
                }
            }
            Frame::Show { subject, port, program } => {
                to.u8(3).u8(*subject).u8(*port).bytes(program);
            }
            Frame::Generate { subject, port, seed, count, length, legal } => {
                to.u8(4).u8(*subject).u8(*port).u64(*seed).u32(*count).u32(*length).u8(u8::from(*legal));
            }
            Frame::Tables => {
                to.u8(5);
            }
            Frame::Text(text) => {
                to.u8(6).bytes(text.as_bytes());
            }
            Frame::Replay(name) => {
                to.u8(7).bytes(name.as_bytes());
            }
            Frame::ReplayData(data) => {
                to.u8(8).bytes(data);
            }
            Frame::ReplayEnd => {
                to.u8(9);
            }
            Frame::Replayed(Ok(summary)) => {
                to.u8(10).u8(1).bytes(summary.as_bytes());
            }
            Frame::Replayed(Err(rejection)) => {
                to.u8(10).u8(0).bytes(rejection.as_bytes());
            }
            Frame::Panicked { program, message } => {
                to.u8(11).u32(*program).bytes(message.as_bytes());
            }
            Frame::Bye => {
                to.u8(12);
            }
            Frame::Facts => {
                to.u8(13);
            }
            Frame::Examine { subject, program } => {
                to.u8(14).u8(*subject).bytes(program);
            }
            Frame::Examined(examined) => {
                to.u8(15).examined(examined);
            }
            Frame::Reduce { subject, program, invariant, op } => {
                to.u8(16).u8(*subject).bytes(program).u8(*invariant).bytes(op.as_bytes());
            }
            Frame::Reduced(program) => {
                to.u8(17).bytes(program);
            }
            Frame::Costs { subject, programs } => {
                to.u8(18).u8(*subject).list(programs);
            }
            Frame::Listings { subject, programs } => {
                to.u8(22).u8(*subject).list(programs);
            }
            Frame::Known { subject, programs } => {
                to.u8(24).u8(*subject).list(programs);
            }
            Frame::Texts(texts) => {
                to.u8(23).list(texts);
            }
            Frame::Counted(costs) => {
                to.u8(19).u32(costs.len() as u32);
                costs.iter().flat_map(Costs::values).for_each(|value| {
                    to.u64(value);
                });
            }
            Frame::Expand { subject, steps, paths } => {
                to.u8(20).u8(*subject).list(steps).list(paths);
            }
            Frame::Expanded(expanded) => {
                to.u8(21).expanded(expanded);
            }
        }
        to
    }

    fn expanded(&mut self, Expanded { boot, reached, exercised, judged }: &Expanded) {
        self.u64(*boot).u32(reached.len() as u32);
        for reached in reached {
            match reached {
                Reached::State(fingerprint) => self.u8(0).u64(*fingerprint),
                Reached::Misuse => self.u8(1),
                Reached::Cut => self.u8(2),
                Reached::Known(names) => self.u8(3).bytes(names.as_bytes()),
                Reached::Broken(Broken { invariant, text, op }) => {
                    self.u8(4).u8(*invariant as u8).bytes(text.as_bytes()).u32(*op)
                }
            };
        }
        exercised.iter().chain(judged).for_each(|&count| {
            self.u64(count);
        });
    }

    fn examined(&mut self, examined: &Examined) {
        self.u32(examined.faults.len() as u32);
        for Fault { invariant, op, text, place, known } in &examined.faults {
            self.u8(*invariant as u8).bytes(op.as_bytes()).bytes(text.as_bytes());
            self.bytes(place.as_deref().unwrap_or_default().as_bytes());
            self.bytes(known.as_deref().unwrap_or_default().as_bytes());
        }
        self.u8(examined.misuses.into());
        self.bytes(examined.timeline.as_bytes()).bytes(examined.conclusion.as_bytes());
    }

    fn u8(&mut self, n: u8) -> &mut Self {
        self.0.push(n);
        self
    }

    fn u16(&mut self, n: u16) -> &mut Self {
        self.0.extend(n.to_be_bytes());
        self
    }

    fn u32(&mut self, n: u32) -> &mut Self {
        self.0.extend(n.to_be_bytes());
        self
    }

    fn u64(&mut self, n: u64) -> &mut Self {
        self.0.extend(n.to_be_bytes());
        self
    }

    fn list<T: AsRef<[u8]>>(&mut self, items: &[T]) -> &mut Self {
        self.u32(items.len() as u32);
        items.iter().fold(self, |to, item| to.bytes(item.as_ref()))
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(bytes.len() as u32);
        self.0.extend(bytes);
        self
    }
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn frame(&mut self) -> Result<Frame, WireError> {
        Ok(match self.u8()? {
            0 => Frame::Hello { version: self.u16()?, arch: self.text()?, subjects: self.u64()? },
            1 => Frame::Batch { subject: self.u8()?, port: self.u8()?, programs: self.list(Self::bytes)? },
            2 => {
                let count = self.count(36)?;
                Frame::Results((0..count).map(|_| self.summary()).collect::<Result<_, _>>()?)
            }
            3 => Frame::Show { subject: self.u8()?, port: self.u8()?, program: self.bytes()? },
            4 => Frame::Generate {
                subject: self.u8()?,
                port: self.u8()?,
                seed: self.u64()?,
                count: self.u32()?,
                length: self.u32()?,
                legal: self.flag()?,
            },
            5 => Frame::Tables,
            6 => Frame::Text(self.text()?),
            7 => Frame::Replay(self.text()?),
            8 => Frame::ReplayData(self.bytes()?),
            9 => Frame::ReplayEnd,
            10 => {
                let held = self.flag()?;
                let text = self.text()?;
                Frame::Replayed(if held { Ok(text) } else { Err(text) })
            }
            11 => Frame::Panicked { program: self.u32()?, message: self.text()? },
            12 => Frame::Bye,
            13 => Frame::Facts,
            14 => Frame::Examine { subject: self.u8()?, program: self.bytes()? },
            15 => Frame::Examined(self.examined()?),
            16 => {
                Frame::Reduce { subject: self.u8()?, program: self.bytes()?, invariant: self.u8()?, op: self.text()? }
            }
            17 => Frame::Reduced(self.bytes()?),
            18 => Frame::Costs { subject: self.u8()?, programs: self.list(Self::bytes)? },
            22 => Frame::Listings { subject: self.u8()?, programs: self.list(Self::bytes)? },
            24 => Frame::Known { subject: self.u8()?, programs: self.list(Self::bytes)? },
            23 => Frame::Texts(self.list(Self::text)?),
            19 => {
                let count = self.count(8 * Costs::NAMES.len())?;
                Frame::Counted((0..count).map(|_| self.costs()).collect::<Result<_, _>>()?)
            }
            20 => Frame::Expand { subject: self.u8()?, steps: self.list(Self::bytes)?, paths: self.list(Self::bytes)? },
            21 => Frame::Expanded(Box::new(self.expanded()?)),
            _ => return Err(WireError::Garbled("an unknown kind of frame")),
        })
    }

    fn expanded(&mut self) -> Result<Expanded, WireError> {
        let mut expanded = Expanded { boot: self.u64()?, ..Expanded::default() };
        let count = self.count(1)?;
        expanded.reached = (0..count).map(|_| self.reached()).collect::<Result<_, _>>()?;
        for count in expanded.exercised.iter_mut().chain(&mut expanded.judged) {
            *count = self.u64()?;
        }
        Ok(expanded)
    }

    fn reached(&mut self) -> Result<Reached, WireError> {
        Ok(match self.u8()? {
            0 => Reached::State(self.u64()?),
            1 => Reached::Misuse,
            2 => Reached::Cut,
            3 => Reached::Known(self.text()?),
            4 => Reached::Broken(Broken { invariant: self.invariant()?, text: self.text()?, op: self.u32()? }),
            _ => return Err(WireError::Garbled("an unknown end of a step")),
        })
    }

    fn summary(&mut self) -> Result<Summary, WireError> {
        Ok(Summary {
            generic: self.u64()?,
            all: self.u64()?,
            broken: self.u32()?,
            left: self.u32()?,
            events: self.u32()?,
            programs: self.u32()?,
            executed: self.u32()?,
        })
    }

    fn examined(&mut self) -> Result<Examined, WireError> {
        // An invariant and four lengths.
        let count = self.count(17)?;
        let faults = (0..count).map(|_| self.fault()).collect::<Result<_, _>>()?;
        let misuses = self.u8()? != 0;
        Ok(Examined { faults, misuses, timeline: self.text()?, conclusion: self.text()? })
    }

    fn fault(&mut self) -> Result<Fault, WireError> {
        let invariant = self.invariant()?;
        let (op, text) = (self.text()?, self.text()?);
        let [place, known] = [self.text()?, self.text()?].map(|text| (!text.is_empty()).then_some(text));
        Ok(Fault { invariant, op, text, place, known })
    }

    fn invariant(&mut self) -> Result<Invariant, WireError> {
        let invariant = Invariant::ALL.get(usize::from(self.u8()?)).copied();
        invariant.ok_or(WireError::Garbled("an unknown invariant"))
    }

    fn costs(&mut self) -> Result<Costs, WireError> {
        let mut values = [0; Costs::NAMES.len()];
        for value in &mut values {
            *value = self.u64()?;
        }
        Ok(Costs::from_values(values))
    }

    /// A count of items of at least `size` bytes: never more than the payload can hold.
    fn count(&mut self, size: usize) -> Result<usize, WireError> {
        let count = self.u32()? as usize;
        if count > self.0.len() / size {
            return Err(WireError::Garbled("more items than bytes"));
        }
        Ok(count)
    }

    fn take(&mut self, n: usize) -> Result<&[u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(WireError::Garbled("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// One frame has one form: a flag is 0 or 1.
    fn flag(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Garbled("a flag that is neither 0 nor 1")),
        }
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn bytes(&mut self) -> Result<Vec<u8>, WireError> {
        let length = self.u32()? as usize;
        Ok(self.take(length)?.to_vec())
    }

    fn list<T>(&mut self, item: fn(&mut Self) -> Result<T, WireError>) -> Result<Vec<T>, WireError> {
        let count = self.count(4)?;
        (0..count).map(|_| item(self)).collect()
    }

    fn text(&mut self) -> Result<String, WireError> {
        String::from_utf8(self.bytes()?).map_err(|_| WireError::Garbled("text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests;
