//! What this machine has of what the project needs: per target, and the tools that some commands want besides.
//!
//! What it is not: it installs nothing ([`crate::setup`] does); it decides nothing about a target that set-up would not.
//!
//! Who calls it: `lazymmu doctor`, and `lazymmu setup` for its closing report.

mod tool;

pub use self::tool::{TOOLS, Tool};

use serde_json::{Value, json};

use crate::setup::{self, Inventory, Missing, Options, Ready, Source};
use crate::table;
use crate::target::Target;

/// The schema's version of [`Diagnosis::json`].
pub const SCHEMA: u32 = 1;

/// What was found of one target.
#[derive(Debug)]
pub struct Patient {
    /// Which.
    pub target: Target,
    /// Ready, or the first thing that is missing and what mends it.
    pub state: Result<Ready, Missing>,
    /// What is there.
    pub inventory: Inventory,
    /// Whether a program was compiled, linked and run there just now, and it did.
    pub probed: bool,
}

/// What was found of all.
#[derive(Debug)]
pub struct Diagnosis {
    /// The targets, in the order of tables.
    pub targets: Vec<Patient>,
    /// The tools with their versions, in the order of [`TOOLS`].
    pub tools: Vec<(Tool, Option<String>)>,
}

/// Looks at everything, and tries a small program on each target that seems ready. Takes seconds.
#[must_use]
pub fn examine(targets: &[Target]) -> Diagnosis {
    let found = setup::prepare(targets, Options::default());
    let tried = |(target, result): (Target, Result<Ready, Missing>)| {
        (target, result.and_then(|ready| ready.try_out().map(|()| ready)), true)
    };
    let patients = patients(found.into_iter().map(tried).collect(), Source::Any);
    Diagnosis { targets: patients, tools: TOOLS.map(|tool| (tool, tool.version())).to_vec() }
}

/// What there is of targets whose state is known already, each with whether it was probed.
#[must_use]
pub fn patients(found: Vec<(Target, Result<Ready, Missing>, bool)>, source: Source) -> Vec<Patient> {
    let targets: Vec<Target> = found.iter().map(|row| row.0).collect();
    let inventories = setup::inventory(&targets, source);
    let patient = |((target, state, tried), inventory): ((_, Result<_, _>, bool), _)| Patient {
        target,
        probed: tried && state.is_ok(),
        state,
        inventory,
    };
    found.into_iter().zip(inventories).map(patient).collect()
}

impl Diagnosis {
    /// Whether all that the main job needs is there.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.targets.iter().all(|patient| patient.state.is_ok())
    }

    /// Two tables, and what mends what is missing.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = render(&self.targets);
        let heading = ["tool", "version", "what for", "how to get it"].map(str::to_owned).to_vec();
        let row = |(tool, version): &(Tool, Option<String>)| {
            let cells = match version {
                Some(version) => [tool.program, version, tool.purpose, ""],
                None => [tool.program, "-", tool.purpose, tool.remedy],
            };
            cells.map(str::to_owned).to_vec()
        };
        let rows: Vec<_> = std::iter::once(heading).chain(self.tools.iter().map(row)).collect();
        text.push_str(&format!("\nno target needs these:\n{}", table::render(&rows)));
        text
    }

    /// One document; docs/json.md has its schema.
    #[must_use]
    pub fn json(&self) -> Value {
        let tool = |(tool, version): &(Tool, Option<String>)| json!({"tool": tool.program, "version": version, "purpose": tool.purpose, "remedy": tool.remedy});
        json!({
            "schema": SCHEMA,
            "kind": "doctor",
            "healthy": self.is_healthy(),
            "targets": self.targets.iter().map(Patient::json).collect::<Vec<_>>(),
            "tools": self.tools.iter().map(tool).collect::<Vec<_>>(),
        })
    }
}

