//! The first lines in which two texts differ, aligned so that a line that is new is not held against its neighbour.
//!
//! Called by whoever compares a text with an expected text.

use std::fmt::Write as _;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Lines that are looked at behind the first difference: texts may be long, and one difference is shown.
const WINDOW: usize = 64;

/// Lines of one side that are printed.
const MOST: usize = 8;

/// The first difference: where it is, the line before, then with `-` what was expected and with `+` what was found.
#[must_use]
pub fn difference(expected: &str, found: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    if same == a.len() && same == b.len() {
        return "no line differs".to_owned();
    }
    let window =
        |lines: &[&str]| -> Vec<String> { lines[same..].iter().take(WINDOW).map(|line| (*line).to_owned()).collect() };
    let (rest_a, rest_b) = (window(&a), window(&b));
    let ops = capture_diff_slices(Algorithm::Myers, &rest_a, &rest_b);
    let changed = ops.iter().take_while(|op| !matches!(op, DiffOp::Equal { .. }));
    let mut text = format!("line {}, - expected, + found", same + 1);
    if let Some(before) = same.checked_sub(1) {
        let _ = write!(text, "\n    {}", a[before]);
    }
    for op in changed {
        side(&mut text, '-', &rest_a[op.old_range()]);
        side(&mut text, '+', &rest_b[op.new_range()]);
    }
    text
}

fn side(text: &mut String, mark: char, lines: &[String]) {
    for line in lines.iter().take(MOST) {
        let _ = write!(text, "\n  {mark} {line}");
    }
    if lines.len() > MOST {
        let _ = write!(text, "\n  {mark} ... {} more", lines.len() - MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "line 2, - expected, + found\n    a\n  - b\n  + x");
        assert_eq!(difference("a\n", "a\nb\n"), "line 2, - expected, + found\n    a\n  + b");
        assert_eq!(difference("a\nb\n", "b\n"), "line 1, - expected, + found\n  - a");
        assert_eq!(difference("a\n", "a"), "no line differs");
    }

    /// A row that is new is not compared with the row behind it.
    #[test]
    fn rows_are_compared_with_themselves() {
        let reviewed = "counted     holds\nnesting     holds\n";
        let now = "counted     breaks I3\ncounted     holds on none\nnesting     holds\n";
        let shown = difference(reviewed, now);
        assert!(!shown.contains("nesting"), "{shown}");
        let rows: Vec<String> = (0..100).map(|n| format!("row {n}")).collect();
        let shown = difference(&format!("{}\n", rows.join("\n")), "row 0\nend\n");
        assert!(shown.ends_with("  - ... 56 more\n  + end"), "{shown}");
    }
}
