//! CI's workflow, made from the targets' descriptions: which job runs what, on which target, as which CPU.
//!
//! A pull request has a small set: the repository's rules, tests and check on every target of tier 1 under each of its CPU
//! models, a minute of fuzzing. Nightly has all: the full profile, the corpora on all targets, the search for
//! every specimen of the zoo, every mutant of `core` and `arches`, tests in cross's containers. Jobs call commands that a
//! person runs too; one last job says whether all that had to pass did.
//!
//! What it is not: it runs nothing, and knows no architecture; [`crate::target::data`] does.
//!
//! Who calls it: `lazymmu matrix`.

use std::fmt::Write as _;

use crate::target::Spec;

/// Where the workflow is, from the root of the workspace.
pub const FILE: &str = ".github/workflows/ci.yml";

/// The architecture of the machines that CI gives: it runs natively, and emulated besides.
const HOST: &str = "x86_64";

/// Debian 12 with Rust by rustup, as root: what the README asks for.
const IMAGE: &str = concat!("rust:", env!("CARGO_PKG_RUST_VERSION"), "-bookworm");

/// Into how many parts the mutants are divided.
const SHARDS: usize = 4;

/// When a job runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// For every pull request and push, and nightly.
    Always,
    /// Nightly, and when somebody asks for it.
    Nightly,
}

/// One job: its name, when it runs, its part of the strategy's matrix, whether in the image, and its steps.
struct Job<'j> {
    name: &'j str,
    when: When,
    matrix: String,
    minutes: u32,
    /// cross starts containers of its own.
    contained: bool,
    steps: Vec<Step<'j>>,
}

enum Step<'s> {
    /// A command that a person runs too.
    Run(&'s str),
    /// A file that is kept, whatever became of the job.
    Keep(&'s str),
    /// A folder that the next run begins with.
    Cache(&'s str),
}

/// The whole workflow.
#[must_use]
pub fn render(specs: &[Spec]) -> String {
    let mut text = HEAD.to_owned();
    let jobs = jobs(specs);
    jobs.iter().for_each(|job| job.write(&mut text));
    status(&mut text, &jobs);
    text
}

const HEAD: &str = "\
# Made by `cargo lazymmu matrix` from harness/targets and harness/src/matrix.rs: edit those, not this.
name: ci

on:
  pull_request:
  push:
    branches: [main]
  schedule:
    - cron: \"17 3 * * *\"
  workflow_dispatch:

concurrency:
  group: ci-${{ github.ref }}-${{ github.event_name }}
  cancel-in-progress: ${{ github.event_name == 'pull_request' }}

permissions:
  contents: read

env:
  CARGO_TERM_COLOR: always
  CARGO_INCREMENTAL: \"0\"
  INSTA_UPDATE: \"no\"

jobs:
";

const NIGHTLY: &str = "github.event_name == 'schedule' || github.event_name == 'workflow_dispatch'";

fn jobs(specs: &[Spec]) -> Vec<Job<'static>> {
    use Step::{Cache, Keep, Run};
    use When::{Always, Nightly};
    let job = |name, when, matrix, minutes, steps| Job { name, when, matrix, minutes, contained: true, steps };
    let none = String::new;
    vec![
        job(
            "tidy",
            Always,
            none(),
            30,
            vec![
                Run("cargo fmt --all --check"),
                Run("cargo clippy --workspace --all-targets -- -D warnings"),
                Run("cargo test --package lazy-mmu-harness --test tidy"),
                Run("cargo lazymmu matrix --check"),
            ],
        ),
        job(
            "check",
            Always,
            runs(specs, 1),
            90,
            vec![
                Run("cargo lazymmu test ${{ matrix.where }}"),
                Run("cargo lazymmu check ${{ matrix.where }} --format junit --output check.xml"),
                Keep("check.xml"),
            ],
        ),
        job(
            "fuzz",
            Always,
            none(),
            30,
            vec![
                Run("cargo install cargo-fuzz --locked"),
                Run("cargo lazymmu fuzz contract --time 60s --jobs 2"),
                Keep("fuzz/findings"),
            ],
        ),
        job(
            "full",
            Nightly,
            runs(specs, 2),
            240,
            vec![
                Run("cargo lazymmu test ${{ matrix.where }}"),
                Run("cargo lazymmu check ${{ matrix.where }} --profile full --format ktap --output check.ktap"),
                Keep("check.ktap"),
            ],
        ),
        job(
            "corpus",
            Nightly,
            none(),
            120,
            vec![
                Cache("fuzz/corpus"),
                Run("cargo install cargo-fuzz --locked"),
                Run("cargo lazymmu fuzz all --cross --time 5m --jobs 2"),
                Keep("fuzz/findings"),
            ],
        ),
        job(
            "zoo",
            Nightly,
            none(),
            60,
            vec![Run("cargo install cargo-fuzz --locked"), Run("cargo lazymmu zoo"), Keep("fuzz/runs/zoo")],
        ),
        job(
            "mutants",
            Nightly,
            list("shard", (0..SHARDS).map(|shard| shard.to_string())),
            300,
            vec![Run("cargo install cargo-mutants --locked"), Run(MUTANTS), Keep("mutants.out")],
        ),
        Job {
            contained: false,
            ..job(
                "cross",
                Nightly,
                contained(specs),
                120,
                vec![
                    Run("cargo install cross --version 0.2.5 --locked"),
                    Run("cargo lazymmu cross ${{ matrix.where }}"),
                ],
            )
        },
    ]
}

/// Which mutants and which tests: `.cargo/mutants.toml`.
const MUTANTS: &str = "cargo mutants --shard ${{ matrix.shard }}/4";

/// An entry for each way in which a target of this tier or a lower one is run.
fn runs(specs: &[Spec], tier: u8) -> String {
    let mut text = "        include:\n".to_owned();
    for spec in specs.iter().filter(|spec| spec.tier <= tier) {
        let name = &spec.name;
        let native = name == HOST;
        let mut entry = |what: &str, place: &str| {
            let _ = writeln!(text, "          - {{ name: \"{name} {what}\", where: \"--target {name}{place}\" }}");
        };
        if native {
            entry("natively", "");
        }
        let (option, word) = if native { (" --emulated", "emulated ") } else { ("", "") };
        for cpu in &spec.emulator.cpus {
            entry(&format!("{word}as {cpu}"), &format!("{option} --cpu {cpu}"));
        }
    }
    text
}

/// An entry for each target, whatever its tier and CPUs.
fn contained(specs: &[Spec]) -> String {
    let entry = |Spec { name, .. }: &Spec| format!("          - {{ name: \"{name}\", where: \"--target {name}\" }}\n");
    "        include:\n".to_owned() + &specs.iter().map(entry).collect::<String>()
}

/// A list of values of one key.
fn list(key: &str, values: impl Iterator<Item = String>) -> String {
    format!("        {key}: [{}]\n", values.collect::<Vec<_>>().join(", "))
}

impl Job<'_> {
    fn write(&self, text: &mut String) {
        let mut line = |indent: usize, line: &str| text.push_str(&format!("{:indent$}{line}\n", ""));
        line(2, &format!("{}:", self.name));
        if self.when == When::Nightly {
            line(4, &format!("if: {NIGHTLY}"));
        }
        let key = self.matrix.trim_start().split(':').next().unwrap_or_default();
        match key {
            "" => {}
            "include" => line(4, &format!("name: {} ${{{{ matrix.name }}}}", self.name)),
            key => line(4, &format!("name: {} ${{{{ matrix.{key} }}}}", self.name)),
        }
        line(4, "runs-on: ubuntu-24.04");
        if self.contained {
            line(4, &format!("container: {IMAGE}"));
        }
        line(4, &format!("timeout-minutes: {}", self.minutes));
        if !key.is_empty() {
            line(4, "strategy:");
            line(6, "fail-fast: false");
            line(6, "matrix:");
            self.matrix.lines().for_each(|entry| line(0, entry));
        }
        line(4, "steps:");
        line(6, "- uses: actions/checkout@v4");
        line(6, "- uses: dtolnay/rust-toolchain@master");
        line(
            8,
            &format!("with: {{ toolchain: \"{}\", components: \"clippy, rustfmt\" }}", env!("CARGO_PKG_RUST_VERSION")),
        );
        self.steps.iter().for_each(|step| step.write(self.name, &mut line));
        line(0, "");
    }
}

