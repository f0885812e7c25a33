//! Subjects whose codec is wrong: in both directions at once, so that they understand themselves, or in an operand. The
//! machine has tables of its own, and some invariant breaks.

use lazy_mmu_arches::page::{PteFlags, PteRef, Size};

use super::*;

/// What becomes of a word.
type OfWords = fn(u64) -> u64;

/// A subject's name, what is wrong with it, and how.
type Row<F> = (&'static str, &'static str, F);

/// A subject whose words are all put through one function, which is its own inverse: what it makes, reads and stores.
struct Words(OfWords);

impl bent::Bend for Words {
    fn pte_load(&self, env: &mut dyn Env, at: PteRef) -> u64 {
        let word = env.pte_load(at);
        if word == 0 { 0 } else { (self.0)(word) }
    }

    fn pte_store(&self, env: &mut dyn Env, at: PteRef, word: u64) {
        env.pte_store(at, if word == 0 { 0 } else { (self.0)(word) });
    }

    /// The second word of an update is an entry.
    fn guest_load(&self, to: &dyn Subject, cpu: u8, address: u64) -> u64 {
        let word = to.guest_load(cpu, address);
        if address == 0x2008 && word != 0 { (self.0)(word) } else { word }
    }
}

/// The word with two of its bits exchanged.
const fn swapped(word: u64, one: u32, other: u32) -> u64 {
    let differ = (word >> one ^ word >> other) & 1;
    word ^ (differ << one | differ << other)
}

/// What any codec must get right: entries of every size and right, changed, used and read.
const LIFE: &str = "set U 5; access U 5; set U 6 read; access U 6; wrprot U 5; tlb_flush U 5; access U 5; get U 5; \
                    set K 7 exec; access K 7; set U 24 large; access U 24; set U 40 huge; access U 40; get U 40; \
                    clear U 5; tlb_flush U 5; access U 5; clear U 24; tlb_flush U 24 large";

#[track_caller]
fn breaks_something(subject: &str, what: &str, bend: impl bent::Bend + 'static, program: &str) {
    let descriptor = registry::find(subject).expect("a known subject");
    let parsed = parse(program).expect("a program");
    let plain = descriptor.make(Port::Model);
    let verdict = judge(Machine::new().run(&*plain, &parsed), descriptor.rules());
    assert!(verdict.holds(), "{subject}, faithful: {verdict:?}");
    let bent = bent::Bent::new(plain, bend);
    let verdict = judge(Machine::new().run(&bent, &parsed), descriptor.rules());
    assert!(!verdict.holds(), "{subject} with {what} holds");
}

#[test]
fn a_codec_that_is_wrong_both_ways_is_noticed() {
    #[rustfmt::skip]
    let rows: [Row<OfWords>; 34] = [
        ("aarch64", "the valid bit elsewhere", |word| swapped(word, 0, 56)),
        ("aarch64", "DBM and AP[2] elsewhere", |word| swapped(swapped(word, 51, 57), 7, 58)),
        ("aarch64", "AP[1] elsewhere", |word| swapped(word, 6, 58)),
        ("aarch64", "the contiguous bit elsewhere", |word| swapped(word, 52, 59)),
        ("aarch64", "blocks as pages", |word| swapped(word, 1, 60)),
        ("aarch64", "a frame's bits exchanged", |word| swapped(word, 21, 22)),
        ("aarch64", "PXN and UXN exchanged", |word| swapped(word, 53, 54)),
        ("powerpc64-hash", "the valid bit elsewhere", |word| swapped(word, 63, 9)),
        ("powerpc64-hash", "the write bit elsewhere", |word| swapped(word, 1, 4)),
        ("powerpc64-hash", "privileged elsewhere", |word| swapped(word, 3, 5)),
        ("powerpc64-hash", "the sizes exchanged", |word| swapped(word, 12, 13)),
        ("powerpc64-hash", "a frame's bits exchanged", |word| swapped(word, 25, 26)),
        ("powerpc64-radix", "the valid bit elsewhere", |word| swapped(word, 63, 9)),
        ("powerpc64-radix", "the write bit elsewhere", |word| swapped(word, 1, 4)),
        ("powerpc64-radix", "the sizes exchanged", |word| swapped(word, 12, 13)),
        ("sparc64", "the valid bit elsewhere", |word| swapped(word, 63, 60)),
        ("sparc64", "the write bit elsewhere", |word| swapped(word, 8, 59)),
        ("sparc64", "64K as 512K", |word| swapped(word, 61, 62)),
        ("sparc64", "privileged elsewhere", |word| swapped(word, 2, 3)),
        ("sparc64", "executable elsewhere", |word| swapped(word, 12, 58)),
        ("sparc64", "a frame's bits exchanged", |word| swapped(word, 22, 23)),
        ("sparc64-sun4v", "the valid bit elsewhere", |word| swapped(word, 63, 62)),
        ("sparc64-sun4v", "the write bit elsewhere", |word| swapped(word, 58, 57)),
        ("sparc64-sun4v", "64K as 512K", |word| swapped(word, 0, 1)),
        ("sparc64-sun4v", "executable elsewhere", |word| swapped(word, 7, 11)),
        ("x86_64-native", "P elsewhere", |word| swapped(word, 0, 9)),
        ("x86_64-native", "R/W elsewhere", |word| swapped(word, 1, 10)),
        ("x86_64-native", "U/S elsewhere", |word| swapped(word, 2, 11)),
        ("x86_64-native", "PS elsewhere", |word| swapped(word, 7, 9)),
        ("x86_64-native", "XD elsewhere", |word| swapped(word, 63, 62)),
        ("x86_64-native", "a frame's bits exchanged", |word| swapped(word, 21, 22)),
        ("x86_64-xen", "P elsewhere", |word| swapped(word, 0, 9)),
        ("x86_64-xen", "R/W elsewhere", |word| swapped(word, 1, 10)),
        ("none", "valid and write exchanged", |word| swapped(word, 0, 3)),
    ];
    for (subject, what, change) in rows {
        breaks_something(subject, what, Words(change), LIFE);
    }
}

