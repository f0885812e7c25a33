//! Round trips at fixed seeds, and what a bad text is answered.

use super::generate::Random;
use super::*;

fn random_bytes(random: &mut Random, records: usize) -> Vec<u8> {
    (0..records * bytes::RECORD).map(|_| random.next() as u8).collect()
}

#[test]
fn every_byte_string_decodes_and_both_ways_back_are_exact() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let length = random.below(120) as usize;
        let mut input = random_bytes(&mut random, length);
        input.truncate(input.len().saturating_sub(random.below(6) as usize));
        let program = bytes::decode(&input);
        assert_eq!(bytes::decode(&bytes::encode(&program)), program, "bytes, seed {seed}");
        assert_eq!(text::parse(&program.to_string()), Ok(program), "text, seed {seed}");
    }
}

/// One of each operation with its largest numbers, that is, its longest text.
fn longest_ops() -> Vec<Op> {
    let record = |kind, detail| [kind, detail, 0xff, 0x07, 0xff, 0x03];
    let all =
        (0..bytes::KINDS).flat_map(|kind| (0..=u8::MAX).map(move |detail| bytes::decode_op(record(kind, detail))));
    let longest = |op: &Op| matches!(op, Op::Open(_) | Op::Close) || op.to_string().len() > 8;
    let mut ops: Vec<Op> = all.filter(longest).collect();
    ops.dedup();
    ops
}

/// However deep a program is and however long its operations are, no line of it is longer than what a text has room for.
#[test]
fn no_printed_line_is_longer_than_a_line_may_be() {
    for op in longest_ops() {
        let mut ops = vec![Op::Open(Block::Irq); 40];
        ops.push(op);
        if matches!(op, Op::Open(_)) {
            ops.push(Op::Close);
        }
        let closes = ops.iter().filter(|op| matches!(op, Op::Open(_))).count();
        ops.extend(vec![Op::Close; closes - ops.iter().filter(|op| **op == Op::Close).count()]);
        let text = Program::new(ops).unwrap().to_string();
        let longest = text.lines().map(|line| line.len() + 1).max().unwrap_or(0);
        assert!(longest <= MAX_LINE, "{longest} bytes for `{op}`");
    }
}

/// Exact ways back through text and bytes.
fn round_trips(program: &Program, what: &str) {
    let text = program.to_string();
    assert!(text.len() <= MAX_TEXT, "{what}: {} bytes of text", text.len());
    match text::parse_bytes(text.as_bytes()) {
        Ok(again) => assert!(again == *program, "{what}: another program comes back from its text"),
        Err(error) => panic!("{what}: its own text is refused: {error}"),
    }
    assert!(bytes::decode(&bytes::encode(program)) == *program, "{what}: another program comes back from its bytes");
}

/// Programs at every limit at once: as long, as deep and as wide as a program may be, of drawn operations.
#[test]
fn programs_at_the_limits_survive_both_ways() {
    let longest = longest_ops();
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let depth = [0, 1, 16, 17, 100, MAX_DEPTH, MAX_DEPTH + 5][random.below(7) as usize];
        let length = [MAX_OPS, MAX_OPS - 1, MAX_OPS + 9, 40_000, 3][random.below(5) as usize];
        let plain = longest[random.below(longest.len() as u32) as usize];
        let mixed = random.below(2) == 0;
        let opens = (0..depth).map(|_| Op::Open(Block::Repeat(MAX_REPEAT)));
        let ops: Vec<Op> = opens
            .chain(
                (0..length).map(|_| if mixed { longest[random.below(longest.len() as u32) as usize] } else { plain }),
            )
            .collect();
        round_trips(&Program::fitted(ops, MAX_OPS), &format!("seed {seed}"));
    }
}

/// A long line is accepted, and what is printed of it too.
#[test]
fn a_long_line_is_printed_as_what_is_accepted() {
    for (depth, count, op) in
        [(40, 30_000, "query"), (16, 65_000, "kasan_depopulate K 2047 x512"), (0, 65_536, "query")]
    {
        let line = format!("{}{}{}", "repeat 1 {".repeat(depth), format!("{op};").repeat(count), "}".repeat(depth));
        round_trips(&text::parse(&line).unwrap(), &format!("{count} of `{op}`, {depth} deep"));
    }
}

