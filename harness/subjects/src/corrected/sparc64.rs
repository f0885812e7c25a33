//! sparc64 as Linux 7.2 has it, sun4u and sun4v, where our Rust differs.

use std::marker::PhantomData;

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::{PteFlags, PteRef};

use crate::zoo::types::{At, Hooked, hooked};
use lazy_mmu_abi::subject::{Port, Subject};

/// `__kernel_map_pages()` maps a page of the linear map with `PAGE_KERNEL`: accessed and dirty.
pub const LINEAR_WORD: u8 = 1;

/// A form with the corrections of a mask.
pub fn make<B: Backend + 'static>(mask: u8) -> Box<dyn Subject> {
    if mask & LINEAR_WORD == 0 { hooked::<As<B, 0>>(Port::Model) } else { hooked::<As<B, LINEAR_WORD>>(Port::Model) }
}

struct As<B, const MASK: u8>(PhantomData<B>);

impl<B: Backend, const MASK: u8> Hooked for As<B, MASK> {
    type Base = B;

    /// `__kernel_map_pages()`, `arch/sparc/mm/init_64.c`, 7.2.
    fn map_linear_page<C: At<B>>(cx: &mut C, at: PteRef, word: Option<u64>) {
        let chosen = |word: u64| {
            let flags = PteFlags { accessed: true, dirty: true, ..B::pte_flags(word) };
            B::pte_word(flags, B::pte_frame(word), B::pte_size(word))
        };
        B::map_linear_page(cx, at, word.map(|word| if MASK & LINEAR_WORD == 0 { word } else { chosen(word) }));
    }
}
