//! Each kind of mutation by what it does to programs given as text; limits, legality and distance at fixed seeds.

use std::collections::BTreeMap;

use lazy_mmu_arches::page::PAGES;

use super::snippet::{SNIPPETS, WRAPS};
use super::*;
use crate::text::parse;
use crate::{MAX_BETWEEN, MAX_DEPTH, bytes, generate};
use lazy_mmu_engine::program::bytes::decode;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::{CUT, MISUSED, Runner};
use lazy_mmu_engine::subject::Port;

/// What a kind is tried on: everything it can change is there.
const PROGRAM: &str = "set U 0 x2\nenable between {\n  irq {\n    query\n  }\n}\nset K 3 x40 read\npause\nset V 9 huge\n\
    alloc 3 debug\nresume\ndisable\nlock 1\nclear U 20\nunlock 1\nrepeat 7 {\n  access K 5\n}\nswitch T1\nswitch T0\n\
    softirq {\n  enable\n  disable\n}\n";

/// A faithful subject of today that cuts no run.
const SUBJECT: &str = "counted/aarch64";

fn program(text: &str) -> Program {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn is_part_of(small: &[Op], large: &[Op]) -> bool {
    let mut rest = large.iter();
    small.iter().all(|op| rest.any(|other| other == op))
}

/// The operations of one that the other lacks.
fn beyond(of: &[Op], without: &[Op]) -> Vec<Op> {
    let mut without = without.to_vec();
    let lacks = |op: &&Op| match without.iter().position(|other| other == *op) {
        Some(at) => {
            without.swap_remove(at);
            false
        }
        None => true,
    };
    of.iter().filter(lacks).copied().collect()
}

/// What was put into one place.
fn put_in<'o>(before: &[Op], after: &'o [Op]) -> &'o [Op] {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let more = after.len().saturating_sub(before.len());
    if after[same + more..] == before[same..] { &after[same..same + more] } else { &[] }
}

/// One operation in another's place: the two of them.
fn altered(before: &[Op], after: &[Op]) -> Option<(Op, Op)> {
    let mut differ = before.iter().zip(after).filter(|(a, b)| a != b);
    let first = differ.next()?;
    (before.len() == after.len() && differ.next().is_none()).then_some((*first.0, *first.1))
}

fn what(op: Op) -> std::mem::Discriminant<Op> {
    std::mem::discriminant(&op)
}

/// An operation's name alone.
fn name(op: Op) -> String {
    op.to_string().split(' ').next().unwrap_or_default().to_owned()
}

