//! A series of patches, as `b4 am` or `git format-patch --stdout` saves it: the tree after each of them.
//!
//! The tree itself is not touched. What a patch changes is copied, patched there by `git apply`, and seen through a farm,
//! so that going from one patch to the next compiles what an edit of the same files would compile.
//!
//! What it is not: no commit is made, nothing is merged. A patch applies as it is, or the series ends with an error.
//!
//! Who calls it: whoever is given `--mbox`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use mailparse::{MailHeaderMap as _, ParsedMail};

use super::error::{Result, TreeError};
use super::farm::Plan;
use super::run;
use super::source::Source;
use super::stamp;
use super::store::Store;
use crate::setup::{Missing, packages};

/// One patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Its subject, without what stands in brackets before it.
    pub subject: String,
    /// The difference, from its first `diff` or `---` line on.
    diff: Vec<u8>,
}

/// The patches of a mailbox, in its order; mails without a difference (a cover letter, an answer) are left out.
#[must_use]
pub fn patches(mailbox: &[u8]) -> Vec<Patch> {
    mails(mailbox).into_iter().filter_map(patch_of).collect()
}

/// The mails of a mailbox: each begins with a `From ` line, after an empty line, with a header below it.
fn mails(mailbox: &[u8]) -> Vec<&[u8]> {
    let (mut starts, mut at, mut after_empty) = (Vec::new(), 0, true);
    for line in mailbox.split_inclusive(|&byte| byte == b'\n') {
        let next = &mailbox[at + line.len()..];
        if after_empty && line.starts_with(b"From ") && is_header(next) {
            starts.push((at, at + line.len()));
        }
        after_empty = line.trim_ascii().is_empty();
        at += line.len();
    }
    if starts.is_empty() {
        return vec![mailbox];
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([mailbox.len()]);
    starts.iter().zip(ends).map(|((_, body), end)| &mailbox[*body..end]).collect()
}

/// Whether a text begins with a header's `Name:`.
fn is_header(text: &[u8]) -> bool {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    name > 0 && text.get(name) == Some(&b':')
}

fn patch_of(mail: &[u8]) -> Option<Patch> {
    // A bare difference is a patch too, without a subject.
    let parsed = if is_header(mail) { mailparse::parse_mail(mail).ok() } else { None };
    let body = without_returns(parsed.as_ref().map_or_else(|| Some(mail.to_owned()), text_of)?);
    let subject = parsed.and_then(|mail| mail.headers.get_first_value("Subject")).unwrap_or_default();
    let subject = without_brackets(&subject);
    let start = difference(&body)?;
    let subject = if subject.is_empty() { "a patch without a subject".to_owned() } else { subject };
    Some(Patch { subject, diff: body[start..].to_vec() })
}

/// The first part of a mail that is text, decoded.
fn text_of(mail: &ParsedMail<'_>) -> Option<Vec<u8>> {
    if mail.subparts.is_empty() {
        return mail.ctype.mimetype.starts_with("text/").then(|| mail.get_body_raw().ok()).flatten();
    }
    mail.subparts.iter().find_map(text_of)
}

/// Lines that end as files' do: mail has a carriage return before each end, and so has what is decoded of it.
fn without_returns(text: Vec<u8>) -> Vec<u8> {
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    lines.flat_map(|line| line.strip_suffix(b"\r\n").map_or(line.to_vec(), |line| [line, b"\n"].concat())).collect()
}

fn without_brackets(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        rest = after.trim_start();
    }
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where the difference begins.
fn difference(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let next = &body[at + line.len()..];
        if line.starts_with(b"diff --git ") || (line.starts_with(b"--- ") && next.starts_with(b"+++ ")) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

impl Patch {
    /// The files that it reads or writes, by path from the root; none where a path leads out of the tree.
    fn files(&self) -> Option<BTreeSet<PathBuf>> {
        let text = String::from_utf8_lossy(&self.diff);
        let mut files = BTreeSet::new();
        for line in text.lines() {
            let below = |path: &str, prefix: &str| {
                let path = path.split('\t').next().unwrap_or_default().trim();
                path.strip_prefix(prefix).map(str::to_owned)
            };
            let named = if let Some(names) = line.strip_prefix("diff --git a/") {
                // Both are the same but for a rename, which has lines with each.
                names.split_once(" b/").map(|(old, _)| old.to_owned())
            } else if let Some(path) = line.strip_prefix("--- ") {
                below(path, "a/")
            } else if let Some(path) = line.strip_prefix("+++ ") {
                below(path, "b/")
            } else {
                let words = ["rename from ", "rename to ", "copy from ", "copy to "];
                words.iter().find_map(|word| line.strip_prefix(word)).map(str::to_owned)
            };
            let Some(path) = named.map(PathBuf::from) else { continue };
            if !path.components().all(|part| matches!(part, Component::Normal(_))) {
                return None;
            }
            files.insert(path);
        }
        Some(files)
    }
}

/// A series on a tree. Each step yields a patch and the tree with it; a tree holds until the next step.
pub struct Series<'s> {
    base: Source,
    store: &'s Store,
    patches: Vec<Patch>,
    next: usize,
    /// The name of its place in the cache.
    key: String,
    /// The changed files, in folders as in the tree.
    changed: PathBuf,
    removed: BTreeSet<PathBuf>,
    touched: BTreeSet<PathBuf>,
}

impl<'s> Series<'s> {
    /// Reads a mailbox.
    ///
    /// # Errors
    /// It cannot be read, holds no patch, or there is no git here.
    pub fn open(base: &Source, mailbox: &Path, store: &'s Store) -> Result<Self> {
        let no_series = |why: String| TreeError::NoSeries { path: mailbox.to_owned(), why };
        let bytes = fs::read(mailbox).map_err(|error| no_series(error.to_string()))?;
        let patches = patches(&bytes);
        if patches.is_empty() {
            return Err(no_series("no mail in it has a difference".to_owned()));
        }
        if packages::which("git").is_none() {
            return Err(lacking_git().into());
        }
        let key = format!("series-{:016x}", stamp::digest_of(&[&bytes]));
        let changed = store.of_tree(&base.root().join(&key))?.join("changed");
        if changed.exists() {
            fs::remove_dir_all(&changed).map_err(TreeError::cache(&changed))?;
        }
        fs::create_dir_all(&changed).map_err(TreeError::cache(&changed))?;
        let (removed, touched) = Default::default();
        Ok(Self { base: base.clone(), store, patches, next: 0, key, changed, removed, touched })
    }

    /// How many patches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.patches.len()
    }

    /// Whether there is none: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patches.is_empty()
    }

    /// The tree with one more patch.
    fn step(&mut self) -> Result<(Patch, Source)> {
        let patch = self.patches[self.next].clone();
        let files = patch.files().ok_or_else(|| self.refused(&patch, "a path in it leads out of the tree", None))?;
        for file in &files {
            self.fetch(file)?;
        }
        let mut git = Command::new("git");
        git.args(["apply", "--whitespace=nowarn", "-p1"]).current_dir(&self.changed);
        // A cache inside somebody's repository must not make git look there.
        git.env("GIT_CEILING_DIRECTORIES", self.changed.parent().unwrap_or(&self.changed));
        git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
        let said = run::feed(git, &patch.diff, run::COMPILER)?;
        if !said.well {
            return Err(self.refused(&patch, said.complaint.trim_end(), file_of(&said.complaint)));
        }
        for file in files {
            if self.changed.join(&file).exists() {
                self.removed.remove(&file);
            } else {
                self.removed.insert(file.clone());
            }
            self.touched.insert(file);
        }
        let source = self.base.changed(&self.key, |plan| self.plan(plan), self.store)?;
        self.next += 1;
        Ok((patch, source))
    }

    /// Brings a file of the tree to where it is patched, unless an earlier patch did.
    fn fetch(&self, file: &Path) -> Result<()> {
        let (original, place) = (self.base.build().join(file), self.changed.join(file));
        if place.exists() || self.removed.contains(file) || !original.is_file() {
            return Ok(());
        }
        let folder = place.parent().unwrap_or(&self.changed);
        fs::create_dir_all(folder).map_err(TreeError::cache(folder))?;
        // Contents and permissions, but not that the file may not be written.
        let bytes = fs::read(&original).map_err(TreeError::unreadable(&original))?;
        fs::write(&place, bytes).map_err(TreeError::cache(&place))?;
        let permissions = fs::metadata(&original).map_err(TreeError::unreadable(&original))?.permissions();
        fs::set_permissions(&place, writable(permissions)).map_err(TreeError::cache(&place))
    }

    fn plan(&self, plan: &mut Plan) {
        for file in &self.touched {
            match self.removed.contains(file) {
                true => plan.hide(file),
                false => plan.replace(file, self.changed.join(file)),
            }
        }
    }

    fn refused(&self, patch: &Patch, said: &str, file: Option<String>) -> TreeError {
        let (number, of) = (self.next + 1, self.patches.len());
        TreeError::Patch { number, of, subject: patch.subject.clone(), said: said.to_owned(), file }
    }
}

