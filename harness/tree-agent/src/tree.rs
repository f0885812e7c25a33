//! [`Tree`]: one form of a tree's code, and what is known of the call that is in progress.
//!
//! The tree's code works on tables of its own memory. Before a call the entries that the call names are loaded from the
//! machine; at each upcall and at the return they are compared with what was loaded, and what differs is a store. Nobody
//! else runs between two upcalls, so nothing visible is lost. Not seen: a store of the word that is there already, and two
//! stores to one entry between two upcalls.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use lazy_mmu_arches::insn::Isa;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PAGES, PteRef, Range, Size};
use lazy_mmu_border::numbers::{self, api, call, entry, form, pte_flag};
use lazy_mmu_engine::contract::{Room, Rules};
use lazy_mmu_engine::subject::Env;
use lazy_mmu_engine::trace::{Call, Complaint, Hook, Site};

use crate::border::{enter, read};
use crate::state::{Arenas, Facts, Image};
use crate::words::{self, Words};

/// A form: its name, what it drives, and the architecture's part of the adapter.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// `FORM_*`
    pub number: u64,
    /// What follows `tree/` in the subject's name.
    pub name: &'static str,
    /// The MMU.
    pub mmu: Mmu,
    /// Whose instructions.
    pub isa: Isa,
    /// Whose layout its words have.
    pub words: Words,
}

/// What ends the names of forms whose kernel has 4K pages.
const OF_4K: &str = "-4k";

impl Form {
    /// Our Rust's backend that is compared with it: the page size of a kernel makes no other.
    pub fn backend(&self) -> &'static str {
        self.name.strip_suffix(OF_4K).unwrap_or(self.name)
    }

    /// Whether objects that say this of themselves have it.
    pub fn is_of(&self, facts: &Facts) -> bool {
        let is_4k = self.isa == Isa::Powerpc64 && facts.shifts[0] == 12;
        facts.forms >> self.number & 1 == 1 && is_4k == (self.words == Words::Powerpc4k)
    }
}

/// All forms, in the order of their numbers.
pub const FORMS: [Form; 9] = [
    form(form::AARCH64, "aarch64", Mmu::Aarch64, Isa::Aarch64),
    form(form::HASH, "powerpc64-hash", Mmu::Hash, Isa::Powerpc64),
    form(form::RADIX, "powerpc64-radix", Mmu::Radix, Isa::Powerpc64),
    of_4k(form(form::HASH, "powerpc64-hash-4k", Mmu::Hash, Isa::Powerpc64)),
    of_4k(form(form::RADIX, "powerpc64-radix-4k", Mmu::Radix, Isa::Powerpc64)),
    form(form::SUN4U, "sparc64", Mmu::Sun4u, Isa::Sparc64),
    form(form::SUN4V, "sparc64-sun4v", Mmu::Sun4v, Isa::Sparc64),
    form(form::NATIVE, "native", Mmu::Native, Isa::X86_64),
    form(form::XEN, "xen", Mmu::Xen, Isa::X86_64),
];

const fn form(number: u64, name: &'static str, mmu: Mmu, isa: Isa) -> Form {
    Form { number, name, mmu, isa, words: Words::Machine }
}

const fn of_4k(form: Form) -> Form {
    Form { words: Words::Powerpc4k, ..form }
}

/// The call in progress: which entries it may touch, and what it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open {
    /// The first entry that it names.
    pub at: Option<PteRef>,
    /// How many.
    pub pages: u16,
    /// It changes entries.
    pub updating: bool,
    /// What it flushes.
    pub flushing: Option<Range>,
    /// The point between its halves has come.
    pub pointed: bool,
    /// The hook that was called last in it.
    pub hook: Option<Hook>,
    /// The preempt_disable() depth that it began with.
    pub depth: i64,
    /// A BUG has ended it.
    pub died: bool,
}

impl Open {
    /// A call that names no entry.
    pub const NOTHING: Open =
        Open { at: None, pages: 0, updating: false, flushing: None, pointed: false, hook: None, depth: 0, died: false };

    /// A call that changes entries from `at` on, or reads them.
    pub fn entries(at: PteRef, pages: u16, updating: bool) -> Open {
        Open { at: Some(at), pages, updating, ..Open::NOTHING }
    }

    /// A flush.
    pub fn flush(range: Range) -> Open {
        Open { flushing: Some(range), ..Open::NOTHING }
    }

    /// The user's address space it is about.
    pub fn about(&self) -> Option<Mm> {
        let mm = self.at.map_or_else(|| self.flushing.map(|range| range.first.mm), |at| Some(at.mm));
        mm.filter(|mm| !mm.is_kernel())
    }
}