/// Whether a change is what the kind's name says.
fn does_what_it_says(kind: Kind, before: &[Op], after: &[Op]) -> bool {
    let is_put_in = is_part_of(before, after) && after.len() > before.len();
    let (is_new, in_one_place) = (beyond(after, before), put_in(before, after));
    let pages = |op| value::pages_of(op);
    match kind {
        Kind::Insert => in_one_place.len() == 1 || (in_one_place.len() == 2 && in_one_place.contains(&Op::Close)),
        Kind::Memory => in_one_place.len() == 1 && pages(in_one_place[0]).is_some(),
        Kind::Visit => {
            let uses = in_one_place.iter().any(|op| matches!(op, Op::Access(_)));
            uses && matches!(in_one_place, [Op::Cpu(a), .., Op::Cpu(b)] if a != b)
                && [3, 7].contains(&in_one_place.len())
        }
        Kind::Map => {
            let of = |wanted: fn(&Op) -> bool| in_one_place.iter().copied().find(wanted).and_then(pages);
            let mapped = of(|op| matches!(op, Op::Set(..)));
            mapped.is_some() && mapped == of(|op| matches!(op, Op::Access(_))) && [2, 5].contains(&in_one_place.len())
        }
        Kind::Snippet => snippets().iter().any(|snippet| snippet.ops.len() == in_one_place.len()),
        Kind::Fragment => in_one_place.contains(&Op::Switch(0)),
        Kind::Delete => is_part_of(after, before) && after.len() < before.len(),
        Kind::Unwrap => is_part_of(after, before) && after.len() + 2 == before.len(),
        Kind::Duplicate => !in_one_place.is_empty() && beyond(in_one_place, before).is_empty(),
        Kind::Move => {
            let (lost, won) = (beyond(before, after), is_new);
            before != after && lost.is_empty() && won.is_empty()
        }
        Kind::Wrap => is_put_in && is_new.len() >= 2,
        Kind::Halves => {
            let halves = |ops: &[Op]| ops.iter().filter(|&&op| op == Op::Open(Block::Between)).count();
            let moved = beyond(before, after).is_empty() && is_new.is_empty();
            moved || (is_put_in && halves(after) >= 1)
        }
        Kind::Stretch => altered(before, after).is_some_and(|(a, b)| match b {
            Op::Open(Block::Repeat(times)) => value::REPEATS.contains(&times),
            b => what(a) == what(b) && pages(b).is_some_and(|pages| value::CAPACITIES.contains(&pages.count)),
        }),
        Kind::Meet => altered(before, after).is_some_and(|(a, b)| {
            let (Some(now), true) = (pages(b), what(a) == what(b)) else { return false };
            let touches = |other: Pages| {
                let further = (now.first + PAGES - other.first) % PAGES;
                other.mm == now.mm && (further <= other.count || PAGES - further <= now.count.max(1))
            };
            before.iter().filter_map(|&op| pages(op)).any(touches)
        }),
        Kind::Change => {
            let lost = beyond(before, after);
            altered(before, after).is_some_and(|(a, b)| what(a) == what(b)) || (lost.len() == 2 && is_new.len() == 2)
        }
        Kind::Replace => {
            altered(before, after).is_some_and(|(a, b)| a != b && pages(a) == pages(b) || what(a) != what(b))
        }
        Kind::Nudge => altered(before, after).is_some_and(|(a, b)| {
            let near = |a: u16, b: u16| a.abs_diff(b) == 1;
            match (a, b) {
                (Op::Open(Block::Repeat(a)), Op::Open(Block::Repeat(b))) => near(a, b),
                (Op::Alloc(a, _), Op::Alloc(b, _)) => near(a, b),
                (a, b) => match (pages(a), pages(b)) {
                    // Before page 0 comes the last one.
                    (Some(a), Some(b)) => near(a.first, b.first) || near(a.count, b.count) || b.first == 2047,
                    _ => false,
                },
            }
        }),
    }
}

#[test]
fn every_kind_does_what_its_name_says() {
    let base = program(PROGRAM);
    for (kind, _) in KINDS_OF_MUTATION {
        let mut done = 0;
        for seed in 0..400 {
            let mut random = Random::new(seed);
            let mut draft = Draft::new(&mut random, 4000);
            draft.ops.extend_from_slice(base.ops());
            if !draft.apply(kind) {
                continue;
            }
            done += 1;
            let made = Program::new(draft.ops.clone());
            let made = made.unwrap_or_else(|shape| panic!("{kind:?}, seed {seed}: {shape:?}: {:?}", draft.ops));
            assert!(does_what_it_says(kind, base.ops(), made.ops()), "{kind:?}, seed {seed}:\n{made}");
        }
        assert!(done > 60, "{kind:?} was done {done} times of 400");
    }
}

#[test]
fn every_kind_is_drawn() {
    let mut random = Random::new(1);
    let mut counts = BTreeMap::new();
    for _ in 0..10_000 {
        *counts.entry(Draft::new(&mut random, 0).kind()).or_insert(0) += 1;
    }
    let total: u32 = KINDS_OF_MUTATION.iter().map(|kind| kind.1).sum();
    for (kind, weight) in KINDS_OF_MUTATION {
        let expected = 10_000 * weight / total;
        assert!(counts[&kind] > expected / 2 && counts[&kind] < 2 * expected, "{kind:?}: {}", counts[&kind]);
    }
}

