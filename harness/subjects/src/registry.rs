//! The subjects by name: `generation/backend`, such as `counted/sparc64`; a kernel version may follow, as in
//! `counted/x86_64-xen@7.0`.
//!
//! Every generation runs on every backend in the form that backend had then. Called by whoever takes a subject's name
//! from a user, and by `check`, which runs them all.

use lazy_mmu_arches::aarch64::{Aarch64, Aarch64Stateless, Aarch64Token};
use lazy_mmu_arches::backend::{Backend, TokenBackend};
use lazy_mmu_arches::insn::Isa;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::none::NoMode;
use lazy_mmu_arches::powerpc64::{Hash, HashOf, HashStateless, HashToken, Radix};
use lazy_mmu_arches::sparc64::{Sparc64, SparcStateless, SparcToken, Sun4uOf, Sun4v, Sun4vOf};
use lazy_mmu_arches::x86_64::{X86Native, Xen, Xen70, Xen71, XenNested, XenOf, XenStateless, XenToken};

use crate::adapter::{Generation, Ours};
use crate::generations::{Counted, NestingV3, NestingV4, Stateless, Tokens};
use lazy_mmu_abi::rules::{Room, Rules, UPDATE};
use lazy_mmu_abi::subject::{Port, Subject};

/// A generation, in the order of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GenerationName {
    /// Before 7.0.
    Stateless,
    /// v2.
    Token,
    /// v3.
    NestingV3,
    /// v4.
    NestingV4,
    /// v5, v6, 7.0 to 7.2.
    Counted,
}

impl GenerationName {
    /// All, in the order of history.
    pub const ALL: [GenerationName; 5] = [
        GenerationName::Stateless,
        GenerationName::Token,
        GenerationName::NestingV3,
        GenerationName::NestingV4,
        GenerationName::Counted,
    ];

    /// Its name in a subject's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GenerationName::Stateless => "stateless",
            GenerationName::Token => "token",
            GenerationName::NestingV3 => "nesting-v3",
            GenerationName::NestingV4 => "nesting-v4",
            GenerationName::Counted => "counted",
        }
    }

    /// What its oracles may expect.
    #[must_use]
    pub fn rules(self, mmu: Mmu) -> Rules {
        Rules {
            counted: self == GenerationName::Counted,
            counters: !matches!(self, GenerationName::Stateless | GenerationName::Token),
            mmu,
            room: Room::default(),
        }
    }
}

/// Entries of a batch in [`Descriptor::small`].
pub const SMALL: u16 = 3;
/// Argument bytes of Xen's buffer there: room for as many updates, since the last byte is never used.
pub const SMALL_BYTES: u16 = (SMALL + 1) * UPDATE;
/// What the names of those subjects end in.
pub const SMALL_SUFFIX: &str = "+small";

/// A subject's name and how it is made.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// `generation/backend`.
    pub name: &'static str,
    /// Its generation.
    pub generation: GenerationName,
    /// Its backend's name, version included.
    pub backend: &'static str,
    /// Whose instructions it uses.
    pub isa: Option<Isa>,
    /// The MMU it drives.
    pub mmu: Mmu,
    make: fn(Port) -> Box<dyn Subject>,
    /// What a batch of its has room for.
    room: fn() -> Room,
}

impl Descriptor {
    /// What its oracles may expect.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules { room: (self.room)(), ..self.generation.rules(self.mmu) }
    }

    /// The same subject with batches that are full with [`SMALL`] entries, where it has a batch that can be made so: what goes
    /// wrong when a batch fills is then a few steps away.
    #[must_use]
    pub fn small(&self) -> Option<&'static Descriptor> {
        SMALL_SUBJECTS.iter().find(|small| small.faithful() == self.name)
    }

    /// Its name as that of a faithful subject: without what says that its batches are small.
    #[must_use]
    pub fn faithful(&self) -> &'static str {
        self.name.strip_suffix(SMALL_SUFFIX).unwrap_or(self.name)
    }

    /// Makes the subject.
    #[must_use]
    pub fn make(&self, port: Port) -> Box<dyn Subject> {
        (self.make)(port)
    }

    /// Whether it is one of Linux 7.2's: the generation that the contract is about, on a backend of today.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.generation == GenerationName::Counted && !self.backend.contains('@')
    }

    /// Whether the `asm` port can execute its instructions in this build.
    #[must_use]
    pub fn has_asm_here(&self) -> bool {
        self.isa.is_some() && self.isa == Isa::of_this_build()
    }
}

fn make<G: Generation<B> + 'static, B: Backend + 'static>(port: Port) -> Box<dyn Subject> {
    Box::new(Ours::<G, B>::new(port))
}

fn tokens<B: TokenBackend + 'static>(port: Port) -> Box<dyn Subject> {
    make::<Tokens, B>(port)
}

/// What the batches of [`SMALL_SUBJECTS`] have room for.
fn small_room() -> Room {
    Room { batch: SMALL, calls: SMALL as u8, bytes: SMALL_BYTES }
}

