//! This program's own symbols, read from its file when a child has died: which function an address is in, and which
//! undefined symbol of the tree an address stands for.
//!
//! The link gives what the tree's code lacks an address where nothing is mapped, under the name [`UNDEFINED`] and the
//! symbol's own.

use std::fs::File;
use std::io::{Read, Seek};
use std::sync::OnceLock;

/// The beginning of an undefined symbol's name.
const UNDEFINED: &str = "lz_undefined_";
/// How far apart their addresses are.
const APART: u64 = 1 << 16;

/// Symbols by address.
#[derive(Debug, Default)]
pub struct Symbols(Vec<(u64, u64, String)>);

/// This program's file.
static OWN: OnceLock<Option<File>> = OnceLock::new();

/// Opens this program's file, which may be gone when it is asked for: another run may link the tree anew.
pub fn open() {
    OWN.get_or_init(|| File::open("/proc/self/exe").ok());
}

/// Those of this program; none if its file cannot be read.
pub fn own() -> Symbols {
    open();
    let mut bytes = Vec::new();
    if let Some(Some(mut file)) = OWN.get().map(Option::as_ref) {
        // What was read until an error is no whole file, and `read` says so.
        let _ = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    }
    Symbols(read(&bytes).unwrap_or_default())
}

impl Symbols {
    /// The undefined symbol that an address stands for, with the offset into it.
    pub fn undefined(&self, address: u64) -> Option<String> {
        let (value, name) = self.0.iter().find_map(|(value, _, name)| {
            let name = name.strip_prefix(UNDEFINED)?;
            (address >= *value && address - value < APART).then_some((*value, name))
        })?;
        Some(if address == value { name.to_owned() } else { format!("{name} (+{:#x})", address - value) })
    }

    /// `function+offset` of a code address, or the number alone.
    pub fn function(&self, address: u64) -> String {
        let inside = self.0.iter().find(|(value, size, _)| address >= *value && address - value < *size);
        inside.map_or_else(|| format!("{address:#x}"), |(value, _, name)| format!("{name}+{:#x}", address - value))
    }
}

/// The symbol table of an ELF file of 64 bits: value, size, name.
fn read(file: &[u8]) -> Option<Vec<(u64, u64, String)>> {
    let big = match file.get(4..6)? {
        [2, 1] => false,
        [2, 2] => true,
        _ => return None,
    };
    let number = |at: usize, bytes: usize| -> Option<u64> {
        let bytes = file.get(at..at.checked_add(bytes)?)?;
        let shift = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
        Some(if big { bytes.iter().fold(0, shift) } else { bytes.iter().rev().fold(0, shift) })
    };
    let sections = number(0x28, 8)? as usize;
    let (size, count) = (number(0x3a, 2)? as usize, number(0x3c, 2)? as usize);
    let header = |n: usize| sections + n * size;
    let table = (0..count).map(header).find(|&at| number(at + 4, 4) == Some(2))?;
    let (start, bytes) = (number(table + 0x18, 8)? as usize, number(table + 0x20, 8)? as usize);
    let strings = number(header(number(table + 0x28, 4)? as usize) + 0x18, 8)? as usize;
    let mut symbols = Vec::new();
    for at in (start..start + bytes).step_by(24) {
        let name = file.get(strings + number(at, 4)? as usize..)?;
        let name = &name[..name.iter().position(|&byte| byte == 0)?];
        // One that no section has is somebody else's, or nobody's: it stands for no address.
        if number(at + 6, 2)? != 0 {
            symbols.push((number(at + 8, 8)?, number(at + 16, 8)?, String::from_utf8_lossy(name).into_owned()));
        }
    }
    Some(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_function_of_this_program() {
        // By the file's own numbers: where the test program is loaded is the system's affair. Aliases share a number.
        let symbols = own();
        let (value, size, _) = symbols.0.iter().find(|(_, size, _)| *size > 1).expect("a function with a size");
        let found = symbols.function(value + 1);
        assert!(found.ends_with("+0x1"), "{found} of {value:#x}, {size} bytes");
        assert_eq!(symbols.function(u64::MAX), "0xffffffffffffffff");
    }

    #[test]
    fn an_address_stands_for_what_is_undefined() {
        let symbols =
            Symbols(vec![(0x5000_0000, 0, "lz_undefined_kfree".into()), (0x5001_0000, 0, "lz_undefined_x".into())]);
        assert_eq!(symbols.undefined(0x5000_0000).as_deref(), Some("kfree"));
        assert_eq!(symbols.undefined(0x5001_0008).as_deref(), Some("x (+0x8)"));
        assert_eq!(symbols.undefined(0x5002_0000), None);
    }

    #[test]
    fn what_is_no_such_file_has_no_symbols() {
        assert!(read(b"").is_none());
        assert!(read(&[0x7f, b'E', b'L', b'F', 2, 1]).is_none());
        assert!(read(&[0xff; 200]).is_none());
    }
}
