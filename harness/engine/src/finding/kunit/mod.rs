//! A finding as a KUnit case in C, to paste into `mm/tests/lazy_mmu_mode_kunit.c` (7.2).
//!
//! The case makes the program's calls as the test's own task, T0, and expects after each what the reference model says
//! (`facts`); page-table operations work on a scratch range that `helpers.c` sets up, and what they set is looked at where
//! it must be in effect (`looks`). The header of the case names what one C function in one task cannot do, and the place
//! where it would be has a comment; such a case marks itself skipped, so that it fails or is skipped, and never passes as
//! if it had shown that the defect is gone. Where nothing is left that could be expected it does nothing else.
//!
//! | operation | in C |
//! | --- | --- |
//! | `enable` `disable` `pause` `resume` | the call, then the query and the counter it moves |
//! | `query` | the query |
//! | `task_pause` `task_resume` `task_query` | on `current` if it is about T0; else a comment |
//! | `flush` | `arch_flush_lazy_mmu_mode()` |
//! | `set` `clear` `wrprot` | on entries of a vmalloc range (K) or of an anonymous mapping (U), each page in its order; V is a comment, small pages stand for the others |
//! | `get` `raw_get` `access` | read, and expected to be what was asked for, if every backend of 7.2 has it so by then |
//! | `tlb_flush` `gather_flush` | `flush_tlb_kernel_range()`, `flush_tlb_mm()`; nothing is freed |
//! | `fault` | a comment |
//! | `kmap` `kunmap` | `kmap_local_page()` and its end |
//! | `kasan_populate` `kasan_depopulate` | pause, lock, look, set or clear, unlock, resume |
//! | `switch` `preempt` | if T0 is switched out: a sleep of a tick, where the task may sleep; what others do meanwhile is a comment |
//! | `migrate` `fork` `exit` `cpu` | a comment |
//! | `sleep` `mutex_lock` `mutex_unlock` `lock` `unlock` `bh_off` ... | the kernel's own |
//! | `alloc` `free` | `alloc_page()`, `__free_page()`; `debug` needs CONFIG_DEBUG_PAGEALLOC |
//! | `irq` | a handler of its own, run on this task by a hard irq_work; inside a handler, a part of that |
//! | `nmi` | the same; a comment with interrupts off |
//! | `softirq` | `local_bh_disable()` to `local_bh_enable()`: `in_interrupt()` answers alike |
//! | `between` | comments: C has no way into a call; a block of its own is a block |
//! | `repeat` | a loop; what changes from round to round is expected behind it |
//! | `on` | the block if it is the subject's own MMU (elsewhere the case skips itself); else a comment |
//! | whatever the machine refuses | a comment with the reason |
//!
//! Called by the fuzzer and the host command. That cases compile is tested with gcc by the host's tests.

mod emit;
mod facts;
mod looks;
mod ops;
mod pages;

use std::fmt::Write as _;

use super::Signature;
use super::report::wrapped;
use crate::contract::Invariant;
use crate::program::Program;
use emit::Emitter;

/// What cases with pages, handlers or locks need besides; once per file, guarded against being pasted twice.
pub const HELPERS: &str = include_str!("helpers.c");

/// Lines of a program that are shown in the comment.
const SHOWN: usize = 60;

/// Columns of a comment's text.
const COMMENT: usize = 74;

/// The case. `verdict` is the violation in words.
#[must_use]
pub fn render(program: &Program, signature: &Signature, verdict: &str) -> String {
    let name = format!("lazy_mmu_{}", signature.identifier());
    let (looked, added) = looks::added(program, signature.invariant);
    let facts = facts::of(&looked, &signature.subject);
    let case = Emitter::new(&looked, &added, &facts, &name, &signature.subject).case();
    let mut text = String::new();
    if case.needs_helpers {
        let _ = writeln!(text, "{HELPERS}");
    }
    text.push_str(&comment(program, signature, verdict, &case.lacks));
    text.push_str(&case.text);
    let _ = writeln!(text, "/*\n * For the suite's list of cases:\n *\tKUNIT_CASE({name}),\n */");
    text
}

/// The comment above the case.
fn comment(program: &Program, signature: &Signature, verdict: &str, lacks: &[String]) -> String {
    let mut text = "/*\n".to_owned();
    let mut say = |paragraph: &str| {
        for line in wrapped(&harmless(paragraph), COMMENT) {
            let _ = writeln!(text, " * {line}");
        }
        text.push_str(" *\n");
    };
    say(&format!("{signature}: {}", verdict.trim_end_matches('.')));
    say(visibility(signature.invariant));
    if !lacks.is_empty() {
        say(&format!("Not in this case: {}.", lacks.join("; ")));
    }
    text.push_str(" * The program, T0 being this task:\n");
    let lines = program.to_string();
    for line in lines.lines().take(SHOWN) {
        let _ = writeln!(text, " *\t{line}");
    }
    if lines.lines().count() > SHOWN {
        let _ = writeln!(text, " *\t... {} lines more", lines.lines().count() - SHOWN);
    }
    text + " */\n"
}

/// Text that does not end a comment.
fn harmless(text: &str) -> String {
    text.replace("*/", "* /").replace("/*", "/ *")
}

/// How much of an invariant a case can see.
fn visibility(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::I1 | Invariant::I11 | Invariant::I12 | Invariant::Model => {
            "Expected is what the reference model says of the counters and of the query."
        }
        Invariant::I3 | Invariant::I4 | Invariant::I8 | Invariant::I9 | Invariant::I14 => {
            "Expected is what the reference model says of the counters, and that reads and accesses find what was set; \
             hardware that is lucky may hide a missing flush or barrier."
        }
        Invariant::I7 => {
            "Expected is what the reference model says of the counters; a preempt_count that leaks is reported by the \
             scheduler when the test's thread ends."
        }
        Invariant::I15 => {
            "Expected is what the reference model says of the counters; warnings are in the kernel's log, under DEBUG_VM."
        }
        Invariant::I2 | Invariant::I5 | Invariant::I6 | Invariant::I10 | Invariant::I13 => {
            "Expected is what the reference model says of the counters. What broke is in the hooks and what they execute, \
             which a KUnit case does not see: trace arch_*_lazy_mmu_mode() and the flushes while it runs."
        }
    }
}

#[cfg(test)]
mod tests;