impl Step<'_> {
    fn write(&self, job: &str, line: &mut impl FnMut(usize, &str)) {
        match self {
            Step::Run(command) => line(6, &format!("- run: {command}")),
            Step::Keep(path) => {
                line(6, "- uses: actions/upload-artifact@v4");
                line(8, "if: always()");
                let name = format!("{job} ${{{{ strategy.job-index }}}}");
                line(8, &format!("with: {{ name: \"{name}\", path: \"{path}\", if-no-files-found: ignore }}"));
            }
            Step::Cache(path) => {
                line(6, "- uses: actions/cache@v4");
                let key = format!("{job}-${{{{ github.run_id }}}}");
                line(8, &format!("with: {{ path: \"{path}\", key: \"{key}\", restore-keys: \"{job}-\" }}"));
            }
        }
    }
}

/// The one job that a branch's protection needs to know. A job that was skipped has not passed, but that a pull request skips
/// what is nightly.
fn status(text: &mut String, jobs: &[Job<'_>]) {
    let names: Vec<_> = jobs.iter().map(|job| job.name).collect();
    let bad = |job: &Job<'_>| {
        let unless = format!("needs.{}.result != 'success'", job.name);
        if job.when == When::Nightly { format!("(({NIGHTLY}) && {unless})") } else { unless }
    };
    let conditions: Vec<_> = jobs.iter().map(bad).collect();
    let _ = writeln!(text, "  ci-status:\n    if: always()\n    needs: [{}]", names.join(", "));
    let _ = writeln!(text, "    runs-on: ubuntu-24.04\n    steps:");
    let _ = writeln!(text, "      - if: >-\n          {}\n        run: exit 1", conditions.join(" ||\n          "));
}

#[cfg(test)]
mod tests;
