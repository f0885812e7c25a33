//! A subject's state as memory: arenas that are copied back at a reset, and hashed for a fingerprint.
//!
//! Tables are no arena: they are large, and a run touches few entries; those are remembered and forgotten by name.

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
pub struct Image(Vec<Vec<u8>>);

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
            // runs meanwhile.
            unsafe { std::slice::from_raw_parts(arena.start as *const u8, arena.bytes) }.to_vec()
        };
        Image(self.0.iter().map(words).collect())
    }

    /// Puts an image back.
    pub fn restore(&self, image: &Image) {
        for (arena, bytes) in self.0.iter().zip(&image.0) {
            // SAFETY: as for `image`; the image has the arena's length, for it was taken of it.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), arena.start as *mut u8, arena.bytes) };
        }
    }

    /// A digest of what is in them.
    pub fn digest(&self) -> u64 {
        let mut digest = 0;
        for arena in &self.0 {
            // SAFETY: as for `image`. Both marks are aligned by 64.
            let words = unsafe { std::slice::from_raw_parts(arena.start as *const u64, arena.bytes / 8) };
            digest = words.iter().fold(digest, |digest, &word| lazy_mmu_arches::backend::mix(digest, word));
        }
        digest
    }
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
        })
    }
}
