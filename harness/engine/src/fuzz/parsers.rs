//! `program_text`, `program_bytes`, `trace`, `agent_wire`: whatever comes in, the readers answer, and what they accept
//! comes back exactly (rule 6).
//!
//! Not here: the readers. Four of the [`super::TARGETS`].

use super::{Description, Found, Guide, Input, Stats, Target};
use crate::program::text::{parse, parse_bytes};
use crate::program::{Program, bytes};
use crate::replay::{Rejection, Replay, Summary};
use crate::wire;

pub(super) const TEXT: Description = Description {
    name: "program_text",
    about: "the text reader: what it accepts prints and reads back the same",
    input: Input::Text,
    guide: Guide::Edges,
    kinds: &["texts that are a program", "texts that are none"],
    make: |_| Ok(Parser::boxed(text)),
};

pub(super) const BYTES: Description = Description {
    name: "program_bytes",
    about: "the byte code: every input is a program, and comes back through bytes and text",
    input: Input::Program(0),
    guide: Guide::Edges,
    kinds: &["programs", "programs with blocks"],
    make: |_| Ok(Parser::boxed(program_bytes)),
};

pub(super) const TRACE: Description = Description {
    name: "trace",
    about: "the reader of kernel traces: the same answer in one piece and in many",
    input: Input::Trace,
    guide: Guide::Edges,
    kinds: &["traces accepted", "traces rejected"],
    make: |_| Ok(Parser::boxed(trace)),
};

pub(super) const FRAMES: Description = Description {
    name: "agent_wire",
    about: "frames: what is read is written the same, what is garbled is refused",
    input: Input::Frames,
    guide: Guide::Edges,
    kinds: &["frames read", "streams read to their end", "streams refused"],
    make: |_| Ok(Parser::boxed(frames)),
};

/// What a reader is held to: yields the kind of input it was, or what is wrong.
type Check = fn(&[u8], &mut Stats) -> Result<(), (&'static str, String)>;

struct Parser {
    check: Check,
    stats: Stats,
}

impl Parser {
    fn boxed(check: Check) -> Box<dyn Target> {
        Box::new(Parser { check, stats: Stats::default() })
    }
}

impl Target for Parser {
    fn judge(&mut self, data: &[u8], _hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        (self.check)(data, &mut self.stats).map_err(|(slug, what)| Found {
            slug: slug.to_owned(),
            what,
            subject: None,
            signature: None,
        })
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// Through bytes and through text, and back.
fn round_trips(program: &Program) -> Result<(), (&'static str, String)> {
    let encoded = bytes::encode(program);
    if bytes::decode(&encoded) != *program {
        return Err(("bytes-round-trip", format!("its bytes are another program:\n{program}")));
    }
    match parse(&program.to_string()) {
        Ok(back) if back == *program => Ok(()),
        Ok(back) => Err(("text-round-trip", format!("its text reads back as another program:\n{program}\n{back}"))),
        Err(error) => Err(("text-unreadable", format!("its own text is refused: {error}\n{program}"))),
    }
}

fn text(data: &[u8], stats: &mut Stats) -> Result<(), (&'static str, String)> {
    match parse_bytes(data) {
        Ok(program) => {
            stats.add("texts that are a program", 1);
            round_trips(&program)
        }
        Err(error) => {
            stats.add("texts that are none", 1);
            let lines = data.split(|&byte| byte == b'\n').count();
            let there = error.line >= 1 && error.line <= lines && error.column >= 1 && !error.message.is_empty();
            if there { Ok(()) } else { Err(("text-error-place", format!("{error}, in a text of {lines} lines"))) }
        }
    }
}

fn program_bytes(data: &[u8], stats: &mut Stats) -> Result<(), (&'static str, String)> {
    let program = bytes::decode(data);
    stats.add("programs", 1);
    stats.add("programs with blocks", u64::from(program.ops().contains(&crate::program::Op::Close)));
    round_trips(&program)
}

fn trace(data: &[u8], stats: &mut Stats) -> Result<(), (&'static str, String)> {
    let whole = replayed(std::iter::once(data));
    let pieces = replayed(data.chunks(7));
    stats.add(if whole.is_ok() { "traces accepted" } else { "traces rejected" }, 1);
    if format!("{whole:?}") != format!("{pieces:?}") {
        return Err(("trace-pieces", format!("in one piece {whole:?}, in pieces of 7 bytes {pieces:?}")));
    }
    let lines = data.split(|&byte| byte == b'\n').count() as u64;
    match whole {
        Ok(summary) if !summary.to_string().contains(&summary.in_short()) => {
            Err(("trace-report", format!("a report without its verdict:\n{summary}")))
        }
        Err(rejection) if rejection.line == 0 || rejection.line > lines + 1 || rejection.column == 0 => {
            Err(("trace-place", format!("{rejection}, in a trace of {lines} lines")))
        }
        _ => Ok(()),
    }
}

fn replayed<'d>(chunks: impl Iterator<Item = &'d [u8]>) -> Result<Summary, Rejection> {
    let mut replay = Replay::new("fuzz");
    for chunk in chunks {
        replay.feed(chunk)?;
    }
    replay.finish()
}

fn frames(data: &[u8], stats: &mut Stats) -> Result<(), (&'static str, String)> {
    let mut stream = data;
    loop {
        let before = stream;
        match wire::read(&mut stream) {
            Ok(frame) => {
                stats.add("frames read", 1);
                let taken = &before[..before.len() - stream.len()];
                let written = wire::bytes(&frame);
                if wire::read(&mut &written[..]).ok().as_ref() != Some(&frame) {
                    return Err((
                        "wire-round-trip",
                        format!("what is written of it is read as another frame: {frame:?}"),
                    ));
                }
                if written != taken {
                    return Err(("wire-two-forms", format!("two forms of one frame: {frame:?}")));
                }
            }
            Err(_) => {
                let end = before.is_empty() && !data.is_empty();
                stats.add(if end { "streams read to their end" } else { "streams refused" }, 1);
                return Ok(());
            }
        }
    }
}
