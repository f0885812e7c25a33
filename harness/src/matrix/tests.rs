//! The workflow that is made is YAML, has what the targets' files say, and calls what a person can call.

use clap::Parser as _;
use yaml_rust2::{Yaml, YamlLoader};

use super::*;
use crate::cli::Cli;
use crate::target::data;

fn workflow() -> Yaml {
    let specs = data::built_in().expect("the built-in files");
    YamlLoader::load_from_str(&render(specs)).expect("YAML").remove(0)
}

fn jobs(workflow: &Yaml) -> Vec<(String, &Yaml)> {
    let jobs = workflow["jobs"].as_hash().expect("jobs");
    jobs.iter().map(|(name, job)| (name.as_str().expect("a name").to_owned(), job)).collect()
}

fn entries(job: &Yaml) -> Vec<String> {
    let include = job["strategy"]["matrix"]["include"].as_vec().expect("entries");
    include.iter().map(|entry| entry["where"].as_str().expect("a place").to_owned()).collect()
}

#[test]
fn every_target_runs_as_each_of_its_cpus_and_the_host_natively_too() {
    let workflow = workflow();
    let check = entries(&workflow["jobs"]["check"]);
    for place in [
        "--target aarch64 --cpu max",
        "--target powerpc64 --cpu power9",
        "--target powerpc64 --cpu power10",
        "--target sparc64 --cpu TI-UltraSparc-II",
        "--target x86_64",
        "--target x86_64 --emulated --cpu max",
    ] {
        assert!(check.iter().any(|entry| entry == place), "{place} in {check:?}");
    }
    assert_eq!(check, entries(&workflow["jobs"]["full"]), "all are of tier 1 today");
}

#[test]
fn a_target_of_tier_2_is_run_nightly_alone() {
    let mut specs = data::built_in().expect("the built-in files").to_vec();
    specs[2].tier = 2;
    let (pull_request, nightly) = (runs(&specs, 1), runs(&specs, 2));
    assert!(!pull_request.contains("sparc64") && nightly.contains("sparc64"), "{pull_request}");
}

#[test]
fn jobs_call_commands_that_a_person_runs_too() {
    let workflow = workflow();
    let all = jobs(&workflow);
    for (name, job) in all.iter().filter(|(name, _)| name != "ci-status") {
        let steps = job["steps"].as_vec().expect("steps");
        let commands: Vec<_> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
        assert!(!commands.is_empty(), "{name} does nothing");
        for command in commands {
            assert!(command.starts_with("cargo "), "{name}: {command}");
            let Some(arguments) = command.strip_prefix("cargo lazymmu ") else { continue };
            let places = if arguments.contains("${{ matrix.where }}") { entries(job) } else { vec![String::new()] };
            for place in places {
                let words = arguments.replace("${{ matrix.where }}", &place);
                let parsed = Cli::try_parse_from(["lazymmu"].into_iter().chain(words.split_whitespace()));
                assert!(
                    parsed.is_ok(),
                    "{name}: {words}: {}",
                    parsed.err().map_or_else(String::new, |e| e.to_string())
                );
            }
        }
    }
}

#[test]
fn the_status_depends_on_every_job() {
    let workflow = workflow();
    let status = &workflow["jobs"]["ci-status"];
    let needs: Vec<_> = status["needs"].as_vec().expect("a list").iter().filter_map(Yaml::as_str).collect();
    let others: Vec<_> = jobs(&workflow).into_iter().map(|(name, _)| name).filter(|name| name != "ci-status").collect();
    assert_eq!(needs, others);
    // It runs even where a job failed, which by itself would skip it.
    assert_eq!(status["if"].as_str(), Some("always()"));
    let condition = status["steps"][0]["if"].as_str().expect("a condition");
    for (name, job) in jobs(&workflow).into_iter().filter(|(name, _)| name != "ci-status") {
        let alone = format!("needs.{name}.result != 'success'");
        let nightly = format!("(({NIGHTLY}) && {alone})");
        let is_nightly = job["if"].as_str() == Some(NIGHTLY);
        assert!(condition.split(" || needs").any(|_| condition.contains(&alone)), "{name}");
        assert_eq!(condition.contains(&nightly), is_nightly, "{name} in {condition}");
    }
}

#[test]
fn there_are_as_many_shards_as_each_command_says() {
    assert!(MUTANTS.ends_with(&format!("/{SHARDS}")));
}
