//! A subject's state as memory: arenas that are copied back at a reset, and hashed for a fingerprint.
//!
//! Tables are no arena: they are large, and a run touches few entries; those are remembered and forgotten by name.

use lazy_mmu_arches::backend::mix;
use lazy_mmu_border::numbers::{entry, fact};

use crate::border::enter;

/// One stretch of writable memory of the tree's objects.
#[derive(Clone, Copy, Debug)]
struct Arena {
    start: u64,
    bytes: usize,
}

/// All of it.
#[derive(Debug)]
pub struct Arenas(Vec<Arena>);

/// What was in the arenas at some time.
#[derive(Debug, Default)]
pub struct Image(Vec<Vec<u64>>);

impl Arenas {
    /// Asks the subject for them.
    pub fn new() -> Arenas {
        let all =
            (0..).map(|n| Arena { start: enter(entry::ARENA, n, 0, 0), bytes: enter(entry::ARENA, n, 1, 0) as usize });
        Arenas(all.take_while(|arena| arena.start != 0).filter(|arena| arena.bytes > 0).collect())
    }

    /// How many bytes they have.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|arena| arena.bytes).sum()
    }

    /// What is in them now.
    pub fn image(&self) -> Image {
        let words = |arena: &Arena| {
            // SAFETY: an arena is memory of the tree's objects, which live as long as the program; none of their code
            // runs meanwhile. Both its ends are aligned by 64.
            unsafe { std::slice::from_raw_parts(arena.start as *const u64, arena.bytes / WORD) }.to_vec()
        };
        Image(self.0.iter().map(words).collect())
    }

    /// Puts an image back.
    pub fn restore(&self, image: &Image) {
        for (arena, words) in self.0.iter().zip(&image.0) {
            // SAFETY: as for `image`; the image has the arena's length, for it was taken of it.
            unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), arena.start as *mut u64, words.len()) };
        }
    }

    /// A digest of where they are not as in an image, and of what is there: a run changes little, and most of the digest's
    /// time is looking for it.
    pub fn digest(&self, since: &Image) -> u64 {
        let mut digest = 0;
        for (number, (arena, before)) in (0..).zip(self.0.iter().zip(&since.0)) {
            // SAFETY: as for `image`.
            let now = unsafe { std::slice::from_raw_parts(arena.start as *const u64, arena.bytes / WORD) };
            let pairs = now.chunks(CHUNK).zip(before.chunks(CHUNK));
            for (at, (now, _)) in (0..).zip(pairs).filter(|(_, (now, before))| differ(now, before)) {
                digest = mix(digest, number << 32 | at);
                digest = now.iter().fold(digest, |digest, &word| mix(digest, word));
            }
        }
        digest
    }
}

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// Words that are compared at once.
const CHUNK: usize = 32;

/// Whether words differ; without a call of memcmp(), which takes most of the time under an emulator.
fn differ(now: &[u64], before: &[u64]) -> bool {
    now.iter().zip(before).fold(0, |bits, (now, before)| bits | (now ^ before)) != 0
}

/// What the tree is and has.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The architecture, as the glue calls it.
    pub arch: String,
    /// The kernel's release.
    pub release: String,
    /// A bit for each `FORM_*`.
    pub forms: u64,
    /// `API_*`
    pub api: u64,
    /// Whether `__task_lazy_mmu_mode_pause()` exists.
    pub task_calls: bool,
    /// Page shifts by size class.
    pub shifts: [u32; 3],
    /// Entries of the batch.
    pub capacity: u64,
    /// Whether the architecture has the mode at all.
    pub mode: bool,
    /// `XEN_*`: where Xen keeps it.
    pub xen: u64,
    /// Whether and how small user entries are folded (arm64).
    pub contpte: Option<crate::groups::Contpte>,
}

impl Facts {
    /// Asks for them; the border's version comes first.
    ///
    /// # Errors
    /// The tree's side was built for another version of the border.
    pub fn ask() -> Result<Facts, String> {
        let number = |which| enter(entry::FACT, which, 0, 0);
        let version = number(fact::BORDER);
        if version != lazy_mmu_border::numbers::VERSION {
            return Err(format!(
                "the tree's objects speak version {version} of the border, this agent {}: build both anew",
                lazy_mmu_border::numbers::VERSION
            ));
        }
        let shifts = number(fact::SHIFTS);
        Ok(Facts {
            arch: crate::border::text_fact(fact::ARCH),
            release: crate::border::text_fact(fact::RELEASE),
            forms: number(fact::FORMS),
            api: number(fact::API),
            task_calls: number(fact::TASK_CALLS) != 0,
            shifts: [0, 8, 16].map(|shift| (shifts >> shift & 0xff) as u32),
            capacity: number(fact::CAPACITY),
            mode: number(fact::MODE) != 0,
            xen: number(fact::XEN),
            contpte: crate::groups::Contpte::of(number(fact::CONTPTE)),
        })
    }
}
