//! The C of a case: functions, blocks, comments and expectations.
//!
//! One pass over the operations, without recursion: programs nest up to 4096 blocks. What single operations become is in
//! `ops`. Called by [`super::render`].

use std::fmt::Write as _;

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::Mm;

use super::super::Suspect;
use super::facts::{Facts, Left, OWN, Seen};
use super::harmless;
use super::pages::Scratch;
use crate::program::{Block, Op, Program};

/// Tabs at which lines stop being indented further.
const DEEPEST: usize = 5;

/// Sections and pauses left open that are closed by calls.
const FEW: u8 = 8;

/// A case, and what was to be said of it.
pub(super) struct Case {
    pub(super) text: String,
    pub(super) lacks: Vec<String>,
    pub(super) needs_helpers: bool,
}

/// What an open block of the program is in C.
enum Open {
    /// Nothing but comments.
    Comments,
    /// A loop; where it began in the program.
    Loop(usize),
    /// Braces.
    Plain,
    /// Bottom halves off.
    Softirq,
    /// A function of its own: what was written before, and at which depth.
    Handler { outer: String, depth: usize, name: String },
    /// Part of the handler it is in.
    Part,
}

/// Writes a case.
pub(super) struct Emitter<'p> {
    pub(super) program: &'p Program,
    /// Which operations are looks that the program does not make itself.
    pub(super) added: &'p [bool],
    pub(super) facts: &'p Facts,
    name: &'p str,
    mmu: Option<Mmu>,
    pub(super) scratch: Scratch,
    /// The function at hand, and how deep it is indented.
    body: String,
    depth: usize,
    /// Finished handlers.
    handlers: Vec<String>,
    blocks: Vec<Open>,
    /// How many of the open blocks are comments, handlers and loops.
    commented: usize,
    handling: usize,
    loops: usize,
    /// `set` operations so far: each leads to the other frame.
    pub(super) sets: i32,
    lacks: Vec<String>,
    /// The first of them for which nothing stands: the case is not the whole program.
    partial: Option<String>,
    expectations: usize,
    needs_helpers: bool,
    /// The architecture whose code is in it.
    only: Option<(&'static str, &'static str)>,
}