/// A form of a tree's code as a subject of the engine. One thread uses it; of several forms one is active at a time.
pub struct Tree {
    /// Which form.
    pub form: Form,
    /// What the tree has.
    pub facts: Facts,
    arenas: Arenas,
    booted: Image,
    /// Where each entry lies: by address space, size class, page.
    places: Box<[u64]>,
    env: Cell<Option<NonNull<dyn Env>>>,
    /// The call in progress.
    pub open: Cell<Open>,
    /// The words of its entries as they were loaded or last told.
    known: Box<[Cell<u64>]>,
    /// The preempt_disable() depth that the machine knows of.
    told: Cell<i64>,
    /// Entries that this run has loaded, each once: as `LZ_AT`.
    used: RefCell<Vec<u64>>,
    is_used: Box<[Cell<bool>]>,
    /// x86's part.
    pub x86: crate::x86::State,
    /// arm64's part.
    pub arm64: crate::arm64::State,
    /// Where batches have notes.
    pub batch: crate::batch::State,
    /// arm64's groups of small entries.
    pub groups: crate::groups::State,
}

/// Who answers the upcalls.
static ACTIVE: AtomicPtr<Tree> = AtomicPtr::new(std::ptr::null_mut());

/// The tree whose call is in progress.
pub fn active() -> Option<&'static Tree> {
    // SAFETY: `Tree::activate` stores it, of a tree that is never dropped.
    unsafe { ACTIVE.load(Ordering::Relaxed).as_ref() }
}

fn place_index(at: PteRef) -> usize {
    (usize::from(at.mm.0) * 3 + at.size as usize) * usize::from(PAGES) + usize::from(at.page % PAGES)
}

/// The entry as the border names it.
pub fn packed(at: PteRef) -> u64 {
    numbers::at(at.mm.0, at.page % PAGES, at.size as u8)
}

/// What the border's name of an entry means; nothing where it names no entry.
pub fn unpacked(at: u64) -> Option<PteRef> {
    let (mm, page, size) = numbers::at_parts(at);
    (at != numbers::NOWHERE).then(|| PteRef { mm: Mm(mm), page, size: words::size(size.into()) })
}

impl Tree {
    /// The preempt_disable() depth that the machine knows of.
    pub fn told(&self) -> i64 {
        self.told.get()
    }

