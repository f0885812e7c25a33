//! Page frames: who takes one gets the one freed last, so that a translation that was forgotten leads to another's page.
//!
//! Frames below [`FRAMES`] belong to the program's `alloc` and `free`; those of `set` follow. Called by the memory.

use lazy_mmu_program::FRAMES;

/// See the module.
#[derive(Debug, Hash)]
pub(super) struct Frames {
    next: u32,
    free: Vec<u32>,
}

impl Frames {
    pub(super) fn new() -> Frames {
        Frames { next: FRAMES.into(), free: Vec::new() }
    }

    pub(super) fn reset(&mut self) {
        self.next = FRAMES.into();
        self.free.clear();
    }

    /// The first of `n` frames in a row. A single one is the one freed last, unless it shall be a `new` one.
    pub(super) fn take(&mut self, n: u16, new: bool) -> u32 {
        if n == 1
            && !new
            && let Some(frame) = self.free.pop()
        {
            return frame;
        }
        let first = self.next;
        self.next += u32::from(n);
        first
    }

    pub(super) fn free(&mut self, frame: u32) {
        if frame >= FRAMES.into() {
            self.free.push(frame);
        }
    }
}
