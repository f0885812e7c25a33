//! The machine's tables against the backends': the two are written apart, and must say the same of every word, address
//! and operand that matters. Where they differ, the manual decides.

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::none::NoMode;
use lazy_mmu_arches::page::PteFlags;
use lazy_mmu_arches::powerpc64::{Hash, Radix};
use lazy_mmu_arches::sparc64::{Sparc64, Sun4v};
use lazy_mmu_arches::x86_64::{X86Native, Xen};
use lazy_mmu_arches::{
    aarch64 as their_aarch64, powerpc64 as theirs, sparc64 as their_sparc64, x86_64 as their_x86_64,
};

use super::powerpc64::{HashPage, RadixOperand, Segment};
use super::sparc64::{Access, Which};
use super::xen::{Call, Cpus, Flush, Update};
use super::*;

const SIZES: [Size; 3] = [Size::Small, Size::Large, Size::Huge];
const SPACES: [Mm; 3] = [Mm::KERNEL, Mm(1), Mm(2)];

/// Every page of every address space.
fn pages() -> impl Iterator<Item = PteRef> {
    SPACES.into_iter().flat_map(|mm| (0..PAGES).map(move |page| PteRef { mm, page, size: Size::Small }))
}

/// Every combination of what an entry may say.
fn all_flags() -> impl Iterator<Item = PteFlags> {
    (0..64u8).map(|bits| {
        let on = |n: u8| bits >> n & 1 != 0;
        PteFlags { valid: on(0), write: on(1), user: on(2), exec: on(3), accessed: on(4), dirty: on(5) }
    })
}

/// What the machine and the backend say of a word.
#[track_caller]
fn compare<B: Backend>(word: u64) {
    let format = Format::of(B::MMU);
    let flags = B::pte_flags(word);
    let name = B::NAME;
    assert_eq!(format.is_valid(word), flags.valid, "{name} {word:#x}");
    assert_eq!(format.is_writable(word), flags.write, "{name} {word:#x}");
    assert_eq!(format.is_user(word), flags.user, "{name} {word:#x}");
    assert_eq!(format.is_executable(word), flags.exec, "{name} {word:#x}");
    assert_eq!(format.size(word), B::pte_size(word), "{name} {word:#x}");
    assert_eq!(format.frame(word), B::pte_frame(word), "{name} {word:#x}");
    assert_eq!(format.touched(word), B::touched(word), "{name} {word:#x}");
}

/// All words that a backend makes, of frames up to what its largest page has room for, and what a write protection and a
/// use make of them.
fn words<B: Backend>(write: u64) -> usize {
    let frames = [0, 1, 2, 511, 512, 513, 1023, 0x5555, 0xaaaa, 0xffff, 0x1_0000, (1 << 20) - 1];
    let mut count = 0;
    for flags in all_flags() {
        for size in SIZES {
            for frame in frames {
                let word = B::pte_word(flags, frame, size);
                for word in [word, B::touched(word), word & !write] {
                    // No entry at all says nothing.
                    if word != 0 {
                        compare::<B>(word);
                    }
                    count += 1;
                }
            }
        }
    }
    count
}

#[test]
fn every_word_says_the_same_to_machine_and_backend() {
    let counts = [
        words::<NoMode>(1 << 1),
        words::<their_aarch64::Aarch64>(0),
        words::<Hash>(0x2),
        words::<Radix>(0x2),
        words::<Sparc64>(1 << 8 | 1 << 1),
        words::<Sun4v>(1 << 58 | 1 << 6),
        words::<X86Native>(1 << 1),
        words::<Xen>(1 << 1),
    ];
    assert_eq!(counts, [64 * 3 * 12 * 3; 8]);
    // A write protection of aarch64 is more than one bit.
    for flags in all_flags() {
        let word = their_aarch64::Aarch64::pte_word(flags, 700, Size::Small);
        compare::<their_aarch64::Aarch64>(their_aarch64::pte::write_protected(word));
    }
}

/// What no backend makes, and a manual allows all the same.
#[test]
fn words_that_no_backend_makes() {
    let aarch64 = Format::of(Mmu::Aarch64);
    assert!(aarch64.is_writable(0b11), "AP[2] clear, without DBM");
    assert!(!aarch64.is_writable(0b11 | 1 << 7));
    assert!(aarch64.is_writable(0b11 | 1 << 7 | 1 << 51), "DBM: the hardware clears AP[2]");
    let sun4u = Format::of(Mmu::Sun4u);
    assert!(sun4u.is_writable(1 << 63 | 1 << 1), "the hardware's bit alone");
    assert_eq!(aarch64.size_for(Size::Large), Size::Large);
    assert_eq!(Format::of(Mmu::Native).size_for(Size::Large), Size::Small);
    assert_eq!(Format::of(Mmu::Plain).size_for(Size::Huge), Size::Small);
}

