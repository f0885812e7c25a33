//! The machine makes every difference; a mutant of it is noticed by its guards, in their words.

use std::collections::BTreeSet;

use super::*;

#[test]
fn the_machine_makes_every_difference() {
    assert_eq!(check_all(), (GUARDS.len(), vec![]));
}

/// Each mutant fails every guard that names it, and the message says what is no longer told apart.
#[test]
fn every_mutant_is_noticed_by_its_guards() {
    let mut machine = Machine::new();
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        machine.mutate(Some(mutant));
        let own: Vec<&Guard> = GUARDS.iter().filter(|guard| guard.mutant == mutant).collect();
        assert!(!own.is_empty(), "{mutant:?} has no guard");
        for guard in own {
            let [one, other] = guard.tells;
            match guard.check(&mut machine) {
                Ok(()) => missed.push(format!("{mutant:?}: {} on {}", guard.program, guard.subject)),
                Err(message) => {
                    assert!(message.starts_with(&format!("the machine no longer tells {one} from {other}: ")));
                }
            }
        }
    }
    assert!(missed.is_empty(), "not noticed:\n{}", missed.join("\n"));
}

#[test]
fn no_two_guards_say_the_same() {
    let said: BTreeSet<[&str; 2]> = GUARDS.iter().map(|guard| guard.tells).collect();
    assert_eq!(said.len(), GUARDS.len());
    assert!(Mutant::ALL.len() >= 25);
}

/// What was taken away comes back.
#[test]
fn a_machine_can_be_given_back_what_it_lost() {
    let mut machine = Machine::new();
    let guard = &GUARDS[0];
    assert_eq!(guard.check(&mut machine), Ok(()));
    machine.mutate(Some(guard.mutant));
    assert!(guard.check(&mut machine).is_err());
    machine.mutate(None);
    assert_eq!(guard.check(&mut machine), Ok(()));
}
