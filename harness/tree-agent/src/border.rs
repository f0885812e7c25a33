//! The two functions of the border, with safe faces. Everything that crosses is numbers.
//!
//! Not here: what the numbers mean (`lazy_mmu_border::numbers`), and who answers an upcall (`upcall`).

use std::ffi::{CStr, c_char};

use lazy_mmu_border::numbers::entry;

// SAFETY: the glue defines it so (`lazymmu_border.h`); the tests define their own.
unsafe extern "C" {
    fn lazymmu_enter(entry: u64, a: u64, b: u64, c: u64, d: u64) -> u64;
}

/// Asks the subject. Arguments are in the ranges that the header names: the machine sees to it.
#[inline]
pub fn enter(entry: u64, a: u64, b: u64, c: u64) -> u64 {
    // SAFETY: the other side keeps to the header: it takes numbers, touches its own memory, and comes back here once.
    unsafe { lazymmu_enter(entry, a, b, c, 0) }
}

/// A fact that is a text.
pub fn text_fact(which: u64) -> String {
    text(enter(entry::FACT, which, 0, 0))
}

/// A text of the subject's: a constant of its objects, or empty.
pub fn text(pointer: u64) -> String {
    if pointer == 0 {
        return String::new();
    }
    // SAFETY: the header says that such a number points to a C string, which lives as long as the program.
    unsafe { CStr::from_ptr(pointer as *const c_char) }.to_string_lossy().into_owned()
}

/// Where a WARN or BUG stands: `struct lz_site`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, from the tree's root.
    pub file: String,
    /// The function.
    pub function: String,
    /// What was asked.
    pub condition: String,
    /// The line.
    pub line: u64,
}

/// Reads a `struct lz_site`.
pub fn place(pointer: u64) -> Place {
    let words = read_words::<4>(pointer);
    let file = text(words[0]);
    let file = file.strip_prefix("./").unwrap_or(&file).to_owned();
    Place { file, function: text(words[1]), condition: text(words[2]), line: words[3] }
}

/// Reads words of the subject's memory, whose address the subject has just given.
pub fn read_words<const N: usize>(pointer: u64) -> [u64; N] {
    // SAFETY: the subject names memory of its own by this address, as long as its upcall lasts.
    std::array::from_fn(|n| unsafe { (pointer as *const u64).add(n).read_unaligned() })
}

/// Reads one word of the subject's memory: a table entry, or what a hypercall names.
#[inline]
pub fn read(pointer: u64) -> u64 {
    // SAFETY: the subject has named memory of its own by this address; nothing else writes it meanwhile.
    unsafe { (pointer as *const u64).read_volatile() }
}

/// Writes one word there.
#[inline]
pub fn write(pointer: u64, word: u64) {
    // SAFETY: as for `read`.
    unsafe { (pointer as *mut u64).write_volatile(word) }
}
