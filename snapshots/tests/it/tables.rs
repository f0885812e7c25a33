//! The transition table of each generation.

use lazy_mmu_engine::registry::GenerationName;
use lazy_mmu_engine::table;

use crate::settings;

#[test]
fn transition_tables_are_as_reviewed() {
    for generation in GenerationName::ALL {
        let name = format!("table__{}", generation.name());
        settings().bind(|| insta::assert_snapshot!(name, table::render(generation)));
    }
}