#[test]
fn every_page_lies_at_the_same_address() {
    for at in pages() {
        let ours = [aarch64::address_of(at), powerpc64::address_of(at), x86_64::address_of(at)];
        let backends =
            [their_aarch64::virtual_address(at), theirs::virtual_address(at), their_x86_64::virtual_address(at)];
        assert_eq!(ours, backends, "{at:?}");
        for size in SIZES {
            let at = PteRef { size, ..at };
            assert_eq!(sparc64::address_of(at), their_sparc64::virtual_address(at), "{at:?}");
        }
    }
}

/// An address, and addresses around it, name the same page.
#[test]
fn every_address_names_the_same_page() {
    for at in pages() {
        for offset in [0i64, 1 << 12, (1 << 21) - 1, -1, 1 << 21, 1 << 23, 1 << 24] {
            let near = |address: u64| address.wrapping_add_signed(offset);
            let (a, p) = (near(aarch64::address_of(at)), near(powerpc64::address_of(at)));
            let (s, x) = (near(sparc64::address_of(at)), near(x86_64::address_of(at)));
            assert_eq!(aarch64::page_at(at.mm, a), their_aarch64::page_at(at.mm, a), "{at:?} {offset:#x}");
            assert_eq!(powerpc64::page_at(at.mm, p), theirs::page_at(at.mm, p), "{at:?} {offset:#x}");
            assert_eq!(sparc64::page_at(at.mm, s), their_sparc64::page_at(at.mm, s), "{at:?} {offset:#x}");
            assert_eq!(x86_64::page_at(x), their_x86_64::page_at(x), "{at:?} {offset:#x}");
        }
    }
    assert_eq!(aarch64::page_at(Mm(3), aarch64::address_of(PteRef { mm: Mm(1), page: 0, size: Size::Small })), None);
    assert_eq!(x86_64::page_at(3 << 41 | 0x1000_0000), None, "there is no third user address space");
}

#[test]
fn tlbi_operands() {
    use their_aarch64::decode::{operand_asid, operand_va};
    for at in pages() {
        let address = aarch64::address_of(at);
        for ttl in [0, 0b0110, 0b0111] {
            let operand = aarch64::Operand::new(operand_va(address, at.mm.0.into(), ttl));
            assert_eq!((operand.address, operand.asid), (address, space(at.mm.0.into()).filter(|mm| !mm.is_kernel())));
            let of = SIZES.map(|size| operand.is_of(size));
            let level = [[true; 3], [false, false, true], [true, true, false]];
            assert_eq!(of, level[usize::from(ttl.saturating_sub(0b0101))], "TTL {ttl:#b}");
        }
    }
    assert!(SIZES.iter().all(|&size| !aarch64::Operand::new(0b1011 << 44).is_of(size)), "a granule of 16K");
    assert_eq!(
        [1, 2, 0, 3, 0x101].map(|asid| aarch64::asid(operand_asid(asid))),
        [Some(Mm(1)), Some(Mm(2)), None, None, None]
    );
    for size in SIZES {
        assert_eq!(aarch64::offset_bits(size), their_aarch64::page_shift(size));
    }
}

/// Pages of the hash MMU: numbers, segments, hashes, and the operand that removes them.
#[test]
fn hash_operands() {
    use theirs::decode::{R, RIC_ALL, hash, hash_rb};
    use theirs::queue::{entry_of, segment, vpn};
    for at in pages() {
        let address = powerpc64::address_of(at);
        let number = vpn(at.mm, address);
        for size in SIZES {
            let page = HashPage::of(at, size);
            assert_eq!((page.vpn, page.segment as u8), (number, segment(address) as u8), "{at:?}");
            assert_eq!(page.entry(), Some(at));
            assert_eq!(page.hash(), hash(number, size, segment(address)), "{page:?}");
            let word = Hash::pte_word(PteFlags { valid: true, ..PteFlags::default() }, 7, size);
            let (shape, of_batch) = entry_of(at, word);
            let search =
                Insn { op: Op::HpteInvalidate, a: of_batch, b: shape.psize as u64 | (shape.ssize as u64) << 8 };
            assert_eq!(HashPage::searched(search), Some(page));
            let tlbie = Insn::with(Op::Tlbie, hash_rb(number, size, segment(address)));
            let named = HashPage::invalidated(tlbie).expect("a page");
            assert_eq!((named.entry(), named.size, named.segment), (Some(at), size, page.segment), "{tlbie:x?}");
            for other in SIZES {
                assert_eq!(HashPage::of(at, other).is(named), other == size);
            }
            let flipped = HashPage { segment: [Segment::T1, Segment::M256][page.segment as usize], ..page };
            assert!(!flipped.is(named), "a segment of another size");
            assert_eq!(HashPage::invalidated(Insn { b: R, ..tlbie }), None, "a radix form");
            assert_eq!(HashPage::invalidated(Insn { b: RIC_ALL, ..tlbie }), None);
        }
    }
    // Fields that must be zero, a segment and a page of no known size; a context that is nobody's.
    let bad = [0x400, 0x20, 0x200, 0x2001, 0x1000 | 0x11, 0x3];
    assert!(bad.iter().all(|&rb| HashPage::invalidated(Insn::with(Op::Tlbie, rb)).is_none()));
    let nobody = HashPage { vpn: 0x103 << 37, ..HashPage::default() };
    assert_eq!(nobody.entry(), None);
    assert_eq!(
        [(0, 3), (0, 2 << 8)].map(|(a, b)| HashPage::searched(Insn { op: Op::HpteInvalidate, a, b })),
        [None; 2]
    );
}

