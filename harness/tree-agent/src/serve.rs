//! The agent's answers about a tree's subjects, computed in a process of their own, which is begun anew where it dies.
//!
//! Without arguments it speaks frames, as the agent does. With `--facts` it prints what the tree is, and with programs'
//! files their timelines: for whoever works on the glue.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lazy_mmu_agent::More;
use lazy_mmu_engine::alike;
use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::examine::Examiner;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::{generate, text};
use lazy_mmu_engine::registry::{self, SUBJECTS};
use lazy_mmu_engine::runner::{Generated, Runner, broken_text, decode, summed};
use lazy_mmu_engine::subject::{Port, Subject};
use lazy_mmu_engine::timeline;
use lazy_mmu_engine::trace::listing;
use lazy_mmu_engine::wire::{self, Frame, Summary};
use lazy_mmu_snapshots::known;

use lazy_mmu_border::numbers::{api, xen};

use crate::explore;
use crate::guard::{self, Crash, Worker, isolated};
use crate::state::{Arenas, Facts};
use crate::took;
use crate::tree::{FORMS, Form, Tree};

/// A form of a tree's code, and what is known of it before any program runs.
struct Slot {
    form: Form,
    /// It, booted; or what its boot died of.
    tree: Result<&'static Tree, String>,
    /// What was to be seen of it and was not.
    unproven: Vec<String>,
    /// How many requests have ended in an endless loop.
    loops: u32,
}

/// After so many endless loops a form's code runs no more: each costs the patience of the guard.
const LOOPS: u32 = 2;

/// The forms of a tree's code.
pub struct Forms {
    facts: Facts,
    slots: Vec<Slot>,
    runner: Runner,
    /// What the tree's code runs in, until it dies.
    worker: Option<Worker>,
}

impl Forms {
    /// Boots every form that the objects have, and asks each whether the overlay took.
    ///
    /// # Errors
    /// The border's version.
    fn boot() -> Result<Forms, String> {
        let facts = Facts::ask()?;
        let before = Arenas::new().image();
        let here = FORMS.iter().filter(|form| form.is_of(&facts));
        let slots = here.map(|&form| {
            // First in a process of its own: the tree's code runs at boot, and may die of it.
            let tried = isolated(|| {
                guard::program_begins(0);
                Tree::boot(form, &facts, &before);
                Vec::new()
            });
            let died = |Crash { message, .. }| format!("at its boot: {message}");
            let tree = tried.map(|_| Tree::boot(form, &facts, &before)).map_err(died);
            let unproven = tree.as_ref().err().cloned().into_iter().collect();
            Slot { form, tree, unproven, loops: 0 }
        });
        let mut forms = Forms { slots: slots.collect(), facts, runner: Runner::new(), worker: None };
        for slot in &mut forms.slots {
            if let Ok(tree) = slot.tree {
                slot.unproven = took::unproven(tree, &mut forms.runner);
            }
        }
        Ok(forms)
    }

