//! Lines of a timeline, and how runs of equal-shaped ones become one.
//!
//! A line is text with numbers in it. Lines that differ in numbers alone, each a constant step from the one before,
//! fold to one with ranges: `store K[16..47] = frames 512..543 rw`. A sequence of lines that comes again and again folds
//! to one, below `N times:`. A line that stands alone ([`Line::alone`]: an invariant broke there) never folds. Not here:
//! what an event says. Called by the timeline.

use std::fmt::Write as _;

use crate::trace::counted;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text; lines fold only where theirs are the same.
    Text(String),
    /// A number, or so many from it on, that may advance: `16`, folded `16..47`.
    Number(u64, u64),
    /// The same with a noun, singular and plural: `frame 512`, folded `frames 512..543`.
    Named([&'static str; 2], u64, u64),
    /// So many of something: folded the sum.
    Count(u64, [&'static str; 2]),
    /// What one line says, and what stands for it where several are folded.
    Either(String, String),
}

/// Who a line is about: it has a column for each CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) cpu: u8,
    pub(super) task: u8,
    pub(super) interrupt: bool,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) who: Who,
    /// How deep it is indented.
    pub(super) depth: usize,
    pub(super) pieces: Vec<Piece>,
    /// Folds with no other.
    pub(super) alone: bool,
    /// What stands right below it.
    pub(super) marks: Vec<String>,
}

/// A line or several: how many, and what has become of each number in it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) line: Line,
    n: usize,
    /// How often all this comes again, within a sequence.
    again: usize,
    spans: Vec<Span>,
}

/// A number of a row: `n` of them, `step` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    step: u64,
    n: u64,
}

impl Span {
    /// This number, which is so much further each of `times` times; none where that is no range.
    fn repeated(self, by: u64, times: u64) -> Option<Span> {
        if by == 0 {
            Some(self)
        } else if self.n == 1 || self.step == 0 {
            Some(Span { step: by, n: times, ..self })
        } else {
            (by == self.step.wrapping_mul(self.n)).then_some(Span { n: self.n * times, ..self })
        }
    }

    fn text(self) -> String {
        let Span { first, step, n } = self;
        let last = first.wrapping_add(step.wrapping_mul(n - 1));
        match step {
            _ if n == 1 => first.to_string(),
            0 => first.to_string(),
            1 | u64::MAX => format!("{first}..{last}"),
            _ if (step as i64) < 0 => format!("{first}..{last} by -{}", step.wrapping_neg()),
            _ => format!("{first}..{last} by {step}"),
        }
    }
}

/// What is printed: rows, or a sequence of them that came several times.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Row(Row),
    Times(usize, Vec<Row>),
}

/// The longest sequence that is looked for.
const LONGEST: usize = 64;

/// Folds lines.
pub(super) fn fold(lines: Vec<Line>) -> Vec<Block> {
    let rows = neighbours(lines);
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let best = (2..=LONGEST).map(|period| (period, times(&rows[at..], period))).filter(|&(_, times)| times > 2);
        // Of equal coverage the shortest.
        match best.max_by_key(|&(period, times)| (period * times, usize::MAX - period)) {
            None => {
                blocks.push(Block::Row(rows[at].clone()));
                at += 1;
            }
            Some((period, times)) => {
                let once = (at..at + period).map(|i| repeated(&rows[i], &rows[i + period], times));
                blocks.push(Block::Times(times, once.flatten().collect()));
                at += period * times;
            }
        }
    }
    blocks
}

/// Lines next to one another.
fn neighbours(lines: Vec<Line>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let lines: Vec<Row> = lines.into_iter().map(Row::of).collect();
    let mut at = 0;
    while at < lines.len() {
        let first = &lines[at];
        let mut n = 1;
        let mut steps = None;
        while let Some(next) = lines.get(at + n) {
            let here = lines[at + n - 1].steps_to(next);
            if here.is_none() || (n > 1 && here != steps) {
                break;
            }
            steps = here;
            n += 1;
        }
        let steps: Vec<u64> = steps.unwrap_or_default();
        let spans = first.spans_of(&steps, n);
        // Two lines make a range only where that is as clear as the two.
        let clear = n > 2 || first.spans.iter().zip(&steps).all(|(span, &step)| step == 0 || step == span.n);
        let mut row = first.clone();
        match spans.filter(|_| n > 1 && clear) {
            Some(spans) => {
                let sum = (at..at + n).map(|i| lines[i].counted()).sum();
                row.line.pieces.iter_mut().for_each(|piece| {
                    if let Piece::Count(count, _) = piece {
                        *count = sum
                    }
                });
                row.spans = spans;
                row.n = n;
            }
            None => n = 1,
        }
        rows.push(row);
        at += n;
    }
    rows
}

