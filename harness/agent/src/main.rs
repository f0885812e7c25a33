//! The agent: one process on the target that runs any number of programs, frames on stdin and stdout.
//!
//! It is the engine and a loop; everything it can do, the host command does natively with the same code. It starts
//! nothing, reads no file, and ends when its stdin does. A panic in a program is answered by name and the next program
//! runs on a fresh runner; a crash that kills the process is found by the host, which bisects the batch.
//!
//! Called by the host command `lazymmu`, natively or under qemu-user; by hand it says what it is.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use lazy_mmu_agent::NoMore;

fn main() -> ExitCode {
    if io::stdin().is_terminal() {
        eprintln!("lazy-mmu-agent speaks frames with `lazymmu` on stdin and stdout; run `cargo lazymmu check` instead");
        return ExitCode::from(2);
    }
    // A panic is answered by a frame; its text must not be mixed into what the host prints.
    std::panic::set_hook(Box::new(|_| {}));
    match lazy_mmu_agent::serve(io::stdin().lock(), io::stdout().lock(), &mut NoMore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lazy-mmu-agent: {error}");
            ExitCode::from(2)
        }
    }
}
