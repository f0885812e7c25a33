//! Notes of the batch of powerpc64 hash and of sparc64, for timelines: an entry joined, the batch goes out, an entry went
//! past it. The tree's code says which way a flush goes; that an entry joined is seen by the batch's level.

use std::cell::Cell;

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_border::numbers::{CPUS, entry};

use crate::border::enter;
use crate::tree::Tree;

/// How many entries each CPU's batch had when it was last looked at.
#[derive(Debug, Default)]
pub struct State {
    held: [Cell<u64>; CPUS as usize],
}

impl State {
    /// As after boot.
    pub fn reset(&self) {
        self.held.iter().for_each(|held| held.set(0));
    }
}

/// The update in progress has let go of this CPU's batch, or begins to flush: one entry more joined it.
pub fn look(tree: &Tree) {
    if !matches!(tree.form.mmu, Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v) || !tree.open.get().updating {
        return;
    }
    let cpu = tree.env().cpu();
    let now = enter(entry::DEFERRED, cpu.into(), 0, 0);
    let Some(held) = tree.batch.held.get(usize::from(cpu)) else { return };
    if held.replace(now) < now {
        // The entry was stored before it joined.
        tree.settle();
        tree.env().note(Note::BatchAdd(now as u16));
    }
}

/// `entries` go out, or with 0 one that is in no batch.
pub fn flushes(tree: &Tree, entries: u64) {
    // The entry at hand was stored before its flush.
    tree.settle();
    if entries == 0 {
        tree.env().note(Note::FlushImmediate);
        return;
    }
    look(tree);
    tree.env().note(Note::FlushPending(entries as u16));
    if let Some(held) = tree.batch.held.get(usize::from(tree.env().cpu())) {
        held.set(0);
    }
}
