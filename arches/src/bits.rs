//! Whether the parts of a word overlap: what makes `|` the way to join them.
//!
//! PTE words, instruction words and operands are fields joined by `|`, which is right as long as no two of them share a
//! bit. Each table of fields says so beside it, by `const _: () = assert!(disjoint(&[...]))`: where that is untrue,
//! nothing compiles. So `^` would join them as well, and a mutant that does so is none.
//!
//! Not here: the fields. Called at compile time, and by unit tests.

/// Whether no two of the masks have a bit in common.
pub(crate) const fn disjoint(masks: &[u64]) -> bool {
    let (mut seen, mut n) = (0, 0);
    while n < masks.len() {
        if seen & masks[n] != 0 {
            return false;
        }
        seen += masks[n]; // no carry: they have no bit in common
        n += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_disjoint_if_no_two_share_a_bit() {
        let yes: [&[u64]; 5] = [&[], &[3], &[1, 2, 4], &[0xf0, 0x0f, 1 << 63], &[0, 1, 0]];
        let no: [&[u64]; 5] = [&[3, 1], &[1, 2, 1], &[1, 2, 4, 6], &[8, 1, 2, 3], &[1 << 63, 1, 1 << 63]];
        for masks in yes {
            assert!(disjoint(masks), "{masks:x?}");
        }
        for masks in no {
            assert!(!disjoint(masks), "{masks:x?}");
        }
    }
}
