//! Preparing a tree for one recipe: kbuild configures it out of tree and makes the generated headers, once.
//!
//! What is kept is what a compiler needs, about a megabyte: generated headers, the configuration, and the flags of the
//! compiler's command that kbuild saved. It serves every tree whose Kconfig, Makefiles, scripts and tables have the same
//! contents, wherever it lies; which files these are, the first preparation has found out.
//!
//! What it is not: no kernel object is made here. `bounds.h` depends on the tree's headers and is [`super::derive`]'s.
//!
//! Who calls it: [`super::build`].

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use lazy_mmu_border::Recipe;

use super::error::{Result, TreeError};
use super::run::{self, Jobs};
use super::source::Source;
use super::stamp::{self, Looks, Stamp};
use super::store::{self, Store};
use super::tools::Tools;
use super::{flags, inputs};

/// A prepared folder.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Where it is: the compiler's current directory.
    pub folder: PathBuf,
    /// The flags that hold for every object, with [`flags::TREE`] for the tree.
    pub flags: Vec<String>,
    /// Options of the fragment that the tree's Kconfig did not take.
    pub refused: Vec<String>,
    /// How long kbuild took, where it had to run.
    pub took: Option<Duration>,
}

/// A tree to be prepared for a recipe.
pub struct Task<'t> {
    /// The tree.
    pub source: &'t Source,
    /// The recipe.
    pub recipe: &'t Recipe,
    /// Compiler and kin.
    pub tools: &'t Tools,
    /// The cache.
    pub store: &'t Store,
    /// The folder of this tree and recipe.
    pub place: &'t Path,
    /// How many programs may run.
    pub jobs: &'t Jobs,
    /// How many recipes may be prepared at the same time.
    pub at_once: usize,
}

