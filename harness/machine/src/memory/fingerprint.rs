//! Memory as a state of the state space: each entry that was touched, the lists of what is not over, and what each
//! architecture holds besides.
//!
//! Left out is what a reset goes by (which places were used). Lists whose order nobody looks at are put in as sets. Not
//! here: what an architecture's own state is (beside it). Called by the machine's fingerprint.

use std::hash::{Hash, Hasher};

use super::Memory;

impl Memory {
    pub(crate) fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Memory {
            mmu,
            format: _,
            one_base: _,
            mutant: _,
            words: _,
            slots: _,
            used,
            open,
            flushing,
            tlbs: _,
            frames,
            bursts,
            aarch64,
            powerpc64,
            sparc64,
            cpus,
            contexts,
        } = self;
        for slot in as_set(used) {
            self.entry(slot.into(), state);
        }
        // Their order decides which entry a report of several names.
        (mmu, open, flushing, frames, bursts, cpus, contexts).hash(state);
        aarch64.fingerprint(state);
        powerpc64.fingerprint(state);
        sparc64.fingerprint(state);
    }

    /// One entry, unless it is as at boot.
    fn entry<H: Hasher>(&self, slot: usize, state: &mut H) {
        let cached = self.tlbs.each_ref().map(|tlb| tlb.cached(slot));
        let held = (self.aarch64.entry(slot), self.powerpc64.hash_entry(slot), self.sparc64.entry(slot));
        let entry = (self.words[slot], self.slots[slot].without_use(), cached, held);
        if entry != Default::default() {
            (slot, entry).hash(state);
        }
    }
}

/// A list whose order does not matter, in one order, each once.
pub(super) fn as_set<T: Copy + Ord>(list: &[T]) -> Vec<T> {
    let mut set = list.to_vec();
    set.sort_unstable();
    set.dedup();
    set
}
