//! Addresses and their inverses, and what two batches are told apart by.

extern crate std;

use std::hash::{BuildHasher, RandomState};

use super::*;
use crate::page::{HIGH_PAGE, LINEAR_PAGE, PAGES, SHADOW_PAGE};
use crate::sparc64::{SLOT_SHIFT, page_at, page_shift};

const U: Mm = Mm(1);

#[test]
fn addresses_and_their_inverses() {
    for mm in [Mm::KERNEL, U, Mm(255)] {
        for page in 0..PAGES {
            for size in [Size::Small, Size::Large, Size::Huge] {
                let at = PteRef { mm, page, size };
                let address = virtual_address(at);
                assert_eq!(address % (1 << page_shift(size)), 0);
                assert_eq!(page_at(mm, address), Some(PteRef { size: Size::Small, ..at }));
                assert_eq!(address >= 1 << 40, page >= HIGH_PAGE, "{address:#x}");
            }
        }
        assert_eq!(context(mm), u64::from(mm.0));
    }
    let at = |mm, page, size| virtual_address(PteRef { mm, page, size });
    assert_eq!(at(U, 9, Size::Small), 0x7481_2000);
    assert_eq!(at(U, 9, Size::Large), 0x7481_0000);
    assert_eq!(at(U, 9, Size::Huge), 0x7480_0000);
    assert_eq!(at(Mm::KERNEL, 0, Size::Small), 0x1_0000_0000);
    assert_eq!(at(Mm::KERNEL, LINEAR_PAGE, Size::Small), 0xffff_f800_0000_0000);
    assert_eq!(at(Mm::KERNEL, SHADOW_PAGE, Size::Small), 0xffff_fc00_0000_0000);
    assert_eq!((page_at(U, 0), page_at(U, 0xfff_0000_0000)), (None, None));
    // Behind the last page of a region that ends with the last of all.
    for mm in [Mm::KERNEL, U] {
        assert_eq!(page_at(mm, at(mm, PAGES - 1, Size::Huge) + (1 << SLOT_SHIFT)), None);
    }
    // Neighbours do not meet in a TSB of 512 entries.
    let index = |page| decode::tsb_index(at(U, page, Size::Small), 13, 512);
    assert!((1..512).all(|page| index(page) != index(page - 1)));
}

/// CPUs that differ in what the rest of a run depends on are not taken for one another where states are merged; what an
/// entry that is not in use once held is no such thing.
#[test]
fn what_is_in_the_hash() {
    type Change = fn(&TlbBatch);
    let builder = RandomState::new();
    let hash = |entries: u16, change: Change| {
        let batch = TlbBatch::default();
        batch.tlb_nr.set(entries);
        change(&batch);
        builder.hash_one(&batch)
    };
    let same: Change = |_| ();
    let told: [Change; 6] = [
        same,
        |batch| batch.active.set(true),
        |batch| batch.tlb_nr.set(1),
        |batch| batch.mm.set(U),
        |batch| batch.hugepage_shift.set(REAL_HPAGE_SHIFT),
        |batch| batch.vaddrs[1].set(1),
    ];
    let hashes = told.map(|change| hash(2, change));
    assert!(hashes.iter().enumerate().all(|(n, one)| !hashes[..n].contains(one)), "{hashes:x?}");
    for change in &told[3..] {
        assert_eq!(hash(0, *change), hash(0, same));
    }
    assert_eq!(hash(1, told[5]), hash(1, same));
}
