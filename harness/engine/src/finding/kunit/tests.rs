//! What a case says, and what it says it cannot.

use super::render;
use crate::contract::Invariant;
use crate::finding::Signature;
use crate::program::text::parse;

fn case(subject: &str, text: &str) -> String {
    let signature = Signature { subject: subject.to_owned(), invariant: Invariant::I3, op: "disable".to_owned() };
    render(&parse(text).unwrap(), &signature, "what broke")
}

/// The case's own functions, without helpers and comment.
fn body(text: &str) -> &str {
    let from = text.rfind(" */\nstatic void").expect("a function") + 4;
    &text[from..]
}

#[test]
fn a_call_is_expected_to_do_what_the_model_says() {
    for (program, expected) in [
        ("enable", ["EXPECT_TRUE(test, is_lazy_mmu_mode_active())", "lazy_mmu_state.enable_count, 1)"]),
        ("enable; pause", ["EXPECT_FALSE(test, is_lazy_mmu_mode_active())", "lazy_mmu_state.pause_count, 1)"]),
        ("disable", ["lazy_mmu_mode_disable(); /* warns, under DEBUG_VM */", "lazy_mmu_state.enable_count, 255)"]),
        ("bh_off; enable", ["EXPECT_FALSE(test, is_lazy_mmu_mode_active())", "lazy_mmu_state.enable_count, 0)"]),
        ("irq { enable }", ["lmm_note(!is_lazy_mmu_mode_active())", "KUNIT_EXPECT_EQ(test, lmm.surprise, 0)"]),
        ("repeat 255 { enable }", ["i0 < 255", "lazy_mmu_state.enable_count, 255)"]),
        ("task_pause T0", ["__task_lazy_mmu_mode_pause(current)", "lazy_mmu_state.pause_count, 1)"]),
    ] {
        let text = case("counted/aarch64", program);
        assert!(expected.iter().all(|line| body(&text).contains(line)), "{program}: {text}");
    }
}

/// The expectations are not the failing run's: on a specimen whose enable warns wrongly nothing is said of a warning.
#[test]
fn the_failing_run_is_not_what_is_expected() {
    let program = "enable; pause; enable; disable; resume; disable";
    let [bent, faithful] =
        ["zoo/arm64-paused-enable-warn-mutant", "counted/none"].map(|subject| case(subject, program));
    let lines = |text: &str| body(text).lines().skip_while(|line| *line != "{").map(str::to_owned).collect::<Vec<_>>();
    assert!(!bent.contains("warns"), "{bent}");
    let (bent, faithful) = (lines(&bent), lines(&faithful));
    let code = |lines: Vec<String>| lines.into_iter().take_while(|line| line != "}").collect::<Vec<_>>();
    assert_eq!(code(bent), code(faithful));
}

#[test]
fn memory_is_expected_where_every_backend_has_it() {
    let text =
        case("counted/aarch64", "enable; set K 7; set K 900 x2; access K 900; disable; access K 7; access K 900 x2");
    let body = body(&text);
    for line in [
        "lmm_setup(test, 3, 0, 0);",
        "lmm_set(&lmm.k, 0, 1, 0, PAGE_KERNEL);",
        "lmm_set(&lmm.k, 1, 2, 1, PAGE_KERNEL);",
        // Under Xen it waits for the end of the section.
        "\tlmm_access(&lmm.k, 1, 1); /* old or new */",
        "enable_count, 0);\n\tKUNIT_EXPECT_EQ(test, lmm_access(&lmm.k, 0, 1), 0);",
        "KUNIT_EXPECT_EQ(test, lmm_access(&lmm.k, 0, 1), 0);",
        "KUNIT_EXPECT_EQ(test, lmm_access(&lmm.k, 1, 2), 1);",
    ] {
        assert!(body.contains(line), "{line}: {text}");
    }
}

#[test]
fn what_one_function_cannot_do_is_said_where_it_would_be() {
    for (program, place, lack) in [
        ("enable between { preempt T1; enable; switch T0 }", "/* T1: enable */", "between the halves of a call"),
        ("enable; switch T1; set K 0; switch T0; disable", "/* T1: set K 0 */", "what other tasks do"),
        ("enable; cpu 1; query; cpu 0; disable", "/* T3: query */", "what other tasks do"),
        ("query; set V 3", "/* not here: set V 3 */", "a second user address space"),
        ("query; fork T4", "/* not here: fork T4 */", "tasks that are born or end"),
        ("irq_off; nmi { query }; irq_on; query", "/* here: query */", "NMIs while interrupts are off"),
        ("query; set K 0 huge", "/* small pages stand for: set K 0 huge */", "sizes other than small"),
        ("query; set K 1024", "lmm_set(&lmm.k, 0", "for which vmalloc pages stand"),
        ("query; irq { switch T1 }", "/* refused, not possible in interrupt context: switch T1 */", ""),
        (
            "preempt_off; task_pause T4; query; preempt_on",
            "/* refused, no such task, or it exists already: task_pause T4 */",
            "",
        ),
        ("query; on hash { sleep }", "another architecture's code: on hash { */", ""),
    ] {
        let text = case("counted/aarch64", program);
        assert!(body(&text).contains(place) && text.replace("\n * ", " ").contains(lack), "{program}: {text}");
    }
}

