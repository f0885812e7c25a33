//! Which part of a tree is unpacked where this command unpacks one: what Kconfig, kbuild's preparation and the
//! architectures' C need, a tenth of the whole.
//!
//! A file that is left out and needed after all is missed by the compiler by its name, so nothing is judged wrongly.
//!
//! Who calls it: [`super::revision`] and [`super::debian`].

/// The architectures that are kept.
const ARCHES: [&str; 4] = ["arm64", "powerpc", "sparc", "x86"];

/// Folders that are left out whole.
const FOLDERS: [&str; 6] =
    ["LICENSES", "tools/perf", "tools/testing", "tools/bpf", "arch/arm64/boot/dts", "arch/powerpc/boot/dts"];

/// Folders of which sources and headers are left out, and Kconfig and Makefiles kept.
const SOURCES: [&str; 7] = ["drivers", "sound", "net", "fs", "crypto", "block", "security"];

/// Folders of which nothing but Kconfig is read: files with a dot in their names are left out.
const TEXTS: [&str; 2] = ["Documentation", "samples"];

/// Patterns of git's for what is left out, given all architectures of a tree.
#[must_use]
pub fn for_git(arches: &[String]) -> Vec<String> {
    let folders = FOLDERS.iter().map(|folder| format!(":(exclude){folder}"));
    let sources = SOURCES.iter().map(|folder| format!(":(exclude,glob){folder}/**/*.[chS]"));
    let texts = TEXTS.iter().map(|folder| format!(":(exclude,glob){folder}/**/*.*"));
    let others = arches.iter().filter(|arch| !is_kept(arch)).map(|arch| format!(":(exclude)arch/{arch}"));
    folders.chain(sources).chain(texts).chain(others).collect()
}

/// Patterns of tar's for what is left out, below one folder of any name.
#[must_use]
pub fn for_tar() -> Vec<String> {
    let folders = FOLDERS.iter().map(|folder| format!("--exclude=*/{folder}/*"));
    let sources = SOURCES.iter().map(|folder| format!("--exclude=linux-source-*/{folder}/*.[chS]"));
    let texts = TEXTS.iter().map(|folder| format!("--exclude=linux-source-*/{folder}/*.*"));
    folders.chain(sources).chain(texts).collect()
}

/// Whether the C of an architecture is kept; other entries of `arch/` are files.
fn is_kept(arch: &str) -> bool {
    ARCHES.contains(&arch) || arch.contains('.') || arch == "Kconfig"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_recipes_architectures_are_kept() {
        for recipe in lazy_mmu_border::RECIPES {
            assert!(ARCHES.contains(&recipe.arch_dir), "{}", recipe.arch_dir);
        }
        let patterns = for_git(&["arm64".to_owned(), "m68k".to_owned(), "Kconfig".to_owned(), ".gitignore".to_owned()]);
        let of_arch: Vec<_> =
            patterns.iter().filter(|pattern| !pattern.contains("boot/dts") && pattern.contains("arch/")).collect();
        assert_eq!(of_arch, [":(exclude)arch/m68k"]);
    }
}
