//! How one architecture of a tree is built, as plain data.
//!
//! Nothing here depends on a version number: what differs between trees is asked of the tree ([`When`]).
//!
//! Who calls it: the files of the architectures fill it in; the host's `tree` module follows it.

/// How a subject is made of a tree for one architecture.
///
/// Paths of the tree count from its root, paths of ours are those of [`crate::FILES`].
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Its name, which no other recipe has: the target's, or the target's and a variant's (`powerpc64-4k`).
    pub name: &'static str,
    /// The target's short name, as in `harness/targets`.
    pub target: &'static str,
    /// The page size that it is configured with, in kibibytes with a `k`; none where a target has one recipe.
    pub pages: Option<&'static str>,
    /// What kbuild calls it: `make ARCH=`.
    pub kernel_arch: &'static str,
    /// The folder below `arch/`.
    pub arch_dir: &'static str,
    /// The Kconfig fragment, set on top of `tinyconfig`.
    pub config: &'static str,
    /// Folders that are searched for headers before the tree's, in this order. `include` and `glue` come after them.
    pub overlay: &'static [&'static str],
    /// Flags of kbuild's that are taken out: whole words.
    pub without: &'static [&'static str],
    /// Flags that are added for the tree's sources and the glue, after kbuild's.
    pub flags: &'static [&'static str],
    /// Preprocessor macros that depend on what the tree has. `LZ_API`, `LZ_TASK_CALLS`, `LZ_RELEASE` and
    /// `LZ_<ARCH_DIR>` are always given.
    pub defines: &'static [Define],
    /// What is compiled and linked.
    pub objects: &'static [Object],
    /// Arguments of objcopy for every object before they are linked: statics made global, sections renamed.
    pub objcopy: &'static [&'static str],
    /// Second names of symbols, given where the objects are linked together.
    pub aliases: &'static [Alias],
    /// Symbols of the subject that the adapter sees, beside `lazymmu_enter` and `lazymmu_upcall`.
    pub keep: &'static [&'static str],
    /// Beginnings of undefined symbols that come from the compiler's own library or the linker and keep their names.
    pub compilers: &'static [&'static str],
    /// Flags of the last link, for the compiler's driver.
    pub link: &'static [&'static str],
}

/// Flags of `glue/mem.c`: the compiler would make calls of `memcpy()` from its loops, in `memcpy()` too.
pub(crate) const MEM_FLAGS: &[&str] = &["-fno-builtin", "-fno-tree-loop-distribute-patterns"];

/// A preprocessor macro that is defined as 1 where the tree has something.
#[derive(Clone, Copy, Debug)]
pub struct Define {
    /// The macro's name.
    pub name: &'static str,
    /// Where it is defined.
    pub when: When,
}

/// A source that becomes an object.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// Where the source is.
    pub origin: Origin,
    /// Flags for this source alone, after all others.
    pub flags: &'static [&'static str],
    /// Whether it takes part.
    pub when: When,
}

impl Object {
    /// A source of the tree, compiled as it is.
    #[must_use]
    pub const fn tree(path: &'static str) -> Self {
        Self { origin: Origin::Tree(path), flags: &[], when: When::Always }
    }

    /// A source of ours, compiled as one of the tree's.
    #[must_use]
    pub const fn glue(path: &'static str) -> Self {
        Self { origin: Origin::Glue(path), flags: &[], when: When::Always }
    }

    /// A source of ours, compiled for user mode.
    #[must_use]
    pub const fn user(path: &'static str) -> Self {
        Self { origin: Origin::User(path), flags: &[], when: When::Always }
    }

    /// The same with flags for it alone.
    #[must_use]
    pub const fn with(self, flags: &'static [&'static str]) -> Self {
        Self { flags, ..self }
    }

    /// The same where the tree has something.
    #[must_use]
    pub const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// The source's path, of the tree or of [`crate::FILES`].
    #[must_use]
    pub const fn path(&self) -> &'static str {
        match self.origin {
            Origin::Tree(path) | Origin::Glue(path) | Origin::User(path) => path,
        }
    }

    /// The object's name: the source's path without its ending, with `-` for `/`.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.path();
        path.rsplit_once('.').map_or(path, |(stem, _)| stem).replace('/', "-")
    }
}

/// Where a source is, and with whose flags it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the tree; kbuild's flags.
    Tree(&'static str),
    /// Ours; kbuild's flags. It includes the tree's headers, or a source of the tree for what is static there.
    Glue(&'static str),
    /// Ours; the compiler's own flags and libc's headers: the thunks between the two worlds.
    User(&'static str),
}

/// A condition on what the tree has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In every tree.
    Always,
    /// Where a file exists.
    File(&'static str),
    /// Where a file is not there.
    NoFile(&'static str),
    /// Where a file has a text.
    Has(&'static str, &'static str),
    /// Where a file has a text not, or is not there.
    HasNot(&'static str, &'static str),
}

/// A second name of a symbol, for code that reads one variable under two names.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// The name that nothing defines.
    pub name: &'static str,
    /// The symbol that it means.
    pub means: &'static str,
    /// Where it is given.
    pub when: When,
}