/// Opens a prepared folder; none where it is not whole.
fn open(folder: &Path) -> Option<Prepared> {
    let lines = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        Some(text.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let (flags, refused) = (lines("lz.flags")?, lines("lz.refused")?);
    // The time tells which folders are in use.
    let _ = fs::write(folder.join(store::USED), "");
    Some(Prepared { folder: folder.to_owned(), flags, refused, took: None })
}

impl Task<'_> {
    /// The prepared folder, made if there is none.
    ///
    /// # Errors
    /// The tree lacks the architecture, kbuild refuses, or the cache cannot be written.
    pub fn prepared(&self, looks: &Looks) -> Result<Prepared> {
        let arch = format!("arch/{}", self.recipe.arch_dir);
        if !self.source.build().join(&arch).join("Makefile").is_file() {
            return Err(TreeError::NoArchitecture { arch_dir: arch, path: self.source.root().to_owned() });
        }
        let command = self.decides();
        let (stamp_path, named) = (self.place.join("prepared"), self.place.join("prepared.at"));
        let known = Stamp::read(&stamp_path).filter(|stamp| stamp.holds(&command, looks));
        let known = known.and_then(|_| open(Path::new(&fs::read_to_string(&named).ok()?)));
        if let Some(prepared) = known {
            return Ok(prepared);
        }
        let began = SystemTime::now();
        let prepared = match self.another_trees(&command) {
            Some(prepared) => prepared,
            None => {
                let _lock = self.store.lock(&format!("prepare-{}", self.recipe.name))?;
                // Whoever had the lock may have prepared the very same.
                match self.another_trees(&command) {
                    Some(prepared) => prepared,
                    None => self.jobs.one(super::target_of(self.recipe), || self.kbuild(&command))?,
                }
            }
        };
        let inputs = inputs::read(&prepared.folder).unwrap_or_default();
        let there = inputs.iter().filter(|(_, found)| found.is_some());
        let files = there.map(|(path, _)| self.source.build().join(path));
        let stamp = Stamp::of(&command, files, began, looks);
        store::write(&named, prepared.folder.to_string_lossy().as_bytes())?;
        store::write(&stamp_path, stamp.text())?;
        self.store.sweep(self.recipe.name);
        Ok(prepared)
    }

    /// What decides about the result beside the tree's files.
    fn decides(&self) -> String {
        let config = lazy_mmu_border::file(self.recipe.config).unwrap_or_default();
        let Recipe { kernel_arch, arch_dir, .. } = self.recipe;
        format!("{kernel_arch} {arch_dir}\n{}\n{config}", self.tools.identity)
    }

    /// A folder that was prepared for a tree with the same contents.
    fn another_trees(&self, command: &str) -> Option<Prepared> {
        let folder = self.store.folder("prepared").ok()?;
        let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
        let beginning = format!("{}-", self.recipe.name);
        let of_recipe =
            entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&beginning)));
        let same = |folder: &PathBuf| {
            fs::read_to_string(folder.join("lz.decides")).is_ok_and(|found| found == command)
                && inputs::read(folder).is_some_and(|found| inputs::hold(&found, self.source.build()))
        };
        of_recipe.filter(same).find_map(|folder| open(&folder))
    }

    /// Has kbuild do it, in a folder that gets its place when all is done.
    fn kbuild(&self, command: &str) -> Result<Prepared> {
        let began = Instant::now();
        let scratch = self.store.scratch(&format!("prepare-{}", self.recipe.name))?;
        // Kbuild cannot work below a path with spaces or colons; what it makes is copied where it belongs.
        let elsewhere = outside(scratch.path())?;
        let out = elsewhere.as_ref().map_or_else(|| scratch.path().join("out"), |folder| folder.path().join("out"));
        fs::create_dir_all(&out).map_err(TreeError::cache(&out))?;
        self.configure(&out)?;
        let flags = self.saved_flags(&out)?;
        let found = inputs::find(self.source.build(), &out, self.recipe.arch_dir);
        let refused = self.refused(&out);
        let kept = scratch.path().join("kept");
        keep(&out, &kept, self.recipe.arch_dir)?;
        let file = |name: &str, text: &str| fs::write(kept.join(name), text).map_err(TreeError::cache(kept.join(name)));
        file("lz.flags", &flags.join("\n"))?;
        file("lz.refused", &refused.join("\n"))?;
        file("lz.decides", command)?;
        file(inputs::NAME, &inputs::text(&found))?;
        let digest = stamp::digest_of(&[command.as_bytes(), inputs::text(&found).as_bytes()]);
        let place = self.store.folder("prepared")?.join(format!("{}-{digest:016x}", self.recipe.name));
        // What was there was not whole, or it would have been found.
        let _ = fs::remove_dir_all(&place);
        fs::rename(&kept, &place).map_err(TreeError::cache(&place))?;
        stamp::settle();
        let prepared = open(&place).ok_or_else(|| TreeError::Cache {
            path: place.clone(),
            why: "what was just written there cannot be read".to_owned(),
        })?;
        Ok(Prepared { took: Some(began.elapsed()), ..prepared })
    }

    /// Kconfig's smallest configuration with the recipe's fragment on top, and the generated headers.
    ///
    /// This is `make tinyconfig` with one run of Kconfig for its two: its fragments and ours in one file.
    fn configure(&self, out: &Path) -> Result<()> {
        let tree = self.source.build();
        let fragments = ["kernel/configs/tiny-base.config".to_owned(), "kernel/configs/tiny.config".to_owned()];
        let of_arch = format!("arch/{}/configs/tiny.config", self.recipe.arch_dir);
        let mut all = String::new();
        for fragment in fragments.iter().chain([&of_arch]) {
            all += &fs::read_to_string(tree.join(fragment)).unwrap_or_default();
            all.push('\n');
        }
        all += lazy_mmu_border::file(self.recipe.config).unwrap_or_default();
        let config = out.join("lz.all.config");
        fs::write(&config, all).map_err(TreeError::cache(&config))?;
        let mut make = std::process::Command::new("make");
        make.arg("-s").arg(format!("-j{}", (self.jobs.total / self.at_once.max(1)).max(1)));
        make.arg("-C").arg(tree).arg(format!("O={}", out.display()));
        make.arg(format!("ARCH={}", self.recipe.kernel_arch)).args(self.tools.kbuild());
        make.arg(format!("KCONFIG_ALLCONFIG={}", config.display())).args(["allnoconfig", "prepare0"]);
        for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARCH", "CROSS_COMPILE", "LLVM", "CC", "LD", "HOSTCC"] {
            make.env_remove(name);
        }
        for (name, _) in std::env::vars_os() {
            if ["KBUILD_", "KCONFIG_", "CONFIG_"].iter().any(|start| name.to_string_lossy().starts_with(start)) {
                make.env_remove(name);
            }
        }
        let said = run::run(make, run::LONG)?;
        if said.well {
            return Ok(());
        }
        if said.complaint.contains("No space left on device") {
            return Err(TreeError::Cache { path: out.to_owned(), why: "No space left on device".to_owned() });
        }
        let step = format!("make ARCH={} allnoconfig prepare0", self.recipe.kernel_arch);
        let said = run::last_lines(&format!("{}\n{}", said.text(), said.complaint), 12);
        let (recipe, path) = (self.recipe.name.to_owned(), self.source.root().to_owned());
        Err(TreeError::Kbuild { recipe, step, said: self.source.as_given(&said), path })
    }

    /// The flags of the one file that prepare0 compiles as an object of the kernel.
    fn saved_flags(&self, out: &Path) -> Result<Vec<String>> {
        let path = out.join(format!("arch/{}/kernel/.asm-offsets.s.cmd", self.recipe.arch_dir));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let shape = || TreeError::Shape {
            what: "kbuild saved no compiler's command for asm-offsets.c".to_owned(),
            place: format!("arch/{}/kernel/asm-offsets.c", self.recipe.arch_dir),
        };
        let command = flags::saved(&text).ok_or_else(shape)?;
        let kept = flags::general(command, self.source.build());
        Ok(kept.into_iter().filter(|flag| !self.recipe.without.contains(&&**flag)).collect())
    }

    /// Lines of the fragment that the configuration does not have.
    fn refused(&self, out: &Path) -> Vec<String> {
        let made = fs::read_to_string(out.join(".config")).unwrap_or_default();
        let made: BTreeSet<&str> = made.lines().collect();
        let asked = lazy_mmu_border::file(self.recipe.config).unwrap_or_default().lines();
        let is_set = |line: &&str| line.starts_with("CONFIG_") && !line.ends_with("=n");
        asked.filter(is_set).filter(|line| !made.contains(line)).map(str::to_owned).collect()
    }
}

