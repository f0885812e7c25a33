#![no_main]
use std::cell::RefCell;
use lazy_mmu_engine::{runner::Runner, subject::Port, program::bytes};
use libfuzzer_sys::fuzz_target;
thread_local!(static R: RefCell<Runner> = RefCell::new(Runner::new()));
fuzz_target!(|data: &[u8]| {
    if data.len() < 2 { return; }
    let p = bytes::decode(&data[1..]);
    let at: usize = std::env::var_os("SUBJ").map_or(0, |s| s.to_str().unwrap().parse().unwrap());
    R.with_borrow_mut(|r| { let _ = r.run(at, Port::Model, &p); });
});