/// Vectors of the specification: they come from a kernel, not from our backend.
#[test]
fn hash_operands_of_a_kernel() {
    let pages = [
        (0x5_a5a5_0003, Size::Small, Segment::M256, 0x5a5a6, 0x5a5a_5000_3000),
        (0x12_3456_7ff1_2345, Size::Small, Segment::T1, 0xa_c0d2_6622, 0x2345_67ff_1234_5100),
        (0x12_3456_7ff1_2340, Size::Large, Segment::T1, 0xa_cfdc_5753, 0x2345_67ff_1234_1141),
    ];
    for (vpn, size, segment, hash, rb) in pages {
        let page = HashPage { vpn, size, segment };
        assert_eq!(page.hash(), hash);
        assert!(page.is(HashPage::invalidated(Insn::with(Op::Tlbie, rb)).expect("a page")), "{page:x?}");
    }
}

#[test]
fn radix_operands() {
    use theirs::decode::{IS_PID, PRS, R, RIC_ALL, radix_b, radix_rb};
    let insn = |a, b| RadixOperand::new(Insn { op: Op::Tlbie, a, b });
    for at in pages() {
        let address = powerpc64::address_of(at);
        for size in SIZES {
            let operand = insn(radix_rb(address, size), radix_b(at.mm.0.into(), R | PRS));
            assert_eq!(operand, Some(RadixOperand::Page(at.mm, address, size)));
            for other in SIZES {
                assert_eq!(operand.is_some_and(|operand| operand.is_page_at(address, other)), size == other);
            }
        }
    }
    for form in [R | PRS, R | PRS | RIC_ALL] {
        assert_eq!(insn(IS_PID, radix_b(2, form)), Some(RadixOperand::Process(Mm(2))));
    }
    assert_eq!(insn(IS_PID, radix_b(2, R)), None, "scoped by partition");
    assert_eq!(insn(IS_PID, radix_b(2, PRS)), None, "the hash MMU's form");
    assert_eq!(insn(IS_PID, radix_b(2, R | PRS | 1 << 18)), None, "the walk cache alone");
    assert_eq!((insn(IS_PID, radix_b(3, R | PRS)), insn(0x40, radix_b(1, R | PRS))), (None, None));
}

