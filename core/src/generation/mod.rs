//! The generations of the API, one module each; each is faithful, its weaknesses included.
//!
//! | module | when | state |
//! | --- | --- | --- |
//! | [`stateless`] | before 7.0 | none: whoever calls, the hook runs |
//! | [`token`] | v2 of the nesting series (2025, not merged) | on the caller's stack |
//! | [`nesting`] | v3 and v4 (2025, not merged) | a nesting level and an activity flag per task |
//! | [`counted`] | v5, v6, Linux 7.0 to 7.2 | an enable count and a pause count per task |
//!
//! Not here: how an architecture answers a hook (`lazy-mmu-arches`), nor what a caller may do (the oracles of
//! `lazy-mmu-engine`). A generation is never repaired so that a contract holds.

#[cfg(test)]
mod bench_kernel;
pub mod counted;
pub mod nesting;
pub mod stateless;
pub mod token;
