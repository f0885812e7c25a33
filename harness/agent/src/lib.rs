//! The agent's conversation with the host, for the agent itself and for the agent with a kernel tree's C in it.
//!
//! Not here: the program around it (`main.rs`), and a tree's subjects, which come as [`More`].

mod serve;

pub use serve::{More, NoMore, serve};
