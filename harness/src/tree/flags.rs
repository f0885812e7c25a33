//! The compiler's command line that kbuild has saved, taken apart so that it serves for other sources and another tree.
//!
//! In it the tree is called [`TREE`], wherever it lies: a prepared folder serves every tree with the same Kconfig and
//! Makefiles.
//!
//! What it is not: it decides nothing about flags but which belong to the one object that was compiled.
//!
//! Who calls it: [`super::prepare`] takes a line apart, [`super::compile`] puts one together.

use std::path::Path;

/// Stands for the tree in saved flags and in the flags of recipes.
pub const TREE: &str = "@TREE@";

/// The command that a `.cmd` file has saved: what follows `savedcmd_... :=`, or `cmd_... :=` in older trees.
#[must_use]
pub fn saved(cmd_file: &str) -> Option<&str> {
    let line = cmd_file.lines().find(|line| line.starts_with("savedcmd_") || line.starts_with("cmd_"))?;
    line.split_once(":=").map(|(_, command)| command.trim())
}

/// The words of a shell command: blanks, quotes and backslashes, which is all that kbuild writes; `$$` of make is `$`.
#[must_use]
pub fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = command.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (' ' | '\t', None) => words.extend(word.take()),
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, Some(open)) if letter == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            ('$', _) if letters.peek() == Some(&'$') => word.get_or_insert_default().extend(letters.next()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The flags in a saved command that hold for every object: without the compiler, input, output, dependency file and
/// names of the object, and with [`TREE`] for the tree.
///
/// Warnings are left out, errors that the kernel makes of warnings stay: overlay and glue would be warned about, and a
/// user's mistake must not pass.
#[must_use]
pub fn general(command: &str, tree: &Path) -> Vec<String> {
    let tree = tree.to_string_lossy();
    let mut flags = Vec::new();
    let mut words = words(command).into_iter().skip(1);
    while let Some(word) = words.next() {
        if word == "-o" {
            words.next();
            continue;
        }
        let of_this_object =
            ["-Wp,-MMD,", "-Wp,-MD,", "-DKBUILD_", "-D__KBUILD_"].iter().any(|one| word.starts_with(one))
                || matches!(&*word, "-c" | "-S" | "-fverbose-asm")
                || (!word.starts_with('-') && (word.ends_with(".c") || word.ends_with(".S")));
        let warning = word.starts_with("-W")
            && !["-Wp,", "-Wa,", "-Wl,", "-Wno-"].iter().any(|other| word.starts_with(other))
            && !word.starts_with("-Werror=");
        if !of_this_object && !warning {
            flags.push(word.replace(&*tree, TREE));
        }
    }
    flags
}

/// A flag for a tree that lies somewhere.
#[must_use]
pub fn at(flag: &str, tree: &Path) -> String {
    flag.replace(TREE, &tree.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "savedcmd_arch/x86/kernel/asm-offsets.s := gcc -Wp,-MMD,arch/x86/kernel/.asm-offsets.s.d -nostdinc \
        -I/src/linux/include -I./include -include /src/linux/include/linux/kconfig.h -fmacro-prefix-map=/src/linux/= \
        -O2 -Wall -Wundef -Werror=return-type -Wno-sign-compare -DKBUILD_MODNAME='\"asm_offsets\"' -DX='a b' \
        -D__KBUILD_MODNAME=asm_offsets -fverbose-asm -S -o arch/x86/kernel/asm-offsets.s /src/linux/arch/x86/kernel/asm-offsets.c\n\
        \nsource_arch/x86/kernel/asm-offsets.s := /src/linux/arch/x86/kernel/asm-offsets.c\n";

    #[test]
    fn what_belongs_to_one_object_is_left_out() {
        let flags = general(saved(SAVED).expect("a command"), Path::new("/src/linux"));
        let wanted = [
            "-nostdinc",
            "-I@TREE@/include",
            "-I./include",
            "-include",
            "@TREE@/include/linux/kconfig.h",
            "-fmacro-prefix-map=@TREE@/=",
            "-O2",
            "-Werror=return-type",
            "-Wno-sign-compare",
            "-DX=a b",
        ];
        assert_eq!(flags, wanted);
        assert_eq!(at(&flags[1], Path::new("/other tree")), "-I/other tree/include");
    }

    #[test]
    fn words_are_the_shells() {
        assert_eq!(words(r#"a 'b c' "d e" f\ g -D'"x"' '' $$h"#), ["a", "b c", "d e", "f g", "-D\"x\"", "", "$h"]);
        assert!(words("  ").is_empty());
    }

    #[test]
    fn older_trees_call_it_otherwise() {
        assert_eq!(saved("cmd_x.o := gcc -c x.c\n"), Some("gcc -c x.c"));
        assert_eq!(saved("deps_x.o := a b\n"), None);
    }
}
