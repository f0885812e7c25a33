//! Whether files are still what something was made of: time of change, size and inode, as `make` and `git` look at them.
//!
//! A time that is not older than the making itself proves nothing, because the file may have changed again within the
//! clock's step; such a file counts as changed the next time, which costs one more making and never hides an edit.
//! A file that was not there and is there now has changed too.
//!
//! What it is not: no contents are read here, but by [`digest`].
//!
//! Who calls it: `prepare` for Kconfig and Makefiles, `compile` for headers and sources, `link` for objects.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is looked at of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// When it changed last, in nanoseconds since 1970.
    pub changed: i128,
    /// Its size in bytes.
    pub size: u64,
    /// Its number on its disk: a file that another was renamed over has another.
    pub inode: u64,
}

/// Looks at files, at each once: one build asks for the same headers many times.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<PathBuf, Option<Look>>>);

impl Looks {
    /// What is at a path, behind links; none if nothing is.
    pub fn at(&self, path: &Path) -> Option<Look> {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(look) = known.get(path) {
            return *look;
        }
        let look = look(path);
        known.insert(path.to_owned(), look);
        look
    }

    /// Forgets a file that this build itself has changed.
    pub fn forget(&self, path: &Path) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(path);
    }
}

/// Looks at a file, behind links.
#[must_use]
pub fn look(path: &Path) -> Option<Look> {
    let data = fs::metadata(path).ok()?;
    let changed = i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec());
    Some(Look { changed, size: data.len(), inode: data.ino() })
}

/// The files that something was made of, as they were, and what else decided (a command line, a compiler).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Everything that decides beside the files.
    pub command: String,
    /// The files.
    pub files: Vec<(PathBuf, Option<Look>)>,
}

/// The first word of a stamp's text; it changes with the form.
const FORM: &str = "stamp 1";

/// How far a file's time may lie behind the clock, and a bit more: the file system's own clock runs in steps.
const STEP: Duration = Duration::from_millis(20);

/// Waits until a file that was just written counts as older than what is made of it next.
pub fn settle() {
    std::thread::sleep(STEP + Duration::from_millis(5));
}

impl Stamp {
    /// A stamp of files as they are after something was made of them; `began` is the time before the making.
    pub fn of(command: &str, files: impl IntoIterator<Item = PathBuf>, began: SystemTime, looks: &Looks) -> Self {
        let began = began.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        let safe = began - STEP.as_nanos() as i128;
        let look = |path: PathBuf| {
            let found = looks.at(&path).filter(|look| look.changed < safe);
            (path, found)
        };
        Self { command: command.to_owned(), files: files.into_iter().map(look).collect() }
    }

    /// Whether nothing has changed.
    #[must_use]
    pub fn holds(&self, command: &str, looks: &Looks) -> bool {
        self.command == command && self.files.iter().all(|(path, then)| then.is_some() && looks.at(path) == *then)
    }

    /// Reads one; none where there is no whole one.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (head, rest) = text.split_once('\n')?;
        let length = head.strip_prefix(FORM)?.trim().parse().ok()?;
        let (command, rest) = rest.split_at_checked(length)?;
        let mut lines = rest.strip_prefix('\n')?.lines();
        let files = lines.by_ref().take_while(|line| *line != "end").map(parse).collect::<Option<Vec<_>>>()?;
        // A file that lost its end on a full disk is no stamp.
        text.ends_with("\nend\n").then(|| Self { command: command.to_owned(), files })
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{FORM} {}\n{}\n", self.command.len(), self.command);
        for (path, look) in &self.files {
            // Writing to a string cannot fail.
            let _ = match look {
                Some(Look { changed, size, inode }) => writeln!(text, "{changed} {size} {inode} {}", path.display()),
                None => writeln!(text, "- - - {}", path.display()),
            };
        }
        text + "end\n"
    }
}

