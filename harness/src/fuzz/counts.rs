//! What the processes of a run exercised: their counts read and added up, and what stayed at zero.
//!
//! Not here: who counts (`lazy_mmu_engine::fuzz::Stats`, through the fuzz package). Called by the supervisor.

use lazy_mmu_engine::fuzz::Description;

/// Counts by name, in the order in which the target prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    lines: Vec<(String, u64)>,
}

/// Names whose counts are not added up but compared: how deep something got.
const DEEPEST: &str = "deepest ";

impl Counts {
    /// Reads one process's: a number, a tab and a name in each line. Lines that are none, of a file that is being
    /// written, are left out.
    #[must_use]
    pub fn parse(text: &str) -> Counts {
        let line = |line: &str| {
            let (count, name) = line.split_once('\t')?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        Counts { lines: text.lines().filter_map(line).collect() }
    }

    /// Adds another process's.
    pub fn add(&mut self, other: &Counts) {
        for (name, count) in &other.lines {
            match self.lines.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) if name.starts_with(DEEPEST) => *sum = (*sum).max(*count),
                Some((_, sum)) => *sum += count,
                None => self.lines.push((name.clone(), *count)),
            }
        }
    }

    /// A count; 0 if nobody counted it.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.lines.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
    }

    /// What the target must meet and did not.
    #[must_use]
    pub fn missing(&self, target: &Description) -> Vec<&'static str> {
        target.kinds.iter().copied().filter(|kind| self.of(kind) == 0).collect()
    }

    /// Every count and its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.lines.iter().map(|(name, count)| (name.as_str(), *count))
    }

    /// The form that [`Counts::parse`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.iter().map(|(name, count)| format!("{count}\t{name}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_depths_do_not() {
        let mut sum = Counts::parse("3\texecutions\n7\tdeepest section\n1\twarnings\n");
        sum.add(&Counts::parse("4\texecutions\n5\tdeepest section\n2\tcuts\nhalf a li"));
        assert_eq!(sum.text(), "7\texecutions\n7\tdeepest section\n1\twarnings\n2\tcuts\n");
        assert_eq!(Counts::parse(&sum.text()), sum);
        assert_eq!((sum.of("cuts"), sum.of("nothing")), (2, 0));
    }

    #[test]
    fn what_stayed_at_zero_is_missing() {
        let target = lazy_mmu_engine::fuzz::find("agent_wire").expect("a target");
        assert_eq!(Counts::default().missing(target), target.kinds);
        let counts = Counts::parse(&format!("1\t{}\n0\t{}\n", target.kinds[0], target.kinds[1]));
        assert_eq!(counts.missing(target), target.kinds[1..]);
    }
}
