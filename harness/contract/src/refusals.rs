//! What the machine did not do of a program: operations that it refused, and code of architectures that are not the subject's.
//!
//! An `on` block is left out on other architectures, as code is that a kernel does not compile. A program may have a block for
//! each of several: where one of them ran, the others are no part of it. Where none ran, the program says nothing about the
//! subject, and that is a refusal.
//!
//! Not an oracle. Called by [`super::Judge`].

use super::verdict::Refused;
use lazy_mmu_abi::trace::{Event, Refusal, What};
use lazy_mmu_program::Block;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusals {
    /// Operations that were not done.
    refused: Option<Refused>,
    /// Blocks of other architectures.
    elsewhere: Option<Refused>,
    /// Blocks of any architecture.
    blocks: u32,
}

impl Refusals {
    /// Takes the next event in.
    #[inline(always)]
    pub(super) fn watch(&mut self, event: &Event) {
        match event.what {
            What::Open(Block::On(_), _) => self.blocks += 1,
            What::Refused(why) => {
                let of = if why == Refusal::OtherArchitecture { &mut self.elsewhere } else { &mut self.refused };
                of.get_or_insert(Refused { op: event.op, why, times: 0 }).times += 1;
            }
            _ => {}
        }
    }

    /// The first refusal, and how many there were.
    pub(super) fn refused(&self) -> Option<Refused> {
        let elsewhere = self.elsewhere.filter(|elsewhere| elsewhere.times == self.blocks);
        match (self.refused, elsewhere) {
            (Some(a), Some(b)) => {
                let first = if b.op < a.op { b } else { a };
                Some(Refused { times: a.times + b.times, ..first })
            }
            (a, b) => a.or(b),
        }
    }
}
