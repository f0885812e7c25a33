//! Two traces of one program side by side: where the architecture's events between two generic ones differ.
//!
//! Generic events are the same on every subject of a generation, so they cut both traces into the same number of pieces:
//! a difference in one piece hides nothing in the next. Not here: which differences are explained. Called by [`super`].

use std::collections::{HashMap, HashSet};

use lazy_mmu_engine::alike::GENERIC;
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The architecture's events behind one generic event, of both subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'t> {
    /// The generic event, as it is listed; empty before the first.
    pub behind: &'t str,
    /// Our Rust's events.
    pub ours: Vec<&'t str>,
    /// The tree's.
    pub theirs: Vec<&'t str>,
    /// The generic events themselves differ here: nothing behind them can be compared.
    pub is_generic: bool,
}

/// Both listings, piece by piece, those that differ.
#[must_use]
pub fn differing<'t>(ours: &'t str, theirs: &'t str) -> Vec<Piece<'t>> {
    let (mut ours, mut theirs) = (pieces(ours).into_iter(), pieces(theirs).into_iter());
    let mut found = Vec::new();
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return found,
            (Some((behind, ours)), Some((other, theirs))) if behind == other => {
                if ours != theirs {
                    found.push(Piece { behind, ours, theirs, is_generic: false });
                }
            }
            (ours, theirs) => {
                let line = |piece: Option<(&'t str, _)>| piece.map_or_else(Vec::new, |(behind, _)| vec![behind]);
                found.push(Piece { behind: "", ours: line(ours), theirs: line(theirs), is_generic: true });
                return found;
            }
        }
    }
}

/// A listing cut at its generic events: each with what follows it.
fn pieces(listing: &str) -> Vec<(&str, Vec<&str>)> {
    let mut pieces = vec![("", Vec::new())];
    for line in listing.lines() {
        match (line.strip_prefix(GENERIC), pieces.last_mut()) {
            (None, Some((_, events))) => events.push(line),
            (generic, _) => pieces.push((generic.unwrap_or(line), Vec::new())),
        }
    }
    pieces
}

impl<'t> Piece<'t> {
    /// The events without those that both begin and end with.
    #[must_use]
    pub fn trimmed(&self) -> (&[&'t str], &[&'t str]) {
        let (ours, theirs) = (&self.ours[..], &self.theirs[..]);
        let before = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        let (ours, theirs) = (&ours[before..], &theirs[before..]);
        let after = ours.iter().rev().zip(theirs.iter().rev()).take_while(|(a, b)| a == b).count();
        (&ours[..ours.len() - after], &theirs[..theirs.len() - after])
    }
}

impl Piece<'_> {
    /// The kinds of difference in it: both sides' events, numbers left out.
    ///
    /// Each stretch of events that one side has and the other has not is a kind, so that equal events between two of
    /// them, operands included, are no part of either. If one event is in both, it has moved, and the piece is one kind; so
    /// it is where the two have next to nothing in common and are long.
    #[must_use]
    pub fn kinds(&self) -> Vec<(String, String)> {
        let (ours, theirs) = self.trimmed();
        if steps(ours, theirs) > STEPS {
            return vec![sides(&folded(ours), &folded(theirs))];
        }
        let changed = capture_diff_slices(Algorithm::Myers, ours, theirs);
        let changed = changed.iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
        let stretches: Vec<(&[&str], &[&str])> =
            changed.map(|op| (&ours[op.old_range()], &theirs[op.new_range()])).collect();
        let gone: HashSet<&str> = stretches.iter().flat_map(|(ours, _)| *ours).copied().collect();
        let has_moved = stretches.iter().flat_map(|(_, theirs)| *theirs).any(|line| gone.contains(line));
        let kinds = if has_moved { vec![(ours, theirs)] } else { stretches };
        kinds.into_iter().map(|(ours, theirs)| sides(&folded(ours), &folded(theirs))).collect()
    }
}

/// How many steps the search for the shortest way from one side to the other may take: a tenth of a second.
const STEPS: usize = 16 << 20;

/// How many it takes at least: the length of both, times the events that are on one side alone.
fn steps(ours: &[&str], theirs: &[&str]) -> usize {
    let mut surplus: HashMap<&str, isize> = HashMap::new();
    ours.iter().for_each(|line| *surplus.entry(line).or_default() += 1);
    theirs.iter().for_each(|line| *surplus.entry(line).or_default() -= 1);
    let alone: usize = surplus.values().map(|surplus| surplus.unsigned_abs()).sum();
    (ours.len() + theirs.len()).saturating_mul(alone)
}

/// What the tree's side ends with where the two are alike but for numbers.
const OPERANDS: &str = " (other operands)";

