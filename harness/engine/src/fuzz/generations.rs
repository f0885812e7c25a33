//! `generations`: one program on every generation of a backend; what memory shows must be the same.
//!
//! The generations have a common domain: programs that are legal, and on which each of them keeps the contract. Which
//! those are, the oracles say; the older ones drop out where the mode nests. Compared is what reads find during the
//! program, and at its end, after a flush, every entry it touched and what a walker finds there.
//! Not here: any oracle. One of the [`super::TARGETS`].

use std::collections::BTreeSet;

use super::{Description, Found, Guide, Input, Stats, Target};
use crate::program::{Block, Op, Pages, Program, bytes};
use crate::registry::{GenerationName, SUBJECTS};
use crate::runner::Runner;
use crate::subject::Port;
use crate::trace::{Event, Stop, Translation, What};

use lazy_mmu_arches::page::PteRef;

/// Backends that every generation has.
const BACKENDS: [&str; 6] = ["aarch64", "powerpc64-hash", "powerpc64-radix", "sparc64", "x86_64-native", "x86_64-xen"];

/// Entries that the end of a program looks at.
const LOOKS: usize = 64;

pub(super) const DESCRIPTION: Description = Description {
    name: "generations",
    about: "one program on every generation of a backend: the same visible memory",
    input: Input::Program(1),
    guide: Guide::Functions,
    kinds: &[
        "compared with nesting-v3",
        "compared with nesting-v4",
        "compared with stateless",
        "compared with token",
        "nested sections",
    ],
    make: |_| Ok(Box::new(Generations::new())),
};

struct Generations {
    runner: Runner,
    /// For each backend the counted subject, then the others, as places in the registry.
    subjects: Vec<(usize, Vec<(GenerationName, usize)>)>,
    expected: Vec<(PteRef, Option<Translation>)>,
    stats: Stats,
}

impl Generations {
    fn new() -> Generations {
        let mut runner = Runner::new();
        runner.set_limit(super::LIMIT);
        let place = |generation, backend: &str| {
            SUBJECTS.iter().position(|s| s.generation == generation && s.backend == backend)
        };
        let subjects = BACKENDS.iter().filter_map(|backend| {
            let others = GenerationName::ALL.into_iter().filter(|&generation| generation != GenerationName::Counted);
            let others = others.filter_map(|generation| Some((generation, place(generation, backend)?)));
            Some((place(GenerationName::Counted, backend)?, others.collect()))
        });
        Generations { runner, subjects: subjects.collect(), expected: Vec::new(), stats: Stats::default() }
    }
}

impl Target for Generations {
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        let Some((&choice, rest)) = data.split_first() else { return Ok(()) };
        let program = with_looks(&bytes::decode(rest));
        let (counted, others) = &self.subjects[usize::from(choice) % self.subjects.len()];
        let (events, verdict) = self.runner.run(*counted, Port::Model, &program);
        self.stats.run(&program, events, hit);
        let stopped = |event: &Event| matches!(event.what, What::Stop(Stop::Bug | Stop::Limit));
        if !verdict.holds() || verdict.misuse.is_some() || verdict.cut.is_some() || events.iter().any(stopped) {
            self.stats.add("programs outside the common domain", 1);
            return Ok(());
        }
        self.expected.clear();
        self.expected.extend(visible(&program, events));
        let halves = program.ops().contains(&Op::Open(Block::Between));
        for &(generation, place) in others {
            // Before 7.0 a call has no halves: what comes between them comes elsewhere.
            if halves && matches!(generation, GenerationName::Stateless | GenerationName::Token) {
                continue;
            }
            let (events, verdict) = self.runner.run(place, Port::Model, &program);
            if !verdict.holds() || verdict.cut.is_some() {
                self.stats.add("programs outside a generation's domain", 1);
                continue;
            }
            self.stats.add(compared(generation), 1);
            let found: Vec<_> = visible(&program, events).collect();
            if let Some(at) = (0..found.len().max(self.expected.len())).find(|&i| found.get(i) != self.expected.get(i))
            {
                let name = SUBJECTS[place].name;
                return Err(Found {
                    slug: format!("generations-{}", name.replace(['/', '@'], "-")),
                    what: format!(
                        "look {at}: {} shows {:?}, {name} shows {:?}",
                        SUBJECTS[*counted].name,
                        self.expected.get(at),
                        found.get(at)
                    ),
                    subject: Some(name),
                    signature: None,
                });
            }
        }
        Ok(())
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}

fn compared(generation: GenerationName) -> &'static str {
    match generation {
        GenerationName::Stateless => "compared with stateless",
        GenerationName::Token => "compared with token",
        GenerationName::NestingV3 => "compared with nesting-v3",
        GenerationName::NestingV4 => "compared with nesting-v4",
        GenerationName::Counted => "compared with counted",
    }
}

/// The program with an end that flushes, reads and uses every entry that it changes, the first [`LOOKS`] of them.
fn with_looks(program: &Program) -> Program {
    let mut touched = BTreeSet::new();
    for op in program.ops() {
        if let Op::Set(pages, _) | Op::Clear(pages) | Op::Wrprotect(pages) = op {
            for (run, n) in pages.runs() {
                touched.extend((0..n).map(|i| (run.mm.0, run.page + i, run.size as u8, run.size)));
            }
        }
        if touched.len() > LOOKS {
            break;
        }
    }
    let mut ops = program.ops().to_vec();
    for (mm, first, _, size) in touched.into_iter().take(LOOKS) {
        let page = Pages { mm: lazy_mmu_arches::page::Mm(mm), first, count: 1, size };
        ops.extend([Op::TlbFlush(page), Op::Get(page), Op::Access(page)]);
    }
    Program::new(ops).unwrap_or_else(|_| program.clone())
}

/// What reads found, and what walkers found behind the program's own end.
fn visible<'e>(program: &Program, events: &'e [Event]) -> impl Iterator<Item = (PteRef, Option<Translation>)> + 'e {
    let looks = program.ops().iter().rev().take_while(|op| matches!(op, Op::TlbFlush(_) | Op::Get(_) | Op::Access(_)));
    let end = (program.ops().len() - looks.count()) as u32;
    events.iter().filter_map(move |event| match event.what {
        What::Read { at, found, .. } => Some((at, found)),
        What::Walk(at, walked) if event.op >= end => Some((at, walked.found)),
        _ => None,
    })
}
