//! What goes out to the hardware in one go, counted: between two stores of PTEs, or between two operations.
//!
//! Counts, sizes and whose entries they were; not whether that was allowed. Called by the architectures' rules.

use lazy_mmu_arches::page::{Mm, PteRef, Size};

use lazy_mmu_abi::trace::Burst;

/// What the entries of a batch have in common: address space, page size, and the segment's where there are segments.
pub(super) type Shape = (Mm, Size, u8);

/// See the module.
#[derive(Debug, Default, Hash)]
pub(super) struct Bursts {
    burst: Burst,
    begun: bool,
    /// TLBs are being told: whatever is taken out of a table next belongs to another batch.
    told: bool,
    shape: Option<Shape>,
    /// Bit per address space and per size, where an entry's shape is not known in one piece.
    spaces: u8,
    sizes: u8,
    /// The entry at hand, and the size it had.
    at_hand: Option<(PteRef, Size)>,
}

impl Bursts {
    pub(super) fn is_empty(&self) -> bool {
        !self.begun
    }

    pub(super) fn take(&mut self) -> Option<Burst> {
        if !self.begun {
            return None;
        }
        self.begun = false;
        self.told = false;
        self.shape = None;
        let (spaces, sizes) = (std::mem::take(&mut self.spaces), std::mem::take(&mut self.sizes));
        if spaces != 0 {
            self.burst.mixed |= !spaces.is_power_of_two() || !sizes.is_power_of_two();
            let at_hand = self.at_hand.map(|(at, size)| (1 << at.mm.0, 1 << size as u8));
            self.burst.other |= at_hand.is_some_and(|at_hand| at_hand != (spaces, sizes));
        }
        Some(std::mem::take(&mut self.burst))
    }

    /// TLBs are told of the batch.
    pub(super) fn tell(&mut self) {
        self.told = true;
    }

    pub(super) fn is_told(&self) -> bool {
        self.told
    }

    pub(super) fn nothing_at_hand(&mut self) {
        self.at_hand = None;
    }

    /// An entry, which had this size, is stored: what goes out from here on goes out because of it.
    pub(super) fn store(&mut self, at: PteRef, size: Size) {
        self.at_hand = Some((at, size));
    }

    /// The CPU's registers are not as the stream found them.
    pub(super) fn borrowed(&mut self) {
        self.begun = true;
        self.burst.borrowed = true;
    }

    /// The hardware was told of so many more updates than came.
    pub(super) fn announced(&mut self, n: u16) {
        self.begun = true;
        self.burst.surplus = self.burst.surplus.saturating_add(n);
    }

    /// So many updates go out.
    pub(super) fn updates(&mut self, n: u16, surplus: bool) {
        self.begun = true;
        self.burst.updates = self.burst.updates.saturating_add(n);
        self.burst.surplus = self.burst.surplus.saturating_add(u16::from(surplus));
    }

    /// They are of this shape; `segment` tells the shape of the entry at hand.
    pub(super) fn shape(&mut self, shape: Shape, segment: impl Fn(PteRef) -> u8) {
        self.begun = true;
        self.burst.mixed |= *self.shape.get_or_insert(shape) != shape;
        if let Some((at, size)) = self.at_hand {
            self.burst.other |= (at.mm, size, segment(at)) != shape;
        }
    }

    /// An entry of this address space goes out, of this size if that is known already.
    pub(super) fn entry_of(&mut self, mm: Mm, size: Option<Size>) {
        self.begun = true;
        self.spaces |= 1 << mm.0;
        if let Some(size) = size {
            self.size(size);
        }
    }

    /// An entry that went out was of this size.
    pub(super) fn size(&mut self, size: Size) {
        self.sizes |= 1 << size as u8;
    }

    /// Barriers, which made so many updates visible.
    pub(super) fn barriers(&mut self, updates: u16) {
        self.begun = true;
        self.burst.updates += updates;
        self.burst.idle = self.burst.updates == 0;
    }

    /// Whether all that went out were updates that never were in a buffer.
    pub(super) fn is_immediate(&self) -> bool {
        self.begun && self.burst.calls > 0 && self.burst.bytes <= 1
    }

    /// A hypercall; one byte of arguments is said of an update that never was in a buffer.
    pub(super) fn call(&mut self, entries: u8, bytes: u16) {
        self.begun = true;
        self.burst.calls = self.burst.calls.saturating_add(1);
        self.burst.entries = self.burst.entries.max(entries);
        self.burst.bytes = self.burst.bytes.max(bytes);
        self.burst.idle |= entries == 0 || bytes == 0;
    }
}