/// The numbers at which something fills, and what comes between halves and round runs, are reached from a plain program.
#[test]
fn what_defects_need_is_reached() {
    let base = program("set U 0; enable; set U 1; disable; access U 0");
    let mut random = Random::new(2);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20_000 {
        let made = mutate(&base, &mut random, 64);
        for (at, op) in made.ops().iter().enumerate() {
            if let Some(pages) = value::pages_of(*op) {
                seen.insert(format!("x{}", pages.count));
                seen.insert(format!("{:?} {:?}", pages.mm, pages.size));
            }
            let between = matches!(made.ops().get(at + 1), Some(Op::Open(Block::Between)));
            if between && op.has_halves() {
                seen.insert(format!("between {:?} and {:?}", op, made.ops()[at + 2]).to_lowercase());
            }
            match op {
                Op::Open(Block::Repeat(times)) => seen.insert(format!("repeat {times}")) | seen.insert(name(*op)),
                op => seen.insert(name(*op)),
            };
        }
    }
    let counts = value::CAPACITIES.map(|count| format!("x{count}"));
    let repeats = [255, 256].map(|times| format!("repeat {times}"));
    let spaces = [0, 1, 2].map(|mm| ["Small", "Large", "Huge"].map(|size| format!("Mm({mm}) {size}")));
    let calls = ["enable", "disable", "pause", "resume"];
    let halves =
        calls.map(|call| ["preempt(1)", "open(irq)", "open(softirq)"].map(|by| format!("between {call} and {by}")));
    let wanted = counts.iter().chain(&repeats).chain(spaces.iter().flatten()).chain(halves.iter().flatten());
    let missing: Vec<_> = wanted.filter(|wanted| !seen.contains(*wanted)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let kinds = (0..KINDS).map(|kind| decode_op([kind, 0, 0, 0, 1, 0])).map(name);
    let missing: Vec<_> = kinds.filter(|kind| !seen.contains(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Programs to start from: legal ones, and any.
fn bases(seed: u64) -> [Program; 2] {
    [generate::legal(seed, 32), generate::any(seed, 32)]
}

#[test]
fn every_mutant_is_a_program_within_its_limits_and_another_one() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        for mut now in bases(seed) {
            for step in 0..25 {
                let max_ops = [1, 2, 3, 16, 32, 48, 64, MAX_OPS][random.below(8) as usize];
                let again = random.clone();
                let made = mutate(&now, &mut random, max_ops);
                let at = format!("seed {seed}, step {step}, at most {max_ops}");
                assert!(made.ops().len() <= max_ops, "{at}: {}", made.ops().len());
                assert_ne!(made, now, "{at}");
                assert_eq!(Program::new(made.ops().to_vec()).as_ref(), Ok(&made), "{at}");
                assert_eq!(bytes::decode(&bytes::encode(&made)), made, "{at}");
                assert_eq!(parse(&made.to_string()).as_ref(), Ok(&made), "{at}");
                assert_eq!(mutate(&now, &mut again.clone(), max_ops), made, "{at}: the same random numbers");
                now = if made.ops().len() < 8 { bases(random.next())[0].clone() } else { made };
            }
        }
    }
}

/// Blocks as deep as they may be stay so.
#[test]
fn depth_has_its_limits_too() {
    let nested = |block: &str, n: usize| program(&format!("{}{}", block.repeat(n), "}".repeat(n)));
    for base in [nested("between {", MAX_BETWEEN), nested("irq {", MAX_DEPTH)] {
        let mut random = Random::new(3);
        let mut now = base;
        for step in 0..200 {
            now = mutate(&now, &mut random, MAX_OPS);
            assert_eq!(Program::new(now.ops().to_vec()).as_ref(), Ok(&now), "step {step}");
        }
    }
}

#[test]
fn the_only_program_of_no_operation_is_empty_and_all_others_have_others() {
    let mut random = Random::new(4);
    for text in ["", "query", "enable", "irq { }", "irq { irq { query } }"] {
        for max_ops in 1..4 {
            for _ in 0..50 {
                assert_ne!(mutate(&program(text), &mut random, max_ops), program(text), "{text}");
            }
        }
    }
    assert_eq!(mutate(&program("enable"), &mut random, 0), Program::default());
    assert_eq!(mutate(&Program::default(), &mut random, 0), Program::default());
}

/// A program as the engine has it: there it is a type of the package itself, here of its tests.
fn as_run(program: &Program) -> lazy_mmu_engine::program::Program {
    decode(&bytes::encode(program))
}

/// Runs programs on the subject, and counts those that misuse nothing, and those that break nothing either.
fn legal_and_clean<'p>(programs: impl Iterator<Item = &'p Program>) -> (usize, usize) {
    let at = SUBJECTS.iter().position(|subject| subject.name == SUBJECT).expect("a known subject");
    let mut runner = Runner::new();
    let broken = programs.map(|program| runner.summary(at, Port::Model, &as_run(program)).broken);
    let seen: Vec<u32> = broken.collect();
    let count = |mask: u32| seen.iter().filter(|&&broken| broken & mask == 0).count();
    (count(MISUSED), count(!CUT))
}

/// A legal program's mutants, and theirs: most misuse nothing, and some do.
#[test]
fn mutants_of_legal_programs_are_mostly_legal() {
    let (mut once, mut often) = (Vec::new(), Vec::new());
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let mut now = generate::legal(seed, 32);
        once.push(mutate(&now, &mut random, 64));
        for _ in 0..10 {
            now = mutate(&now, &mut random, 64);
        }
        often.push(now);
    }
    let (legal, clean) = legal_and_clean(once.iter());
    let (later, later_clean) = legal_and_clean(often.iter());
    println!("of 1000 mutants {legal} misuse nothing and {clean} break nothing; after ten: {later}, {later_clean}");
    assert!(legal > 700 && clean > 700 && legal < 1000, "{legal} misuse nothing, {clean} break nothing");
    assert!(later > 100, "{later} misuse nothing after ten mutations");
}