#[test]
fn demaps_and_tsb_operands() {
    use their_sparc64::decode::*;
    use their_sparc64::queue::{PAGE_SHIFT, REAL_HPAGE_SHIFT, XCALL_PENDING};
    let stxa = |asi, address| sparc64::access(Insn::with(Op::Stxa, operand(asi, address)));
    for at in pages() {
        for size in SIZES {
            let address = sparc64::address_of(PteRef { size, ..at });
            for (asi, side) in [(ASI_IMMU_DEMAP, sparc64::INSTRUCTION), (ASI_DMMU_DEMAP, sparc64::DATA)] {
                let user = stxa(asi, demap_address(address | 1, DEMAP_SECONDARY));
                assert_eq!(user, Access::Demap(side, Which::Secondary, address), "{at:?}");
                let kernel = stxa(asi, demap_address(address, DEMAP_NUCLEUS));
                assert_eq!(kernel, Access::Demap(side, Which::Number(0), address));
            }
            let a = operand(MMU_UNMAP_ADDR, address);
            let trap = sparc64::access(Insn { op: Op::Ta, a, b: trap_arguments(at.mm.0.into(), HV_MMU_ALL) });
            assert_eq!(trap, Access::Demap(3, Which::Number(at.mm.0.into()), address));
            for (bits, entries) in [(PAGE_SHIFT, 512), (PAGE_SHIFT, 2048), (REAL_HPAGE_SHIFT, 512)] {
                assert_eq!(sparc64::tsb_place(address, bits, entries), tsb_index(address, bits, entries));
            }
            assert_eq!(sparc64::tsb_tag(address), tsb_tag(address));
            let flush = Insn { op: Op::TsbFlush, a: address, b: u64::from(PAGE_SHIFT) | u64::from(at.mm.0) << 8 };
            assert_eq!(sparc64::tsb_flush(flush), (address, sparc64::BASE_BITS, Some(at.mm)));
        }
    }
    let secondary =
        [Op::Stxa, Op::Ldxa].map(|op| sparc64::access(Insn::with(op, operand(ASI_DMMU, SECONDARY_CONTEXT))));
    assert_eq!(secondary, [Access::SecondaryContext; 2]);
    // The primary context's register and demap, a demap of a whole context, another trap.
    let others = [stxa(ASI_DMMU, 8), stxa(ASI_DMMU_DEMAP, 0x2000), stxa(ASI_DMMU_DEMAP, 0x2050)];
    assert_eq!(others, [Access::Other; 3]);
    assert_eq!(sparc64::access(Insn::with(Op::Ta, operand(0x83, 0x2000))), Access::Other);
    assert_eq!(
        sparc64::access(Insn { op: Op::Ta, a: operand(0x84, 0), b: 1 << 8 | 1 }),
        Access::Demap(sparc64::DATA, Which::Number(1), 0)
    );
    assert_eq!(sparc64::cross_call(Insn { op: Op::Xcall, a: 1, b: XCALL_PENDING | 192 << 8 }), (1, 192));
    assert_eq!((sparc64::BASE_BITS, sparc64::LARGEST_BITS), (PAGE_SHIFT, REAL_HPAGE_SHIFT));
    assert_eq!([3, 256].map(sparc64::context), [None; 2]);
    assert_ne!(sparc64::PSTATE & PSTATE_IE, 0);
}

#[test]
fn interrupts_of_x86() {
    for at in pages() {
        let address = x86_64::address_of(at);
        for (pages, into) in [(1, 0), (33, 0), (2, 0x1000)] {
            assert_eq!(x86_64::flush_ipi((address + into) | pages), Some((at, into, pages as u16)));
        }
        assert_eq!(x86_64::flush_ipi(address), None);
    }
    assert_eq!(x86_64::flush_ipi(0), None);
    for size in SIZES {
        assert_eq!(x86_64::offset_bits(size), their_x86_64::page_shift(size));
    }
}

#[test]
fn hypercalls() {
    use their_x86_64::decode::{self, Hypercall, update_pointer};
    use their_x86_64::queue::{ENTRIES, MMU_UPDATE_BYTES, MMUEXT_MULTI_BYTES, ON_STACK};
    for at in pages() {
        let pointer = |update| xen::update(update_pointer(at.machine_address(), update));
        assert_eq!(pointer(decode::Update::Normal), Ok((at, Update::Store)));
        assert_eq!(pointer(decode::Update::NoTranslate), Ok((at, Update::Store)));
        assert_eq!(pointer(decode::Update::PreserveAd), Ok((at, Update::KeepAccessedDirty)));
        assert_eq!(pointer(decode::Update::MachPhys), Err(at));
        assert_eq!(xen::update(at.machine_address() + 4), Err(at), "not an entry's address");
    }
    let call = |number, domain| xen::call(|n| [number, 0, 0x40, 3, 0, domain][n as usize]);
    assert_eq!(call(Hypercall::MmuUpdate.number(), decode::DOMID_SELF), Call::Update(0x40, 3));
    assert_eq!(call(Hypercall::MmuextOp.number(), decode::DOMID_SELF), Call::Extended(0x40, 3));
    assert_eq!(call(Hypercall::Multicall.number(), decode::DOMID_SELF), Call::Refused(xen::ENOSYS));
    assert_eq!(call(Hypercall::MmuUpdate.number(), 0), Call::Refused(xen::ESRCH));
    let flush = |command| xen::extended(|n| [command, 0x5000, 24][n as usize]);
    let everything = Flush { address: None, cpus: Cpus::Mask(24) };
    assert_eq!(flush(decode::TLB_FLUSH_MULTI), Some(everything));
    assert_eq!(flush(decode::INVLPG_MULTI), Some(Flush { address: Some(0x5000), ..everything }));
    assert_eq!(flush(6), Some(Flush { cpus: Cpus::Own, ..everything }));
    assert_eq!(flush(11), Some(Flush { address: Some(0x5000), cpus: Cpus::All }));
    assert_eq!(flush(5), None, "a new base is no flush");
    assert_eq!((xen::entry(2), xen::result_of(xen::entry(2)), xen::ON_STACK), (ENTRIES + 128, ENTRIES + 136, ON_STACK));
    let bytes = [MMU_UPDATE_BYTES, MMUEXT_MULTI_BYTES].map(u64::from);
    assert_eq!([xen::UPDATE_BYTES, xen::EXTENDED_WITH_MASK], bytes);
}
