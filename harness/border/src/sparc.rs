//! sparc: the batch of tlb.c, the TSB, cross calls; sun4u and sun4v in one object.
//!
//! Not here: the glue's code. Called by [`crate::RECIPES`].

use crate::recipe::{Define, MEM_FLAGS, Object, Recipe, When};

/// 64 bits, 8K pages.
pub const RECIPE: Recipe = Recipe {
    name: "sparc64",
    target: "sparc64",
    pages: None,
    kernel_arch: "sparc64",
    arch_dir: "sparc",
    config: "config/sparc.config",
    overlay: &["overlay/sparc", "overlay/common"],
    without: &[],
    // g7 is the user's thread pointer: the kernel's C must not change it.
    flags: &["-ffixed-g7", "-ffunction-sections", "-fdata-sections"],
    defines: &[Define { name: "LZ_BATCH_ACTIVE", when: When::Has("arch/sparc/include/asm/tlbflush_64.h", "active;") }],
    objects: &[
        Object::glue("glue/mem.c").with(MEM_FLAGS),
        Object::glue("glue/sparc.c"),
        Object::glue("glue/sparc_init.c"),
        // Its calls of the TSB's flushes say which way an address goes.
        Object::tree("arch/sparc/mm/tlb.c").with(&["-DLZ_NOTES"]),
        Object::tree("arch/sparc/mm/tsb.c"),
        Object::tree("arch/sparc/mm/hugetlbpage.c"),
        Object::tree("arch/sparc/kernel/smp_64.c"),
        Object::user("glue/entry-sparc.S"),
    ],
    objcopy: &[
        "--globalize-symbol=tlb_batch",
        "--globalize-symbol=xcall_deliver_impl",
        // A register's symbol, which libc has too.
        "--strip-symbol=current_thread_info_reg",
        "--rename-section=.sun4v_1insn_patch=lz_sun4v1,alloc,load,data,contents",
        "--rename-section=.sun4v_2insn_patch=lz_sun4v2,alloc,load,data,contents",
    ],
    aliases: &[],
    keep: &["lazymmu_signal"],
    compilers: &[],
    link: &[],
};
