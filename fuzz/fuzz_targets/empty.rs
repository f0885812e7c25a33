//! Nothing: what libFuzzer, the mutator and this build cost. `lazymmu bench fuzz` measures the others against it.
#![no_main]

use lazy_mmu_fuzz::libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};

fuzz_target!(|_case: lazy_mmu_fuzz::Case| {});
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    lazy_mmu_fuzz::mutated("contract", data, size, max_size, seed)
});
fuzz_crossover!(|first: &[u8], second: &[u8], out: &mut [u8], seed: u32| {
    lazy_mmu_fuzz::crossed("contract", first, second, out, seed)
});