impl<'p> Emitter<'p> {
    pub(super) fn new(
        program: &'p Program,
        added: &'p [bool],
        facts: &'p Facts,
        name: &'p str,
        subject: &str,
    ) -> Emitter<'p> {
        let mut emitter = Emitter {
            program,
            added,
            facts,
            name,
            mmu: Suspect::find(subject).map(|suspect| suspect.base.mmu),
            scratch: Scratch::new(program),
            body: String::new(),
            depth: 1,
            handlers: Vec::new(),
            blocks: Vec::new(),
            commented: 0,
            handling: 0,
            loops: 0,
            sets: 0,
            lacks: Vec::new(),
            partial: None,
            expectations: 0,
            needs_helpers: false,
            only: None,
        };
        if emitter.scratch.stands_in() {
            emitter.stand_in("pages of the linear map and of KASAN's shadow, for which vmalloc pages stand");
        }
        if !facts.agreed {
            emitter.lack("counters: the reference model disagrees with the faithful generation");
        }
        emitter
    }

    /// The whole case.
    pub(super) fn case(mut self) -> Case {
        for at in 0..self.program.ops().len() {
            self.step(at);
        }
        self.put_back();
        let counts = [self.scratch.count(Mm::KERNEL), self.scratch.count(Mm(1)), self.scratch.frames()];
        let mut text = String::new();
        if self.expectations == 0 {
            // Nothing of it would be a test.
            let reason = self.lacks.first().map_or("it makes no calls", String::as_str).to_owned();
            text.push_str(&head(self.name, "struct kunit *test"));
            let _ = writeln!(text, "\tkunit_skip(test, \"nothing to expect here: %s\",\n\t\t   \"{reason}\");\n}}\n");
            return Case { text, lacks: self.lacks, needs_helpers: false };
        }
        self.handlers.iter().for_each(|handler| text.push_str(handler));
        text.push_str(&head(self.name, "struct kunit *test"));
        if let Some(what) = &self.partial {
            // A failure that comes later counts; what passes is no success.
            let _ = writeln!(text, "\tkunit_mark_skipped(test, \"without %s\",\n\t\t\t   \"{what}\");");
        }
        if let Some((config, whose)) = self.only {
            let _ = writeln!(text, "\tif (!IS_ENABLED({config}))\n\t\tkunit_skip(test, \"code of {whose} alone\");\n");
        }
        if self.needs_helpers {
            let _ = writeln!(text, "\tlmm_setup(test, {}, {}, {});\n", counts[0], counts[1], counts[2]);
        }
        let _ = writeln!(text, "{}}}\n", self.body);
        Case { text, lacks: self.lacks, needs_helpers: self.needs_helpers }
    }

    fn step(&mut self, at: usize) {
        let op = self.program.ops()[at];
        if self.added[at] && (self.commented > 0 || self.obstacle_of_look(at)) {
            return;
        }
        match op {
            Op::Open(block) => self.open(at, block),
            Op::Close => self.close(at),
            // The way back from a switch, which stands for both.
            Op::Switch(OWN) | Op::Preempt(OWN)
                if self.commented == 0 && self.facts.each[at].task != Seen::Same(OWN) =>
            {
                self.line(&format!("/* and back: {op} */"));
            }
            _ => match self.obstacle(at) {
                Some(why) => self.comment(op, &why),
                None => self.operation(at, op),
            },
        }
    }

    /// Whether the case cannot make this look.
    fn obstacle_of_look(&self, at: usize) -> bool {
        let fact = &self.facts.each[at];
        fact.task != Seen::Same(OWN) || fact.refused != Seen::Same(None)
    }

    /// Why the case does not do this operation itself, if it does not.
    fn obstacle(&mut self, at: usize) -> Option<String> {
        let fact = &self.facts.each[at];
        if fact.task == Seen::Never {
            return Some("not reached".to_owned());
        }
        match (self.commented > 0, fact.task, fact.refused) {
            (true, Seen::Same(task), _) => Some(if task == OWN { "here".to_owned() } else { format!("T{task}") }),
            (true, ..) => Some("tasks in turn".to_owned()),
            (_, _, Seen::Same(Some(why))) => Some(format!("refused, {}", why.text())),
            (_, _, Seen::Varies) => Some("refused at times".to_owned()),
            (_, Seen::Same(OWN), _) => None,
            (_, Seen::Same(task), _) => {
                self.lack("what other tasks do");
                Some(format!("T{task}"))
            }
            _ => {
                self.lack("what other tasks do");
                Some("tasks in turn".to_owned())
            }
        }
    }

    fn open(&mut self, at: usize, block: Block) {
        let op = Op::Open(block);
        if self.commented > 0 {
            self.comment(op, "here");
            return self.enter(Open::Comments);
        }
        let halves = block == Block::Between && at > 0 && self.program.ops()[at - 1].has_halves();
        if halves {
            self.lack("what happens between the halves of a call");
            self.line("/* between the halves of that call: */");
            return self.enter(Open::Comments);
        }
        if let Some(why) = self.obstacle(at) {
            self.comment(op, &why);
            return self.enter(Open::Comments);
        }
        match block {
            Block::Repeat(0) => {
                self.comment(op, "never");
                self.enter(Open::Comments);
            }
            Block::Repeat(times) => {
                let i = format!("i{}", self.loops);
                self.line(&format!("for (unsigned int {i} = 0; {i} < {times}; {i}++) {{"));
                self.enter(Open::Loop(at));
            }
            Block::On(mmu) => {
                self.only = architecture(mmu).or(self.only);
                debug_assert!(Some(mmu) == self.mmu, "others are refused");
                self.line(&format!("{{ /* code of {} */", mmu.name()));
                self.enter(Open::Plain);
            }
            Block::Between => {
                self.line("{");
                self.enter(Open::Plain);
            }
            Block::Softirq => {
                self.needs_helpers = true;
                self.line("/* A softirq: with bottom halves off in_interrupt() answers alike. */");
                self.line("local_bh_disable();");
                self.enter(Open::Softirq);
            }
            Block::Irq | Block::Nmi => self.open_handler(at, block),
        }
    }

    fn open_handler(&mut self, at: usize, block: Block) {
        if self.blocks.iter().any(|open| matches!(open, Open::Handler { .. })) {
            self.line("{ /* another interrupt, as a part of this one */");
            return self.enter(Open::Part);
        }
        if self.facts.each[at].irq_off != Seen::Same(false) {
            self.lack("NMIs while interrupts are off");
            self.comment(Op::Open(block), "interrupts are off");
            return self.enter(Open::Comments);
        }
        if block == Block::Nmi {
            self.line("/* An NMI: a hard interrupt stands for it. */");
        }
        self.needs_helpers = true;
        let name = format!("{}_irq{}", self.name, self.handlers.len() + 1);
        self.line(&format!("lmm_interrupt({name});"));
        // Its place in the order of the handlers.
        self.handlers.push(String::new());
        let outer = std::mem::take(&mut self.body);
        let open = Open::Handler { outer, depth: self.depth, name };
        self.depth = 0;
        self.enter(open);
    }

    fn enter(&mut self, open: Open) {
        match open {
            Open::Comments => self.commented += 1,
            Open::Loop(_) => (self.loops, self.depth) = (self.loops + 1, self.depth + 1),
            Open::Softirq | Open::Handler { .. } => (self.handling, self.depth) = (self.handling + 1, self.depth + 1),
            Open::Plain | Open::Part => self.depth += 1,
        }
        self.blocks.push(open);
    }

    fn close(&mut self, at: usize) {
        match self.blocks.pop() {
            Some(Open::Comments) => self.commented -= 1,
            Some(Open::Loop(start)) => {
                (self.loops, self.depth) = (self.loops - 1, self.depth - 1);
                self.line("}");
                self.after_loop(start, at);
            }
            Some(Open::Plain | Open::Part) => {
                self.depth -= 1;
                self.line("}");
            }
            Some(Open::Softirq) => {
                (self.handling, self.depth) = (self.handling - 1, self.depth - 1);
                self.line("local_bh_enable();");
                self.no_surprise();
            }
            Some(Open::Handler { outer, depth, name }) => {
                self.handling -= 1;
                let body = std::mem::replace(&mut self.body, outer);
                self.depth = depth;
                if let Some(slot) = self.handlers.iter_mut().rfind(|handler| handler.is_empty()) {
                    *slot = format!("{}{body}}}\n\n", head(&name, "struct irq_work *work"));
                }
                self.no_surprise();
            }
            None => {}
        }
    }

    /// What the last call of a loop leaves, if it was not the same in each round.
    fn after_loop(&mut self, start: usize, end: usize) {
        if self.loops > 0 || !self.facts.agreed {
            return;
        }
        let varies = |at: &usize| {
            self.program.ops()[*at].has_halves()
                && self.facts.each[*at].after == Seen::Varies
                && self.facts.each[*at].task == Seen::Same(OWN)
        };
        if let Some(at) = (start..end).rev().find(varies) {
            let (enable, pause, active) = self.facts.each[at].last;
            self.expect(active, "is_lazy_mmu_mode_active()");
            self.expect_eq("current->lazy_mmu_state.enable_count", enable.into());
            self.expect_eq("current->lazy_mmu_state.pause_count", pause.into());
        }
    }

    /// A handler noted nothing.
    fn no_surprise(&mut self) {
        if self.handling == 0 {
            self.line("KUNIT_EXPECT_EQ(test, lmm.surprise, 0);");
        }
    }

    /// The task goes on after the case.
    fn put_back(&mut self) {
        let Left { irq, bh, preempt, locks, mutex, counters } = self.facts.left.clone();
        let mut lines = Vec::new();
        lines.extend((0..irq).map(|_| "lmm_irq_enable();".to_owned()));
        lines.extend(locks.iter().rev().map(|lock| format!("spin_unlock(&lmm_lock[{lock}]);")));
        lines.extend((0..bh).map(|_| "local_bh_enable();".to_owned()));
        lines.extend((0..preempt).map(|_| "preempt_enable();".to_owned()));
        lines.extend(mutex.then(|| "mutex_unlock(&lmm_mutex);".to_owned()));
        match counters {
            // By calls, so that the hooks come too.
            (enable, pause) if enable <= FEW && pause <= FEW => {
                lines.extend((0..pause).map(|_| "lazy_mmu_mode_resume();".to_owned()));
                lines.extend((0..enable).map(|_| "lazy_mmu_mode_disable();".to_owned()));
            }
            // Nobody opened so many: a counter wrapped.
            _ => {
                lines.push("current->lazy_mmu_state.enable_count = 0;".to_owned());
                lines.push("current->lazy_mmu_state.pause_count = 0;".to_owned());
            }
        }
        if !lines.is_empty() {
            self.line("");
            self.line("/* The program leaves this open; the task goes on. */");
            lines.iter().for_each(|line| self.line(line));
        }
    }

    /// One line at the depth at hand.
    pub(super) fn line(&mut self, line: &str) {
        let tabs = if line.is_empty() { 0 } else { self.depth.min(DEEPEST) };
        let _ = writeln!(self.body, "{:\t<tabs$}{line}", "");
    }

    /// An operation that the case does not do, with the reason.
    pub(super) fn comment(&mut self, op: Op, why: &str) {
        self.scratch.forget(op);
        self.line(&format!("/* {why}: {} */", harmless(&op.to_string())));
    }

    /// Something the case lacks, and nothing stands for it.
    pub(super) fn lack(&mut self, what: &str) {
        self.partial.get_or_insert_with(|| what.to_owned());
        self.stand_in(what);
    }

    /// Something the case lacks, for which something else stands.
    pub(super) fn stand_in(&mut self, what: &str) {
        if !self.lacks.iter().any(|known| known == what) {
            self.lacks.push(what.to_owned());
        }
    }

    /// From here on the helpers are needed.
    pub(super) fn need_helpers(&mut self) {
        self.needs_helpers = true;
    }

    /// An expectation that a condition is true, or not.
    pub(super) fn expect(&mut self, yes: bool, condition: &str) {
        self.expectations += 1;
        match (self.handling > 0, yes) {
            (false, true) => self.line(&format!("KUNIT_EXPECT_TRUE(test, {condition});")),
            (false, false) => self.line(&format!("KUNIT_EXPECT_FALSE(test, {condition});")),
            (true, yes) => self.line(&format!("lmm_note({}{condition});", if yes { "" } else { "!" })),
        }
    }

    /// An expectation that something has a value.
    pub(super) fn expect_eq(&mut self, what: &str, value: i32) {
        self.expectations += 1;
        match self.handling > 0 {
            false => self.line(&format!("KUNIT_EXPECT_EQ(test, {what}, {value});")),
            true => self.line(&format!("lmm_note({what} == {value});")),
        }
    }
}

/// A function's beginning, its name on a line of its own if it is long.
fn head(name: &str, argument: &str) -> String {
    let short = format!("static void {name}({argument})");
    if short.len() <= 80 { format!("{short}\n{{\n") } else { format!("static void\n{name}({argument})\n{{\n") }
}

/// Whose code an `on` block is, and the configuration that says so.
fn architecture(mmu: Mmu) -> Option<(&'static str, &'static str)> {
    match mmu {
        Mmu::Plain => None,
        Mmu::Aarch64 => Some(("CONFIG_ARM64", "arm64")),
        Mmu::Hash | Mmu::Radix => Some(("CONFIG_PPC_BOOK3S_64", "powerpc")),
        Mmu::Sun4u | Mmu::Sun4v => Some(("CONFIG_SPARC64", "sparc")),
        Mmu::Native | Mmu::Xen => Some(("CONFIG_X86_64", "x86")),
    }
}
