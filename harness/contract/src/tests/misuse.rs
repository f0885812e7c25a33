//! Programs that misuse the API, where and how, and programs that just do not.

use super::*;
use crate::legality::How;

/// How a program misuses the API first, and at which operation.
#[test]
fn programs_and_their_misuse() {
    #[rustfmt::skip]
    let cases = [
        ("enable; pause; resume; disable", None),
        ("disable", Some((0, How::Underflow))),
        ("resume", Some((0, How::Underflow))),
        ("repeat 255 { enable }; repeat 255 { pause }", None),
        ("repeat 256 { enable }", Some((1, How::Overflow))),
        ("repeat 256 { pause }", Some((1, How::Overflow))),
        ("enable; pause; disable", Some((2, How::Crossing))),
        ("pause; enable; resume", Some((2, How::Crossing))),
        ("bh_off; enable; bh_on; disable", Some((3, How::Asymmetric))),
        ("enable; bh_off; disable", Some((2, How::Asymmetric))),
        ("task_pause T1", Some((0, How::TaskCall))),
        ("task_resume T0", Some((0, How::TaskCall))),
        // Only the first counts.
        ("disable; irq { enable }", Some((0, How::Underflow))),
        // Calls without effect open and close nothing that is counted.
        ("irq { repeat 300 { enable }; repeat 300 { disable } }", None),
        ("bh_off; repeat 9 { enable }; bh_on; repeat 250 { enable }", None),
        ("bh_off; pause; bh_on; repeat 256 { enable }", Some((4, How::Overflow))),
        // Handlers pair among themselves.
        ("irq { enable; disable }; irq_off; irq { enable }", None),
        ("irq { enable }", Some((2, How::Asymmetric))),
        ("enable; irq { disable }", Some((2, How::Asymmetric))),
        ("pause; irq { disable }", Some((2, How::Asymmetric))),
        ("bh_off; enable; nmi { disable }", Some((3, How::Asymmetric))),
        // A new task owes nothing of the dead one whose number it has.
        ("fork T4; exit T4; fork T4; switch T4; disable", Some((4, How::Underflow))),
        // It sleeps to make a task, and to end.
        ("fork T4; switch T4; enable; disable; exit T4", None),
        // Neither call nor sleep is wrong, but the child has a pause that nobody ends.
        ("pause; fork T4; resume", Some((1, How::Forks))),
        ("enable; fork T4; disable", Some((1, How::Sleeps))),
        ("lock 0; fork T4; unlock 0", Some((1, How::Sleeps))),
        ("irq { fork T4 }", Some((1, How::Sleeps))),
        ("switch T1; enable; exit T1", Some((2, How::Sleeps))),
        ("enable; preempt T1; exit T0", Some((2, How::Ends))),
        ("switch T1; pause; exit T1", Some((2, How::Ends))),
        ("switch T1; enable; pause; resume; disable; switch T0; exit T1", None),
        // A lock of user entries is dropped when what a section changed under it is in effect.
        ("lock 0; enable; set U 0; disable; unlock 0", None),
        ("lock 0; enable; set U 0; unlock 0; disable", Some((3, How::Unlocks))),
        ("enable; lock 0; set U 0 x193; unlock 0; disable", Some((3, How::Unlocks))),
        ("lock 0; enable; clear V 0; enable; unlock 0; disable; disable", Some((4, How::Unlocks))),
        ("lock 0; enable; wrprot U 0; lock 1; unlock 1; disable; unlock 0", None),
        ("lock 0; lock 1; enable; wrprot U 0; unlock 1; disable; unlock 0", Some((4, How::Unlocks))),
        ("lock 0; enable; set U 0; enable; disable; unlock 0; disable", None),
        ("lock 0; enable; set U 0; pause; unlock 0; resume; disable", None),
        ("lock 0; enable; set U 0; flush; unlock 0; disable", None),
        ("lock 0; enable; set U 0; irq { flush }; unlock 0; disable", Some((6, How::Unlocks))),
        ("lock 0; enable; set U 0; flush; set U 1; unlock 0; disable", Some((5, How::Unlocks))),
        ("lock 0; enable; set K 0; unlock 0; disable", None),
        ("lock 0; set U 0; enable; unlock 0; disable", None),
        ("enable; set U 0; lock 0; unlock 0; disable", None),
        ("lock 0; enable; get U 0; access U 1; unlock 0; disable", None),
        ("lock 0; enable; set U 0; lock 0; unlock 0; disable", Some((4, How::Unlocks))),
        ("enable; lock 0; set U 0; unlock 1; disable; unlock 0", None),
        // Who left a section to sleep goes on in one.
        ("enable; set K 0; disable; alloc 3 sleep; set K 1", Some((4, How::Unbatched))),
        ("enable; set K 0; disable; alloc 3 sleep; enable; set K 1; disable", None),
        ("enable; set K 0 x8; disable; sleep; set K 8 x8", Some((4, How::Unbatched))),
        ("enable; clear U 0; disable; mutex_lock; mutex_unlock; clear U 1; disable", Some((5, How::Unbatched))),
        ("lock 0; enable; wrprot U 0; disable; unlock 0; sleep; lock 0; wrprot U 1; unlock 0", Some((7, How::Unbatched))),
        ("enable; set K 0; disable; free 3 sleep; query; get K 0; set K 1 x2; disable", Some((6, How::Unbatched))),
        ("enable; set K 0; disable; set K 1", None),
        ("enable; set K 0; disable; alloc 3 sleep; set K 2", None),
        ("enable; set K 0; disable; alloc 3 sleep; clear K 1", None),
        ("enable; set K 0; disable; alloc 3 sleep; set U 1", None),
        ("enable; set K 0; disable; alloc 3; set K 1", None),
        ("enable; set K 0; disable; switch T1; switch T0; set K 1", None),
        ("enable; set K 0; pause; resume; disable; sleep; irq { set K 1 }", None),
        ("enable; set K 0; disable; sleep; switch T1; set K 1", None),
        ("enable; set K 0; disable; sleep; enable; disable; set K 1", None),
        ("set K 0; sleep; set K 1", None),
        // Between halves a task makes none, and one that was in a section when another ends is not that one.
        ("enable between { fork T4 }; disable", None),
        ("enable; preempt T1; exit T2; switch T0; disable", None),
        // An entry is set and flushed by its own size, and may have another when that is done.
        ("set U 0 large; clear U 0; tlb_flush U 0 large; set U 0", None),
        ("set U 0 large; clear U 0; tlb_flush U 0; set U 0", Some((2, How::Sizes))),
        ("set U 0 large; set U 0", Some((1, How::Sizes))),
        ("set U 0 large; clear U 0; set U 0", Some((2, How::Sizes))),
        ("set U 0; clear U 0 large; tlb_flush U 0 x4; set U 0 huge", None),
        ("set U 0 x4; tlb_flush U 2 huge", Some((1, How::Sizes))),
        ("set U 0 x4; tlb_flush U 4 huge; gather_flush V 0 large", None),
        ("set K 0 huge; wrprot K 0; tlb_flush K 0 huge; set K 0 huge", None),
        ("set K 0; clear K 0; gather_flush K 0", Some((2, How::Gathers))),
        // Handlers of both CPUs are open, and the interrupted task has fewer sections than when its own began.
        (
            "repeat 2 { pause; enable }; enable; enable; pause; enable; pause; irq { cpu 1; irq { cpu 0; disable }; cpu 0; resume }",
            Some((13, How::Crossing)),
        ),
        // A flush in a handler is nobody's section's.
        ("enable; set K 0; irq { flush; get K 0 }; disable", Some((4, How::Races))),
        ("enable; set K 0; flush; irq { get K 0 }; disable", None),
        // With bottom halves off, a change overtakes what the section holds back; so does another's flush.
        ("enable; set K 0; bh_off; set K 0; bh_on; disable", Some((3, How::Races))),
        ("enable; set K 0; bh_off; set K 1; bh_on; disable", None),
        ("enable; clear U 0; cpu 1; tlb_flush U 0", Some((3, How::Races))),
        ("set U 0; clear U 0; enable; tlb_flush U 0; irq { set U 0 }; disable", Some((5, How::Races))),
        ("set U 0; clear U 0; enable; tlb_flush U 0; access U 0; disable; irq { set U 0 }", None),
        ("enable; clear U 0; cpu 1; tlb_flush U 1; cpu 0; tlb_flush U 0; disable", None),
    ];
    let architectures = [
        // The architecture's own section is the 256th, and so is the pause of a switch.
        ("counted/aarch64", "repeat 255 { enable }; alloc 0 debug", Some((3, How::Overflow))),
        ("counted/aarch64", "repeat 254 { enable }; alloc 0 debug", None),
        ("counted/aarch64", "set K 1026 large; access K 1026; free 2 debug", Some((2, How::Sizes))),
        ("counted/aarch64", "alloc 2 debug; access K 1026; free 2 debug", None),
        ("counted/powerpc64-hash", "enable; set K 1027; alloc 3 debug; disable", Some((2, How::ReadsDeferred))),
        ("counted/aarch64", "enable; set K 0; disable between { flush; access K 0 }", Some((5, How::ReadsDeferred))),
        // A handler's allocation maps a page whose entry the interrupted section holds back.
        ("counted/x86_64-xen", "enable; clear K 1032; irq { alloc 8 debug }; disable", Some((3, How::Races))),
        ("counted/x86_64-xen", "enable; clear K 1032; irq { alloc 9 debug }; disable", None),
        ("counted/x86_64-xen", "repeat 255 { pause }; preempt T1", Some((3, How::Overflow))),
    ];
    let cases = cases.into_iter().map(|(program, expected)| ("counted/none", program, expected));
    for (subject, program, expected) in cases.chain(architectures) {
        let (events, rules) = trace(subject, program);
        let misuse = judge(&events, rules).misuse.map(|misuse| (misuse.op, misuse.how));
        assert_eq!(misuse, expected, "{program}");
    }
}
