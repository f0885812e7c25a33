//! What every subject makes of generated programs.

use lazy_mmu_engine::runner::Runner;
use lazy_mmu_snapshots::generated;

use crate::settings;

#[test]
fn generated_programs_do_what_they_did() {
    settings().bind(|| insta::assert_snapshot!("generated__digests", generated::render(&mut Runner::new())));
}
