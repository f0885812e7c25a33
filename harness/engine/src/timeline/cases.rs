//! Programs and their timelines, as they are to be read. Called by the tests beside it.

/// A program, the subject it runs on, and its timeline.
pub(super) struct Case {
    pub(super) program: &'static str,
    pub(super) subject: &'static str,
    pub(super) timeline: &'static str,
}

/// The cases: what each is about stands above it.
pub(super) const CASES: &[Case] = &[
    // Two CPUs: a column each; what one has in progress does not indent the other's lines.
    Case {
        program: "enable; set K 1 x2; cpu 1; access U 0; enable; cpu 0; disable; cpu 1; set K 9; disable; cpu 0; access K 9",
        subject: "aarch64",
        timeline: "\
cpu0 cpu1 | counters are enable/pause
T0        | enable
T0        |   hook enter (active)
T0        | = 1/0 active
T0        | set K 1 x2
T0        |   store K[1..2] = frames 512..513 rw
T0        |   set_thread_flag
T0        |   queued: the barriers
T0        |   deferred: K[1] and 1 more: no barrier made the store visible to walkers
     T3   | access U 0
     T3   |   walk U[0] -> none
     T3   | enable
     T3   |   hook enter (active)
     T3   | = 1/0 active
T0        | disable
T0        |   hook leave
T0        |   test_and_clear_thread_flag; dsb ishst; isb
T0        |   applied: 2 updates
T0        | = 0/0
     T3   | set K 9
     T3   |   store K[9] = frame 514 rw (0x68000000202383)
     T3   |   set_thread_flag
     T3   |   queued: the barriers
     T3   |   deferred: K[9]: no barrier made the store visible to walkers
     T3   | disable
     T3   |   hook leave
     T3   |   test_and_clear_thread_flag; dsb ishst; isb
     T3   |   applied: 1 update
     T3   | = 0/0
T0        | access K 9
T0        |   walk K[9] -> frame 514 rw
",
    },
    // A task that is preempted between the halves of a call keeps its depth; the other one has its own.
    Case {
        program: "enable between { preempt T1; set K 3; switch T0 }; disable; switch T1; disable",
        subject: "aarch64",
        timeline: "\
cpu0 | counters are enable/pause
T0   | enable
T0   |   between the halves, at 1/0 active
T0   |   preempted, by T1, at 1/0 active
T0   |     dsb ish
T1   | switch in, from T0, at 0/0
T1   | set K 3
T1   |   store K[3] = frame 512 rw (0x68000000200383)
T1   |   not queued: the barriers come at once
T1   |   dsb ishst; isb
T1   |   applied: 1 update
T1   | switch out, to T0, at 0/0
T1   |   dsb ish
T0   |   switch in, from T1, at 1/0 active
T0   |   hook enter (active)
T0   | = 1/0 active
T0   | disable
T0   |   hook leave
T0   |   test_and_clear_thread_flag
T0   | = 0/0
T0   | switch out, to T1, at 0/0
T0   |   dsb ish
T1   | switch in, from T0, at 0/0
T1   | disable
T1   |   WARN Disable
T1   |   hook flush (active)
>>> I2 pairing broken: hook flush for T1, which has not entered
T1   |   test_and_clear_thread_flag
T1   | = 255/0 active
>>> I1 balance broken: disable: enable_count wrapped, from 0/0 to 255/0
",
    },
    // A call that is refused is named: it has no other event.
    Case {
        program: "pause between { enable; switch T1; enable; disable }; resume; irq_off; irq { query }; on xen { query }",
        subject: "powerpc64-hash",
        timeline: "\
cpu0 | counters are enable/pause
T0   | pause
T0   |   between the halves, at 0/1
T0   |   enable: refused: the task stands between the halves of a call
T0   |   switch out, to T1, at 0/1
T1   | switch in, from T0, at 0/0
T1   | enable
T1   |   hook enter (active)
T1   |   preempt_count 1
T1   | = 1/0 active
T1   | disable
T1   |   hook leave
T1   |   preempt_count 0
T1   | = 0/0
T1   | switch out, to T0, at 0/0
T0   |   switch in, from T1, at 0/1
T0   | = 0/1
T0   | resume = 0/0
T0   | irq_off
T0   | irq { ... } refused: this interrupt is masked here
T0   | on xen { ... } refused: another architecture's code
",
    },
    // A full batch: 1180 events.
    Case {
        program: "set U 0 x193; access U 0 x193; enable; clear U 0 x193; disable",
        subject: "powerpc64-hash",
        timeline: "\
cpu0 | counters are enable/pause
T0   | set U 0 x193
T0   |   store U[0..192] = frames 512..704 rw
T0   | access U 0 x193
T0   |   walk U[0..192] -> frames 512..704 rw
T0   | enable
T0   |   hook enter (active)
T0   |   preempt_count 1
T0   | = 1/0 active
T0   | clear U 0 x193
T0   |   store U[0..191] = none; queued as entries 1..192
T0   |   flush the batch: 192 entries
T0   |   hpte_invalidate x192; ptesync; tlbiel x192; ptesync
T0   |   applied: 192 updates
T0   |   store U[192] = none; queued as entry 1
T0   |   deferred: U[192]: the hash table has the old translation
T0   | disable
T0   |   hook leave
T0   |   flush the batch: 1 entry
T0   |   hpte_invalidate; ptesync; tlbiel; ptesync
T0   |   applied: 1 update
T0   |   preempt_count 0
T0   | = 0/0
",
    },
    // An interrupt within a section.
    Case {
        program: "set U 0 x4; access U 0 x4; enable; clear U 0 x4; irq { query; set K 5 read; switch T1; irq_off }; disable",
        subject: "powerpc64-hash",
        timeline: "\
cpu0 | counters are enable/pause; `!` is in_interrupt()
T0   | set U 0 x4
T0   |   store U[0..3] = frames 512..515 rw
T0   | access U 0 x4
T0   |   walk U[0..3] -> frames 512..515 rw
T0   | enable
T0   |   hook enter (active)
T0   |   preempt_count 1
T0   | = 1/0 active
T0   | clear U 0 x4
T0   |   store U[0..3] = none; queued as entries 1..4
T0   |   deferred: U[0] and 3 more: the hash table has the old translation
T0   | irq {
T0!  |   queued: 4 entries
T0!  |   query = false
T0!  |   set K 5 read
T0!  |     store K[5] = frame 516 ro (0xc00000000204100c)
T0!  |   switch T1: refused: not possible in interrupt context
T0!  |   irq_off: refused: not possible in interrupt context
T0   | }
T0   | disable
T0   |   hook leave
T0   |   flush the batch: 4 entries
T0   |   hpte_invalidate x4; ptesync; tlbiel x4; ptesync
T0   |   applied: 4 updates
T0   |   preempt_count 0
T0   | = 0/0
",
    },
    // An access of a stale translation.
    Case {
        program: "set U 0 x2; access U 0 x2; enable; clear U 0 x2; access U 0 x2; gather_flush U 0 x2; disable; access U 0",
        subject: "sparc64",
        timeline: "\
cpu0 | counters are enable/pause
T0   | set U 0 x2
T0   |   store U[0..1] = frames 512..513 rw
T0   | access U 0 x2
T0   |   walk U[0..1] -> frames 512..513 rw
T0   | enable
T0   |   hook enter (active)
T0   |   preempt_count 1
T0   | = 1/0 active
T0   | clear U 0 x2
T0   |   store U[0..1] = none; queued as entries 1..2
T0   |   deferred: U[0] and 1 more: a TSB has the old translation
T0   | access U 0 x2
T0   |   walk U[0] -> frame 512 rw; asked: none (not flushed yet)
>>> I3 visible-at-exit broken: a walker on CPU 0 finds an old translation at U[0]
T0   |   walk U[1] -> frame 513 rw; asked: none (not flushed yet)
T0   | gather_flush U 0 x2
T0   |   flush the batch: 2 entries
T0   |   tsb_flush x2; rdpr %pstate; wrpr %pstate; ldxa; stxa x2; (membar #Sync; stxa) x2; flush;
T0   |       wrpr %pstate
T0   |   applied: 2 updates
T0   |   freed: 2 frames unmapped from U[0] on
T0   | disable
T0   |   hook leave
T0   |   preempt_count 0
T0   | = 0/0
T0   | access U 0
T0   |   walk U[0] -> none
",
    },
    // Updates that wait in a hypercall's buffer; a sequence that comes again.
    Case {
        program: "set U 0 x3; enable; set K 16 x40; get K 16; disable",
        subject: "xen",
        timeline: "\
cpu0 | counters are enable/pause
T0   | off the CPU: T1, at 0/1
T0   | off the CPU: T2, at 0/1
T0   | set U 0 x3
T0   |   asked: U[0..2] = frames 512..514 rw
T0   |   3 times:
T0   |     not queued: a hypercall at once
T0   |     hypercall mmu_update
T0   |     store U[0..2] = frames 512..514 rw
T0   |   applied: 3 updates in 3 hypercalls
T0   | enable
T0   |   hook enter (active)
T0   | = 1/0 active
T0   | set K 16 x40
T0   |   asked: K[16..55] = frames 515..554 rw
T0   |   queued: 31 updates
T0   |   flush the multicall buffer: 1 entry, 496 bytes
T0   |   hypercall mmu_update 0x0, 0x1f
T0   |   store K[16..46] = frames 515..545 rw
T0   |   queued: 9 updates
T0   |   applied: 31 updates in 1 hypercall
T0   |   deferred: K[47] and 8 more: the page table does not say it
T0   | get K 16
T0   |   read K[16] = frame 515 rw
T0   | disable
T0   |   hook leave
T0   |   flush the multicall buffer: 1 entry, 144 bytes
T0   |   hypercall mmu_update 0x0, 0x9
T0   |   store K[47..55] = frames 546..554 rw
T0   |   applied: 9 updates in 1 hypercall
T0   | = 0/0
",
    },
    // What unwinds after the kernel is dead is no news.
    Case {
        program: "enable between { switch T1; switch T0 }",
        subject: "counted/xen@7.0",
        timeline: "\
cpu0 | counters are enable/pause
T0   | enable
T0   |   between the halves, at 1/0 active
T0   |   switch out, to T1, at 1/0 active
T0   |     flush the multicall buffer: empty
T1   | switch in, from T0, at 0/0
T1   | switch out, to T0, at 0/0
T1   |   flush the multicall buffer: empty
T0   |   switch in, from T1, at 1/0 active
T0   |   hook enter (active)
T0   |   BUG EnterLazy
>>> I2 pairing broken: CPU 0 enters a mode that is on
>>> I15 quiet broken: BUG EnterLazy: the kernel dies
T0   |   the kernel is dead: the run stops
",
    },
    // Calls that come again and again.
    Case {
        program: "repeat 0 { query }; repeat 5 { enable; query }; repeat 5 { disable }; enable; task_pause T1",
        subject: "none",
        timeline: "\
cpu0 | counters are enable/pause
T0   | repeat 0 { ... }
T0   | repeat 5 {
T0   |   enable
T0   |     hook enter (active)
T0   |   = 1/0 active
T0   |   4 times:
T0   |     query = true
T0   |     enable = 2..5/0 active
T0   |   query = true
T0   | }
T0   | repeat 5 {
T0   |   4 times:
T0   |     disable
T0   |       hook flush (active)
T0   |     = 4..1/0 active
T0   |   disable
T0   |     hook leave
T0   |   = 0/0
T0   | }
T0   | enable
T0   |   hook enter (active)
T0   | = 1/0 active
T0   | task_pause T1 = 0/1
>>> I1 balance broken: T0 is left with enable_count 1 and pause_count 0
",
    },
    // Without counters the architecture's own mark is shown, where it changes.
    Case {
        program: "enable; enable; set U 1; disable; disable",
        subject: "stateless/powerpc64",
        timeline: "\
cpu0 | counters are enable/pause
T0   | enable
T0   |   hook enter
T0   |   preempt_count 1
T0   | = 0/0
T0   | mode: on
T0   | enable
T0   |   hook enter (active)
>>> I2 pairing broken: hook enter on CPU 0, where the mode is on already
T0   |   preempt_count 2
T0   | = 0/0
T0   | set U 1
T0   |   store U[1] = frame 512 rw (0xc000000002001006)
T0   | disable
T0   |   hook leave (active)
T0   |   preempt_count 1
T0   | = 0/0
T0   | mode: off
>>> I12 switch-neutral broken: the architecture's mode is off while T0's is on
T0   | disable
T0   |   hook leave
T0   |   preempt_count 0
T0   | = 0/0
",
    },
];
