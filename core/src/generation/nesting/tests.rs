//! Tables 10.4 and 10.5, row by row, as data.

use super::*;
use crate::generation::bench_kernel::{Bench, Hook};

/// Call name, state before (level, flag), hook with the flag inside it for v3 and for v4, state after, warns, limit.
type Row = (&'static str, (u8, bool), Option<(Hook, bool, bool)>, (u8, bool), bool, bool);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("enable", (0, false), Some((Hook::Enter, false, true)), (1, true), false, false),
    ("enable", (1, true), None, (2, true), false, false),
    ("enable", (254, true), None, (255, true), false, false),
    ("enable", (1, false), None, (2, false), true, false),
    ("enable", (255, true), None, (0, true), false, true),
    ("disable", (1, true), Some((Hook::Leave, false, false)), (0, false), false, false),
    ("disable", (2, true), Some((Hook::Flush, true, true)), (1, true), false, false),
    ("disable", (2, false), Some((Hook::Flush, false, false)), (1, false), true, false),
    ("disable", (1, false), Some((Hook::Leave, false, false)), (0, false), true, false),
    ("disable", (0, false), Some((Hook::Flush, false, false)), (255, false), true, true),
    ("pause", (1, true), Some((Hook::Leave, false, false)), (1, false), false, false),
    ("pause", (1, false), Some((Hook::Leave, false, false)), (1, false), true, false),
    ("pause", (0, false), Some((Hook::Leave, false, false)), (0, false), true, false),
    ("resume", (1, false), Some((Hook::Enter, false, true)), (1, true), false, false),
    ("resume", (1, true), Some((Hook::Enter, true, true)), (1, true), true, false),
    ("resume", (0, false), Some((Hook::Enter, false, true)), (0, true), true, false),
];

fn call<V: Version>(name: &str, cx: &mut Bench) {
    match name {
        "enable" => lazy_mmu_mode_enable::<V, _>(cx),
        "disable" => lazy_mmu_mode_disable::<V, _>(cx),
        "pause" => lazy_mmu_mode_pause::<V, _>(cx),
        _ => lazy_mmu_mode_resume::<V, _>(cx),
    }
}

fn check<V: Version>(v4: bool) {
    for &(name, before, hook, after, warns, limit) in ROWS {
        let mut bench = Bench { query: Some(in_lazy_mmu_mode), ..Bench::default() };
        bench.nesting.count.set(before.0);
        bench.nesting.enabled.set(before.1);
        call::<V>(name, &mut bench);
        let hook = hook.map(|(hook, v3_inside, v4_inside)| (hook, if v4 { v4_inside } else { v3_inside }));
        assert_eq!(bench.asked.hook, hook.map(|(hook, _)| hook), "{name} at {before:?}, v4: {v4}");
        assert_eq!(bench.asked.inside, hook.is_some_and(|(_, inside)| inside), "{name} at {before:?}, v4: {v4}");
        assert_eq!(bench.asked.warn.is_some(), warns || (limit && v4), "{name} at {before:?}, v4: {v4}");
        assert_eq!(bench.asked.vm_bug.is_some(), limit && !v4, "{name} at {before:?}, v4: {v4}");
        assert_eq!(bench.asked.points, 1, "{name} at {before:?}, v4: {v4}");
        assert_eq!((bench.nesting.count.get(), bench.nesting.enabled.get()), after, "{name} at {before:?}, v4: {v4}");
    }
}

#[test]
fn every_row_of_table_10_4() {
    check::<V3>(false);
}

#[test]
fn every_row_of_table_10_5() {
    check::<V4>(true);
}

/// The level too is set before the enter hook by v4 and after it by v3.
#[test]
fn the_level_inside_the_hook_of_the_outermost_enable() {
    fn inside<V: Version>() -> bool {
        let mut bench = Bench { query: Some(|bench| bench.nesting.count.get() > 0), ..Bench::default() };
        call::<V>("enable", &mut bench);
        assert_eq!((bench.asked.hook, bench.nesting.count.get()), (Some(Hook::Enter), 1));
        bench.asked.inside
    }
    assert_eq!((inside::<V3>(), inside::<V4>()), (false, true));
}

#[test]
fn a_call_in_interrupt_context_does_nothing() {
    for name in ["enable", "disable", "pause", "resume"] {
        let mut bench = Bench::default();
        bench.interrupt.set(true);
        bench.nesting.count.set(1);
        bench.nesting.enabled.set(true);
        call::<V4>(name, &mut bench);
        assert_eq!(bench.asked, Default::default(), "{name}");
        assert!(!in_lazy_mmu_mode(&bench), "the query is false in interrupt context");
    }
}
