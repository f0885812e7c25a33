//! What is compiled with a kernel tree, and how each architecture of it is built: all of it data.
//!
//! [`FILES`] has the texts: `include/` the border, `overlay/` headers that are found before the tree's and include them,
//! `glue/` C and assembly that calls the tree's code, `config/` Kconfig fragments. A [`Recipe`] says for one architecture
//! which sources of the tree and which of ours make up a subject, with which flags.
//!
//! What it is not: it compiles nothing and knows no machine. No line of a kernel stands here.
//!
//! Who calls it: the host's `tree` module, which builds by a recipe; the adapter, for the numbers of the border.

#![deny(missing_docs)]

mod arm64;
pub mod numbers;
mod powerpc;
mod recipe;
mod sparc;
mod x86;

pub use self::recipe::{Alias, Define, Object, Origin, Recipe, When};

/// Every file of the folders `config`, `glue`, `include` and `overlay`: its path in this package, and its text.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// All recipes, in the order of the targets; the first of a target is what is judged when nothing else is asked for.
pub const RECIPES: &[&Recipe] = &[&arm64::RECIPE, &powerpc::RECIPE, &powerpc::RECIPE_4K, &sparc::RECIPE, &x86::RECIPE];

/// The text of one of [`FILES`].
#[must_use]
pub fn file(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

/// The recipes of a target, by its short name.
pub fn recipes_of(target: &str) -> impl Iterator<Item = &'static Recipe> {
    RECIPES.iter().copied().filter(move |recipe| recipe.target == target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_is_embedded() {
        let header = file("include/lazymmu_border.h").expect("the border");
        assert!(header.contains("LAZYMMU_BORDER_VERSION"));
    }

    #[test]
    fn each_target_has_a_recipe_and_each_recipe_a_name_of_its_own() {
        for target in ["aarch64", "powerpc64", "sparc64", "x86_64"] {
            assert!(recipes_of(target).next().is_some(), "{target}");
        }
        let mut names: Vec<_> = RECIPES.iter().map(|recipe| recipe.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RECIPES.len());
    }

    #[test]
    fn objects_of_a_recipe_have_different_names() {
        for recipe in RECIPES {
            let mut names: Vec<_> = recipe.objects.iter().map(Object::name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{}", recipe.name);
        }
    }
}