/// A number that the language does not have is in no program, whoever makes the list.
#[test]
fn what_cannot_be_written_is_no_program() {
    let pages = |mm: u8, first, count| Pages { mm: Mm(mm), first, count, size: Size::Small };
    let huge = Pages { size: Size::Huge, ..pages(0, 0, 1) };
    for op in [
        Op::Switch(TASKS),
        Op::Preempt(u8::MAX),
        Op::Fork(TASKS),
        Op::Exit(TASKS),
        Op::TaskPause(TASKS),
        Op::TaskResume(TASKS),
        Op::TaskQuery(TASKS),
        Op::Migrate(TASKS, 0),
        Op::Migrate(0, CPUS),
        Op::Cpu(CPUS),
        Op::Lock(LOCKS),
        Op::Unlock(LOCKS),
        Op::Alloc(FRAMES, Allocation::Plain),
        Op::Free(FRAMES, Allocation::Debug),
        Op::Fault(PAGES),
        Op::Kmap(PAGES),
        Op::Kunmap(u16::MAX),
        Op::Set(pages(3, 0, 1), Protection::Write),
        Op::Clear(pages(0, PAGES, 1)),
        Op::Access(pages(2, 0, MAX_PAGES + 1)),
        Op::GatherFlush(pages(u8::MAX, 0, 1)),
        Op::KasanPopulate(pages(1, 0, 1)),
        Op::KasanDepopulate(huge),
        Op::Open(Block::Repeat(MAX_REPEAT + 1)),
    ] {
        assert!(!op.is_in_range(), "{op:?}");
        assert_eq!(Program::new(vec![Op::Query, op]), Err(Shape::OutOfRange(1)), "{op:?}");
        let fitted = Program::fitted([Op::Query, op, Op::Query], MAX_OPS);
        assert_eq!(fitted.ops(), [Op::Query, Op::Query], "{op:?}");
    }
    for kind in 0..=u8::MAX {
        for detail in [0, 1, 7, 100, u8::MAX] {
            assert!(bytes::decode_op([kind, detail, 0xff, 0xff, 0xff, 0xff]).is_in_range(), "{kind} {detail}");
        }
    }
}

#[test]
fn every_operation_has_its_own_record_and_text() {
    let mut kinds = std::collections::BTreeSet::new();
    for kind in 0..=u8::MAX {
        let program = bytes::decode(&[kind, 13, 7, 1, 3, 0]);
        if let Some(op) = program.ops().first() {
            kinds.insert(op.to_string());
        }
    }
    assert_eq!(kinds.len(), 47, "{kinds:?}");
}

#[test]
fn limits_hold_for_any_bytes() {
    let deep = [39, 0, 0, 0, 0, 0].repeat(100);
    assert_eq!(bytes::decode(&deep).ops().len(), 2 * MAX_BETWEEN);
    let deeper = [36, 0, 0, 0, 0, 0].repeat(MAX_DEPTH + 9);
    assert_eq!(bytes::decode(&deeper).ops().len(), 2 * MAX_DEPTH);
    let long = [0, 0, 0, 0, 0, 0].repeat(MAX_OPS + 9);
    assert!(bytes::decode(&long).ops().len() <= MAX_OPS);
    // There is room for the closes of the blocks that stay open.
    let open_and_long = [[36, 0, 0, 0, 0, 0].repeat(100), long].concat();
    assert_eq!(bytes::decode(&open_and_long).ops().len(), MAX_OPS);
    assert_eq!((MAX_BETWEEN, MAX_DEPTH, MAX_OPS, MAX_PAGES), (32, 4096, 65_536, 512));
}