fn sides(ours: &[String], theirs: &[String]) -> (String, String) {
    let (ours, mut theirs) = (ours.join("; "), theirs.join("; "));
    if ours == theirs {
        theirs.push_str(OPERANDS);
    }
    (ours, theirs)
}

/// An event without its operation's number, CPU and task, and without numbers.
#[must_use]
pub fn plain(line: &str) -> String {
    let event = line.splitn(4, ' ').nth(3).unwrap_or(line);
    let mut plain = String::with_capacity(event.len());
    let mut in_number = false;
    for c in event.chars() {
        let is_number = c.is_ascii_digit() || (in_number && (c.is_ascii_hexdigit() || c == 'x'));
        if !is_number {
            plain.push(c);
        } else if !in_number {
            plain.push('N');
        }
        in_number = is_number;
    }
    plain
}

/// The longest block whose repetition is folded.
const BLOCK: usize = 12;

/// Events with their numbers left out, a repeated block once, in brackets.
#[must_use]
pub fn folded(lines: &[&str]) -> Vec<String> {
    let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
    let (mut folded, mut at) = (Vec::new(), 0);
    while at < lines.len() {
        let times = |len: usize| {
            let block = &lines[at..(at + len).min(lines.len())];
            lines[at..].chunks_exact(len).take_while(|chunk| *chunk == block).count()
        };
        match (1..=BLOCK).map(|len| (len, times(len))).find(|&(_, times)| times > 1) {
            Some((len, times)) => {
                folded.push(format!("({})*", lines[at..at + len].join("; ")));
                at += len * times;
            }
            None => {
                folded.push(lines[at].clone());
                at += 1;
            }
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_hides_nothing_behind_it() {
        let ours = "=0 c0 T0 set K 0\n0 c0 T0 store 1\n=1 c0 T0 clear K 0\n1 c0 T0 dsb\n1 c0 T0 isb\n";
        let theirs = "=0 c0 T0 set K 0\n0 c0 T0 store 2\n=1 c0 T0 clear K 0\n1 c0 T0 isb\n1 c0 T0 dsb\n";
        let found = differing(ours, theirs);
        let kinds: Vec<_> = found.iter().flat_map(Piece::kinds).collect();
        let kind = |ours: &str, theirs: &str| (ours.to_owned(), theirs.to_owned());
        assert_eq!(kinds, [kind("store N", "store N (other operands)"), kind("dsb; isb", "isb; dsb")]);
        assert_eq!(differing(ours, ours), []);
    }

    #[test]
    fn long_pieces_without_a_common_event_are_one_kind() {
        let lines = |word: &str| (0..8000).map(|n| format!("0 c T {word} {n}")).collect::<Vec<_>>();
        let (ours, theirs) = (lines("a"), lines("b"));
        let piece = Piece {
            behind: "",
            ours: ours.iter().map(String::as_str).collect(),
            theirs: theirs.iter().map(String::as_str).collect(),
            is_generic: false,
        };
        assert_eq!(piece.kinds(), [("(a N)*".to_owned(), "(b N)*".to_owned())]);
        assert!(steps(&piece.ours, &piece.theirs) > STEPS);
        assert_eq!(steps(&piece.ours, &piece.ours), 0);
    }

    #[test]
    fn generic_events_that_differ_end_the_comparison() {
        let found = differing("=0 c0 T0 a\n=1 c0 T0 b\n", "=0 c0 T0 a\n=1 c0 T0 c\n1 c0 T0 d\n");
        assert!(matches!(&found[..], [Piece { is_generic: true, ours, theirs, .. }] if ours != theirs));
    }

    #[test]
    fn equal_events_between_two_stretches_are_no_part_of_them() {
        let piece = Piece {
            behind: "",
            ours: vec!["0 c T a", "0 c T b", "0 c T c"],
            theirs: vec!["0 c T x", "0 c T b", "0 c T y", "0 c T y"],
            is_generic: false,
        };
        let kind = |ours: &str, theirs: &str| (ours.to_owned(), theirs.to_owned());
        assert_eq!(piece.kinds(), [kind("a", "x"), kind("c", "(y)*")]);
    }

    #[test]
    fn a_kind_has_no_numbers_and_a_repeated_block_once() {
        assert_eq!(plain("3 c0 T1 store K[16] 0x1f"), "store K[N] N");
        assert_eq!(plain("3 c0 T1_ hook enter (active)"), "hook enter (active)");
        let lines = ["0 c0 T0 a 1", "0 c0 T0 b 1", "0 c0 T0 a 2", "0 c0 T0 b 2", "0 c0 T0 c"];
        assert_eq!(folded(&lines), ["(a N; b N)*", "c"]);
    }
}
