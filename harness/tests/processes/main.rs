//! What becomes of the processes: the command is killed at any moment, its children hang, crash, talk nonsense or go away,
//! the disk is full. Nothing may stay behind, no file may be half written, and the next run must be fine.
//!
//! | module | what |
//! | --- | --- |
//! | [`place`] | a folder with programs of the test's own first on the `PATH`, and the processes started from it |
//! | [`kill`] | SIGINT, SIGTERM and SIGKILL at random moments |
//! | [`emulator`] | agents and emulators that do not do what they should |
//! | [`disk`] | a disk that is full |
//! | [`container`] | cross, container engines and images that are missing or stale |
//! | [`recorded`] | what agents, test binaries and kernels print, whole, cut and garbled |
//!
//! What it is not: a child by itself is tested where it is written (`process`, `agent`). No test asserts how long something
//! takes; the deadlines are for what would never end. Each prints its counts (`-- --nocapture`).
//!
//! A minute or so by default. `LAZYMMU_TEST_LONG=1` runs every case and more rounds, some ten minutes.
//!
//! Who calls it: `cargo test`, on the host alone.

mod container;
mod disk;
mod emulator;
mod kill;
mod place;
mod recorded;
