//! powerpc: the hash MMU's batch and the radix MMU in one object, once for each page size that the kernel can have.
//!
//! A kernel of 4K pages is another configuration of the same tree: it has one hash fault for its base page instead of two,
//! and keeps an entry's slot in the PTE. Not here: the glue's code. Called by [`crate::RECIPES`].

use crate::recipe::{Define, MEM_FLAGS, Object, Recipe, When};

/// Book3S 64, big-endian, 64K pages.
pub const RECIPE: Recipe = recipe("powerpc64", "64k", "config/powerpc.config", OBJECTS_64K);

/// The same with 4K pages.
pub const RECIPE_4K: Recipe = recipe("powerpc64-4k", "4k", "config/powerpc-4k.config", OBJECTS_4K);

const OBJECTS_64K: &[Object; 10] = &objects("arch/powerpc/mm/book3s64/hash_64k.c");
const OBJECTS_4K: &[Object; 10] = &objects("arch/powerpc/mm/book3s64/hash_4k.c");

/// What is compiled; the hash fault of base pages is the one file that differs.
const fn objects(base_fault: &'static str) -> [Object; 10] {
    [
        Object::glue("glue/mem.c").with(MEM_FLAGS),
        Object::glue("glue/powerpc.c"),
        Object::tree("arch/powerpc/mm/book3s64/hash_tlb.c"),
        Object::tree("arch/powerpc/mm/book3s64/hash_utils.c"),
        Object::tree(base_fault),
        Object::tree("arch/powerpc/mm/book3s64/hash_native.c"),
        Object::tree("arch/powerpc/mm/book3s64/hugetlbpage.c"),
        Object::tree("arch/powerpc/mm/book3s64/radix_tlb.c"),
        Object::tree("arch/powerpc/mm/pgtable.c"),
        Object::user("glue/entry-powerpc.S"),
    ]
}

const fn recipe(
    name: &'static str,
    pages: &'static str,
    config: &'static str,
    objects: &'static [Object; 10],
) -> Recipe {
    Recipe {
        name,
        target: "powerpc64",
        pages: Some(pages),
        kernel_arch: "powerpc",
        arch_dir: "powerpc",
        config,
        overlay: &["overlay/powerpc", "overlay/common"],
        without: &[],
        flags: &["-ffunction-sections", "-fdata-sections"],
        defines: &[Define {
            name: "LZ_BATCH_ACTIVE",
            when: When::Has("arch/powerpc/include/asm/book3s/64/tlbflush-hash.h", "active;"),
        }],
        objects,
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
    }
}
