//! A searcher for comparison: property-based testing, with proptest's state machines.
//!
//! What somebody would write who knows the API and proptest, and nothing of its defects: brackets are closed in the order
//! in which they were opened, nobody sleeps while atomic, and pages are mapped before they are used, all by a state of a
//! few fields that decides which steps may come next. What happens between the halves of a call and in handlers is drawn
//! too. Nothing is learnt from a run; shrinking is left out, because the first finding ends the search. Called by the hunt.

use lazy_mmu_arches::page::{Mm, Size};
use lazy_mmu_engine::program::{Block, MAX_OPS, Op, Pages, Program, Protection};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use super::hunt::Search;

/// Steps of the longest sequence.
const LONGEST: usize = 32;
/// Brackets that may be open at once.
const DEEPEST: usize = 6;

/// Draws sequences until the search is over.
pub fn search(search: &mut Search, seed: u32) {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    let strategy = Callers::sequential_strategy(1..=LONGEST);
    loop {
        // A sequence that proptest gives up on is none; the next one is drawn.
        let Ok(drawn) = strategy.new_tree(&mut runner) else {
            if search.go_on().is_break() {
                return;
            }
            continue;
        };
        let (_, steps, _) = drawn.current();
        if search.look(&program(&steps)).is_break() {
            return;
        }
    }
}

/// What opens something and closes it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    Section,
    Pause,
    Lock,
    Bottom,
    Preemption,
    /// Another task runs meanwhile.
    Task(u8),
}

impl Bracket {
    fn open(self) -> Op {
        match self {
            Bracket::Section => Op::Enable,
            Bracket::Pause => Op::Pause,
            Bracket::Lock => Op::Lock(0),
            Bracket::Bottom => Op::BhOff,
            Bracket::Preemption => Op::PreemptOff,
            Bracket::Task(task) => Op::Preempt(task),
        }
    }

    fn close(self) -> Op {
        match self {
            Bracket::Section => Op::Disable,
            Bracket::Pause => Op::Resume,
            Bracket::Lock => Op::Unlock(0),
            Bracket::Bottom => Op::BhOn,
            Bracket::Preemption => Op::PreemptOn,
            Bracket::Task(_) => Op::Switch(0),
        }
    }

    fn is_atomic(self) -> bool {
        matches!(self, Bracket::Lock | Bracket::Bottom | Bracket::Preemption)
    }
}

/// One step.
#[derive(Clone, Debug)]
enum Step {
    /// Opens something, and what comes between the halves of the call.
    Open(Bracket, Vec<Op>),
    /// Closes what was opened last, the same.
    Close(Vec<Op>),
    /// An operation.
    Do(Op),
    /// A handler, and what it does.
    Handler(Block, Vec<Op>),
}

/// The reference state: what is open.
#[derive(Clone, Debug, Default)]
struct Open(Vec<Bracket>);

impl Open {
    fn is_atomic(&self) -> bool {
        self.0.iter().any(|bracket| bracket.is_atomic())
    }

    fn in_section(&self) -> bool {
        self.0.contains(&Bracket::Section)
    }
}

struct Callers;

impl ReferenceStateMachine for Callers {
    type State = Open;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Open> {
        Just(Open::default()).boxed()
    }

    fn transitions(_: &Open) -> BoxedStrategy<Step> {
        prop_oneof![
            4 => (bracket(), meanwhile()).prop_map(|(bracket, ops)| Step::Open(bracket, ops)),
            4 => meanwhile().prop_map(Step::Close),
            6 => memory().prop_map(Step::Do),
            1 => Just(Step::Do(Op::Flush)),
            1 => Just(Step::Do(Op::Sleep)),
            1 => handler().prop_map(|(block, ops)| Step::Handler(block, ops)),
        ]
        .boxed()
    }

    fn apply(mut state: Open, step: &Step) -> Open {
        match step {
            Step::Open(bracket, _) => state.0.push(*bracket),
            Step::Close(_) => drop(state.0.pop()),
            Step::Do(_) | Step::Handler(..) => {}
        }
        state
    }