/// A program of as many operations as there may be loses none of them on its way through bytes.
#[test]
fn the_longest_programs_survive_their_bytes() {
    for head in ["", "irq { }", "irq { repeat 3 { query } }"] {
        let blocks = text::parse(head).unwrap().ops().to_vec();
        let plain = vec![Op::Query; MAX_OPS - blocks.len()];
        for ops in [[blocks.clone(), plain.clone()].concat(), [plain, blocks].concat()] {
            let program = Program::new(ops).unwrap();
            assert!(bytes::decode(&bytes::encode(&program)) == program, "{head}");
        }
    }
}

/// Whatever the list and the limit: within the limit, and the same as the list if that is a program that fits.
#[test]
fn every_list_has_a_program_that_fits() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let whole = bytes::decode(&random_bytes(&mut random, 60));
        for limit in [0, 1, 2, 3, 7, whole.ops().len(), MAX_OPS] {
            let cut = Program::fitted(whole.ops().iter().copied(), limit);
            assert!(cut.ops().len() <= limit, "seed {seed}, {limit}");
            assert_eq!(Program::new(cut.ops().to_vec()), Ok(cut.clone()), "seed {seed}, {limit}: the same closes");
            assert_eq!(cut == whole, limit >= whole.ops().len(), "seed {seed}, {limit}");
        }
    }
}

#[test]
fn blocks_count_while_they_are_open() {
    let records = |kinds: &[u8]| kinds.iter().flat_map(|&kind| [kind, 0, 0, 0, 0, 0]).collect::<Vec<_>>();
    assert_eq!(bytes::decode(&records(&[39, 41].repeat(40))).ops().len(), 80);
    assert_eq!(bytes::decode(&records(&[41, 0, 42])).ops(), [Op::Enable], "a close without a block is left out");
    assert_eq!(bytes::decode(&records(&[36, 42, 0])).ops(), [Op::Open(Block::Irq), Op::Close, Op::Enable]);
    let nested = |block: &str, n: usize| format!("{}{}", block.repeat(n), "}".repeat(n));
    assert!(text::parse(&"between { } ".repeat(40)).is_ok());
    assert!(text::parse(&nested("between { ", 32)).is_ok());
    let error = text::parse(&nested("between { ", 33)).unwrap_err();
    assert_eq!((error.line, error.column), (1, 321), "{error}");
    assert!(text::parse(&nested("irq { ", 4096)).is_ok());
    let error = text::parse(&nested("irq { ", 4097)).unwrap_err();
    let limits = "at most 4096 blocks, 32 of them `between`, may be open at once";
    assert_eq!((error.column, error.message.as_str()), (6 * 4096 + 1, limits));
    let deep = text::parse(&nested("irq { ", 4096)).unwrap().to_string();
    assert!(deep.len() < 400_000, "a text does not grow with the square of its depth: {}", deep.len());
}

/// Every number at its largest, as text, as bytes and back.
#[test]
fn the_largest_numbers_survive_both_ways() {
    for line in [
        "set K 2047 x512",
        "set V 2047 x300 huge exec",
        "set U 0 x512 large invalid",
        "clear U 2047 x512 huge",
        "wrprot V 1 x0",
        "fault 2047",
        "migrate T7 1",
        "migrate T0 0",
        "switch T7",
        "fork T7",
        "exit T7",
        "task_pause T7",
        "task_query T7",
        "cpu 1",
        "lock 3",
        "unlock 3",
        "alloc 511 debug",
        "free 511 sleep",
        "preempt T7",
        "kmap 2047",
        "kunmap 2047",
        "kasan_populate K 2047 x512",
        "kasan_depopulate K 2047 x512",
        "repeat 1023 {\n}",
        "task_pause T1 between {\n}",
        "task_resume T1 between {\n}",
    ] {
        let program = text::parse(line).unwrap();
        assert_eq!(program.to_string(), format!("{line}\n"));
        assert_eq!(bytes::decode(&bytes::encode(&program)), program, "{line}");
    }
}

