//! The machine's guards as a table: what each mutant of the machine loses, the program that notices it, and in what words.

use std::fmt::Write as _;

use lazy_mmu_engine::guard::GUARDS;
use lazy_mmu_engine::machine::Mutant;

use crate::settings;

#[test]
fn every_mutant_and_its_guards() {
    let mut text = String::new();
    for mutant in Mutant::ALL {
        let _ = writeln!(text, "{mutant:?}");
        for guard in GUARDS.iter().filter(|guard| guard.mutant == mutant) {
            let [one, other] = guard.tells;
            let _ = writeln!(text, "  no longer tells {one} from {other}");
            let _ = writeln!(text, "    {}{}: {}", guard.subject, guard.wrong, guard.shows);
            let _ = writeln!(text, "    {}", guard.program);
        }
    }
    settings().bind(|| insta::assert_snapshot!("guards__table", text));
}