/// A defect that lets a change wait is one that a case looks for, though its program does not.
#[test]
fn what_was_set_is_looked_at_where_it_must_be_in_effect() {
    let nested = case("zoo/gen-nested-disable-no-flush", "enable; enable; set K 0; disable");
    let look = "enable_count, 1);\n\tKUNIT_EXPECT_EQ(test, lmm_access(&lmm.k, 0, 1), 0);\n";
    assert!(body(&nested).contains(look), "{nested}");
    assert_eq!(body(&nested).matches("lmm_access").count(), 1, "{nested}");
    let handler = case("zoo/arm64-softirq-pte-mutant", "enable; irq { set K 0 }; disable");
    assert!(handler.contains("lmm_note(lmm_access(&lmm.k, 0, 1) == 0);"), "{handler}");
    // A changed translation may be found until its flush.
    let changed = case("counted/aarch64", "set K 0; access K 0; set K 0");
    assert_eq!(body(&changed).matches("lmm_access").count(), 2, "{changed}");
}

/// What is not the whole program does not pass as if it were.
#[test]
fn a_case_without_all_of_its_program_is_skipped_at_best() {
    for (program, partial) in [
        ("enable; set K 0; disable between { switch T1 }", true),
        ("enable; switch T1; query; switch T0; disable", true),
        ("enable; switch T1; switch T0; disable", false),
        ("enable; set K 0 huge; set K 1024; disable", false),
        ("enable; irq { switch T1 }; disable", false),
    ] {
        let text = case("counted/aarch64", program);
        assert_eq!(body(&text).contains("kunit_mark_skipped(test"), partial, "{program}: {text}");
    }
}

/// A call that is refused does not make the operation before it look refused.
#[test]
fn a_refused_call_is_its_own() {
    let text = case("counted/aarch64", "preempt_off; task_pause T4; query");
    assert!(body(&text).contains("\tpreempt_disable();") && body(&text).contains("\tpreempt_enable();"), "{text}");
}

#[test]
fn a_case_that_would_test_nothing_skips_itself() {
    for program in ["set V 0", "migrate T1 1", "switch T1; enable; disable", "fault 3"] {
        let text = case("counted/aarch64", program);
        assert!(body(&text).contains("kunit_skip(test") && !body(&text).contains("EXPECT"), "{program}: {text}");
    }
    let text = case("counted/aarch64", "on aarch64 { query }");
    assert!(body(&text).contains("if (!IS_ENABLED(CONFIG_ARM64))"), "{text}");
}

#[test]
fn what_is_left_open_is_put_back() {
    let text = case("counted/aarch64", "mutex_lock; lock 2; lock 2; bh_off; irq_off; preempt_off; enable");
    for line in
        ["lmm_irq_enable()", "spin_unlock(&lmm_lock[2])", "local_bh_enable()", "preempt_enable()", "mutex_unlock"]
    {
        assert_eq!(body(&text).matches(line).count(), 1, "{line}: {text}");
    }
    assert!(!body(&text).contains("enable_count = 0"), "no section is open: {text}");
    let text = case("counted/aarch64", "repeat 3 { enable }; pause");
    let calls = "lazy_mmu_mode_resume();\n".to_owned() + &"\tlazy_mmu_mode_disable();\n".repeat(3);
    assert!(body(&text).contains(&format!("goes on. */\n\t{calls}}}")), "{text}");
    let text = case("counted/aarch64", "disable");
    assert!(body(&text).contains("current->lazy_mmu_state.enable_count = 0;"), "{text}");
}

#[test]
fn depth_and_length_have_no_limit_of_their_own() {
    let deep = "irq { ".repeat(4000) + &"} ".repeat(4000);
    assert!(case("counted/none", &deep).contains("kunit_skip"));
    let deep = format!("{}query{}", "repeat 1 { ".repeat(4000), " }".repeat(4000));
    assert!(case("counted/none", &deep).contains("KUNIT_EXPECT_FALSE"));
}
