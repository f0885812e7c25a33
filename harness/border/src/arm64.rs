//! arm64: the tree's headers do the work; one source of ours calls them, another includes the switch.
//!
//! Not here: the glue's code. Called by [`crate::RECIPES`].

use crate::recipe::{Define, MEM_FLAGS, Object, Recipe, When};

const PGTABLE: &str = "arch/arm64/include/asm/pgtable.h";

/// 4K pages, 48 bits of address.
pub const RECIPE: Recipe = Recipe {
    name: "aarch64",
    target: "aarch64",
    pages: None,
    kernel_arch: "arm64",
    arch_dir: "arm64",
    config: "config/arm64.config",
    overlay: &["overlay/arm64", "overlay/common"],
    without: &[],
    flags: &["-O2", "-ffunction-sections", "-fdata-sections"],
    defines: &[
        Define { name: "LZ_NO_MODE", when: When::HasNot(PGTABLE, "arch_enter_lazy_mmu_mode") },
        Define { name: "LZ_SET_PTES_ANYSZ", when: When::Has(PGTABLE, "__set_ptes_anysz(") },
    ],
    objects: &[
        Object::glue("glue/mem.c").with(MEM_FLAGS),
        Object::glue("glue/arm64.c"),
        Object::glue("glue/arm64_switch.c"),
        Object::tree("arch/arm64/mm/mmu.c"),
        Object::user("glue/entry-arm64.S"),
    ],
    objcopy: &[],
    aliases: &[],
    keep: &[],
    compilers: &[],
    link: &[],
};