/// Every MMU by its name, as text, as bytes and back; numbers beyond the last one wrap.
#[test]
fn a_block_for_each_mmu() {
    let names = ["plain", "aarch64", "hash", "radix", "sun4u", "sun4v", "native", "xen"];
    assert_eq!(Mmu::ALL.map(Mmu::name), names);
    for (n, (mmu, name)) in (0..).zip(Mmu::ALL.into_iter().zip(names)) {
        let program = text::parse(&format!("on {name} {{ query }}")).unwrap();
        assert_eq!(program.ops(), [Op::Open(Block::On(mmu)), Op::Query, Op::Close]);
        assert_eq!(program.to_string(), format!("on {name} {{\n  query\n}}\n"));
        let bytes = bytes::encode(&program);
        assert_eq!((bytes[..2].to_vec(), bytes::decode(&bytes)), (vec![48, n], program));
        assert_eq!(bytes::decode(&[48, 248 + n, 9, 9, 9, 9]).ops(), [Op::Open(Block::On(mmu)), Op::Close]);
    }
}

/// Bytes that name other pages than KASAN's shadow can have: the same pages of K, small ones.
#[test]
fn kasan_bytes_wrap_to_small_pages_of_k() {
    for detail in 0..=u8::MAX {
        let pages = Pages { mm: Mm::KERNEL, first: 2047, count: 512, size: Size::Small };
        let ops = [(46, Op::KasanPopulate(pages)), (47, Op::KasanDepopulate(pages))];
        for (kind, op) in ops {
            // 4095 and 1025 are 2047 and 512, wrapped.
            let program = bytes::decode(&[kind, detail, 0xff, 0x0f, 0x01, 0x04]);
            assert_eq!(program.ops(), [op], "{detail}");
            assert_eq!(text::parse(&program.to_string()), Ok(program), "{detail}");
        }
    }
}

#[test]
fn a_text_may_be_dense_or_airy() {
    let dense = text::parse("enable between{switch T1;switch T0};set K 5 x193 huge read;irq{query}disable").unwrap();
    let airy = "# a comment\nenable between {\n  switch T1 # there\n  switch T0\n}\n\nset K 5 read huge x193\nirq {\n  query\n}\ndisable\n";
    assert_eq!(text::parse(airy).unwrap(), dense);
    assert_eq!(
        dense.to_string(),
        "enable between {\n  switch T1\n  switch T0\n}\nset K 5 x193 huge read\nirq {\n  query\n}\ndisable\n"
    );
}

