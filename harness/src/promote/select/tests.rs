//! Selection with scales that a test can foresee: a program's features are its operations' own.

use lazy_mmu_engine::program::Op;
use lazy_mmu_engine::program::text::parse;

use super::super::weigh::Weight;
use super::*;

/// Each `get` of a page adds [`FEWEST`] features of the page's own; pages from 100 on make a program illegal, and one
/// with page 9 may not be kept.
struct Simple;

impl Weigher for Simple {
    fn weigh(&mut self, program: &Program) -> Option<Weight> {
        let mut weight = Weight { legal: true, ..Weight::default() };
        for op in program.ops() {
            if let Op::Get(pages) = op {
                weight.legal &= pages.first < 100;
                weight.features.extend((0..FEWEST as u32).map(|n| u32::from(pages.first) * 100 + n));
            }
        }
        Some(weight)
    }

    fn may_be_kept(&mut self, program: &Program) -> bool {
        !program.ops().iter().any(|op| matches!(op, Op::Get(pages) if pages.first == 9))
    }
}

fn candidate(text: &str) -> Candidate {
    let program = parse(text).expect("a program");
    let weight = Simple.weigh(&program).expect("a weight");
    Candidate { target: "contract", program, new: weight.features, legal: weight.legal }
}

/// What is chosen, as lines without line ends.
fn chosen(selection: &mut Selection, texts: &[&str], room: usize) -> Vec<String> {
    let candidates: Vec<_> = texts.iter().map(|text| candidate(text)).collect();
    let room = Room { all: room, illegal: room / 4 };
    let chosen = selection.select(&mut Simple, &candidates, room, &mut BTreeSet::new());
    assert!(chosen.iter().all(|chosen| chosen.adds >= FEWEST));
    chosen.iter().map(|chosen| chosen.program.to_string().trim().replace('\n', "; ")).collect()
}

#[test]
fn the_densest_comes_first_and_each_is_as_small_as_adds_enough() {
    let mut selection = Selection::default();
    let texts = ["enable; get K 1; disable", "query; get K 1; get K 2; query"];
    // The second adds all that the first does, and nothing is left for it.
    assert_eq!(chosen(&mut selection, &texts, 9), ["get K 1; get K 2"]);
    assert_eq!(selection.covered(), 2 * FEWEST);
    assert_eq!(chosen(&mut selection, &texts, 9), [""; 0], "what is covered adds nothing");
}

#[test]
fn what_adds_a_lot_is_cut_into_readable_pieces() {
    let mut selection = Selection::default();
    let whole: Vec<_> = (1..=5).map(|page| format!("get K {page}")).collect();
    let pieces = chosen(&mut selection, &[&whole.join("; ")], 9);
    assert_eq!(pieces.len(), 3, "{pieces:?}");
    assert!(pieces.iter().all(|piece| piece.split("; ").count() <= 2), "{pieces:?}");
    assert_eq!(selection.covered(), 5 * FEWEST);
}

#[test]
fn the_room_is_kept_legal_programs_first() {
    let texts = ["get K 101; get K 102", "get K 3; query", "get K 4", "get K 105"];
    let all = chosen(&mut Selection::default(), &texts, 4);
    assert_eq!(all, ["get K 4", "get K 3", "get K 101; get K 102"].map(str::to_owned), "one of four may be illegal");
    assert_eq!(chosen(&mut Selection::default(), &texts, 1), ["get K 4"]);
    assert_eq!(chosen(&mut Selection::default(), &texts, 0), [""; 0]);
}

#[test]
fn what_may_not_be_kept_or_is_there_is_passed_over() {
    let mut selection = Selection::default();
    let candidates = [candidate("get K 9"), candidate("get K 7"), candidate("get K 8")];
    let mut seen = BTreeSet::from([parse("get K 8").expect("a program").to_string()]);
    let chosen = selection.select(&mut Simple, &candidates, Room { all: 9, illegal: 9 }, &mut seen);
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0].program.to_string(), "get K 7\n");
    assert_eq!(selection.covered(), FEWEST, "what was passed over covers nothing");
}
