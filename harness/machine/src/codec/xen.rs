//! Xen's interface to a paravirtual guest: hypercall numbers, the structures that they name, and where they lie.
//!
//! Refs: `xen/include/public/xen.h`: `__HYPERVISOR_*`, `struct mmu_update` (ptr: machine address | type, val: 16 bytes),
//! `struct mmuext_op` (cmd: 32 bits; arg1; arg2: 24 bytes) and its commands, `struct multicall_entry` (op, result, six
//! arguments: 64 bytes), `DOMID_SELF`; `do_mmu_update()`, `do_mmuext_op()`, `do_multicall()` for what is refused.
//! Where the guest's buffer lies is the border's (`Subject::guest_load`): argument bytes from 0, the multicall's entries
//! from 0x1000, an update on the stack at 0x2000. Called by the machine's environment and the memory.

use lazy_mmu_arches::page::{Mm, PAGES, PteRef, Size};

use crate::memory::SPACES;

/// `-EPERM`, `-ESRCH`, `-EINVAL`, `-ENOSYS`, as a hypercall returns them.
pub(crate) const EPERM: u64 = -1i64 as u64;
pub(crate) const ESRCH: u64 = -3i64 as u64;
pub(crate) const EINVAL: u64 = -22i64 as u64;
pub(crate) const ENOSYS: u64 = -38i64 as u64;

/// Bytes of a `struct mmu_update`.
pub(crate) const UPDATE_BYTES: u64 = 16;
/// Bytes of a `struct mmuext_op`, and with the mask of CPUs behind it.
pub(crate) const EXTENDED_BYTES: u64 = 24;
pub(crate) const EXTENDED_WITH_MASK: u64 = EXTENDED_BYTES + 8;
/// Guest address of the update that an immediate PTE write has on its stack.
pub(crate) const ON_STACK: u64 = 0x2000;

/// The domain itself.
const DOMID_SELF: u64 = 0x7ff0;

/// One call of a multicall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `mmu_update`: where the updates lie, and how many.
    Update(u64, u64),
    /// `mmuext_op`: where the operations lie, and how many.
    Extended(u64, u64),
    /// One that fails, and how.
    Refused(u64),
}

/// Guest address of a multicall's entry, and of the result in it.
pub(crate) const fn entry(n: u64) -> u64 {
    0x1000 + 64 * n
}

/// Guest address of an entry's result.
pub(crate) const fn result_of(entry: u64) -> u64 {
    entry + 8
}

/// A multicall's entry: `word` reads its words by number.
pub(crate) fn call(word: impl Fn(u64) -> u64) -> Call {
    let argument = |n: u64| word(2 + n);
    let (array, count, domain) = (argument(0), argument(1), argument(3));
    match word(0) {
        1 | 26 if domain != DOMID_SELF => Call::Refused(ESRCH),
        1 => Call::Update(array, count),
        26 => Call::Extended(array, count),
        _ => Call::Refused(ENOSYS),
    }
}

/// What an update does to the entry that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    /// Stored.
    Store,
    /// Stored, with the accessed and dirty bits of the old entry.
    KeepAccessedDirty,
}

/// `ptr` of an update: the entry that it names and what to do there, or the nearest entry, where it names none: not
/// eight bytes of a page table, or the machine-to-physical table.
pub(crate) fn update(pointer: u64) -> Result<(PteRef, Update), PteRef> {
    let (number, kind) = (pointer >> 3, pointer & 7);
    let (mm, page) = (number >> 16, number as u16);
    let update = match kind {
        0 | 3 => Some(Update::Store),
        2 => Some(Update::KeepAccessedDirty),
        _ => None,
    };
    let at = |mm: u64, page| PteRef { mm: Mm(mm as u8), page, size: Size::Small };
    match update {
        Some(update) if mm < SPACES as u64 && page < PAGES => Ok((at(mm, page), update)),
        _ => Err(at((mm & 0xff) % SPACES as u64, page % PAGES)),
    }
}

/// What an operation flushes, and on which CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flush {
    /// The page's address; everything where there is none.
    pub(crate) address: Option<u64>,
    /// Which CPUs.
    pub(crate) cpus: Cpus,
}

/// Which CPUs an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cpus {
    /// The one that makes the call.
    Own,
    /// Those of the mask at this guest address.
    Mask(u64),
    /// All of them.
    All,
}

/// An `mmuext_op`, if it is a flush: `word` reads its words by number.
pub(crate) fn extended(word: impl Fn(u64) -> u64) -> Option<Flush> {
    let (address, mask) = (word(1), word(2));
    let (page, cpus) = match word(0) as u32 {
        6 => (false, Cpus::Own),
        7 => (true, Cpus::Own),
        8 => (false, Cpus::Mask(mask)),
        9 => (true, Cpus::Mask(mask)),
        10 => (false, Cpus::All),
        11 => (true, Cpus::All),
        _ => return None,
    };
    Some(Flush { address: page.then_some(address), cpus })
}
