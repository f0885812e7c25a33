//! What a tree is, read from its files: its release, and which API of the mode it has.
//!
//! Nothing is concluded from a version number: a distribution's kernel or a patch may have any shape.
//!
//! Who calls it: [`super::source`], once for each tree.

use std::fmt;
use std::fs;
use std::path::Path;

use super::error::{Result, TreeError};

/// The header of the generic helpers.
pub const HELPERS: &str = "include/linux/pgtable.h";

/// The headers that may hold the state's struct, most likely first.
const STATE: [&str; 3] = ["include/linux/mm_types_task.h", "include/linux/sched.h", "include/linux/mm_types.h"];

/// Which API a tree has: the numbers are those of `enum lz_api` of the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `arch_enter_lazy_mmu_mode()` and its like are called by their users; no generic state.
    Stateless = 0,
    /// `lazy_mmu_state.count` and `.enabled`: version 3 of the series.
    V3 = 1,
    /// `lazy_mmu_state.nesting_level` and `.active`: version 4.
    V4 = 2,
    /// `lazy_mmu_state.enable_count` and `.pause_count`: Linux 7.0 to 7.3.
    Counted = 3,
    /// `lazy_mmu_mode_enable()` with a state that none of the others has.
    Other = 4,
}

impl Api {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stateless => "stateless",
            Self::V3 => "nesting v3",
            Self::V4 => "nesting v4",
            Self::Counted => "counted",
            Self::Other => "unknown",
        }
    }

    fn of_members(members: &[String]) -> Self {
        let has = |names: [&str; 2]| names.iter().all(|name| members.iter().any(|member| member == name));
        match members.len() {
            2 if has(["enable_count", "pause_count"]) => Self::Counted,
            2 if has(["nesting_level", "active"]) => Self::V4,
            2 if has(["count", "enabled"]) => Self::V3,
            _ => Self::Other,
        }
    }
}

/// A release as the top Makefile says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// `7.2.13`, with what the Makefile appends (`-rc3`).
    pub version: String,
    /// The name that goes with it; may be empty.
    pub name: String,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}

/// What a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its release.
    pub release: Release,
    /// Which API it has.
    pub api: Api,
    /// The members of `struct lazy_mmu_state`, in their order; empty where there is no such struct.
    pub members: Vec<String>,
    /// Whether `__task_lazy_mmu_mode_pause()` exists.
    pub task_calls: bool,
}

impl Facts {
    /// Reads them.
    ///
    /// # Errors
    /// [`TreeError::NotLinux`], [`TreeError::TooOld`], or [`TreeError::Shape`] where a struct exists that cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        for lacks in ["Makefile", "Kconfig", "arch", "include/linux", "scripts", "mm"] {
            if !root.join(lacks).exists() {
                return Err(TreeError::NotLinux { path: root.to_owned(), lacks });
            }
        }
        let release = release(&text(root, "Makefile")?)
            .ok_or_else(|| TreeError::NotLinux { path: root.to_owned(), lacks: "VERSION in its Makefile" })?;
        let helpers = if root.join(HELPERS).exists() { text(root, HELPERS)? } else { String::new() };
        let helpers = without_comments(&helpers);
        let helper = |name: &str| calls(&helpers, name);
        if !helper("lazy_mmu_mode_enable") {
            return match helper("arch_enter_lazy_mmu_mode") {
                true if helpers.contains("lazy_mmu_state_t") => {
                    Err(shape("a hook returns a token, as in version 2", HELPERS))
                }
                true => Ok(Self { release, api: Api::Stateless, members: Vec::new(), task_calls: false }),
                false => Err(TreeError::TooOld { path: root.join(HELPERS), release: release.version }),
            };
        }
        let mut members = Vec::new();
        for header in STATE {
            if root.join(header).exists() {
                members = self::members(&without_comments(&text(root, header)?), "lazy_mmu_state");
            }
            if !members.is_empty() {
                break;
            }
        }
        let api = Api::of_members(&members);
        Ok(Self { release, api, members, task_calls: helper("__task_lazy_mmu_mode_pause") })
    }

    /// The macros that tell the glue.
    #[must_use]
    pub fn defines(&self) -> Vec<String> {
        let mut defines =
            vec![format!("-DLZ_API={}", self.api as u8), format!("-DLZ_RELEASE=\"{}\"", self.release.version)];
        if self.task_calls {
            defines.push("-DLZ_TASK_CALLS=1".to_owned());
        }
        defines
    }
}

fn shape(what: &str, place: &str) -> TreeError {
    TreeError::Shape { what: what.to_owned(), place: place.to_owned() }
}

fn text(root: &Path, path: &str) -> Result<String> {
    let path = root.join(path);
    let bytes = fs::read(&path).map_err(TreeError::unreadable(&path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The release of a top Makefile.
fn release(makefile: &str) -> Option<Release> {
    let value = |key: &str| {
        let mut lines = makefile.lines().take(20);
        lines.find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('=')).map(str::trim)
    };
    let (version, patchlevel) = (value("VERSION")?, value("PATCHLEVEL")?);
    let sublevel = value("SUBLEVEL").filter(|level| !level.is_empty() && *level != "0");
    let sublevel = sublevel.map(|level| format!(".{level}")).unwrap_or_default();
    let extra = value("EXTRAVERSION").unwrap_or_default();
    let name = value("NAME").unwrap_or_default().to_owned();
    Some(Release { version: format!("{version}.{patchlevel}{sublevel}{extra}"), name })
}

/// C without its comments, each of which becomes a blank.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        kept.push_str(&rest[..at]);
        kept.push(' ');
        let end = if rest[at..].starts_with("/*") { "*/" } else { "\n" };
        rest = rest[at + 2..].find(end).map_or("", |length| &rest[at + 2 + length + if end == "\n" { 0 } else { 2 }..]);
    }
    kept + rest
}

