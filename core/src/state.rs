//! The state a generation keeps per task.
//!
//! Cells, because an interrupt on the same CPU may read the interrupted task's state between any two
//! instructions; no lock, because only the task itself, or the switch code while the task is off the CPU, writes it.
//! Laid out as in C, so that a kernel built in C and one built in Rust agree on the two bytes.

use core::cell::Cell;

/// `struct lazy_mmu_state` of `include/linux/mm_types_task.h` (7.0 to 7.2): two bytes, both wrapping modulo 256.
#[derive(Debug, Default)]
#[repr(C)]
pub struct LazyMmuState {
    /// How many sections are open: 0 to 255.
    pub enable_count: Cell<u8>,
    /// How many pauses are open: 0 to 255.
    pub pause_count: Cell<u8>,
}

impl LazyMmuState {
    /// Whether PTE updates of the task may be deferred, interrupt context aside.
    #[inline(always)]
    pub fn is_active(&self) -> bool {
        self.enable_count.get() > 0 && self.pause_count.get() == 0
    }
}

/// The state of v3 (`count`, `enabled`) and of v4 (`nesting_level`, `active`): same two fields, other names.
#[derive(Debug, Default)]
#[repr(C)]
pub struct NestingState {
    /// v3 `count`, v4 `nesting_level`: open sections, 0 to 255, wrapping.
    pub count: Cell<u8>,
    /// v3 `enabled`, v4 `active`: whether updates may be deferred.
    pub enabled: Cell<bool>,
}

impl NestingState {
    /// A section is open and was paused: the state in which v3 and v4 warn on every call but `resume`.
    #[inline(always)]
    pub fn is_paused(&self) -> bool {
        self.count.get() > 0 && !self.enabled.get()
    }
}
