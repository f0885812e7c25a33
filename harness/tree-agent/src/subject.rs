//! [`Tree`] behind the engine's [`Subject`]: each method is one entry of the border.

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::insn::Isa;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{PteFlags, PteRef, Range, Size};
use lazy_mmu_arches::powerpc64::pte;
use lazy_mmu_border::numbers::entry;
use lazy_mmu_engine::subject::{Env, Subject};
use lazy_mmu_engine::trace::{Call, Counters};

use crate::border::enter;
use crate::tree::{Open, Tree, call_number, packed};
use crate::upcall;
use crate::words::{self, Words};

impl Subject for Tree {
    fn isa(&self) -> Option<Isa> {
        Some(self.form.isa)
    }

    fn mmu(&self) -> Mmu {
        self.form.mmu
    }

    fn has_one_base_size(&self) -> bool {
        self.form.words == Words::Powerpc4k
    }

    fn reset(&self) {
        self.activate();
    }

    fn reset_cpus(&self) {
        enter(entry::RESET_CPUS, 0, 0, 0);
    }

    fn keeps_counters(&self) -> bool {
        self.rules().counters
    }

    fn fork(&self, parent: u8, child: u8) {
        enter(entry::FORK, parent.into(), child.into(), 0);
    }

    fn fingerprint(&self) -> u64 {
        self.digest()
    }

    fn executed(&self) -> u64 {
        0
    }

    fn call(&self, env: &mut dyn Env, call: Call) {
        let (number, task) = call_number(call);
        let about = call.subject_of(env.current());
        let before = self.counters(about);
        self.enter(env, Open::NOTHING, || {
            enter(entry::CALL, number, task.into(), 0);
            // A call that needs no hook has a point between its counter's update and its return all the same.
            if !self.open.get().pointed && self.counters(about) != before {
                upcall::point(self);
            }
        });
    }

    fn is_active(&self, env: &mut dyn Env) -> bool {
        self.enter(env, Open::NOTHING, || enter(entry::IS_ACTIVE, 0, 0, 0) != 0)
    }

    fn counters(&self, task: u8) -> Counters {
        let packed = enter(entry::COUNTERS, task.into(), 0, 0);
        Counters { enable: packed as u8, pause: (packed >> 8) as u8, active: packed >> 16 & 1 == 1 }
    }

    fn flush(&self, env: &mut dyn Env) {
        self.enter(env, Open::NOTHING, || enter(entry::FLUSH, 0, 0, 0));
    }

    fn set_ptes(&self, env: &mut dyn Env, at: PteRef, word: u64, n: u16) {
        let word = self.form.words.meant(word);
        self.enter(env, Open::entries(at, n, true), || {
            enter(entry::SET_PTES, packed(at), word, n.into());
            crate::arm64::after_set(self);
        });
    }

    fn clear_pte(&self, env: &mut dyn Env, at: PteRef) -> u64 {
        let at = self.mapped(env, at);
        let word = self.enter(env, Open::entries(at, 1, true), || enter(entry::CLEAR, packed(at), 0, 0));
        self.form.words.told(self.plain(at, word), at.size)
    }

    fn wrprotect_pte(&self, env: &mut dyn Env, at: PteRef) {
        let at = self.mapped(env, at);
        self.enter(env, Open::entries(at, 1, true), || enter(entry::WRPROTECT, packed(at), 0, 0));
    }

    fn get_pte(&self, env: &mut dyn Env, at: PteRef) -> u64 {
        let at = self.mapped(env, at);
        let word = self.enter(env, Open::entries(at, 1, false), || {
            let word = enter(entry::GET, packed(at), 0, 0);
            self.play_access(at);
            word
        });
        self.form.words.told(self.plain(at, word), at.size)
    }

    fn flush_tlb_range(&self, env: &mut dyn Env, range: Range) {
        self.enter(env, Open::flush(range), || {
            enter(entry::FLUSH_TLB, packed(range.first), range.pages.into(), 0);
        });
    }

    fn gather_flush(&self, env: &mut dyn Env, range: Range) {
        self.enter(env, Open::flush(range), || {
            enter(entry::GATHER_FLUSH, packed(range.first), range.pages.into(), 0);
        });
    }

    fn map_linear_page(&self, env: &mut dyn Env, at: PteRef, word: Option<u64>) {
        let range = Range { first: at, pages: 1 };
        let word = self.form.words.meant(word.unwrap_or(0));
        self.enter(env, Open { flushing: Some(range), ..Open::entries(at, 1, true) }, || {
            enter(entry::MAP_LINEAR, packed(at), word, 0);
        });
    }

    fn start_context_switch(&self, env: &mut dyn Env, prev: u8) {
        self.enter(env, Open::NOTHING, || enter(entry::START_SWITCH, prev.into(), 0, 0));
    }

    fn end_context_switch(&self, env: &mut dyn Env, next: u8) {
        self.enter(env, Open::NOTHING, || enter(entry::END_SWITCH, next.into(), 0, 0));
    }

    fn arch_mode(&self, env: &mut dyn Env) -> Option<bool> {
        self.enter(env, Open::NOTHING, || match enter(entry::ARCH_MODE, 0, 0, 0) {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        })
    }

    fn deferred(&self, cpu: u8, task: u8) -> Deferred {
        let ask = |what| enter(entry::DEFERRED, cpu.into(), task.into(), what);
        let entries = ask(0) as u16;
        Deferred { pending: ask(1) != 0, entries, digest: if entries > 0 { ask(2) } else { 0 } }
    }

    fn guest_load(&self, _: u8, address: u64) -> u64 {
        self.x86.guest_load(address)
    }

    fn guest_store(&self, _: u8, address: u64, value: u64) {
        self.x86.guest_store(address, value);
    }

    fn pte_word(&self, flags: PteFlags, frame: u32, size: Size) -> u64 {
        match self.form.words {
            Words::Machine => enter(entry::PTE_WORD, words::bits(flags), frame.into(), size as u64),
            Words::Powerpc4k => pte::pte_word(flags, frame, size),
        }
    }

    fn pte_flags(&self, word: u64) -> PteFlags {
        match self.form.words {
            Words::Machine => words::flags(enter(entry::PTE_FLAGS, word, 0, 0)),
            Words::Powerpc4k => pte::pte_flags(word),
        }
    }

    fn pte_frame(&self, word: u64) -> u32 {
        match self.form.words {
            Words::Machine => enter(entry::PTE_FRAME, word, 0, 0) as u32,
            Words::Powerpc4k => pte::pte_frame(word),
        }
    }

    fn pte_size(&self, word: u64) -> Size {
        match self.form.words {
            Words::Machine => words::size(enter(entry::PTE_SIZE, word, 0, 0)),
            Words::Powerpc4k => pte::size(word),
        }
    }
}

impl Tree {
    /// The entry by the size that it is mapped with: a walk of page tables finds it so, whatever the program says.
    fn mapped(&self, env: &mut dyn Env, at: PteRef) -> PteRef {
        let word = env.pte_load(at);
        if word == 0 { at } else { PteRef { size: self.pte_size(word), ..at } }
    }
}