    /// Boots a form. Its memory is that of `before`, the state before any boot.
    pub fn boot(form: Form, facts: &Facts, before: &Image) -> &'static Tree {
        let arenas = Arenas::new();
        arenas.restore(before);
        let tree = Box::leak(Box::new(Tree {
            form,
            facts: facts.clone(),
            booted: Image::default(),
            arenas,
            places: Box::default(),
            env: Cell::new(None),
            open: Cell::new(Open::NOTHING),
            known: (0..PAGES).map(|_| Cell::new(0)).collect(),
            told: Cell::new(0),
            used: RefCell::default(),
            is_used: (0..9 * usize::from(PAGES)).map(|_| Cell::new(false)).collect(),
            x86: crate::x86::State::default(),
            arm64: crate::arm64::State::default(),
            batch: crate::batch::State::default(),
            groups: crate::groups::State::default(),
        }));
        ACTIVE.store(tree, Ordering::Relaxed);
        enter(entry::BOOT, form.number, 0, 0);
        let all = (0..3u8).flat_map(|mm| (0..3u8).flat_map(move |size| (0..PAGES).map(move |page| (mm, page, size))));
        tree.places = all.map(|(mm, page, size)| enter(entry::PTE_PLACE, numbers::at(mm, page, size), 0, 0)).collect();
        tree.booted = tree.arenas.image();
        tree
    }

    /// From now on its code runs and answers; its state is as after boot.
    pub fn activate(&self) {
        ACTIVE.store(std::ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
        self.arenas.restore(&self.booted);
        for at in self.used.borrow_mut().drain(..) {
            let (mm, page, size) = numbers::at_parts(at);
            self.is_used[place_index(PteRef { mm: Mm(mm), page, size: words::size(size.into()) })].set(false);
            enter(entry::FORGET, at, 0, 0);
        }
        self.open.set(Open::NOTHING);
        self.arm64.reset();
        self.batch.reset();
        self.groups.reset();
    }

    /// A digest of its state, taken while no call is in progress.
    pub fn digest(&self) -> u64 {
        enter(entry::SETTLE, 0, 0, 0);
        enter(entry::RUN, 0, 0, 0);
        self.groups.digest(self.arenas.digest(&self.booted))
    }

    /// How many bytes a reset copies.
    pub fn bytes(&self) -> usize {
        self.arenas.bytes()
    }

    /// What the oracles may expect of it.
    pub fn rules(&self) -> Rules {
        let keeps = matches!(self.facts.api, api::V3 | api::V4 | api::COUNTED);
        Rules { counted: self.facts.api == api::COUNTED, counters: keeps, mmu: self.form.mmu, room: Room::default() }
    }

    /// Whether a hook called now leaves every mode as it is: there is none, or (arm64) interrupt context has none.
    pub fn ignores_hooks(&self) -> bool {
        let (mmu, has_mode) = (self.form.mmu, self.facts.mode);
        let none = mmu.ignores_mode() || !has_mode || (mmu == Mmu::Aarch64 && self.env().in_interrupt());
        self.facts.api == api::STATELESS && none
    }

    /// Who listens, while a call is in progress.
    #[expect(clippy::mut_from_ref, reason = "one thread, and each use ends before the next begins")]
    pub fn env(&self) -> &mut dyn Env {
        let Some(mut env) = self.env.get() else {
            crate::guard::die("the tree's code called the machine while no call was in progress");
        };
        // SAFETY: `enter` keeps it for the length of the call, the machine lent it for as long, and nobody on this
        // thread holds another borrow of it: each use is one method call.
        unsafe { env.as_mut() }
    }

    /// Where an entry lies in the tree's memory.
    pub fn place(&self, at: PteRef) -> u64 {
        self.places[place_index(at)]
    }

    /// The simulated CPU becomes what the machine has: who runs, in which context, who holds translations.
    pub fn sync(&self) {
        let env = self.env();
        let depths = env.depths();
        let packed = [depths.preempt, depths.bh, depths.softirq, depths.hardirq, depths.nmi, depths.irqs_off];
        let packed = packed.iter().rev().fold(0, |packed, &depth| packed << 8 | u64::from(depth));
        enter(entry::RUN, env.cpu().into(), env.current().into(), packed);
        self.told.set(depths.preempt.into());
        // A batch that goes out may be of any address space.
        let batches = matches!(self.form.mmu, Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v);
        let about = self.open.get().about();
        for mm in (1..=2).map(Mm).filter(|&mm| batches || about == Some(mm)) {
            let all = (1 << env.cpus()) - 1;
            let mask = if env.is_thread_local(mm) { 1 << env.cpu() } else { all };
            enter(entry::MM_ON, mm.0.into(), mask, 1);
        }
    }

    /// The machine becomes what the tree's code has made of it: preempt_count and stores.
    pub fn settle(&self) {
        self.settle_depth();
        self.settle_stores();
    }

    /// preempt_count alone: no instruction and nobody else looks at memory here.
    pub fn settle_depth(&self) {
        let now = enter(entry::PREEMPT_DEPTH, 0, 0, 0) as i64;
        while self.told.get() < now {
            self.told.set(self.told.get() + 1);
            self.env().preempt_disable();
        }
        while self.told.get() > now {
            self.told.set(self.told.get() - 1);
            self.env().preempt_enable();
        }
    }

    /// Interrupts are as the call found them, or the machine hears of it: a kernel that goes on so deadlocks or sleeps.
    fn settle_interrupts(&self, before: u8) {
        let now = self.env().depths().irqs_off;
        if now != before {
            let what = if now > before { "it leaves interrupts off" } else { "it leaves interrupts on" };
            self.env().complain(Complaint::Warn, Site::of("lazymmu", 0, "the call", what));
        }
        (before..now).for_each(|_| self.env().local_irq_restore());
        (now..before).for_each(|_| self.env().local_irq_save());
    }

    fn settle_stores(&self) {
        if self.settle_groups() {
            return;
        }
        let Open { at: Some(at), pages: pages @ 1.., .. } = self.open.get() else { return };
        let (first, last) = (self.place(at), self.place(at.step(pages - 1)));
        if last == first + 8 * u64::from(pages - 1) && self.is_known(first, pages.into()) {
            return;
        }
        for n in 0..pages {
            let at = at.step(n);
            let word = read(self.place(at));
            let known = self.known[usize::from(n)].replace(word);
            if known == word {
                continue;
            }
            let [known, word] = [known, word].map(|word| self.form.words.told(word, at.size));
            // Where the layouts differ so may the words, by what the machine does not have.
            if self.form.words == Words::Machine || known != word {
                if self.form.mmu == Mmu::Xen {
                    self.x86.trapped_store(self.env(), at, word);
                } else {
                    self.env().pte_store(at, word);
                }
            }
        }
    }

    /// Whether the words side by side from `first` on are those that are known: mostly they are.
    fn is_known(&self, first: u64, pages: usize) -> bool {
        let known = self.known[..pages].as_ptr().cast::<u64>();
        // SAFETY: the first table entries lie side by side in the tree's memory, and none of its code runs meanwhile; a
        // `Cell` is as what is in it, and nothing sets one meanwhile.
        unsafe { std::slice::from_raw_parts(first as *const u64, pages) == std::slice::from_raw_parts(known, pages) }
    }

    /// The tree's code sees one entry as it is, which somebody else has just written.
    pub fn load_one(&self, entry: PteRef) {
        let word = self.env().pte_load(entry);
        self.use_entry(entry);
        let word = self.put(entry, word);
        if let Open { at: Some(at), pages, .. } = self.open.get()
            && at.mm == entry.mm
            && let Some(n) = entry.page.checked_sub(at.page).filter(|&n| n < pages)
        {
            self.known[usize::from(n)].set(word);
        }
    }

    /// The tree's code sees the entries as they are.
    pub fn load(&self) {
        let Open { at: Some(at), pages, .. } = self.open.get() else { return };
        if self.load_groups() {
            return;
        }
        for n in 0..pages {
            let at = at.step(n);
            let word = self.env().pte_load(at);
            self.use_entry(at);
            self.known[usize::from(n)].set(self.put(at, word));
        }
    }

    /// The entry says to the tree's code what the machine's word says: its own word for that.
    fn put(&self, at: PteRef, word: u64) -> u64 {
        if self.folds() {
            self.load_block(at, word);
            return word;
        }
        let (place, words) = (self.place(at), self.form.words);
        let old = read(place);
        if words.told(old, at.size) == word {
            return old;
        }
        let word = words.meant(word);
        self.put_cells(at, word);
        word
    }

    /// A run touches the entry: the next one begins without it.
    pub fn use_entry(&self, at: PteRef) {
        if !self.is_used[place_index(at)].replace(true) {
            self.used.borrow_mut().push(packed(at));
        }
    }

    /// Runs an entry of the border with a machine around it.
    pub fn enter<R>(&self, env: &mut dyn Env, open: Open, call: impl FnOnce() -> R) -> R {
        // SAFETY: the lifetime is taken away and put back: the pointer is dropped at the end of this function, before
        // the borrow ends.
        let env: NonNull<dyn Env> = unsafe { std::mem::transmute(NonNull::from(env)) };
        let (outer, outer_open, outer_told) = (self.env.replace(Some(env)), self.open.replace(open), self.told.get());
        self.load();
        self.sync();
        self.change_open(|open| open.depth = self.told.get());
        let (task, irqs_off) = (self.env().current(), self.env().depths().irqs_off);
        let result = call();
        self.settle();
        self.end_groups();
        if self.env().current() == task && !self.open.get().died {
            self.settle_interrupts(irqs_off);
            self.settle_cells();
        }
        self.env.set(outer);
        self.open.set(outer_open);
        self.told.set(outer_told);
        result
    }

    /// The page at an address of the tree's code, and how far into the page it is.
    pub fn page_at(&self, address: u64) -> Option<(PteRef, u64)> {
        (0..3u8).find_map(|mm| self.page_in(Mm(mm), address))
    }

    /// The same of one address space.
    pub fn page_in(&self, mm: Mm, address: u64) -> Option<(PteRef, u64)> {
        let at = unpacked(enter(entry::PAGE_AT, mm.0.into(), address, 0))?;
        Some((at, address.wrapping_sub(enter(entry::ADDRESS, packed(at), 0, 0))))
    }

    /// The entry of a size class that lies at an address of the tree's memory.
    pub fn entry_in(&self, place: u64, size: Size) -> Option<PteRef> {
        (0..3u8).find_map(|mm| {
            let first = PteRef { mm: Mm(mm), page: 0, size };
            let page = u16::try_from(place.checked_sub(self.place(first))? / 8).ok().filter(|&page| page < PAGES)?;
            Some(PteRef { page, ..first }).filter(|&at| self.place(at) == place)
        })
    }

    /// Whether the last entry of the call in progress is valid as it is now.
    pub fn set_is_valid(&self) -> bool {
        let Open { at: Some(at), pages: pages @ 1.., .. } = self.open.get() else { return false };
        enter(entry::PTE_FLAGS, read(self.place(at.step(pages - 1))), 0, 0) & pte_flag::VALID != 0
    }

    /// Changes the call in progress.
    pub fn change_open(&self, change: impl FnOnce(&mut Open)) {
        let mut open = self.open.get();
        change(&mut open);
        self.open.set(open);
    }
}

/// A call of the API as the border numbers it, with its task.
pub fn call_number(of: Call) -> (u64, u8) {
    match of {
        Call::Enable => (call::ENABLE, 0),
        Call::Disable => (call::DISABLE, 0),
        Call::Pause => (call::PAUSE, 0),
        Call::Resume => (call::RESUME, 0),
        Call::TaskPause(task) => (call::TASK_PAUSE, task),
        Call::TaskResume(task) => (call::TASK_RESUME, task),
    }
}
