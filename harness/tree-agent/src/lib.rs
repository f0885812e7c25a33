//! The agent with a kernel tree's own C in it: a static library that the tree's objects are linked with.
//!
//! | module | what |
//! | --- | --- |
//! | `border` | the two functions of the border |
//! | `tree`, `subject`, `upcall` | a form of the tree's code as a subject of the engine, and what it asks of the machine |
//! | `x86`, `arm64`, `powerpc64`, `sparc64` | what an architecture's instructions and hypercalls are in the machine's words |
//! | `words` | words of page-table entries, where the tree's are not the machine's |
//! | `cells` | huge pages that take several entries of a table |
//! | `batch` | notes of powerpc64's and sparc64's batch |
//! | `groups`, `contiguous`, `access` | arm64's contiguous bit: what the machine hears of it, and what is demanded of it |
//! | `state` | memory of the tree's objects: reset, fingerprint; facts |
//! | `guard`, `decode`, `symbols` | a process for each batch, and the name of what it died of |
//! | `took` | proofs at the start that the overlay is in effect |
//! | `explore` | the steps of an exploration |
//! | `serve` | the agent's answers about the tree's subjects |
//!
//! It is the only crate of the project that calls C. Not here: the C itself (`lazy-mmu-border`), compiling and linking it
//! (the host's `tree` module), the machine and the oracles (`lazy-mmu-engine`).

mod access;
mod arm64;
mod batch;
mod border;
mod cells;
mod contiguous;
mod decode;
mod explore;
mod groups;
mod guard;
mod powerpc64;
mod serve;
mod sparc64;
mod state;
mod subject;
mod symbols;
mod took;
mod tree;
mod upcall;
mod words;
mod x86;

#[cfg(test)]
mod tests;

use std::ffi::{c_char, c_int};

/// What the linked program begins with: the link gives it the name `main`.
///
/// # Safety
/// The C runtime calls it, with `argc` strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lazymmu_main(argc: c_int, argv: *const *const c_char) -> c_int {
    let arguments = (1..argc.max(1) as usize)
        // SAFETY: the C runtime gives as many strings as it says.
        .map(|n| unsafe { std::ffi::CStr::from_ptr(*argv.add(n)) }.to_string_lossy().into_owned())
        .collect::<Vec<_>>();
    serve::run(&arguments)
}
