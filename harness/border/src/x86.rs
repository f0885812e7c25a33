//! x86: Xen's backend whole, its static functions through sources of ours that include the tree's, and the native one.
//!
//! Not here: the glue's code. Called by [`crate::RECIPES`].

use crate::recipe::{Define, MEM_FLAGS, Object, Recipe, When};

const HYPERVISOR: &str = "arch/x86/include/asm/xen/hypervisor.h";

/// 64 bits, Xen PV and native in one object.
pub const RECIPE: Recipe = Recipe {
    name: "x86_64",
    target: "x86_64",
    pages: None,
    kernel_arch: "x86_64",
    arch_dir: "x86",
    config: "config/x86.config",
    overlay: &["overlay/x86", "overlay/common"],
    // User mode has a red zone of the stack to keep and lies where it is linked.
    without: &["-mpreferred-stack-boundary=3", "-mstack-alignment=8", "-mcmodel=kernel"],
    flags: &["-O2", "-ffunction-sections", "-fdata-sections"],
    defines: &[
        Define { name: "LZ_XEN_MODE", when: When::Has(HYPERVISOR, "XEN_LAZY_MMU") },
        Define { name: "LZ_XEN_NESTS", when: When::Has(HYPERVISOR, "xen_lazy_nesting") },
    ],
    objects: &[
        Object::glue("glue/mem.c").with(MEM_FLAGS),
        Object::glue("glue/x86.c"),
        Object::glue("glue/x86_tlb.c"),
        Object::glue("glue/x86_xen_cpu.c"),
        Object::glue("glue/x86_xen_mmu.c"),
        Object::glue("glue/x86_xen_multicalls.c"),
        Object::tree("arch/x86/kernel/paravirt.c"),
        Object::tree("arch/x86/xen/mmu.c"),
        Object::user("glue/entry-x86.S"),
    ],
    objcopy: &[],
    aliases: &[],
    keep: &[],
    compilers: &[],
    link: &["-Wl,-z,norelro", "-Wl,--no-warn-rwx-segments"],
};
