//! How a generation on a backend keeps the mode: the two halves of tables 10.2 to 10.8 of the specification.
//!
//! Facts by name, no behaviour. Called by [`super::past`].

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_engine::registry::{Descriptor, GenerationName};

/// The generic layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Stateless,
    Token,
    NestingV3,
    NestingV4,
    Counted,
}

impl Layer {
    /// Whether it keeps state per task; else the backend alone knows the mode.
    pub(super) fn counts(self) -> bool {
        !matches!(self, Layer::Stateless | Layer::Token)
    }
}

/// Where the backend holds changes back, and what else it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Nothing is deferred.
    Nothing,
    /// Barriers, by a flag of the task (arm64).
    Flag,
    /// Invalidations, in a batch of the CPU that turns preemption off (powerpc hash, sparc64).
    Batch,
    /// Updates, in a queue of the CPU (Xen).
    Queue(Switch),
}

/// Xen's hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    /// Up to 6.5, 6.15 to 6.19, and v2: a mode per CPU, a mark on the task that leaves it.
    Marks,
    /// 6.6 to 6.14: besides, nested enters are counted.
    MarksNested,
    /// 7.0: the counters say whether to enter again, and the hooks insist on the mode they find.
    Asks,
    /// 7.1: the same, and the hooks tolerate any mode.
    AsksTolerant,
    /// 7.2: pause and resume; no mode per CPU.
    Pauses,
}

/// Both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) layer: Layer,
    pub(super) keeps: Keeps,
}

impl Form {
    pub(super) fn of(subject: &Descriptor) -> Form {
        let layer = match subject.generation {
            GenerationName::Stateless => Layer::Stateless,
            GenerationName::Token => Layer::Token,
            GenerationName::NestingV3 => Layer::NestingV3,
            GenerationName::NestingV4 => Layer::NestingV4,
            GenerationName::Counted => Layer::Counted,
        };
        let keeps = match subject.mmu {
            Mmu::Plain | Mmu::Radix | Mmu::Native => Keeps::Nothing,
            Mmu::Aarch64 => Keeps::Flag,
            Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v => Keeps::Batch,
            Mmu::Xen => Keeps::Queue(match (layer, subject.backend.split_once('@').map(|(_, version)| version)) {
                (Layer::Stateless, Some("6.6")) => Switch::MarksNested,
                (Layer::Stateless | Layer::Token, _) => Switch::Marks,
                (Layer::NestingV3 | Layer::NestingV4, _) | (_, Some("7.0")) => Switch::Asks,
                (_, Some("7.1")) => Switch::AsksTolerant,
                _ => Switch::Pauses,
            }),
        };
        Form { layer, keeps }
    }

    /// Whether the CPU has a mode that the switch hooks move.
    pub(super) fn has_cpu_mode(self) -> bool {
        matches!(self.keeps, Keeps::Queue(switch) if switch != Switch::Pauses)
    }
}
