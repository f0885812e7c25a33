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
    // `crypto/Kconfig` reads every architecture's: files without a dot stay.
    let others = arches.iter().filter(|arch| !is_kept(arch)).map(|arch| format!(":(exclude,glob)arch/{arch}/**/*.*"));
    folders.chain(sources).chain(texts).chain(others).collect()
}

/// Patterns of tar's for what is left out, given the archive's one folder. Tar's `*` matches a slash: a pattern for any folder's
/// name would leave out `include/linux/fs`, too.
#[must_use]
pub fn for_tar(top: &str) -> Vec<String> {
    let folders = FOLDERS.iter().map(|folder| format!("--exclude={top}/{folder}/*"));
    let sources = SOURCES.iter().map(|folder| format!("--exclude={top}/{folder}/*.[chS]"));
    let texts = TEXTS.iter().map(|folder| format!("--exclude={top}/{folder}/*.*"));
    folders.chain(sources).chain(texts).collect()
}

/// Whether the C of an architecture is kept; other entries of `arch/` are files.
fn is_kept(arch: &str) -> bool {
    ARCHES.contains(&arch) || arch.contains('.') || arch == "Kconfig"
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::super::testing::Folder;
    use super::*;

    #[test]
    fn all_recipes_architectures_are_kept() {
        for recipe in lazy_mmu_border::RECIPES {
            assert!(ARCHES.contains(&recipe.arch_dir), "{}", recipe.arch_dir);
        }
        let patterns = for_git(&["arm64".to_owned(), "m68k".to_owned(), "Kconfig".to_owned(), ".gitignore".to_owned()]);
        let of_arch: Vec<_> =
            patterns.iter().filter(|pattern| !pattern.contains("boot/dts") && pattern.contains("arch/")).collect();
        assert_eq!(of_arch, [":(exclude,glob)arch/m68k/**/*.*"]);
    }

    /// Tar itself is asked what it unpacks.
    #[test]
    fn headers_of_a_folder_that_is_left_out_elsewhere_are_unpacked() {
        let folder = Folder::new("part");
        let kept = ["include/linux/fs/super.h", "include/net/ip.h", "fs/Kconfig", "arch/x86/mm/tlb.c"];
        for path in kept.iter().chain(&["fs/ext4/super.c", "fs/inode.c", "tools/perf/a.c", "Documentation/mm/a.rst"]) {
            folder.write(&format!("linux-source-7.2/{path}"), "text");
        }
        let at = folder.path();
        let archive = at.join("a.tar");
        let tar = |arguments: &[String]| {
            let status = Command::new("tar").args(arguments).current_dir(at).status().expect("tar runs");
            assert!(status.success());
        };
        tar(&["-cf", "a.tar", "linux-source-7.2"].map(str::to_owned));
        fs::create_dir(at.join("out")).expect("a folder");
        let mut arguments = for_tar("linux-source-7.2");
        arguments.extend(["-xf", "a.tar", "-C", "out", "--strip-components=1"].map(str::to_owned));
        tar(&arguments);
        assert!(kept.iter().all(|path| at.join("out").join(path).is_file()), "{kept:?}, of {}", archive.display());
        for path in ["fs/ext4/super.c", "fs/inode.c", "tools/perf/a.c", "Documentation/mm/a.rst"] {
            assert!(!at.join("out").join(path).exists(), "{path}");
        }
    }
}
