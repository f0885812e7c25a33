//! The page sizes that a kernel can be configured with, where an architecture has several: which of them are looked at.
//!
//! What it is not: how a page size is configured is a recipe's affair (`lazy-mmu-border`).
//!
//! Who calls it: whoever builds a tree.

use lazy_mmu_border::{RECIPES, Recipe};

use crate::target::Target;

/// Which page sizes of powerpc64, the one architecture with several, are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Pages {
    /// Pages of 4K
    #[value(name = "4k")]
    Small,
    /// Pages of 64K
    #[value(name = "64k")]
    Usual,
    /// Both
    #[value(name = "all")]
    All,
}

impl Pages {
    /// Whether a recipe is looked at.
    #[must_use]
    pub fn has(self, recipe: &Recipe) -> bool {
        match self {
            Pages::Small => recipe.pages.is_none_or(|pages| pages == "4k"),
            Pages::Usual => recipe.pages.is_none_or(|pages| pages == "64k"),
            Pages::All => true,
        }
    }
}

/// The recipes of targets with these page sizes, in the order of the targets.
#[must_use]
pub fn recipes(targets: &[Target], pages: Pages) -> Vec<&'static Recipe> {
    let of_target = |target: &Target| lazy_mmu_border::recipes_of(target.short());
    targets.iter().flat_map(of_target).filter(|recipe| pages.has(recipe)).collect()
}

/// The page sizes of a target that are not among the recipes that were looked at.
#[must_use]
pub fn left_out(target: Target, looked_at: &[&Recipe]) -> Vec<&'static str> {
    let is_missing = |recipe: &&&Recipe| {
        recipe.target == target.short() && looked_at.iter().all(|looked_at| looked_at.name != recipe.name)
    };
    RECIPES.iter().filter(is_missing).filter_map(|recipe| recipe.pages).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pages: Pages) -> Vec<&'static str> {
        recipes(&Target::ALL, pages).iter().map(|recipe| recipe.name).collect()
    }

    #[test]
    fn a_page_size_is_one_architectures_and_the_others_are_always_there() {
        assert_eq!(names(Pages::Usual), ["aarch64", "powerpc64", "sparc64", "x86_64"]);
        assert_eq!(names(Pages::Small), ["aarch64", "powerpc64-4k", "sparc64", "x86_64"]);
        assert_eq!(names(Pages::All), ["aarch64", "powerpc64", "powerpc64-4k", "sparc64", "x86_64"]);
        let usual: Vec<_> = super::super::usual(&Target::ALL).iter().map(|recipe| recipe.name).collect();
        assert_eq!(names(Pages::Usual), usual);
    }

    #[test]
    fn what_was_not_looked_at_is_named() {
        let of = |pages| left_out(Target::Powerpc64, &recipes(&[Target::Powerpc64], pages));
        assert_eq!(of(Pages::Usual), ["4k"]);
        assert_eq!(of(Pages::Small), ["64k"]);
        assert!(of(Pages::All).is_empty());
        assert!(left_out(Target::Aarch64, &recipes(&[Target::Aarch64], Pages::Usual)).is_empty());
    }
}