/// What makes words wrongly, and is read by nobody but the machine.
struct Made(OfWords);

impl bent::Bend for Made {
    fn pte_word(&self, to: &dyn Subject, flags: PteFlags, frame: u32, size: Size) -> u64 {
        (self.0)(to.pte_word(flags, frame, size))
    }
}

#[test]
fn a_word_that_is_made_wrongly_is_noticed() {
    let rows: [Row<OfWords>; 5] = [
        ("aarch64", "no DBM, and read-only", |word| word & !(1 << 51) | 1 << 7),
        ("powerpc64-hash", "not valid", |word| word & !(1 << 63)),
        ("sparc64", "the frame shifted", |word| word & !0x7ff_ffff_e000 | (word & 0x7ff_ffff_e000) << 1),
        ("x86_64-native", "for the kernel alone", |word| word & !(1 << 2)),
        ("x86_64-xen", "writable", |word| word | 1 << 1),
    ];
    for (subject, what, change) in rows {
        breaks_something(subject, what, Made(change), LIFE);
    }
}

/// A frame field that begins a bit too high, and a size that is said wrongly where the frame is right.
#[test]
fn a_shifted_frame_and_a_wrong_size_are_noticed() {
    fn shifted(word: u64) -> u64 {
        // Bits 12 to 46 reversed: its own inverse, and every frame is another.
        (12..47).fold(word & !((1 << 47) - (1 << 12)), |out, bit| out | (word >> bit & 1) << (58 - bit))
    }
    for subject in ["aarch64", "x86_64-native", "none"] {
        breaks_something(subject, "a frame reversed", Words(shifted), LIFE);
    }
    // A 4K page as a block: the frame of 0 is that of any size.
    fn block(word: u64) -> u64 {
        if word & 1 != 0 { word ^ 1 << 7 } else { word }
    }
    breaks_something("x86_64-native", "pages of another size", Words(block), "alloc 0 debug; set U 0; access U 0");
}