/// The guess agrees with the oracles' own rule on most programs, and on nearly all legal ones.
#[test]
fn the_guess_is_mostly_right() {
    let (mut right, mut all) = (0, 0);
    let at = SUBJECTS.iter().position(|subject| subject.name == SUBJECT).expect("a known subject");
    let mut runner = Runner::new();
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let legal = generate::legal(seed, 24);
        assert!(Scene::is_plausible(legal.ops()), "seed {seed}: a legal program looks like a misuse:\n{legal}");
        let mut draft = Draft::new(&mut random, 64);
        draft.ops.extend_from_slice(legal.ops());
        draft.change();
        let made = Program::fitted(draft.ops, 64);
        let clean = runner.summary(at, Port::Model, &as_run(&made)).broken & !CUT == 0;
        all += 1;
        right += usize::from(clean == Scene::is_plausible(made.ops()));
    }
    println!("right about {right} of {all}");
    assert!(right * 5 > all * 4, "right about {right} of {all}");
}

/// What the tables hold misuses nothing and breaks nothing where it may stand.
#[test]
fn the_tables_are_programs_that_are_legal_where_they_may_stand() {
    let text_at = |place, text: &str| match place {
        Place::Outside => text.to_owned(),
        Place::Inside => format!("enable; {text}; disable"),
        Place::Handler => format!("enable; irq {{ {text} }}; disable"),
        Place::Half => format!("enable between {{ {text} }}; disable"),
    };
    assert_eq!((snippets().len(), wraps().len()), (SNIPPETS.len(), WRAPS.len()), "each is a program");
    for &(place, text) in SNIPPETS.iter().chain(WRAPS) {
        let texts = match place {
            Place::Half => vec![text_at(place, text)],
            place => [Place::Outside, Place::Inside, Place::Handler]
                .into_iter()
                .filter(|&here| here <= place)
                .map(|here| text_at(here, text))
                .collect(),
        };
        for text in texts {
            assert!(Scene::is_plausible(program(&text).ops()), "{text}");
            assert_eq!(legal_and_clean([program(&text)].iter()), (1, 1), "{text}");
        }
    }
    let holes = wraps().iter().map(|wrap| wrap.ops.iter().filter(|&&op| op == Op::Query).count());
    assert!(holes.into_iter().all(|holes| holes == 1), "a wrap has one place for what it goes round");
}