/// The table of the targets, and for each that is not ready what is missing, why, and what to do.
#[must_use]
pub fn render(patients: &[Patient]) -> String {
    let heading =
        ["target", "state", "compiler and std", "linker", "C library", "emulator"].map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(heading).chain(patients.iter().map(Patient::row)).collect();
    let mut text = table::render(&rows);
    for missing in patients.iter().filter_map(|patient| patient.state.as_ref().err()) {
        text.push_str(&format!("\n{missing}\n  why: {}\n  to do: {}\n", missing.why, missing.remedy));
    }
    text
}

impl Patient {
    fn row(&self) -> Vec<String> {
        let state = match (&self.state, self.probed) {
            (Ok(_), true) => "ready, a program runs",
            (Ok(_), false) => "ready",
            (Err(_), _) => "NOT READY",
        };
        let or_missing = |thing: Option<&str>| thing.unwrap_or("missing").to_owned();
        let Inventory { compiler, linker, libc, emulator } = &self.inventory;
        let least = &self.target.spec().emulator.minimum;
        let emulator = match emulator {
            Some(emulator) => format!("{emulator} (at least {least})"),
            None if self.target.is_native() => "none, and none needed but for --emulated".to_owned(),
            None => format!("missing (at least {least})"),
        };
        let native = if self.target.is_native() { "native; " } else { "" };
        let there = [compiler.as_deref(), linker.as_deref(), *libc].map(or_missing);
        let first = [self.target.to_string(), state.to_owned()];
        first.into_iter().chain(there).chain([format!("{native}{emulator}")]).collect()
    }

    fn json(&self) -> Value {
        let spec = self.target.spec();
        let missing = self.state.as_ref().err();
        json!({
            "target": spec.name,
            "triple": spec.triple,
            "ready": self.state.is_ok(),
            "probed": self.probed,
            "native": self.target.is_native(),
            "compiler": self.inventory.compiler,
            "linker": self.inventory.linker,
            "libc": self.inventory.libc,
            "emulator": self.inventory.emulator,
            "emulator_minimum": spec.emulator.minimum,
            "missing": missing.map(|missing| &missing.what),
            "why": missing.map(|missing| &missing.why),
            "remedy": missing.map(|missing| &missing.remedy),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ill() -> Patient {
        let missing =
            Missing { what: "sparc64 lacks qemu-user".into(), why: "not root".into(), remedy: "install it".into() };
        let inventory = Inventory { linker: Some("sparc64-linux-gnu-gcc 12.2.0".into()), ..Inventory::default() };
        Patient { target: Target::Sparc64, state: Err(missing), inventory, probed: false }
    }

    fn diagnosis() -> Diagnosis {
        Diagnosis { targets: vec![ill()], tools: TOOLS.map(|tool| (tool, None)).to_vec() }
    }

    #[test]
    fn what_is_missing_is_said_with_the_command_that_mends_it() {
        let text = diagnosis().render();
        assert!(!diagnosis().is_healthy());
        let row =
            "sparc64  NOT READY  missing           sparc64-linux-gnu-gcc 12.2.0  missing    missing (at least 7.2)\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("\nsparc64 lacks qemu-user\n  why: not root\n  to do: install it\n"), "{text}");
        assert!(text.contains("cargo install cargo-fuzz --locked\n"), "{text}");
    }

    #[test]
    fn a_tool_that_no_target_needs_makes_nobody_ill() {
        let diagnosis = Diagnosis { targets: Vec::new(), ..diagnosis() };
        assert!(diagnosis.is_healthy());
    }

    #[test]
    fn the_document_says_the_same() {
        let document = diagnosis().json();
        assert_eq!((&document["schema"], &document["healthy"]), (&json!(1), &json!(false)));
        let target = &document["targets"][0];
        assert_eq!((&target["remedy"], &target["emulator"]), (&json!("install it"), &Value::Null));
        assert_eq!(document["tools"].as_array().map(Vec::len), Some(TOOLS.len()));
    }
}
