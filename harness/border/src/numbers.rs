//! The numbers of the border in Rust: those of `include/lazymmu_border.h`, which says what each means. A test compares.
//!
//! Not here: the two functions. Called by the adapter.

/// The header's name of every number, and the number.
#[cfg(test)]
const ALL: &[&[(&str, u64)]] = &[
    TOP,
    size::ALL,
    pte_flag::ALL,
    hook::ALL,
    call::ALL,
    form::ALL,
    api::ALL,
    entry::ALL,
    age::ALL,
    fact::ALL,
    xen::ALL,
    upcall::ALL,
    insn::ALL,
    note::ALL,
];

macro_rules! numbers {
    ($(#[$doc:meta])* $module:ident, $prefix:literal: $($name:ident = $value:expr;)*) => {
        $(#[$doc])*
        pub mod $module {
            $(#[doc = concat!("`LZ_", $prefix, stringify!($name), "` of the header.")]
            pub const $name: u64 = $value;)*
            #[cfg(test)]
            pub(super) const ALL: &[(&str, u64)] = &[$((concat!("LZ_", $prefix, stringify!($name)), $name),)*];
        }
    };
}

/// `LAZYMMU_BORDER_VERSION`
pub const VERSION: u64 = 1;
/// `LAZYMMU_CPUS`
pub const CPUS: u64 = 2;
/// `LAZYMMU_TASKS`
pub const TASKS: u64 = 8;
/// `LAZYMMU_MMS`
pub const MMS: u64 = 3;
/// `LAZYMMU_PAGES`
pub const PAGES: u64 = 2048;
/// `LZ_NOWHERE`
pub const NOWHERE: u64 = u64::MAX;

#[cfg(test)]
const TOP: &[(&str, u64)] = &[
    ("LAZYMMU_BORDER_VERSION", VERSION),
    ("LAZYMMU_CPUS", CPUS),
    ("LAZYMMU_TASKS", TASKS),
    ("LAZYMMU_MMS", MMS),
    ("LAZYMMU_PAGES", PAGES),
];

/// `LZ_AT`: an entry of a page table.
#[must_use]
pub const fn at(mm: u8, page: u16, size: u8) -> u64 {
    (mm as u64) << 24 | (page as u64) << 8 | size as u64
}

/// `LZ_AT` taken apart: address space, page, size class.
#[must_use]
pub const fn at_parts(at: u64) -> (u8, u16, u8) {
    ((at >> 24) as u8, (at >> 8) as u16, at as u8)
}

numbers! {
    /// Size classes.
    size, "":
    SMALL = 0;
    LARGE = 1;
    HUGE = 2;
}

numbers! {
    /// What a PTE says, as bits.
    pte_flag, "":
    VALID = 1;
    WRITE = 2;
    USER = 4;
    EXEC = 8;
    ACCESSED = 16;
    DIRTY = 32;
    HASHED = 64;
}

numbers! {
    /// Hooks.
    hook, "HOOK_":
    ENTER = 0;
    FLUSH = 1;
    LEAVE = 2;
}

numbers! {
    /// Calls of the API.
    call, "CALL_":
    ENABLE = 0;
    DISABLE = 1;
    PAUSE = 2;
    RESUME = 3;
    TASK_PAUSE = 4;
    TASK_RESUME = 5;
}

numbers! {
    /// Backends that an object can be booted as.
    form, "FORM_":
    AARCH64 = 0;
    HASH = 1;
    RADIX = 2;
    SUN4U = 3;
    SUN4V = 4;
    NATIVE = 5;
    XEN = 6;
}

numbers! {
    /// APIs of the mode that a tree can have.
    api, "API_":
    STATELESS = 0;
    V3 = 1;
    V4 = 2;
    COUNTED = 3;
    OTHER = 4;
}

numbers! {
    /// Where Xen PV keeps the mode.
    xen, "XEN_":
    NOWHERE = 0;
    MODE_OF_CPU = 1;
    NESTED = 2;
}

numbers! {
    /// What the machine asks: `lazymmu_enter`.
    entry, "ENTRY_":
    FACT = 0;
    BOOT = 1;
    ARENA = 2;
    RUN = 3;
    FORK = 4;
    RESET_CPUS = 5;
    MM_ON = 6;
    CALL = 7;
    IS_ACTIVE = 8;
    COUNTERS = 9;
    FLUSH = 10;
    SET_PTES = 11;
    CLEAR = 12;
    WRPROTECT = 13;
    GET = 14;
    FLUSH_TLB = 15;
    GATHER_FLUSH = 16;
    MAP_LINEAR = 17;
    START_SWITCH = 18;
    END_SWITCH = 19;
    ARCH_MODE = 20;
    DEFERRED = 21;
    PREEMPT_DEPTH = 22;
    PTE_WORD = 23;
    PTE_FLAGS = 24;
    PTE_FRAME = 25;
    PTE_SIZE = 26;
    TOUCHED = 27;
    ADDRESS = 28;
    PAGE_AT = 29;
    PTE_PLACE = 30;
    GUEST = 31;
    FORGET = 32;
    SETTLE = 33;
    AGE = 34;
}

numbers! {
    /// What is done to access and dirty.
    age, "AGE_":
    TEST_YOUNG = 0;
    FLUSH_YOUNG = 1;
    FAULT = 2;
    CLEAN = 3;
}

numbers! {
    /// Facts of a subject.
    fact, "FACT_":
    BORDER = 0;
    ARCH = 1;
    RELEASE = 2;
    FORMS = 3;
    API = 4;
    TASK_CALLS = 5;
    SHIFTS = 6;
    CAPACITY = 7;
    MODE = 8;
    XEN = 9;
    CONTPTE = 10;
}

numbers! {
    /// What a subject asks: `lazymmu_upcall`.
    upcall, "UP_":
    POINT = 0;
    HOOK = 1;
    NESTED_CALL = 2;
    NESTED_RETURN = 3;
    PREEMPT = 4;
    RESCHED = 5;
    IRQ = 6;
    WARN = 7;
    BUG = 8;
    UNMODELLED = 9;
    INSN = 10;
    HYPERCALL = 11;
    NOTE = 12;
    FLAG = 13;
    PRINT = 14;
    ACCESS = 15;
}

numbers! {
    /// Instructions that a subject tells.
    insn, "INSN_":
    DSB_ISHST = 0;
    DSB_ISH = 1;
    DSB_NSHST = 2;
    DSB_NSH = 3;
    ISB = 4;
    TLBI = 5;
    HPTE_INVALIDATE = 16;
    TLBIE = 17;
    TLBIEL = 18;
    PTESYNC = 19;
    TLBSYNC = 20;
    EIEIO = 21;
    TSB_FLUSH = 32;
    FLUSH_PAGE = 33;
    FLUSH_PENDING = 34;
    FLUSH_KERNEL = 35;
    CROSS_CALL = 36;
    INVLPG = 48;
    MOV_CR3 = 49;
    LOCK_ADD = 50;
    ACT_AS = 51;
}

numbers! {
    /// What became of an update.
    note, "NOTE_":
    MC_FLUSH = 0;
    MC_ISSUE = 1;
    BATCH_ADD = 2;
    BATCH_FLUSH = 3;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The numbers of the header's enums, and of its own constants.
    fn header() -> BTreeMap<String, u64> {
        let header = crate::file("include/lazymmu_border.h").expect("the border");
        let comments = header.split("/*").enumerate();
        let code: String = comments
            .map(|(n, part)| if n == 0 { part } else { part.split_once("*/").map_or("", |(_, rest)| rest) })
            .collect();
        let constants = code.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(char::is_whitespace));
        let constants = constants.filter(|(name, _)| name.starts_with("LAZYMMU_"));
        let items = code.split(['{', '}', ',', '\n']).filter_map(|item| item.split_once('='));
        let all = constants.chain(items.filter(|(name, _)| name.trim().starts_with("LZ_")));
        let all = all.filter_map(|(name, value)| Some((name.trim().to_owned(), value.trim().parse().ok()?)));
        all.filter(|(name, _)| !["LZ_ENTRIES", "LZ_FACTS", "LZ_UPCALLS"].contains(&name.as_str())).collect()
    }

    #[test]
    fn rust_has_the_headers_numbers() {
        let ours: BTreeMap<String, u64> =
            ALL.iter().copied().flatten().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        assert_eq!(ours, header());
        assert!(ours.len() > 100);
    }

    #[test]
    fn an_entry_is_packed_and_unpacked() {
        assert_eq!(at(2, 2047, 1), 2 << 24 | 2047 << 8 | 1);
        assert_eq!(at_parts(at(2, 2047, 1)), (2, 2047, 1));
    }
}
