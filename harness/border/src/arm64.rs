//! arm64: the tree's headers do the work; one source of ours calls them, two include the switch and contpte.
//!
//! Not here: the glue's code. Called by [`crate::RECIPES`].

use crate::recipe::{Define, MEM_FLAGS, Object, Recipe, When};

const PGTABLE: &str = "arch/arm64/include/asm/pgtable.h";
const FEATURES: &str = "arch/arm64/include/asm/cpufeature.h";

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
        // Whether a folio's head is set with its order, and what the level of break-before-make that needs none is called.
        Define {
            name: "LZ_HEAD_BY_ORDER",
            when: When::Has("include/linux/page-flags.h", "const struct page *head, unsigned int order)"),
        },
        Define { name: "LZ_BBML2", when: When::Has(FEATURES, "system_supports_bbml2_noabort(") },
        Define { name: "LZ_BBML3", when: When::Has(FEATURES, "system_supports_bbml3(") },
    ],
    objects: &[
        Object::glue("glue/mem.c").with(MEM_FLAGS),
        Object::glue("glue/arm64.c"),
        Object::glue("glue/arm64_switch.c"),
        Object::tree("arch/arm64/mm/mmu.c"),
        // For __ptep_set_access_flags().
        Object::tree("arch/arm64/mm/fault.c"),
        // By inclusion: a tree may have the file and not take the option.
        Object::glue("glue/arm64_contpte.c").when(When::File("arch/arm64/mm/contpte.c")),
        Object::user("glue/entry-arm64.S"),
    ],
    objcopy: &[],
    aliases: &[],
    keep: &[],
    compilers: &[],
    link: &[],
};