/// What is executed with an operand that is wrong.
#[test]
fn a_wrong_operand_is_noticed() {
    const TAKEN: &str = "set U 1; access U 1; cpu 1; access U 1; cpu 0; clear U 1; tlb_flush U 1; access U 1";
    fn on(ops: &[InsnOp], insn: Insn, a: impl Fn(u64) -> u64) -> Option<Insn> {
        Some(if ops.contains(&insn.op) { Insn { a: a(insn.a), ..insn } } else { insn })
    }
    const TLBI: &[InsnOp] = &[InsnOp::TlbiVale1is, InsnOp::TlbiVae1is, InsnOp::TlbiVaale1is];
    const TLBIE: &[InsnOp] = &[InsnOp::Tlbie, InsnOp::Tlbiel];
    fn with_b(op: InsnOp, insn: Insn, b: impl Fn(u64) -> u64) -> Option<Insn> {
        Some(if insn.op == op { Insn { b: b(insn.b), ..insn } } else { insn })
    }
    #[rustfmt::skip]
    let rows: [Row<Change>; 26] = [
        ("aarch64", "an address not shifted", |insn| on(TLBI, insn, |a| a << 12)),
        ("aarch64", "an address shifted twice", |insn| on(TLBI, insn, |a| a & !0 << 48 | (a & !(!0 << 44)) >> 12)),
        ("aarch64", "the ASID a bit lower", |insn| on(TLBI, insn, |a| (a >> 48 << 47) | a & !(!0 << 47))),
        ("aarch64", "the ASID a bit higher", |insn| on(TLBI, insn, |a| (a >> 48 << 49) | a & !(!0 << 48))),
        ("aarch64", "no ASID", |insn| on(TLBI, insn, |a| a & !(!0 << 48))),
        ("aarch64", "a TTL of another level", |insn| on(TLBI, insn, |a| a | 0b0110 << 44)),
        ("powerpc64-hash", "RB's address shifted", |insn| on(TLBIE, insn, |a| a << 1)),
        ("powerpc64-hash", "RB of another segment size", |insn| on(TLBIE, insn, |a| a ^ 0x100)),
        ("powerpc64-hash", "RB with L", |insn| on(TLBIE, insn, |a| a | 1)),
        ("powerpc64-hash", "RB with an AP", |insn| on(TLBIE, insn, |a| a | 0xa0)),
        ("powerpc64-hash", "the radix form", |insn| with_b(InsnOp::Tlbie, insn, |b| b | 1 << 16)),
        ("powerpc64-hash", "the hash of the other segment size", |insn| with_b(InsnOp::HpteInvalidate, insn, |b| b ^ 0x100)),
        ("powerpc64-hash", "the hash of another page size", |insn| with_b(InsnOp::HpteInvalidate, insn, |b| b | 1)),
        ("powerpc64-hash", "a vpn shifted", |insn| on(&[InsnOp::HpteInvalidate], insn, |a| a >> 1)),
        ("powerpc64-radix", "AP of 64K", |insn| on(TLBIE, insn, |a| a | 0xa0)),
        ("powerpc64-radix", "IS of a partition", |insn| on(TLBIE, insn, |a| a | 0x800)),
        ("powerpc64-radix", "the hash form", |insn| with_b(InsnOp::Tlbie, insn, |b| b & !(1 << 16))),
        ("powerpc64-radix", "the pid in the low half", |insn| with_b(InsnOp::Tlbie, insn, |b| b >> 32 | b & 0xf_0000)),
        ("sparc64", "the TSB's next entry", |insn| on(&[InsnOp::TsbFlush], insn, |a| a + (1 << 13))),
        ("sparc64", "the huge pages' TSB", |insn| with_b(InsnOp::TsbFlush, insn, |b| b & !0xff | 22)),
        ("sparc64", "the TSB of V", |insn| with_b(InsnOp::TsbFlush, insn, |b| b ^ 3 << 8)),
        ("sparc64", "a demap of the nucleus", |insn| on(&[InsnOp::Stxa], insn, |a| if a >> 56 == 0x58 { a } else { a ^ 0x30 })),
        ("sparc64", "a demap of a context", |insn| on(&[InsnOp::Stxa], insn, |a| if a >> 56 == 0x58 { a } else { a | 0x40 })),
        ("sparc64", "the primary context's register", |insn| on(&[InsnOp::Stxa], insn, |a| if a >> 56 == 0x58 { a ^ 0x18 } else { a })),
        ("sparc64-sun4v", "another trap", |insn| on(&[InsnOp::Ta], insn, |a| a ^ 1 << 56)),
        ("x86_64-native", "an address shifted", |insn| on(&[InsnOp::Invlpg], insn, |a| a >> 12)),
    ];
    for (subject, what, change) in rows {
        breaks_something(subject, what, Other(change), TAKEN);
    }
    breaks_something(
        "sparc64-sun4v",
        "a trap for instructions alone",
        Other(|insn| with_b(InsnOp::Ta, insn, |b| b & !1)),
        TAKEN,
    );
}

/// A subject that is told, or believes, that an address space has no number in the TLB.
#[test]
fn a_context_that_is_taken_for_none_is_noticed() {
    struct NoContext;
    impl bent::Bend for NoContext {
        fn is_context_valid(&self, _env: &dyn Env, _mm: lazy_mmu_arches::page::Mm) -> bool {
            false
        }
    }
    let program = "set U 0 x2; access U 0 x2; enable; clear U 0 x2; disable";
    for subject in ["sparc64", "sparc64-sun4v"] {
        breaks_something(subject, "no context", NoContext, program);
    }
}

/// A hypervisor that is told of another kind of update, or of half an entry.
#[test]
fn a_wrong_pointer_of_an_update_is_noticed() {
    struct Pointer(u64);
    impl bent::Bend for Pointer {
        fn guest_load(&self, to: &dyn Subject, cpu: u8, address: u64) -> u64 {
            to.guest_load(cpu, address) ^ if address == 0x2000 { self.0 } else { 0 }
        }
    }
    for bits in [1, 4, 5, 8, 1 << 19, 1 << 40] {
        breaks_something("x86_64-xen", "another pointer", Pointer(bits), "set K 5; access K 5");
    }
}