    fn preconditions(state: &Open, step: &Step) -> bool {
        match step {
            Step::Open(Bracket::Task(_), _) => !state.is_atomic() && !state.0.iter().any(is_task) && !full(state),
            Step::Open(bracket, _) => !(full(state) || bracket.is_atomic() && state.0.contains(bracket)),
            Step::Close(_) => !state.0.is_empty(),
            Step::Do(Op::Sleep) => !state.is_atomic() && !state.in_section(),
            // What an open section has changed may not be looked at.
            Step::Do(Op::Get(_) | Op::Access(_)) => !state.in_section(),
            Step::Do(_) | Step::Handler(..) => true,
        }
    }
}

fn is_task(bracket: &Bracket) -> bool {
    matches!(bracket, Bracket::Task(_))
}

fn full(state: &Open) -> bool {
    state.0.len() >= DEEPEST
}

fn bracket() -> impl Strategy<Value = Bracket> {
    prop_oneof![
        6 => Just(Bracket::Section),
        3 => Just(Bracket::Pause),
        1 => Just(Bracket::Lock),
        1 => Just(Bracket::Bottom),
        1 => Just(Bracket::Preemption),
        1 => (1..3u8).prop_map(Bracket::Task),
    ]
}

/// What comes between the halves of a call: nothing, most of the time.
fn meanwhile() -> impl Strategy<Value = Vec<Op>> {
    let handler = handler().prop_map(|(block, ops)| [vec![Op::Open(block)], ops, vec![Op::Close]].concat());
    let task = Just(vec![Op::Preempt(1), Op::Preempt(0)]);
    prop_oneof![6 => Just(Vec::new()), 1 => handler, 1 => task]
}

fn handler() -> impl Strategy<Value = (Block, Vec<Op>)> {
    let block = prop_oneof![Just(Block::Irq), Just(Block::Softirq), Just(Block::Nmi)];
    let pages = (0..8u16).prop_map(|page| Pages { count: 1, ..Pages::one(Mm(0), 1536 + page) });
    let body = prop_oneof![
        Just(vec![Op::Enable, Op::Disable]),
        Just(vec![Op::Pause, Op::Resume]),
        pages.clone().prop_map(|pages| vec![Op::Set(pages, Protection::Write), Op::Access(pages)]),
        pages.prop_map(|pages| vec![Op::Enable, Op::Set(pages, Protection::Write), Op::Disable, Op::Access(pages)]),
    ];
    (block, body)
}

fn memory() -> impl Strategy<Value = Op> {
    let size = prop_oneof![8 => Just(Size::Small), 1 => Just(Size::Large), 1 => Just(Size::Huge)];
    let count = prop_oneof![8 => 1..4u16, 1 => Just(32u16), 1 => Just(192u16)];
    let pages = (0..3u8, 0..4u16, count, size).prop_map(|(mm, first, count, size)| {
        // Each size has pages of its own.
        let first = first + 400 * size as u16;
        Pages { count, size, ..Pages::one(Mm(mm), first) }
    });
    (pages, 0..7u8).prop_map(|(pages, kind)| match kind {
        0 | 1 => Op::Set(pages, Protection::Write),
        2 => Op::Clear(pages),
        3 => Op::Wrprotect(pages),
        4 => Op::Access(pages),
        5 => Op::TlbFlush(pages),
        _ => Op::Get(pages),
    })
}

/// The steps as a program, with what they leave open closed at its end.
fn program(steps: &[Step]) -> Program {
    let mut ops = Vec::new();
    let mut open = Open::default();
    let call = |ops: &mut Vec<Op>, op: Op, meanwhile: &[Op]| {
        ops.push(op);
        if op.has_halves() && !meanwhile.is_empty() {
            ops.push(Op::Open(Block::Between));
            ops.extend_from_slice(meanwhile);
            ops.push(Op::Close);
        }
    };
    for step in steps {
        match step {
            Step::Open(bracket, meanwhile) => call(&mut ops, bracket.open(), meanwhile),
            Step::Close(meanwhile) => {
                if let Some(bracket) = open.0.last() {
                    call(&mut ops, bracket.close(), meanwhile);
                }
            }
            Step::Do(op) => ops.push(*op),
            Step::Handler(block, body) => {
                ops.push(Op::Open(*block));
                ops.extend_from_slice(body);
                ops.push(Op::Close);
            }
        }
        open = Callers::apply(open, step);
    }
    ops.extend(open.0.iter().rev().map(|bracket| bracket.close()));
    Program::fitted(ops, MAX_OPS)
}
