//! What single operations become in C: the table in [`super`], line by line.
//!
//! Blocks, comments and expectations are `emit`'s. Called by the emitter, for operations that the case does itself.

use lazy_mmu_arches::page::{Mm, Size};

use super::emit::Emitter;
use super::facts::{OWN, Seen};
use super::pages::{NONE, pages};
use crate::program::{Allocation, Op, Pages, Protection};

impl Emitter<'_> {
    pub(super) fn operation(&mut self, at: usize, op: Op) {
        match op {
            Op::Enable | Op::Disable | Op::Pause | Op::Resume => self.call(at, op),
            Op::TaskPause(OWN) | Op::TaskResume(OWN) => self.call(at, op),
            Op::TaskQuery(OWN) => {
                if let Some(answer) = self.answer(at) {
                    self.expect(answer, "__task_lazy_mmu_mode_active(current)");
                }
            }
            Op::TaskPause(_) | Op::TaskResume(_) | Op::TaskQuery(_) => {
                self.lack("calls about a task that is switched out");
                self.comment(op, "another task's counters");
            }
            Op::Query => match self.answer(at) {
                Some(answer) => self.expect(answer, "is_lazy_mmu_mode_active()"),
                None => self.line("is_lazy_mmu_mode_active();"),
            },
            Op::Flush => self.line("arch_flush_lazy_mmu_mode();"),
            Op::Switch(_) | Op::Preempt(_) => {
                self.need_helpers();
                self.line(&format!("lmm_switch(); /* {op} */"));
            }
            Op::Migrate(..) => self.not_here(op, "migrations of tasks"),
            Op::Fork(_) | Op::Exit(_) => self.not_here(op, "tasks that are born or end"),
            Op::Cpu(cpu) => self.line(&format!("/* CPU {cpu} from here on */")),
            Op::Fault(_) => self.not_here(op, "kernel faults that set an entry"),
            _ if pages(op).is_some() => self.on_pages(at, op),
            _ => self.plain(op),
        }
    }

    fn not_here(&mut self, op: Op, what: &str) {
        self.lack(what);
        self.comment(op, "not here");
    }

    /// A call, the query, and the counter that the call is about.
    fn call(&mut self, at: usize, op: Op) {
        let fact = &self.facts.each[at];
        let (after, warns) = (fact.after.always(), fact.warns);
        let line = match op {
            Op::Enable => "lazy_mmu_mode_enable();",
            Op::Disable => "lazy_mmu_mode_disable();",
            Op::Pause => "lazy_mmu_mode_pause();",
            Op::Resume => "lazy_mmu_mode_resume();",
            Op::TaskPause(_) => "__task_lazy_mmu_mode_pause(current);",
            _ => "__task_lazy_mmu_mode_resume(current);",
        };
        self.line(&format!("{line}{}", if warns { " /* warns, under DEBUG_VM */" } else { "" }));
        let Some((enable, pause, active)) = after.filter(|_| self.facts.agreed) else { return };
        self.expect(active, "is_lazy_mmu_mode_active()");
        if matches!(op, Op::Enable | Op::Disable) {
            self.expect_eq("current->lazy_mmu_state.enable_count", enable.into());
        } else {
            self.expect_eq("current->lazy_mmu_state.pause_count", pause.into());
        }
    }

    fn answer(&self, at: usize) -> Option<bool> {
        self.facts.each[at].answer.always().filter(|_| self.facts.agreed)
    }

    /// The kernel has a function of that name, or nearly.
    fn plain(&mut self, op: Op) {
        let line = match op {
            Op::BhOff => "local_bh_disable();".to_owned(),
            Op::BhOn => "local_bh_enable();".to_owned(),
            Op::PreemptOff => "preempt_disable();".to_owned(),
            Op::PreemptOn => "preempt_enable();".to_owned(),
            _ => {
                self.need_helpers();
                match op {
                    Op::Kmap(_) => "lmm_kmap();".to_owned(),
                    Op::Kunmap(_) => "lmm_kunmap();".to_owned(),
                    Op::Sleep => "lmm_switch(); /* sleep */".to_owned(),
                    Op::Lock(lock) => format!("spin_lock(&lmm_lock[{lock}]);"),
                    Op::Unlock(lock) => format!("spin_unlock(&lmm_lock[{lock}]);"),
                    Op::MutexLock => "mutex_lock(&lmm_mutex);".to_owned(),
                    Op::MutexUnlock => "mutex_unlock(&lmm_mutex);".to_owned(),
                    Op::IrqOff => "lmm_irq_disable();".to_owned(),
                    Op::IrqOn => "lmm_irq_enable();".to_owned(),
                    Op::Alloc(frame, how) => {
                        let gfp = if how == Allocation::Sleep { "GFP_KERNEL" } else { "GFP_ATOMIC" };
                        format!("lmm_alloc({}, {gfp});{}", self.scratch.frame(frame), debug(how))
                    }
                    Op::Free(frame, how) => format!("lmm_free({});{}", self.scratch.frame(frame), debug(how)),
                    other => format!("/* {other} */"),
                }
            }
        };
        self.scratch.forget(op);
        self.line(&line);
    }

    fn on_pages(&mut self, at: usize, op: Op) {
        let Some(all) = pages(op) else { return };
        if all.mm.0 > 1 {
            return self.not_here(op, "a second user address space");
        }
        if all.count == 0 {
            return self.line(&format!("/* no pages: {op} */"));
        }
        if all.size != Size::Small {
            if self.added[at] {
                return;
            }
            self.stand_in("sizes other than small");
            self.line(&format!("/* small pages stand for: {op} */"));
        }
        self.need_helpers();
        match op {
            Op::Get(_) | Op::RawGet(_) | Op::Access(_) => self.look(at, op, all),
            _ => self.change(op, all),
        }
    }

    /// An operation that changes entries, or flushes what is cached of them.
    fn change(&mut self, op: Op, all: Pages) {
        let range = range(all);
        let frame = self.sets % 2;
        for (first, n) in self.scratch.runs(all) {
            let line = match op {
                Op::Set(_, Protection::Invalid) => format!("lmm_set_invalid({range}, {first}, {n});"),
                Op::Set(_, protection) => {
                    format!("lmm_set({range}, {first}, {n}, {frame}, {});", pgprot(all.mm, protection))
                }
                Op::Clear(_) => format!("lmm_clear({range}, {first}, {n});"),
                Op::Wrprotect(_) => format!("lmm_wrprotect({range}, {first}, {n});"),
                Op::TlbFlush(_) => format!("lmm_flush_tlb({range}, {first}, {n});"),
                Op::GatherFlush(_) => format!("lmm_flush_tlb({range}, {first}, {n}); /* nothing is freed */"),
                Op::KasanPopulate(_) => format!("lmm_kasan({first}, {n}, true);"),
                Op::KasanDepopulate(_) => format!("lmm_kasan({first}, {n}, false);"),
                other => format!("/* {other} */"),
            };
            self.line(&line);
        }
        match op {
            Op::Set(_, Protection::Invalid) | Op::Clear(_) => self.scratch.lead(all, |_| Some(NONE)),
            Op::Set(..) => {
                self.sets += 1;
                self.scratch.lead(all, |_| Some(frame));
            }
            Op::KasanPopulate(_) => self.scratch.lead(all, |before| before.map(|led| led.max(0))),
            // An entry that is not present is not none.
            Op::KasanDepopulate(_) => self.scratch.lead(all, |before| before.map(|_| NONE)),
            _ => {}
        }
    }

    /// An operation that looks at entries: expected is what the case made of them, where every backend has it in effect.
    fn look(&mut self, at: usize, op: Op, all: Pages) {
        let range = range(all);
        let fact = &self.facts.each[at];
        let stable = fact.task == Seen::Same(OWN);
        let led: Vec<Option<i32>> = (self.scratch.led(all).into_iter().enumerate())
            .map(|(n, led)| led.filter(|led| stable && fact.shows(n) == Some(*led != NONE)))
            .collect();
        let mut n = 0;
        for (first, count) in self.scratch.runs(all) {
            let mut place = first;
            let end = first + usize::from(count);
            while place < end {
                let expected = led.get(n).copied().flatten();
                let same = led[n..].iter().take(end - place).take_while(|led| **led == expected).count().max(1);
                let look = match op {
                    Op::Access(_) => format!("lmm_access({range}, {place}, {same})"),
                    op => format!("lmm_get({range}, {place}, {same}, {})", matches!(op, Op::RawGet(_))),
                };
                match expected {
                    Some(frame) => self.expect_eq(&look, frame),
                    None if self.added[at] => {}
                    None => self.line(&format!("{look}; /* old or new */")),
                }
                (place, n) = (place + same, n + same);
            }
        }
    }
}

fn range(pages: Pages) -> &'static str {
    if pages.mm == Mm::KERNEL { "&lmm.k" } else { "&lmm.u" }
}

fn debug(how: Allocation) -> &'static str {
    if how == Allocation::Debug { " /* under CONFIG_DEBUG_PAGEALLOC */" } else { "" }
}

fn pgprot(mm: Mm, protection: Protection) -> &'static str {
    match (mm == Mm::KERNEL, protection) {
        (true, Protection::Read) => "PAGE_KERNEL_RO",
        (true, Protection::Exec) => "PAGE_KERNEL_EXEC",
        (true, _) => "PAGE_KERNEL",
        (false, Protection::Read) => "PAGE_READONLY",
        (false, Protection::Exec) => "PAGE_SHARED_EXEC",
        (false, _) => "PAGE_SHARED",
    }
}