fn parse(line: &str) -> Option<(PathBuf, Option<Look>)> {
    let mut words = line.splitn(4, ' ');
    let (changed, size, inode, path) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let look = || Some(Look { changed: changed.parse().ok()?, size: size.parse().ok()?, inode: inode.parse().ok()? });
    Some((path.into(), if changed == "-" { None } else { Some(look()?) }))
}

/// A number for the contents of a file, or for the names in a folder; none if nothing is there.
///
/// It names entries of a cache: whoever can make two files collide can also change the cache.
#[must_use]
pub fn digest(path: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    if path.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path).ok()?.flatten().map(|entry| entry.file_name()).collect();
        names.sort_unstable();
        names.iter().for_each(|name| name.as_bytes().hash(&mut hasher));
    } else {
        hasher.write(&fs::read(path).ok()?);
    }
    Some(hasher.finish())
}

/// A number for several texts, for the name of an entry of the cache.
#[must_use]
pub fn digest_of(texts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Folder;
    use super::*;

    /// Sets the time of change.
    fn age(path: &Path, seconds_ago: u64) {
        let time = SystemTime::now() - Duration::from_secs(seconds_ago);
        fs::File::options().append(true).open(path).and_then(|file| file.set_modified(time)).expect("a file");
    }

    fn stamp(folder: &Folder) -> Stamp {
        Stamp::of("cc -O2", [folder.path().join("a.h")], SystemTime::now(), &Looks::default())
    }

    fn folder() -> Folder {
        let folder = Folder::new("stamp");
        folder.write("a.h", "one");
        age(&folder.path().join("a.h"), 60);
        folder
    }

    #[test]
    fn an_untouched_file_holds_and_another_command_does_not() {
        let folder = folder();
        let stamp = stamp(&folder);
        assert!(stamp.holds("cc -O2", &Looks::default()));
        assert!(!stamp.holds("cc -O3", &Looks::default()));
    }

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let changes: [fn(&Path); 5] = [
            |path| age(path, 0),
            |path| age(path, 3600),
            |path| fs::write(path, "longer").expect("a file"),
            |path| fs::remove_file(path).expect("a file"),
            |path| {
                // Another file with the same size and time of change, renamed over it.
                let time = fs::metadata(path).and_then(|data| data.modified()).expect("a file");
                let other = path.with_extension("new");
                fs::write(&other, "two").expect("a file");
                fs::File::options().append(true).open(&other).and_then(|file| file.set_modified(time)).expect("a file");
                fs::rename(other, path).expect("a file");
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let folder = folder();
            let stamp = stamp(&folder);
            change(&folder.path().join("a.h"));
            assert!(!stamp.holds("cc -O2", &Looks::default()), "change {number}");
        }
    }

    #[test]
    fn a_file_that_changed_during_the_making_counts_as_changed() {
        let folder = folder();
        age(&folder.path().join("a.h"), 0);
        assert!(!stamp(&folder).holds("cc -O2", &Looks::default()));
    }

    #[test]
    fn a_file_that_was_not_there_counts_as_changed() {
        let folder = Folder::new("stamp");
        assert!(!stamp(&folder).holds("cc -O2", &Looks::default()));
    }

    #[test]
    fn a_stamp_is_read_as_it_was_written_or_not_at_all() {
        let folder = folder();
        let mut stamp = stamp(&folder);
        stamp.command = "cc\nwith lines\nend\n".to_owned();
        stamp.files.push((folder.path().join("not there"), None));
        let path = folder.path().join("x.stamp");
        fs::write(&path, stamp.text()).expect("a file");
        assert_eq!(Stamp::read(&path), Some(stamp.clone()));
        let text = stamp.text();
        for length in (0..text.len()).step_by(7) {
            fs::write(&path, &text[..length]).expect("a file");
            assert_eq!(Stamp::read(&path), None, "{length} bytes of it");
        }
    }

    #[test]
    fn a_folders_digest_is_that_of_its_names() {
        let folder = folder();
        let before = digest(folder.path());
        folder.write("a.h", "changed");
        assert_eq!(digest(folder.path()), before);
        folder.write("b.h", "");
        assert_ne!(digest(folder.path()), before);
    }
}