    /// Our Rust of the tree's generation on the same backend; empty where there is none. Of a generation that we have on no
    /// sun4v it is that on sun4u, and of an architecture without the mode the backend without one: hooks, calls and what is
    /// known are the same, the architecture's events are not.
    fn twin(&self, form: Form) -> &'static str {
        let Facts { mode, xen, .. } = self.facts;
        let generation = match self.facts.api {
            api::STATELESS => "stateless",
            api::V3 => "nesting-v3",
            api::V4 => "nesting-v4",
            api::COUNTED => "counted",
            _ => return "",
        };
        let backend = match form.backend() {
            _ if !mode => "none",
            "xen" if xen == xen::NESTED => "x86_64-xen@6.6",
            "xen" if xen == xen::MODE_OF_CPU && self.facts.api == api::COUNTED => "x86_64-xen@7.0",
            "xen" => "x86_64-xen",
            "native" => "x86_64-native",
            "sparc64-sun4v" if self.facts.api != api::COUNTED => "sparc64",
            name => name,
        };
        let name = format!("{generation}/{backend}");
        SUBJECTS.iter().find(|subject| subject.name == name).map_or("", |subject| subject.name)
    }

    /// How a form is judged: what is known of our Rust of its generation is known of it.
    fn examiner(&self, tree: &'static Tree) -> Examiner<'static> {
        Examiner { subject: tree, rules: tree.rules(), kind: self.twin(tree.form), explain: known::tree::names_of_tree }
    }

    /// One answer, computed in the child.
    fn compute(&mut self, index: usize, request: &Frame) -> Frame {
        let tree = match &self.slots[index].tree {
            Ok(tree) => *tree,
            Err(message) => return Frame::Panicked { program: 0, message: message.clone() },
        };
        let examiner = self.examiner(tree);
        let runner = &mut self.runner;
        match request {
            Frame::Batch { programs, .. } => {
                let mut results = Vec::with_capacity(programs.len());
                for (n, program) in programs.iter().enumerate() {
                    guard::program_begins(n as u32);
                    match catch_unwind(AssertUnwindSafe(|| examiner.summary(runner, &decode(program)))) {
                        Ok(summary) => results.push(summary),
                        Err(panic) => return panicked(n as u32, &*panic),
                    }
                }
                Frame::Results(results)
            }
            Frame::Show { program, .. } => {
                guard::program_begins(0);
                let (events, verdict) = runner.run_on(tree, tree.rules(), &decode(program));
                Frame::Text(format!("{}{verdict}\n", listing(events)))
            }
            Frame::Generate { seed, count, length, legal, .. } => {
                let batch = Generated { seed: *seed, count: *count, length: *length, legal: *legal };
                let mut sum = Summary::default();
                for (n, seed) in batch.seeds().enumerate() {
                    guard::program_begins(n as u32);
                    let one = examiner.summary(runner, &batch.program(seed));
                    sum.generic = lazy_mmu_arches::backend::mix(sum.generic, one.generic);
                    sum.all = lazy_mmu_arches::backend::mix(sum.all, one.all);
                    sum.broken |= one.broken;
                    sum.left |= one.left;
                    sum.events = sum.events.saturating_add(one.events);
                    sum.programs += 1;
                }
                Frame::Results(vec![sum])
            }
            Frame::Examine { program, .. } => {
                guard::program_begins(0);
                Frame::Examined(examiner.examine(runner, &decode(program)))
            }
            Frame::Reduce { program, invariant, op, .. } => {
                guard::search_begins();
                let Some(&invariant) = Invariant::ALL.get(usize::from(*invariant)) else {
                    return Frame::Panicked { program: 0, message: "an unknown invariant".to_owned() };
                };
                let program = decode(program);
                Frame::Reduced(encode(&examiner.reduce(runner, &program, invariant, op)))
            }
            Frame::Listings { programs, .. } => {
                let texts = programs.iter().zip(0..).map(|(program, n)| {
                    guard::program_begins(n);
                    alike::listing(tree, runner.run_on(tree, tree.rules(), &decode(program)).0)
                });
                Frame::Texts(texts.collect())
            }
            Frame::Known { programs, .. } => {
                let texts = programs.iter().zip(0..).map(|(program, n)| {
                    guard::program_begins(n);
                    examiner.known(runner, &decode(program)).into_iter().collect::<Vec<_>>().join(" ")
                });
                Frame::Texts(texts.collect())
            }
            Frame::Costs { programs, .. } => {
                let costs = programs.iter().zip(0..).map(|(program, n)| {
                    guard::program_begins(n);
                    examiner.costs(runner, &decode(program))
                });
                Frame::Counted(costs.collect())
            }
            Frame::Expand { steps, paths, .. } => explore::expand(examiner, steps, paths),
            _ => Frame::Text(String::new()),
        }
    }
}