/// How often the first `period` rows come, one sequence after the other; 0 where they are no sequence.
fn times(rows: &[Row], period: usize) -> usize {
    if rows.len() < 3 * period {
        return 0;
    }
    // It does not begin in the middle of something.
    let begins = rows[..period].iter().all(|row| row.line.depth >= rows[0].line.depth);
    // Ranges come of it, whatever the number of times.
    let steps = |at: usize| rows[at].again_at(&rows[at + period]);
    if !begins || !(0..period).all(|i| repeated(&rows[i], &rows[i + period], 2).is_some()) {
        return 0;
    }
    let same =
        (period..rows.len() - period).take_while(|&at| steps(at).is_some_and(|by| Some(by) == steps(at - period)));
    2 + same.count() / period
}

fn repeated(row: &Row, next: &Row, times: usize) -> Option<Row> {
    let spans = row.spans_of(&row.again_at(next)?, times)?;
    Some(Row { spans, again: times, ..row.clone() })
}

impl Row {
    fn of(line: Line) -> Row {
        let number = |piece: &Piece| match *piece {
            Piece::Number(first, n) | Piece::Named(_, first, n) => Some(Span { first, step: u64::from(n > 1), n }),
            _ => None,
        };
        let spans = line.pieces.iter().filter_map(number).collect();
        Row { line, n: 1, again: 1, spans }
    }

    fn counted(&self) -> u64 {
        let count = |piece: &Piece| if let Piece::Count(n, _) = piece { *n } else { 0 };
        self.line.pieces.iter().map(count).sum()
    }

    /// Whether the other differs in numbers alone.
    fn is_like(&self, other: &Row) -> bool {
        let (a, b) = (&self.line, &other.line);
        !a.alone
            && !b.alone
            && (a.who, a.depth, a.pieces.len()) == (b.who, b.depth, b.pieces.len())
            && a.pieces.iter().zip(&b.pieces).all(|pieces| match pieces {
                (Piece::Text(a), Piece::Text(b)) => a == b,
                (Piece::Number(_, n), Piece::Number(_, m)) => n == m,
                (Piece::Named(a, _, n), Piece::Named(b, _, m)) => (a, n) == (b, m),
                (Piece::Count(_, a), Piece::Count(_, b)) => a == b,
                (Piece::Either(_, a), Piece::Either(_, b)) => a == b,
                _ => false,
            })
    }

    fn steps_to(&self, next: &Row) -> Option<Vec<u64>> {
        let step = |(a, b): (&Span, &Span)| b.first.wrapping_sub(a.first);
        self.is_like(next).then(|| self.spans.iter().zip(&next.spans).map(step).collect())
    }

    /// Its numbers, `times` of each, so many steps apart.
    fn spans_of(&self, steps: &[u64], times: usize) -> Option<Vec<Span>> {
        self.spans.iter().zip(steps).map(|(span, &step)| span.repeated(step, times as u64)).collect()
    }

    /// The same for a row that comes again: as long a range, as many things.
    fn again_at(&self, next: &Row) -> Option<Vec<u64>> {
        let shape = |row: &Row| (row.n, row.counted(), row.spans.iter().map(|s| (s.step, s.n)).collect::<Vec<_>>());
        if shape(self) == shape(next) { self.steps_to(next) } else { None }
    }

    /// The line's text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut says_how_many = self.n == 1;
        let mut spans = self.spans.iter();
        for piece in &self.line.pieces {
            let _ = match piece {
                Piece::Text(piece) => write!(text, "{piece}"),
                Piece::Count(n, nouns) => {
                    says_how_many = true;
                    write!(text, "{}", counted(*n, *nouns))
                }
                Piece::Either(alone, _) if self.n * self.again == 1 => write!(text, "{alone}"),
                Piece::Either(_, folded) => write!(text, "{folded}"),
                Piece::Number(..) | Piece::Named(..) => {
                    let Some(span) = spans.next() else { continue };
                    let is_range = span.n > 1 && span.step != 0;
                    says_how_many |= is_range;
                    if let Piece::Named([one, many], ..) = piece {
                        let _ = write!(text, "{} ", if is_range { many } else { one });
                    }
                    write!(text, "{}", span.text())
                }
            };
        }
        if !says_how_many {
            let _ = write!(text, " x{}", self.n);
        }
        text
    }
}
