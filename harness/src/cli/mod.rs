//! The command line: one file per subcommand, each an argument struct with `run`; `place` has options that several share.
//!
//! What it is not: nothing is computed here; a subcommand's work lives in the module it is named after.
//!
//! Who calls it: `main`.

pub mod bench;
pub mod check;
pub mod corpus;
pub mod cross;
pub mod doctor;
pub mod explore;
pub mod fuzz;
pub mod judge;
mod lanes;
pub mod matrix;
pub mod place;
pub mod promote;
pub mod replay;
pub mod run;
pub mod setup;
pub mod test;
pub mod tree;
pub mod workload;
pub mod zoo;

use clap::{Parser, Subcommand};

use crate::error::{Exit, Result};
use crate::target::Target;

/// Tests Linux's lazy MMU mode on aarch64, powerpc64, sparc64 and x86_64, without hardware and without a kernel.
///
/// Exit codes: 0 what was checked holds, 1 it does not, 2 bad usage or input, 3 the machine lacks something.
#[derive(Debug, Parser)]
#[command(name = "cargo lazymmu", bin_name = "cargo lazymmu", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    Judge(judge::Judge),
    Check(check::Check),
    Run(run::Run),
    Workload(workload::Workload),
    Explore(explore::Explore),
    Replay(replay::Replay),
    Fuzz(fuzz::Fuzz),
    Zoo(zoo::Zoo),
    Corpus(corpus::Corpus),
    Doctor(doctor::Doctor),
    Setup(setup::Setup),
    Tree(tree::Tree),
    Test(test::Test),
    Matrix(matrix::Matrix),
    Cross(cross::Cross),
    Bench(bench::Bench),
}

impl Cli {
    /// Runs the subcommand that was asked for.
    ///
    /// # Errors
    ///
    /// Whatever the subcommand reports; `main` renders it.
    pub fn run(self) -> Result<Exit> {
        match self.command {
            Subcommands::Judge(judge) => judge.run(),
            Subcommands::Check(check) => check.run(),
            Subcommands::Run(run) => run.run(),
            Subcommands::Workload(workload) => workload.run(),
            Subcommands::Explore(explore) => explore.run(),
            Subcommands::Replay(replay) => replay.run(),
            Subcommands::Fuzz(fuzz) => fuzz.run(),
            Subcommands::Zoo(zoo) => zoo.run(),
            Subcommands::Corpus(corpus) => corpus.run(),
            Subcommands::Doctor(doctor) => doctor.run(),
            Subcommands::Setup(setup) => setup.run(),
            Subcommands::Tree(tree) => tree.run(),
            Subcommands::Test(test) => test.run(),
            Subcommands::Matrix(matrix) => matrix.run(),
            Subcommands::Cross(cross) => cross.run(),
            Subcommands::Bench(bench) => bench.run(),
        }
    }
}

/// The targets a command line names, each once and in the order of tables; all when it names none.
fn or_all(named: &[Target]) -> Vec<Target> {
    let asked = |target: &Target| named.is_empty() || named.contains(target);
    Target::ALL.into_iter().filter(asked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_of_each_subcommand_ends_with_an_example() {
        for subcommand in Cli::command().get_subcommands_mut() {
            let further: Vec<_> =
                subcommand.get_subcommands().filter(|one| one.get_name() != "help").cloned().collect();
            for mut command in further.into_iter().chain([subcommand.clone()]) {
                let help = command.render_long_help().to_string();
                let last = help.lines().last().unwrap_or_default();
                assert!(last.starts_with("  cargo lazymmu "), "{}: {last}", command.get_name());
            }
        }
    }
}
