//! The collection against its snapshots; one test binary, the same on every target.
//!
//! A changed snapshot is reviewed line by line with `cargo insta review` on the host. Under qemu and in CI nothing is
//! written (`INSTA_UPDATE=no`).

mod broken;
mod capacity;
mod collection;
mod finding;
mod generated;
mod guards;
mod hides;
mod known;
mod record;
mod tables;

/// Where the snapshots lie, and how they are named: after their program.
fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snaps");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