#[test]
fn a_crossing_takes_from_both_and_keeps_its_limits() {
    let mut from_both = 0;
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let (a, b) = (generate::legal(seed, 24), generate::any(seed ^ 0x55, 24));
        let max_ops = [24, 40, 64][random.below(3) as usize];
        let again = crossover(&a, &b, &mut random.clone(), max_ops);
        let made = crossover(&a, &b, &mut random, max_ops);
        assert_eq!(made, again, "seed {seed}: the same random numbers");
        assert!(made != a && made != b && made.ops().len() <= max_ops, "seed {seed}");
        assert_eq!(Program::new(made.ops().to_vec()).as_ref(), Ok(&made), "seed {seed}");
        let of = |one: &Program, other: &Program| {
            made.ops().iter().any(|op| one.ops().contains(op) && !other.ops().contains(op))
        };
        from_both += usize::from(of(&a, &b) && of(&b, &a));
    }
    println!("{from_both} of 1000 have some of both");
    assert!(from_both > 800, "{from_both} of 1000 have some of both");
}

#[test]
fn crossings_of_legal_programs_are_mostly_legal() {
    let crossed = (0..1000).map(|seed| {
        let (a, b) = (generate::legal(seed, 24), generate::legal(seed + 5000, 24));
        crossover(&a, &b, &mut Random::new(seed), 64)
    });
    let crossed: Vec<_> = crossed.collect();
    let (legal, clean) = legal_and_clean(crossed.iter());
    println!("of 1000 crossings {legal} misuse nothing and {clean} break nothing");
    assert!(legal > 700 && clean > 700, "{legal} misuse nothing, {clean} break nothing");
}

#[test]
fn a_crossing_with_nothing_is_a_mutation() {
    let some = program(PROGRAM);
    for (a, b) in [(&some, &Program::default()), (&Program::default(), &some)] {
        let made = crossover(a, b, &mut Random::new(5), 64);
        assert!(made != some && !made.ops().is_empty());
    }
    let nothing = Program::default();
    assert!(!crossover(&nothing, &nothing, &mut Random::new(6), 64).ops().is_empty());
}

/// What may stand where `query` stands, and who runs there.
#[test]
fn a_scene_knows_who_runs_and_what_is_open() {
    for (text, place, task) in [
        ("query", Place::Outside, 0),
        ("enable; query; disable", Place::Inside, 0),
        ("enable; disable; query", Place::Outside, 0),
        ("pause; query; resume", Place::Inside, 0),
        ("lock 1; query; unlock 1", Place::Inside, 0),
        ("bh_off; query; bh_on", Place::Inside, 0),
        ("enable; irq { query }; disable", Place::Handler, 0),
        ("enable; irq { }; query; disable", Place::Inside, 0),
        ("enable between { query }; disable", Place::Half, 0),
        ("enable between { irq { query } }; disable", Place::Handler, 0),
        ("enable between { preempt T1; query; switch T0 }; disable", Place::Outside, 1),
        ("enable between { preempt T1; enable; query; disable; switch T0 }; disable", Place::Inside, 1),
        ("enable between { preempt T1 }; query; disable", Place::Inside, 0),
        ("between { query }", Place::Outside, 0),
        ("enable; preempt T2; query; switch T0; disable", Place::Outside, 2),
        ("lock 0; preempt T2; query; unlock 0", Place::Inside, 0),
        ("switch T3; query", Place::Outside, 0),
        ("fork T5; switch T5; query", Place::Outside, 5),
        ("preempt T1; migrate T0 1; cpu 1; switch T0; query", Place::Outside, 0),
        ("enable; cpu 1; query", Place::Outside, 3),
        ("enable; on xen { query }; disable", Place::Inside, 0),
    ] {
        let program = program(text);
        let at = program.ops().iter().position(|&op| op == Op::Query).expect("a query");
        let scene = Scene::at(program.ops(), at);
        assert_eq!((scene.place(), scene.task()), (place, task), "{text}");
    }
}
