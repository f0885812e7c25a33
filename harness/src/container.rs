//! What cross needs: itself, a container engine that answers, and an image that is not older than its Dockerfile.
//!
//! What it is not: it builds no image and starts no container; cross does.
//!
//! Who calls it: `lazymmu cross`, before anything is started.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::Child;
use crate::setup::Missing;
use crate::setup::packages::which;
use crate::target::Target;

/// The engines, in the order in which they are tried.
const ENGINES: [&str; 2] = ["podman", "docker"];

/// The variable by which cross is told which to take.
const VARIABLE: &str = "CROSS_CONTAINER_ENGINE";

/// The label that holds the Dockerfile's number.
const LABEL: &str = "lazymmu.image";

/// How long an engine may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A container engine that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    program: String,
}

impl Engine {
    /// The one that cross is to use, if cross is there as well.
    ///
    /// # Errors
    /// One of them is missing, or the engine does not answer.
    pub fn find() -> Result<Engine, Missing> {
        if which("cross").is_none() {
            return Err(Missing {
                what: "cross is not installed".to_owned(),
                why: "there is no program `cross` on the PATH".to_owned(),
                remedy: "cargo install cross --version 0.2.5 --locked".to_owned(),
            });
        }
        let wanted = env::var(VARIABLE).ok().filter(|name| !name.is_empty());
        let names: Vec<&str> = wanted.as_deref().map_or_else(|| ENGINES.to_vec(), |name| vec![name]);
        let mut why = Vec::new();
        for program in names {
            if which(program).is_none() {
                why.push(format!("there is no program `{program}` on the PATH"));
                continue;
            }
            match output(program, &["info"]) {
                Ok(_) => return Ok(Engine { program: program.to_owned() }),
                Err(said) => why.push(format!("`{program} info` fails: {said}")),
            }
        }
        let remedy = match wanted {
            Some(name) => format!("see to {name}, or unset {VARIABLE}"),
            None => "apt-get install podman runc, and look at what `podman info` says".to_owned(),
        };
        Err(Missing { what: "no container engine".to_owned(), why: why.join("; "), remedy })
    }

    /// Its program.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Whether a target's image is that of the project's Dockerfile. One that cross builds is; one that a variable names
    /// is asked for its label.
    ///
    /// # Errors
    /// It is not there, or of another Dockerfile.
    pub fn check_image(&self, target: Target, root: &Path) -> Result<(), Missing> {
        let variable = format!("CROSS_TARGET_{}_IMAGE", target.triple().to_uppercase().replace('-', "_"));
        let Ok(image) = env::var(&variable) else { return Ok(()) };
        let remedy = format!("{} build --tag {image} harness/cross, or unset {variable}", self.program);
        let format = format!("{{{{index .Config.Labels \"{LABEL}\"}}}}");
        let found = output(&self.program, &["image", "inspect", "--format", &format, &image]);
        let found = found.map_err(|said| Missing {
            what: format!("the image {image} is not here"),
            why: said,
            remedy: remedy.clone(),
        })?;
        let wanted = number(root).unwrap_or_default();
        if found.trim() == wanted {
            return Ok(());
        }
        let has = if wanted.is_empty() || found.trim().is_empty() { "none" } else { found.trim() };
        Err(Missing {
            what: format!("{image} is not the image of this Dockerfile"),
            why: format!("the label {LABEL} should be {wanted}, and is {has}"),
            remedy,
        })
    }
}

/// The Dockerfile's number.
fn number(root: &Path) -> Option<String> {
    let text = fs::read_to_string(root.join("harness/cross/Dockerfile")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("LABEL ")?.strip_prefix(LABEL)?.strip_prefix('='));
    line.map(|number| number.trim().to_owned())
}

/// What a short command prints, or the last line of what it complains about.
fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).stderr(Stdio::piped());
    let deadline = Instant::now() + PATIENCE;
    let run = || {
        let mut child = Child::spawn(command)?;
        child.close_stdin();
        let mut text = Vec::new();
        loop {
            match child.read(deadline)? {
                chunk if chunk.is_empty() => break,
                chunk => text.extend(chunk),
            }
        }
        let status = child.wait(deadline)?;
        Ok::<_, crate::process::Error>((status.success(), text, child.stderr_tail(), child.status_text()))
    };
    let (success, text, said, status) = run().map_err(|error| error.to_string())?;
    if success {
        return Ok(String::from_utf8_lossy(&text).into_owned());
    }
    Err(said.lines().map(str::trim).rfind(|line| !line.is_empty()).map_or(status, str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_has_a_number() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        assert!(number(root).is_some_and(|number| number.parse::<u32>().is_ok()));
    }

    #[test]
    fn a_command_that_fails_is_known_by_its_last_complaint() {
        assert_eq!(output("sh", &["-c", "echo yes"]), Ok("yes\n".to_owned()));
        assert_eq!(output("sh", &["-c", "echo first >&2; echo last >&2; exit 1"]), Err("last".to_owned()));
        assert_eq!(output("sh", &["-c", "exit 3"]), Err("exit code 3".to_owned()));
    }
}