/// Whether a text has a name with a parenthesis behind it: a function is declared, defined or called.
fn calls(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(is_word) && text[at + name.len()..].trim_start().starts_with('(')
    })
}

/// The members of a struct that is defined in a text, in their order.
fn members(text: &str, name: &str) -> Vec<String> {
    let body = text.match_indices("struct").find_map(|(at, word)| {
        let rest = text[at + word.len()..].trim_start().strip_prefix(name)?.trim_start().strip_prefix('{')?;
        rest.split_once('}').map(|(body, _)| body)
    });
    let member = |declaration: &str| {
        let before = declaration.split([':', '[', '=']).next()?;
        let word = before.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).rfind(|word| !word.is_empty())?;
        Some(word.to_owned())
    };
    // `u8 a, b;` declares two.
    body.into_iter().flat_map(|body| body.split([';', ','])).filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Folder;
    use super::*;

    /// A tree as small as the facts need, with the two headers as given.
    fn facts(helpers: &str, state: &str) -> Result<Facts> {
        let tree = Folder::tree("facts");
        tree.write(HELPERS, helpers);
        tree.write(STATE[0], state);
        Facts::read(tree.path())
    }

    const ENABLE: &str = "static inline void lazy_mmu_mode_enable(void)\n{\n}\n";

    #[test]
    fn the_api_is_what_the_state_has() {
        let cases = [
            ("{ u8 enable_count; u8 pause_count; }", Api::Counted),
            ("{\n\tu8 enable_count;\t/* how deep; */\n\tu8 pause_count;\n}", Api::Counted),
            ("{ u8 nesting_level; bool active; }", Api::V4),
            ("{ u8 count; bool enabled; }", Api::V3),
            ("{ u8 enable_count : 4, pause_count : 4; }", Api::Counted),
            ("{ u8 enable_count; u8 pause_count; bool lazy; }", Api::Other),
            ("{ unsigned long depth; }", Api::Other),
        ];
        for (state, api) in cases {
            let facts = facts(ENABLE, &format!("struct lazy_mmu_state {state};\n")).expect("a tree");
            assert_eq!(facts.api, api, "{state}: {:?}", facts.members);
        }
    }

    #[test]
    fn hooks_alone_are_the_stateless_api() {
        let found = facts("#define arch_enter_lazy_mmu_mode()\tdo {} while (0)\n", "").expect("a tree");
        assert_eq!((found.api, found.task_calls, found.members.len()), (Api::Stateless, false, 0));
    }

    #[test]
    fn what_a_comment_says_is_no_fact() {
        let helpers = "/* lazy_mmu_mode_enable() was here */\n// arch_enter_lazy_mmu_mode() too\n";
        assert!(matches!(facts(helpers, ""), Err(TreeError::TooOld { .. })));
    }

    #[test]
    fn a_longer_name_is_another_function() {
        assert!(matches!(facts("void my_lazy_mmu_mode_enable(void);\n", ""), Err(TreeError::TooOld { .. })));
        assert!(matches!(facts("void lazy_mmu_mode_enable_all(void);\n", ""), Err(TreeError::TooOld { .. })));
    }

    #[test]
    fn a_token_is_a_shape_of_its_own() {
        let token = "static inline lazy_mmu_state_t arch_enter_lazy_mmu_mode(void);\n";
        assert!(matches!(facts(token, ""), Err(TreeError::Shape { .. })));
    }

    #[test]
    fn task_calls_are_found_where_they_are() {
        let state = "struct lazy_mmu_state { u8 enable_count; u8 pause_count; };";
        assert!(!facts(ENABLE, state).expect("a tree").task_calls);
        let with = format!("{ENABLE}static inline void __task_lazy_mmu_mode_pause(struct task_struct *tsk)\n{{ }}\n");
        let found = facts(&with, state).expect("a tree");
        assert!(found.task_calls && found.defines().contains(&"-DLZ_TASK_CALLS=1".to_owned()));
    }

    #[test]
    fn what_is_no_tree_says_what_it_lacks() {
        let empty = Folder::new("facts-empty");
        assert!(matches!(Facts::read(empty.path()), Err(TreeError::NotLinux { lacks: "Makefile", .. })));
        let other = Folder::tree("facts-other");
        other.write("Makefile", "all:\n\ttrue\n");
        assert!(matches!(Facts::read(other.path()), Err(TreeError::NotLinux { .. })));
    }

    #[test]
    fn the_release_is_the_makefiles() {
        let read = |text: &str| release(text).map(|release| release.version);
        let head = "# SPDX\nVERSION = 7\nPATCHLEVEL = 2\n";
        assert_eq!(read(&format!("{head}SUBLEVEL = 13\nEXTRAVERSION =\n")).as_deref(), Some("7.2.13"));
        assert_eq!(read(&format!("{head}SUBLEVEL = 0\nEXTRAVERSION = -rc3\n")).as_deref(), Some("7.2-rc3"));
        assert_eq!(read(head).as_deref(), Some("7.2"));
        assert_eq!(read("VERSION = 7\n"), None);
    }
}