impl Iterator for Series<'_> {
    type Item = Result<(Patch, Source)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.patches.len() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            // What comes after it has no tree to be applied to.
            self.next = self.patches.len();
        }
        Some(step)
    }
}

fn writable(mut permissions: fs::Permissions) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    permissions.set_mode(permissions.mode() | 0o200);
    permissions
}

/// The file that git's complaint is about.
fn file_of(complaint: &str) -> Option<String> {
    let line = complaint.lines().find_map(|line| line.strip_prefix("error: "))?;
    let named = line.strip_prefix("patch failed: ").map(str::to_owned);
    named.or_else(|| line.split_once(": ").map(|(file, _)| file.to_owned()))
}

pub(super) fn lacking_git() -> Missing {
    Missing {
        what: "there is no `git`".to_owned(),
        why: "patches are applied, and revisions read, by git".to_owned(),
        remedy: packages::command(&["git"].into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::HELPERS;
    use super::super::testing::Folder;
    use super::*;

    const ENABLE: &str = "static inline void lazy_mmu_mode_enable(void)\n{\n\tone();\n}\n";

    /// A series as b4 saves it: a cover letter is not in it, each mail has a separator of its own.
    const TWO: &str = "From git@z Thu Jan  1 00:00:00 1970\nSubject: [PATCH v2 1/2] mm: call two\n too\nFrom: A <a@example.org>\n\
        MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: 8bit\n\nFrom here on two is called.\n\n---\n \
        include/linux/pgtable.h | 1 +\n\ndiff --git a/include/linux/pgtable.h b/include/linux/pgtable.h\nindex 1..2 100644\n\
        --- a/include/linux/pgtable.h\n+++ b/include/linux/pgtable.h\n@@ -1,4 +1,5 @@\n static inline void lazy_mmu_mode_enable(void)\n {\n \
        \tone();\n+\ttwo();\n }\n-- \n2.40\n\nFrom git@z Thu Jan  1 00:00:00 1970\nSubject: =?utf-8?q?=5BPATCH_2/2=5D_mm=3A_=C3=BCber?=\n\
        From: A <a@example.org>\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n\
        diff --git a/mm/new.c b/mm/new.c\nnew file mode 100644\n--- /dev/null\n+++ b/mm/new.c\n@@ -0,0 +1 @@\n+int a =3D 1;\n\
        diff --git a/include/linux/pgtable.h b/include/linux/pgtable.h\n--- a/include/linux/pgtable.h\n+++ b/include/linux/pgtable.h\n\
        @@ -1,5 +1,5 @@\n static inline void lazy_mmu_mode_enable(void)\n {\n-\tone();\n+\tthree();\n \ttwo();\n }\n\n";

    fn tree() -> Folder {
        let tree = Folder::tree("series");
        tree.write(HELPERS, ENABLE);
        tree.write("mm/old.c", "old\n");
        tree
    }

    fn series(tree: &Folder, store: &Store, text: &str) -> Result<Vec<(String, Source, String)>> {
        let mailbox = Folder::new("mailbox");
        mailbox.write("x.mbx", text);
        let base = Source::open(tree.path(), store)?;
        let series = Series::open(&base, &mailbox.path().join("x.mbx"), store)?;
        series
            .map(|step| {
                let (patch, source) = step?;
                let header = source.text(HELPERS).unwrap_or_default();
                Ok((patch.subject, source, header))
            })
            .collect()
    }

    #[test]
    fn each_mail_with_a_difference_is_a_patch() {
        let found = patches(TWO.as_bytes());
        let subjects: Vec<_> = found.iter().map(|patch| &*patch.subject).collect();
        assert_eq!(subjects, ["mm: call two too", "mm: \u{fc}ber"]);
        let files = |at: usize| found[at].files().expect("inside").into_iter().collect::<Vec<_>>();
        assert_eq!(files(0), [PathBuf::from(HELPERS)]);
        assert_eq!(files(1), [PathBuf::from(HELPERS), PathBuf::from("mm/new.c")]);
        assert!(String::from_utf8_lossy(&found[1].diff).contains("+int a = 1;"), "the encoding is undone");
    }

    #[test]
    fn a_bare_difference_is_a_patch_and_a_letter_is_none() {
        let bare = &TWO[TWO.find("diff --git").expect("one")..TWO.find("-- \n").expect("one")];
        assert_eq!(patches(bare.as_bytes()).len(), 1);
        assert!(patches(b"Subject: hello\n\nFrom me to you\n").is_empty());
        assert!(patches(b"").is_empty());
    }

    #[test]
    fn the_tree_after_each_patch_and_the_given_one_as_it_was() {
        let (tree, cache) = (tree(), Folder::new("cache"));
        let store = Store::at(cache.path());
        let steps = series(&tree, &store, TWO).expect("both apply");
        assert!(steps[0].2.contains("one();\n\ttwo();"), "{}", steps[0].2);
        assert!(steps[1].2.contains("three();\n\ttwo();"), "{}", steps[1].2);
        assert_eq!(steps[1].1.text("mm/new.c").as_deref(), Some("int a = 1;\n"));
        assert_eq!(steps[1].1.text("mm/old.c").as_deref(), Some("old\n"));
        assert_eq!((tree.read(HELPERS), tree.path().join("mm/new.c").exists()), (ENABLE.to_owned(), false));
        // The same again from the start.
        assert_eq!(series(&tree, &store, TWO).expect("both apply")[0].2, steps[0].2);
    }

    #[test]
    fn a_rename_and_a_removal_are_seen() {
        let (tree, cache) = (tree(), Folder::new("cache"));
        let rename =
            "diff --git a/mm/old.c b/mm/moved.c\nsimilarity index 100%\nrename from mm/old.c\nrename to mm/moved.c\n";
        let steps = series(&tree, &Store::at(cache.path()), rename).expect("it applies");
        assert_eq!((steps[0].1.text("mm/old.c"), steps[0].1.text("mm/moved.c").as_deref()), (None, Some("old\n")));
    }

    #[test]
    fn a_patch_that_does_not_apply_is_named_with_its_file() {
        let (tree, cache) = (tree(), Folder::new("cache"));
        let wrong = TWO.replace("-\tone();", "-\tnine();");
        let error = series(&tree, &Store::at(cache.path()), &wrong).expect_err("the second does not apply");
        let text = error.to_string();
        assert!(text.starts_with("patch 2 of 2 does not apply: mm: \u{fc}ber"), "{text}");
        assert!(error.place().is_some_and(|place| place.starts_with(HELPERS)), "{error:?}");
    }

    #[test]
    fn a_path_out_of_the_tree_is_refused() {
        let (tree, cache) = (tree(), Folder::new("cache"));
        for path in ["../../x", "/etc/x", "mm/../../x"] {
            let text = format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n");
            assert!(matches!(series(&tree, &Store::at(cache.path()), &text), Err(TreeError::Patch { .. })), "{path}");
        }
    }

    #[test]
    fn what_holds_no_patch_says_so() {
        let (tree, cache) = (tree(), Folder::new("cache"));
        let store = Store::at(cache.path());
        assert!(matches!(series(&tree, &store, "Subject: x\n\nhello\n"), Err(TreeError::NoSeries { .. })));
        let base = Source::open(tree.path(), &store).expect("a tree");
        assert!(matches!(Series::open(&base, Path::new("not there"), &store), Err(TreeError::NoSeries { .. })));
    }
}
