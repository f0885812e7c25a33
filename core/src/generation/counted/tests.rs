//! Table 10.6, row by row, as data.

use super::*;
use crate::generation::bench_kernel::{Asked, Bench, Hook};

type Call = fn(&mut Bench);
const ENABLE: Call = lazy_mmu_mode_enable;
const DISABLE: Call = lazy_mmu_mode_disable;
const PAUSE: Call = lazy_mmu_mode_pause;
const RESUME: Call = lazy_mmu_mode_resume;
const TASK_PAUSE: Call = |cx| task_lazy_mmu_mode_pause(cx, ());
const TASK_RESUME: Call = |cx| task_lazy_mmu_mode_resume(cx, ());

/// Row, call, interrupt context, counts before, hook with the query's answer inside it, counts after, warning.
type Row = (&'static str, Call, bool, (u8, u8), Option<(Hook, bool)>, (u8, u8), Option<WarnSite>);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("E1", ENABLE, true, (3, 0), None, (3, 0), None),
    ("E1 at the limit", ENABLE, true, (255, 0), None, (255, 0), None),
    ("E2", ENABLE, false, (0, 1), None, (0, 1), None),
    ("E2 inside", ENABLE, false, (255, 2), None, (255, 2), None),
    ("E3", ENABLE, false, (0, 0), Some((Hook::Enter, true)), (1, 0), None),
    ("E4 low", ENABLE, false, (1, 0), None, (2, 0), None),
    ("E4 high", ENABLE, false, (254, 0), None, (255, 0), None),
    ("E5", ENABLE, false, (255, 0), None, (0, 0), Some(WarnSite::Enable)),
    ("D1", DISABLE, true, (1, 0), None, (1, 0), None),
    ("D1 at the limit", DISABLE, true, (0, 0), None, (0, 0), None),
    ("D2", DISABLE, false, (1, 1), None, (1, 1), None),
    ("D3", DISABLE, false, (1, 0), Some((Hook::Leave, false)), (0, 0), None),
    ("D4", DISABLE, false, (2, 0), Some((Hook::Flush, true)), (1, 0), None),
    ("D4 high", DISABLE, false, (255, 0), Some((Hook::Flush, true)), (254, 0), None),
    ("D5", DISABLE, false, (0, 0), Some((Hook::Flush, true)), (255, 0), Some(WarnSite::Disable)),
    ("P1", PAUSE, true, (1, 0), None, (1, 0), None),
    ("P2", PAUSE, false, (0, 0), None, (0, 1), None),
    ("P3", PAUSE, false, (7, 0), Some((Hook::Leave, false)), (7, 1), None),
    ("P4", PAUSE, false, (1, 254), None, (1, 255), None),
    ("P5", PAUSE, false, (1, 255), None, (1, 0), Some(WarnSite::Pause)),
    ("R1", RESUME, true, (1, 1), None, (1, 1), None),
    ("R2", RESUME, false, (1, 0), None, (1, 255), Some(WarnSite::Resume)),
    ("R3", RESUME, false, (0, 1), None, (0, 0), None),
    ("R4", RESUME, false, (7, 1), Some((Hook::Enter, true)), (7, 0), None),
    ("R5", RESUME, false, (1, 2), None, (1, 1), None),
    ("TP as P2", TASK_PAUSE, true, (0, 0), None, (0, 1), None),
    ("TP as P3", TASK_PAUSE, true, (1, 0), Some((Hook::Leave, false)), (1, 1), None),
    ("TP as P5", TASK_PAUSE, true, (1, 255), None, (1, 0), Some(WarnSite::Pause)),
    ("TR as R2", TASK_RESUME, true, (0, 0), None, (0, 255), Some(WarnSite::Resume)),
    ("TR as R4", TASK_RESUME, false, (1, 1), Some((Hook::Enter, true)), (1, 0), None),
];

#[test]
fn every_row_of_table_10_6() {
    for &(row, call, interrupt, before, hook, after, warn) in ROWS {
        let mut bench = Bench { query: Some(is_lazy_mmu_mode_active), ..Bench::default() };
        bench.interrupt.set(interrupt);
        bench.counted.enable_count.set(before.0);
        bench.counted.pause_count.set(before.1);
        call(&mut bench);
        // In interrupt context the query is false whatever the counters say (Q1).
        let inside = hook.is_some_and(|(_, inside)| inside && !interrupt);
        let effect = before != after;
        let expected = Asked { hook: hook.map(|(hook, _)| hook), inside, warn, vm_bug: None, points: u8::from(effect) };
        assert_eq!(bench.asked, expected, "row {row}");
        let counts = (bench.counted.enable_count.get(), bench.counted.pause_count.get());
        assert_eq!(counts, after, "row {row}");
    }
}

#[test]
fn rows_q1_q2_and_tq() {
    for enable in 0..=u8::MAX {
        for pause in 0..=u8::MAX {
            let bench = Bench::default();
            bench.counted.enable_count.set(enable);
            bench.counted.pause_count.set(pause);
            assert_eq!(is_lazy_mmu_mode_active(&bench), enable >= 1 && pause == 0, "Q2 at {enable}/{pause}");
            bench.interrupt.set(true);
            assert!(!is_lazy_mmu_mode_active(&bench), "Q1 at {enable}/{pause}");
            assert_eq!(task_lazy_mmu_mode_active(&bench, ()), enable >= 1 && pause == 0, "TQ at {enable}/{pause}");
        }
    }
}
