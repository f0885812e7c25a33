//! Writing over instructions of a relocatable object: some become illegal words, so that user mode traps on them.
//!
//! A barrier does nothing that a user program could see, and qemu-user dies on some privileged instructions instead of
//! delivering a signal. So each of them becomes a word that no processor executes and that holds a number; the
//! adapter's signal handler looks the original up. Nothing moves, and none of these words carries a relocation.
//!
//! What it is not: no linker. It knows the parts of the format (System V ABI, 64-bit ELF) that it needs: the header, the
//! sections' table, and which sections are code.
//!
//! Who calls it: [`super::link`].

use lazy_mmu_border::Trap;

/// Which way the bytes of a word go: `EI_DATA`.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u32(self, bytes: [u8; 4]) -> u32 {
        if matches!(self, Self::Big) { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn u64(self, bytes: [u8; 8]) -> u64 {
        if matches!(self, Self::Big) { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
    }

    fn u16(self, bytes: [u8; 2]) -> u16 {
        if matches!(self, Self::Big) { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn word(self, value: u32) -> [u8; 4] {
        if matches!(self, Self::Big) { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// `e_machine` of the architectures whose instructions are words of four bytes.
const PPC64: u16 = 21;
const SPARCV9: u16 = 43;
const AARCH64: u16 = 183;

/// The illegal word with a number: powerpc opcode 0, sparc `illtrap`, aarch64 `udf`.
fn illegal(machine: u16, number: u32) -> Option<u32> {
    match machine {
        PPC64 if number < 1 << 19 => Some(2 | (number + 1) << 12),
        SPARCV9 if number < 1 << 21 => Some(number + 1),
        AARCH64 if number < 1 << 15 => Some(number + 1),
        _ => None,
    }
}

/// Writes over every word of code that a trap describes; yields the words that stood there, in the order of their
/// numbers. None where this is no object it can read, or of no architecture whose instructions are words.
#[must_use]
pub fn trap(object: &mut [u8], traps: &[Trap]) -> Option<Vec<u32>> {
    const PROGBITS: u32 = 1;
    const EXECINSTR: u64 = 4;
    if object.get(..5)? != b"\x7fELF\x02" {
        return None;
    }
    let order = if *object.get(5)? == 2 { Order::Big } else { Order::Little };
    let machine = order.u16(field(object, 18)?);
    let table = usize::try_from(order.u64(field(object, 40)?)).ok()?;
    let (size, count) = (usize::from(order.u16(field(object, 58)?)), usize::from(order.u16(field(object, 60)?)));
    // More sections than a half word counts: the number is in the first entry (`sh_size`).
    let count = if count == 0 { usize::try_from(order.u64(field(object, table + 32)?)).ok()? } else { count };
    let mut originals = Vec::new();
    for header in (0..count).map(|number| table + number * size) {
        let (kind, flags) = (order.u32(field(object, header + 4)?), order.u64(field(object, header + 8)?));
        if kind != PROGBITS || flags & EXECINSTR == 0 {
            continue;
        }
        let start = usize::try_from(order.u64(field(object, header + 24)?)).ok()?;
        let length = usize::try_from(order.u64(field(object, header + 32)?)).ok()?;
        for word in object.get_mut(start..start + length)?.chunks_exact_mut(4) {
            let original = order.u32(field(word, 0)?);
            if traps.iter().any(|trap| original & trap.mask == trap.value) {
                let number = u32::try_from(originals.len()).ok()?;
                word.copy_from_slice(&order.word(illegal(machine, number)?));
                originals.push(original);
            }
        }
    }
    Some(originals)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTESYNC: Trap = Trap { name: "ptesync", mask: 0xffff_ffff, value: 0x7c40_04ac };

    /// A big-endian object with one section of code and one of data, of the same words.
    fn object(words: &[u32]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x02".to_vec();
        bytes.resize(64, 0);
        bytes[18..20].copy_from_slice(&PPC64.to_be_bytes());
        bytes[40..48].copy_from_slice(&64u64.to_be_bytes());
        bytes[58..60].copy_from_slice(&64u16.to_be_bytes());
        bytes[60..62].copy_from_slice(&2u16.to_be_bytes());
        let length = words.len() as u64 * 4;
        for (flags, start) in [(6u64, 192), (3, 192 + length)] {
            let mut header = vec![0; 64];
            header[4..8].copy_from_slice(&1u32.to_be_bytes());
            header[8..16].copy_from_slice(&flags.to_be_bytes());
            header[24..32].copy_from_slice(&start.to_be_bytes());
            header[32..40].copy_from_slice(&length.to_be_bytes());
            bytes.extend(header);
        }
        let code: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        [bytes, code.clone(), code].concat()
    }

    #[test]
    fn instructions_become_numbers_and_data_stays() {
        let words = [0x6000_0000, PTESYNC.value, 0x7c00_04ac, PTESYNC.value];
        let mut bytes = object(&words);
        assert_eq!(trap(&mut bytes, &[PTESYNC]), Some(vec![PTESYNC.value; 2]));
        let read = |at: usize| u32::from_be_bytes(field(&bytes, 192 + at * 4).expect("a word"));
        assert_eq!([0, 1, 2, 3].map(read), [words[0], 2 | 1 << 12, words[2], 2 | 2 << 12]);
        assert_eq!([4, 5, 6, 7].map(read), words);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let whole = object(&[PTESYNC.value]);
        assert_eq!(trap(&mut [], &[PTESYNC]), None);
        assert_eq!(trap(&mut b"!<arch>\n".to_vec(), &[PTESYNC]), None);
        for length in 6..whole.len() - 4 {
            assert_eq!(trap(&mut whole[..length].to_vec(), &[PTESYNC]), None, "{length} bytes of it");
        }
    }
}