/// A panic of the engine's as an answer.
pub fn panicked(program: u32, panic: &(dyn std::any::Any + Send)) -> Frame {
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Frame::Panicked { program, message: message.unwrap_or_else(|| "a panic without a text".to_owned()) }
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

impl More for Forms {
    fn subjects(&self) -> usize {
        self.slots.len()
    }

    /// `{"arch","release","api","task_calls","mode","capacity","shifts","subjects":[{"index","name","mmu","twin",
    /// "bytes","unproven"}]}`
    fn facts(&self) -> String {
        let Facts { arch, release, api, task_calls, shifts, capacity, mode, .. } = &self.facts;
        let api = ["stateless", "nesting-v3", "nesting-v4", "counted", "other"][(*api).min(4) as usize];
        let subjects = self.slots.iter().enumerate().map(|(n, Slot { form, tree, unproven, .. })| {
            let (name, mmu, twin) = (form.name, form.mmu.name(), self.twin(*form));
            let (index, bytes) = (SUBJECTS.len() + n, tree.as_ref().map_or(0, |tree| tree.bytes()));
            let unproven = unproven.iter().map(|message| quoted(message)).collect::<Vec<_>>().join(",");
            format!(
                r#"{{"index":{index},"name":"tree/{name}","mmu":"{mmu}","twin":"{twin}","bytes":{bytes},"unproven":[{unproven}]}}"#
            )
        });
        let subjects = subjects.collect::<Vec<_>>().join(",");
        format!(
            r#"{{"arch":"{arch}","release":"{release}","api":"{api}","task_calls":{task_calls},"mode":{mode},"capacity":{capacity},"shifts":{shifts:?},"subjects":[{subjects}]}}"#
        )
    }

    fn answer(&mut self, index: usize, request: &Frame) -> Frame {
        if self.slots[index].loops >= LOOPS {
            let message = "not run: the tree's code has not come to an end in programs before".to_owned();
            return Frame::Panicked { program: 0, message };
        }
        let answer = self.ask(index, request).and_then(|bytes| {
            wire::read(&mut bytes.as_slice()).map_err(|error| Crash {
                program: 0,
                message: format!("the answer of the tree's process broke: {error}"),
            })
        });
        // Whatever the engine panicked of may be left behind in that process.
        if matches!(answer, Err(_) | Ok(Frame::Panicked { .. })) {
            self.worker = None;
        }
        answer.unwrap_or_else(|Crash { program, message }| {
            self.slots[index].loops += u32::from(message.starts_with(guard::ENDLESS));
            Frame::Panicked { program, message }
        })
    }
}

impl Forms {
    /// The answer of the process that runs the tree's code, as bytes.
    fn ask(&mut self, index: usize, request: &Frame) -> Result<Vec<u8>, Crash> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(|bytes| wire::bytes(&self.serve_one(bytes)))?,
        };
        let mut bytes = vec![index as u8];
        bytes.extend(wire::bytes(request));
        let answer = worker.ask(&bytes);
        self.worker = Some(worker);
        answer
    }

    /// In that process: the number of a form and a frame, answered.
    fn serve_one(&mut self, bytes: &[u8]) -> Frame {
        match bytes.split_first().map(|(&index, mut frame)| (usize::from(index), wire::read(&mut frame))) {
            Some((index, Ok(request))) if index < self.slots.len() => self.compute(index, &request),
            _ => Frame::Panicked { program: 0, message: "the request to the tree's process broke".to_owned() },
        }
    }
}