macro_rules! subjects {
    ($($generation:ident: $($name:literal $backend:literal $type:ty => $make:expr $(, $small:expr)?;)*)*) => {
        /// Every subject, by generation in the order of history.
        pub const SUBJECTS: &[Descriptor] = &[$($(Descriptor {
            name: concat!($name, "/", $backend),
            generation: GenerationName::$generation,
            backend: $backend,
            isa: <$type as Backend>::ISA,
            mmu: <$type as Backend>::MMU,
            make: $make,
            room: Room::default,
        },)*)*];

        /// Those with a batch that can be made small, with a batch of [`SMALL`] entries; their names end in [`SMALL_SUFFIX`].
        pub const SMALL_SUBJECTS: &[Descriptor] = &[$($($(Descriptor {
            name: concat!($name, "/", $backend, "+small"),
            generation: GenerationName::$generation,
            backend: $backend,
            isa: <$type as Backend>::ISA,
            mmu: <$type as Backend>::MMU,
            make: $small,
            room: small_room,
        },)?)*)*];
    };
}

subjects! {
    Stateless:
    "stateless" "aarch64" Aarch64Stateless => make::<Stateless, Aarch64Stateless>;
    "stateless" "powerpc64-hash" HashStateless => make::<Stateless, HashStateless>;
    "stateless" "powerpc64-radix" Radix => make::<Stateless, Radix>;
    "stateless" "sparc64" SparcStateless => make::<Stateless, SparcStateless>;
    "stateless" "x86_64-native" X86Native => make::<Stateless, X86Native>;
    "stateless" "x86_64-xen" XenStateless => make::<Stateless, XenStateless>;
    "stateless" "x86_64-xen@6.6" XenNested => make::<Stateless, XenNested>;
    "stateless" "none" NoMode => make::<Stateless, NoMode>;
    Token:
    "token" "aarch64" Aarch64Token => tokens::<Aarch64Token>;
    "token" "powerpc64-hash" HashToken => tokens::<HashToken>;
    "token" "powerpc64-radix" Radix => tokens::<Radix>;
    "token" "sparc64" SparcToken => tokens::<SparcToken>;
    "token" "x86_64-native" X86Native => tokens::<X86Native>;
    "token" "x86_64-xen" XenToken => tokens::<XenToken>;
    "token" "none" NoMode => tokens::<NoMode>;
    NestingV3:
    "nesting-v3" "aarch64" Aarch64 => make::<NestingV3, Aarch64>;
    "nesting-v3" "powerpc64-hash" Hash => make::<NestingV3, Hash>, make::<NestingV3, HashOf<SMALL>>;
    "nesting-v3" "powerpc64-radix" Radix => make::<NestingV3, Radix>;
    "nesting-v3" "sparc64" Sparc64 => make::<NestingV3, Sparc64>, make::<NestingV3, Sun4uOf<SMALL>>;
    "nesting-v3" "x86_64-native" X86Native => make::<NestingV3, X86Native>;
    "nesting-v3" "x86_64-xen" Xen70 => make::<NestingV3, Xen70>;
    "nesting-v3" "none" NoMode => make::<NestingV3, NoMode>;
    NestingV4:
    "nesting-v4" "aarch64" Aarch64 => make::<NestingV4, Aarch64>;
    "nesting-v4" "powerpc64-hash" Hash => make::<NestingV4, Hash>, make::<NestingV4, HashOf<SMALL>>;
    "nesting-v4" "powerpc64-radix" Radix => make::<NestingV4, Radix>;
    "nesting-v4" "sparc64" Sparc64 => make::<NestingV4, Sparc64>, make::<NestingV4, Sun4uOf<SMALL>>;
    "nesting-v4" "x86_64-native" X86Native => make::<NestingV4, X86Native>;
    "nesting-v4" "x86_64-xen" Xen70 => make::<NestingV4, Xen70>;
    "nesting-v4" "none" NoMode => make::<NestingV4, NoMode>;
    Counted:
    "counted" "aarch64" Aarch64 => make::<Counted, Aarch64>;
    "counted" "powerpc64-hash" Hash => make::<Counted, Hash>, make::<Counted, HashOf<SMALL>>;
    "counted" "powerpc64-radix" Radix => make::<Counted, Radix>;
    "counted" "sparc64" Sparc64 => make::<Counted, Sparc64>, make::<Counted, Sun4uOf<SMALL>>;
    "counted" "sparc64-sun4v" Sun4v => make::<Counted, Sun4v>, make::<Counted, Sun4vOf<SMALL>>;
    "counted" "x86_64-native" X86Native => make::<Counted, X86Native>;
    "counted" "x86_64-xen" Xen => make::<Counted, Xen>, make::<Counted, XenOf<{ SMALL as u8 }, SMALL_BYTES>>;
    "counted" "x86_64-xen@7.0" Xen70 => make::<Counted, Xen70>;
    "counted" "x86_64-xen@7.1" Xen71 => make::<Counted, Xen71>;
    "counted" "none" NoMode => make::<Counted, NoMode>;
}

/// Other names of backends: what people say.
const ALIASES: &[(&str, &str)] =
    &[("powerpc64", "powerpc64-hash"), ("x86_64", "x86_64-native"), ("xen", "x86_64-xen"), ("arm64", "aarch64")];

