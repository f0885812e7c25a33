//! The machine without an MMU of its own: entries are what is the simplest that programs can say.
//!
//! No manual: it stands for any architecture without the mode. Bits 0 to 5 are valid, write, user, exec, accessed and
//! dirty; a 32-bit frame number is above bit 12. There is one page size.

use lazy_mmu_arches::page::Size;

use super::{Format, SizeRow};

const SMALL: SizeRow = (0, 0, Size::Small, 12);

pub(super) const FORMAT: Format = Format {
    valid: 1 << 0,
    write: 1 << 1,
    read_only: 0,
    user: (1 << 2, 1 << 2),
    exec: [(1 << 3, 1 << 3); 2],
    touched: 0,
    frame: 0xffff_ffff << 12,
    inverted: 0,
    sizes: [SMALL; 3],
};