/// A folder elsewhere, where the cache's own path has letters that kbuild cannot have.
fn outside(scratch: &Path) -> Result<Option<Elsewhere>> {
    let unfit = |path: &Path| path.to_string_lossy().contains([' ', ':', '\t']);
    if !unfit(scratch) {
        return Ok(None);
    }
    let temporary = std::env::temp_dir();
    let base = if unfit(&temporary) { PathBuf::from("/var/tmp") } else { temporary };
    let mut name = String::from("lazymmu-prepare");
    // Writing to a string cannot fail.
    let _ = write!(name, ".{}.{:?}", std::process::id(), std::thread::current().id());
    let path = base.join(name.replace(['(', ')'], "-"));
    fs::create_dir_all(&path).map_err(TreeError::cache(&path))?;
    Ok(Some(Elsewhere(path)))
}

/// A folder outside the cache, which goes.
struct Elsewhere(PathBuf);

impl Elsewhere {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies what compilers need: generated headers, without kbuild's own files, and the configuration for a person.
fn keep(out: &Path, kept: &Path, arch_dir: &str) -> Result<()> {
    for folder in ["include/generated".to_owned(), format!("arch/{arch_dir}/include/generated")] {
        copy_headers(&out.join(&folder), &kept.join(&folder))?;
    }
    let config = kept.join(".config");
    fs::copy(out.join(".config"), &config).map(drop).map_err(TreeError::cache(&config))
}

fn copy_headers(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(TreeError::cache(to))?;
    for entry in fs::read_dir(from).map_err(TreeError::unreadable(from))?.flatten() {
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_headers(&path, &place)?;
        } else if path.extension().is_some_and(|end| end == "h") {
            fs::copy(&path, &place).map(drop).map_err(TreeError::cache(&place))?;
        }
    }
    Ok(())
}
