//! Addresses and their inverses, and what two batches are told apart by.

extern crate std;

use std::hash::{BuildHasher, RandomState};

use super::*;
use crate::page::{HIGH_PAGE, LINEAR_PAGE, PAGES, SHADOW_PAGE};
use crate::powerpc64::{SLOT_SHIFT, page_at};

const U: Mm = Mm(1);

#[test]
fn addresses_and_their_inverses() {
    for mm in [Mm::KERNEL, U, Mm(255)] {
        for page in 0..PAGES {
            let at = PteRef { mm, page, size: Size::Small };
            let address = virtual_address(at);
            assert_eq!(page_at(mm, address), Some(at));
            assert_eq!(address_space(vpn(mm, address)), Some((mm, address)));
            assert_eq!(virtual_address(PteRef { size: Size::Huge, ..at }), address);
            let low = !mm.is_kernel() && page < HIGH_PAGE;
            assert_eq!(segment(address), if low { Segment::M256 } else { Segment::T1 }, "{address:#x}");
        }
    }
    let kernel = |page| {
        let address = virtual_address(PteRef { mm: Mm::KERNEL, page, size: Size::Small });
        (address, context(Mm::KERNEL, address))
    };
    assert_eq!(kernel(0), (0xc008_0000_0000_0000, 5));
    assert_eq!(kernel(LINEAR_PAGE + 2), (0xc000_0000_0200_0000, 1));
    assert_eq!(kernel(SHADOW_PAGE), (0xc00e_0000_0000_0000, 8));
    assert_eq!((page_at(U, 0), page_at(U, 0xfff_0000_0000)), (None, None));
    assert_eq!((address_space(0), address_space(0x100 << 37)), (None, None));
    // Behind the last page of a region that ends with the last of all.
    for mm in [Mm::KERNEL, U] {
        let last = virtual_address(PteRef { mm, page: PAGES - 1, size: Size::Small });
        assert_eq!(page_at(mm, last + (1 << SLOT_SHIFT)), None);
    }
}

/// CPUs that differ in what the rest of a run depends on are not taken for one another where states are merged; what an
/// entry that is not in use once held is no such thing.
#[test]
fn what_is_in_the_hash() {
    type Change = fn(&TlbBatch);
    let builder = RandomState::new();
    let hash = |entries: u16, change: Change| {
        let batch = TlbBatch::default();
        batch.index.set(entries);
        change(&batch);
        builder.hash_one(&batch)
    };
    let same: Change = |_| ();
    let told: [Change; 6] = [
        same,
        |batch| batch.active.set(true),
        |batch| batch.index.set(1),
        |batch| batch.shape.set(Shape { mm: U, ..batch.shape.get() }),
        |batch| batch.pte[1].set(1),
        |batch| batch.vpn[1].set(1),
    ];
    let hashes = told.map(|change| hash(2, change));
    assert!(hashes.iter().enumerate().all(|(n, one)| !hashes[..n].contains(one)), "{hashes:x?}");
    for change in &told[3..] {
        assert_eq!(hash(0, *change), hash(0, same));
    }
    assert_eq!(hash(1, told[5]), hash(1, same));
}