/// The program.
pub fn run(arguments: &[String]) -> i32 {
    guard::install();
    let mut forms = match Forms::boot() {
        Ok(forms) => forms,
        Err(message) => return failed(&message),
    };
    match arguments {
        [] => {
            // A panic is answered by a frame; its text must not be mixed into what the host prints.
            std::panic::set_hook(Box::new(|_| {}));
            match lazy_mmu_agent::serve(std::io::stdin().lock(), std::io::stdout().lock(), &mut forms) {
                Ok(()) => 0,
                Err(error) => {
                    eprintln!("lazy-mmu-tree-agent: {error}");
                    2
                }
            }
        }
        [facts] if facts == "--facts" => {
            println!("{}", forms.facts());
            0
        }
        [subject, twin, flag, count, length] if flag == "--generated" => {
            let twin = registry::find(twin).map(|found| found.make(Port::Model));
            let (Some(tree), Some(twin)) = (forms.tree(subject), twin) else { return failed("no such subject") };
            compare(tree, &*twin, &mut forms.runner, count.parse().unwrap_or(100), length.parse().unwrap_or(40));
            0
        }
        [subject, files @ ..] => {
            let Some(tree) = forms.tree(subject) else { return failed("no such form") };
            files.iter().map(|file| show(tree, &mut forms.runner, file)).max().unwrap_or(0)
        }
    }
}

impl Forms {
    fn tree(&self, name: &str) -> Option<&'static Tree> {
        let slot = self.slots.iter().find(|slot| slot.form.name == name.trim_start_matches("tree/"))?;
        slot.unproven.iter().for_each(|message| eprintln!("lazy-mmu-tree-agent: unproven: {message}"));
        slot.tree.as_ref().ok().copied()
    }
}

fn failed(message: &str) -> i32 {
    eprintln!("lazy-mmu-tree-agent: {message}");
    3
}

/// A program's timeline on the tree's code: of a file, or `seed:SEED:LENGTH`.
fn show(tree: &Tree, runner: &mut Runner, name: &str) -> i32 {
    let program = match name.strip_prefix("seed:").and_then(|seed| seed.split_once(':')) {
        Some((seed, length)) => generate::legal(seed.parse().unwrap_or(0), length.parse().unwrap_or(40)),
        None => match std::fs::read_to_string(name)
            .map_err(|error| error.to_string())
            .and_then(|text| text::parse(&text).map_err(|error| error.to_string()))
        {
            Ok(program) => program,
            Err(error) => return failed(&format!("{name}: {error}")),
        },
    };
    guard::program_begins(0);
    let (events, verdict) = runner.run_on(tree, tree.rules(), &program);
    println!("tree/{}, {} events\n", tree.form.name, events.len());
    println!("{}", timeline::render(&program, tree, events, &verdict));
    print!("{}", timeline::conclusion(&verdict, &program));
    i32::from(!verdict.holds())
}

/// Seconds of processor time that this process has taken.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Generated legal programs on the tree's code and on a subject of ours, the runs of each together: the clock is coarse.
fn compare(tree: &Tree, twin: &dyn Subject, runner: &mut Runner, count: u64, length: usize) {
    let mut all = |subject: &dyn Subject| {
        let start = processor_time();
        let run = (0..count).map(|seed| {
            guard::program_begins(seed as u32);
            let (events, verdict) = runner.run_on(subject, tree.rules(), &generate::legal(seed, length));
            summed(alike::digests(subject, events), events.len(), &verdict)
        });
        let summaries: Vec<Summary> = run.collect();
        (summaries, (processor_time() - start) * 1e6 / count as f64)
    };
    let ((tree, time), (ours, our_time)) = (all(tree), all(twin));
    let mut shown = 0;
    for (seed, (c, rust)) in tree.iter().zip(&ours).enumerate() {
        if shown < 10 && (c.generic != rust.generic || c.broken != rust.broken) {
            shown += 1;
            println!("seed {seed}: C {}, ours {}", broken_text(c.broken), broken_text(rust.broken));
        }
    }
    let differ = |of: fn(&Summary) -> u64| tree.iter().zip(&ours).filter(|(c, rust)| of(c) != of(rust)).count();
    let [generic, verdicts, events] = [differ(|s| s.generic), differ(|s| s.broken.into()), differ(|s| s.all)];
    println!("{count} programs: other generic events {generic}, other verdicts {verdicts}, other events {events}");
    println!("with generating it, a program takes {time:.1} us on C, {our_time:.1} us on ours");
}