#[test]
fn a_bad_text_is_answered_with_its_place() {
    const TWICE: &str = "`x3` is no count (x193), size (small, large, huge) or protection (write, read, exec, \
                         invalid), or comes twice";
    const MMUS: &str = "`arm64` is no MMU: expected one of plain, aarch64, hash, radix, sun4u, sun4v, native, xen";
    let long = format!("enable\n{}", "x".repeat(90));
    #[rustfmt::skip]
    let cases: &[(&str, (usize, usize), &str)] = &[
        ("enable\nenabel", (2, 1), "unknown operation `enabel`; did you mean `enable`?"),
        ("set K", (1, 6), "`set` needs a page"),
        ("set Q 1", (1, 5), "`Q` is no address space: expected K, U or V"),
        ("set K 2048", (1, 7), "`2048` is no page: expected a number in 0..=2047"),
        ("set K 1 x513", (1, 9), "`513` is no number of pages: expected a number in 0..=512"),
        ("set K -1", (1, 7), "`-1` is no page: expected a number in 0..=2047"),
        ("clear K 1 read", (1, 11), "a protection is for `set` alone"),
        ("  switch T8", (1, 10), "`T8` is no task: expected T0 to T7"),
        ("migrate T1 2", (1, 12), "`2` is no CPU: expected a number in 0..=1"),
        ("enable disable", (1, 8), "`disable` was not expected: the operation ended before it"),
        ("irq {\n enable", (1, 1), "this block is never closed: a `}` is missing"),
        ("enable\n  }", (2, 3), "this `}` closes no block"),
        ("irq enable", (1, 5), "`irq` opens a block: a `{` is missing"),
        ("alloc 3 often", (1, 9), "`often` is none of plain, debug, sleep"),
        ("set K +5", (1, 7), "`+5` is no page: expected a number in 0..=2047"),
        ("switch 1", (1, 8), "`1` is no task: expected T0 to T7"),
        ("set K 1 between { }", (1, 9), &TWICE.replace("x3", "between")),
        ("query between { }", (1, 7), "`between` was not expected: the operation ended before it"),
        ("set K 1 x2 x3", (1, 12), TWICE),
        ("set K 1 huge small", (1, 14), &TWICE.replace("x3", "small")),
        ("set K 1 read write", (1, 14), &TWICE.replace("x3", "write")),
        ("sett K 1", (1, 1), "unknown operation `sett`; did you mean `set`?"),
        ("preempt", (1, 8), "`preempt` needs a task"),
        ("preempt T8", (1, 9), "`T8` is no task: expected T0 to T7"),
        ("kmap", (1, 5), "`kmap` needs a kernel page"),
        ("kmap K 5", (1, 6), "`K` is no page: expected a number in 0..=2047"),
        ("kunmap 2048", (1, 8), "`2048` is no page: expected a number in 0..=2047"),
        ("kmap 5 x2", (1, 8), "`x2` was not expected: the operation ended before it"),
        ("pause; kasan_populate U 1", (1, 8), "`kasan_populate` is about small pages of K"),
        ("kasan_populate K 1 large", (1, 1), "`kasan_populate` is about small pages of K"),
        ("kasan_depopulate V 1 x3", (1, 1), "`kasan_depopulate` is about small pages of K"),
        ("kasan_depopulate K 1 x3 huge", (1, 1), "`kasan_depopulate` is about small pages of K"),
        ("kasan_populate K 1 read", (1, 20), "a protection is for `set` alone"),
        ("on arm64 { }", (1, 4), MMUS),
        ("on XEN { }", (1, 4), &MMUS.replace("arm64", "XEN")),
        ("on { }", (1, 4), "`on` needs an MMU"),
        ("on xen query", (1, 8), "`on` opens a block: a `{` is missing"),
        ("on xen {\n query", (1, 1), "this block is never closed: a `}` is missing"),
        ("kasan_populte K 1", (1, 1), "unknown operation `kasan_populte`; did you mean `kasan_populate`?"),
        (&long, (2, 1), "unknown operation `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...`"),
    ];
    for (text, (line, column), message) in cases {
        let error = text::parse(text).unwrap_err();
        assert_eq!((error.line, error.column, error.message.as_str()), (*line, *column, *message), "{text}");
    }
}

#[test]
fn what_is_no_text_is_refused() {
    let nul = text::parse_bytes(b"enable\nset\0K").unwrap_err();
    assert_eq!((nul.line, nul.column, nul.message.as_str()), (2, 4, "byte 0x00 is not text"));
    let long = text::parse_bytes(&vec![b'e'; 10 << 20]).unwrap_err();
    assert_eq!((long.line, long.message.len() < 100), (1, true));
    let long = text::parse_bytes(&vec![b'\n'; MAX_TEXT + 1]).unwrap_err();
    assert_eq!(long.message, "the text is too long: a program's has at most 4194304 bytes");
    assert_eq!(text::parse_bytes(&vec![b'\n'; MAX_TEXT]), Ok(Program::default()));
    let bell = text::parse_bytes(b"enable\x07").unwrap_err();
    assert_eq!((bell.line, bell.column, bell.message.as_str()), (1, 7, "byte 0x07 is not text"));
    assert_eq!(text::parse_bytes(b"enable\r\n\tdisable\r\n"), text::parse("enable; disable"));
    let latin = text::parse_bytes(b"enable\n# \xe9").unwrap_err();
    assert_eq!((latin.line, latin.column), (2, 3));
    let many = "enable\n".repeat(MAX_OPS + 1);
    assert_eq!(text::parse(&many).unwrap_err().message, "a program has at most 65536 operations");
}