/// Finds a subject by name or alias. A backend alone is the counted generation on it.
#[must_use]
pub fn find(name: &str) -> Option<&'static Descriptor> {
    let (generation, backend) = name.split_once('/').unwrap_or(("counted", name));
    let (plain, version) = backend.split_once('@').map_or((backend, None), |(plain, version)| (plain, Some(version)));
    let plain = ALIASES.iter().find(|alias| alias.0 == plain).map_or(plain, |alias| alias.1);
    SUBJECTS.iter().find(|subject| {
        let (known, known_version) =
            subject.backend.split_once('@').map_or((subject.backend, None), |(known, v)| (known, Some(v)));
        subject.generation.name() == generation && known == plain && known_version == version
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lazy_mmu_arches::mmu::Mmu;

    #[test]
    fn a_subject_is_found_by_its_name_and_by_what_people_say() {
        for subject in SUBJECTS {
            assert_eq!(find(subject.name).map(|found| found.name), Some(subject.name));
        }
        assert_eq!(find("xen").map(|found| found.name), Some("counted/x86_64-xen"));
        assert_eq!(find("stateless/powerpc64").map(|found| found.name), Some("stateless/powerpc64-hash"));
        assert_eq!(find("counted/xen@7.0").map(|found| found.name), Some("counted/x86_64-xen@7.0"));
        assert!(find("counted/vax").is_none());
        assert!(find("counted/aarch64@7.0").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn the_subjects_of_today_are_one_for_each_mmu() {
        let current: Vec<_> = SUBJECTS.iter().filter(|subject| subject.is_current()).collect();
        let mmus: Vec<_> = current.iter().map(|subject| subject.make(Port::Model).mmu()).collect();
        assert!(Mmu::ALL.iter().all(|mmu| mmus.contains(mmu)), "{mmus:?}");
        assert_eq!(current.len(), Mmu::ALL.len(), "{current:?}");
    }

    #[test]
    fn the_asm_port_executes_and_the_model_port_does_not() {
        let program = lazy_mmu_program::text::parse("set V 0 x2; access V 0 x2; clear V 0; set K 1; tlb_flush V 0 x2");
        let program = program.expect("a program");
        let mut machine = lazy_mmu_machine::Machine::new();
        let mut executed = 0;
        for subject in SUBJECTS {
            let model = subject.make(Port::Model);
            machine.run(&*model, &program);
            assert_eq!(model.executed(), 0, "{}", subject.name);
            let asm = subject.make(Port::Asm);
            machine.run(&*asm, &program);
            assert!(asm.executed() == 0 || subject.has_asm_here(), "{}", subject.name);
            executed += asm.executed();
        }
        assert!(executed > 0 || Isa::of_this_build().is_none(), "no subject of this build's instructions");
    }

    /// Batches of a few entries go out when they are full, and the oracles expect no more of them.
    #[test]
    fn small_batches_are_full_with_a_few_entries() {
        use lazy_mmu_abi::trace::What;
        use lazy_mmu_arches::context::Note;
        let program = lazy_mmu_program::text::parse("set U 0 x8; access U 0 x8; enable; clear U 0 x8; disable");
        let program = program.expect("a program");
        let mut machine = lazy_mmu_machine::Machine::new();
        let small: Vec<_> = SUBJECTS.iter().filter_map(Descriptor::small).collect();
        assert_eq!(small.len(), SMALL_SUBJECTS.len());
        assert!(small.iter().all(|subject| subject.name == format!("{}{SMALL_SUFFIX}", subject.faithful())));
        let mmus: Vec<_> = small.iter().filter(|subject| subject.is_current()).map(|subject| subject.mmu).collect();
        assert_eq!(mmus, [Mmu::Hash, Mmu::Sun4u, Mmu::Sun4v, Mmu::Xen]);
        for subject in small {
            let events = machine.run(&*subject.make(Port::Model), &program);
            let flushed = events.iter().filter_map(|event| match event.what {
                What::Note(Note::FlushPending(n)) => Some(n),
                What::Note(Note::McFlush(1, bytes)) => Some(bytes / UPDATE),
                _ => None,
            });
            assert_eq!(flushed.collect::<Vec<_>>(), [3, 3, 2], "{}", subject.name);
            assert!(lazy_mmu_contract::judge(events, subject.rules()).holds(), "{}", subject.name);
            let plain = find(subject.faithful()).expect("its own").rules();
            assert_eq!(plain, Rules { room: Room::default(), ..subject.rules() });
            assert!(!lazy_mmu_contract::judge(events, plain).holds(), "{}: less than a batch of 192", subject.name);
        }
    }

    #[test]
    fn every_generation_runs_on_every_backend() {
        for generation in GenerationName::ALL {
            for backend in
                ["aarch64", "powerpc64-hash", "powerpc64-radix", "sparc64", "x86_64-native", "x86_64-xen", "none"]
            {
                assert!(SUBJECTS.iter().any(|s| s.generation == generation && s.backend == backend), "{backend}");
            }
        }
    }
}
