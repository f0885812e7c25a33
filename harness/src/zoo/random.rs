//! A searcher for comparison: programs drawn freely, one after the other, with nothing learnt from any.
//!
//! What is drawn is the engine's ([`generate::any`]): half of the operations are calls, pages are near each other. That is
//! kinder than uniform records would be. Called by the hunt.

use lazy_mmu_engine::program::generate::{Random, any};

use super::hunt::Search;

/// Operations of the longest program.
pub const LONGEST: u32 = 64;

/// Draws programs until the search is over.
pub fn search(search: &mut Search, seed: u32) {
    let mut random = Random::new(seed.into());
    loop {
        let length = 1 + random.below(LONGEST) as usize;
        if search.look(&any(random.next(), length)).is_break() {
            return;
        }
    }
}
