//! `workload`: the list, the program, the verdicts, and what is refused.
//!
//! What it is not: what a workload's program holds is tested beside the table, in the engine.
//!
//! Who calls it: `cargo test`.

use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::workload;

use crate::folder::Folder;

#[test]
fn the_list_names_every_workload_with_its_parameters_and_source() {
    let ran = Folder::new("workload-list").run(&["workload", "--list"]);
    ran.is_result("list", 0);
    for (line, workload) in ran.stdout.lines().skip(1).zip(workload::all()) {
        assert!(line.starts_with(&format!("{} ", workload.name)) && line.ends_with(workload.source), "{line}");
        assert!(workload.takes.iter().all(|parameter| line.contains(&parameter.to_string())), "{line}");
    }
    assert_eq!(ran.stdout.lines().count(), 1 + workload::all().count());
}

/// What `--print` prints runs as the workload itself does.
#[test]
fn a_printed_program_runs_as_the_workload_does() {
    let folder = Folder::new("workload-print");
    let some = ["workload", "vmap_pages_pte_range", "--len", "193", "--busy-at", "7"];
    let printed = folder.run(&[&some[..], &["--print"]].concat());
    printed.is_result("print", 0);
    assert!(printed.stdout.starts_with("# vmap_pages_pte_range (mm/vmalloc.c: "), "{}", printed.stdout);
    assert!(parse(&printed.stdout).is_ok(), "{}", printed.stdout);
    for (subject, format) in [("counted/xen", "human"), ("stateless/sparc64", "json")] {
        let on = ["--subject", subject, "--format", format];
        let piped = folder.run_with(&[&["run", "-"], &on[..]].concat(), printed.stdout.as_bytes());
        let ran = folder.run(&[&some[..], &on].concat());
        assert_eq!(ran.before_replay(), piped.before_replay(), "{subject}");
        let replay = format!("\nreplay: cargo lazymmu {} --subject ", some.join(" "));
        assert_eq!(ran.stdout.contains(&replay), format == "human", "{}", ran.stdout);
        piped.is_result(subject, 0);
    }
}

#[test]
fn without_a_subject_each_of_today_has_a_verdict() {
    let folder = Folder::new("workload-verdicts");
    for (name, code) in [("zap_pte_range", 0), ("chain_05_linear_map_split", 0), ("chain_08_preemptible_sections", 1)] {
        let ran = folder.run(&["workload", name]);
        ran.is_result(name, code);
        let breaks = SUBJECTS.iter().filter(|subject| subject.is_current()).filter(|subject| {
            let line = ran.stdout.lines().find(|line| line.starts_with(&format!("{} ", subject.name)));
            ![" holds", " another architecture's"].iter().any(|end| line.expect("a verdict").ends_with(end))
        });
        let breaks: Vec<_> = breaks.map(|subject| subject.name).collect();
        assert_eq!(breaks, ["counted/x86_64-xen"][..code as usize], "{}", ran.stdout);
        assert_eq!(ran.stdout.contains("\nknown/xen-new-task, open in 7.2: "), code == 1, "{}", ran.stdout);
    }
    let ran = folder.run(&["workload", "pagemap_scan_pmd_entry"]);
    ran.is_result("pagemap_scan_pmd_entry", 0);
    assert!(ran.stdout.contains("\nknown/pagemap-flush-first, not visible today: "), "{}", ran.stdout);
}

#[test]
fn what_no_workload_is_or_takes_is_refused_with_what_there_is() {
    let folder = Folder::new("workload-bad");
    let long = "x".repeat(5000);
    #[rustfmt::skip]
    let cases: [(&[&str], &str, &str, &str); 8] = [
        (&["vmap_pte_rang"], "`vmap_pte_rang` is no workload", "the workload's name", "did you mean vmap_pte_range, "),
        (&["frobnicate"], "`frobnicate` is no workload", "the workload's name", "workload --list"),
        (&[""], "`` is no workload", "the workload's name", "workload --list"),
        (&[&long], "is no workload", "the workload's name", "workload --list"),
        (&["vunmap_pte_range", "--busy-at", "1"], "--busy-at means nothing for it", "--busy-at", "takes --len --size"),
        (&["copy_pte_range", "--len", "513"], "--len 513: expected 0 to 512", "--len", "takes --len --resched-every --fail-at"),
        (&["copy_pte_range", "--subject", "vax"], "`vax` is no subject", "--subject", "one of:"),
        (&["copy_pte_range", "--port", "asm"], "a run on one subject", "--subject", "give --subject"),
    ];
    for (arguments, what, place, remedy) in cases {
        let name = arguments.join(" ");
        let ran = folder.run(&[&["workload"], arguments].concat());
        ran.is_refused(&name, 2);
        assert!(ran.line("error: ").is_some_and(|line| line.contains(what)), "{name}: {}", ran.stderr);
        assert_eq!(ran.line("  where: "), Some(place), "{name}");
        assert!(ran.line("  to do: ").is_some_and(|line| line.contains(remedy)), "{name}: {}", ran.stderr);
    }
    for arguments in [
        &["workload"][..],
        &["workload", "--list", "zap_pte_range"],
        &["workload", "--list", "--len", "3"],
        &["workload", "zap_pte_range", "--len", "-1"],
        &["workload", "zap_pte_range", "--len", "65536"],
        &["workload", "vmap_pte_range", "--size", "vast"],
        &["workload", "zap_pte_range", "--print", "--subject", "xen"],
        &["workload", "zap_pte_range", "--frobnicate", "1"],
    ] {
        folder.run(arguments).is_refused(&arguments.join(" "), 2);
    }
}
