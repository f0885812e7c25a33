//! The machine's guards: whether it still makes the differences that verdicts rest on ([`lazy_mmu_engine::guard`]).
//!
//! They run on the host, before anything is believed; a target comes to the same events as the host. Not here: the
//! guards, and what they say. Called by [`super::expected`].

use lazy_mmu_engine::guard::{GUARDS, Guard};
use lazy_mmu_engine::machine::Machine;

use super::{Cell, Failure};

/// Checks every guard: a case for each backend that they run on.
#[must_use]
pub fn check(mut machine: Machine) -> Cell {
    let mut cell = Cell::default();
    for guard in GUARDS {
        let held = guard.check(&mut machine);
        let case = cell.case(backend(guard));
        case.count += 1;
        if let Err(message) = held {
            case.fail(Failure::plain(message));
        }
    }
    cell
}

/// What came of them in a line.
#[must_use]
pub fn summary(cell: &Cell) -> String {
    let failed: u64 = cell.cases.iter().map(|case| case.failed).sum();
    match failed {
        0 => format!("machine: {} guards, each difference is made", GUARDS.len()),
        failed => {
            format!("machine: {failed} of {} guards FAILED: no verdict of this check can be believed", GUARDS.len())
        }
    }
}

fn backend(guard: &Guard) -> &'static str {
    guard.subject.split_once('/').map_or(guard.subject, |(_, backend)| backend)
}

#[cfg(test)]
mod tests {
    use lazy_mmu_engine::machine::Mutant;

    use super::*;

    #[test]
    fn the_machine_of_this_build_makes_every_difference() {
        let cell = check(Machine::new());
        assert_eq!(cell.cases.iter().map(|case| case.count).sum::<u64>(), GUARDS.len() as u64);
        assert!(cell.cases.iter().all(super::super::Case::holds), "{:?}", cell.cases);
        assert_eq!(summary(&cell), format!("machine: {} guards, each difference is made", GUARDS.len()));
    }

    /// A machine that has lost something fails the check, in the words of a guard of that.
    #[test]
    fn a_machine_that_lost_something_fails_the_check() {
        for mutant in Mutant::ALL {
            let mut machine = Machine::new();
            machine.mutate(Some(mutant));
            let cell = check(machine);
            let failures: Vec<_> = cell.cases.iter().flat_map(|case| &case.failures).collect();
            let own = GUARDS.iter().filter(|guard| guard.mutant == mutant).map(|guard| guard.tells);
            for [one, other] in own {
                let words = format!("the machine no longer tells {one} from {other}: ");
                assert!(failures.iter().any(|failure| failure.what.starts_with(&words)), "{mutant:?}: {words}");
            }
            assert!(summary(&cell).contains("FAILED"));
        }
    }
}
