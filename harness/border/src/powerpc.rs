//! powerpc: the hash MMU's batch and the radix MMU in one object.
//!
//! Not here: the glue's code. Called by [`crate::RECIPES`].

use crate::recipe::{Define, MEM_FLAGS, Object, Recipe, When};

/// Book3S 64, big-endian, 64K pages.
pub const RECIPE: Recipe = Recipe {
    name: "powerpc64",
    target: "powerpc64",
    kernel_arch: "powerpc",
    arch_dir: "powerpc",
    config: "config/powerpc.config",
    overlay: &["overlay/powerpc", "overlay/common"],
    without: &[],
    flags: &["-ffunction-sections", "-fdata-sections"],
    defines: &[Define {
        name: "LZ_BATCH_ACTIVE",
        when: When::Has("arch/powerpc/include/asm/book3s/64/tlbflush-hash.h", "active;"),
    }],
    objects: &[
        Object::glue("glue/mem.c").with(MEM_FLAGS),
        Object::glue("glue/powerpc.c"),
        Object::tree("arch/powerpc/mm/book3s64/hash_tlb.c"),
        Object::tree("arch/powerpc/mm/book3s64/hash_utils.c"),
        Object::tree("arch/powerpc/mm/book3s64/hash_64k.c"),
        Object::tree("arch/powerpc/mm/book3s64/hash_native.c"),
        Object::tree("arch/powerpc/mm/book3s64/hugetlbpage.c"),
        Object::tree("arch/powerpc/mm/book3s64/radix_tlb.c"),
        Object::tree("arch/powerpc/mm/pgtable.c"),
        Object::user("glue/entry-powerpc.S"),
    ],
    // The glue has a version without the page table's lock; ELFv1 has a second symbol for each function.
    objcopy: &[
        "--weaken-symbol=assert_pte_locked",
        "--weaken-symbol=.assert_pte_locked",
        // DEBUG_PAGEALLOC's table, which boot code allocates.
        "--globalize-symbol=linear_map_hash_slots",
        "--globalize-symbol=linear_map_hash_count",
    ],
    aliases: &[],
    keep: &["lazymmu_signal"],
    // Registers are saved by the compiler's library under -Os; .TOC. is the linker's.
    compilers: &["_savegpr", "_restgpr", "._savegpr", "._restgpr", ".TOC."],
    link: &[],
};
