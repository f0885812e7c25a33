//! Debian's archive as a library of files: finds a package of a wanted version, in any suite, and unpacks it.
//!
//! Nothing is installed and no list of the system is touched: apt-get runs on lists of its own below the cache, so that
//! it needs no root, and verifies signatures, sizes and hashes as it does for an installation. The mirror is the one
//! this machine is configured with.
//!
//! What it is not: [`super::packages`] installs; this does not.
//!
//! Who calls it: [`super::std`], for the sources of a standard library and for a compiler; [`crate::tree`], for kernels'.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::packages::which;
use crate::process::Child;

/// The suites that may hold a compiler's sources, most likely first. Those of tomorrow are in it by their role.
pub const SUITES: [&str; 10] = [
    "trixie-backports",
    "stable-backports",
    "sid",
    "forky",
    "trixie",
    "testing",
    "stable",
    "bookworm-backports",
    "bookworm",
    "experimental",
];

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// How long one call of apt may take: a mirror that does not answer must not look like a hang.
const PATIENCE: Duration = Duration::from_secs(180);

/// A set of package lists in a directory of its own.
#[derive(Debug)]
pub struct Repository {
    dir: PathBuf,
    options: Vec<String>,
}

impl Repository {
    /// The suites this machine itself uses, in a given empty directory.
    ///
    /// # Errors
    ///
    /// Why they cannot be read, in words.
    pub fn own(dir: &Path) -> Result<Self, String> {
        Self::open(dir, vec![])
    }

    /// One suite of this machine's mirror, in a given empty directory.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, in words.
    pub fn suite(dir: &Path, suite: &str) -> Result<Self, String> {
        let mirror = mirror().ok_or("no Debian mirror is configured in /etc/apt")?;
        let list = dir.join("sources.list");
        fs::write(&list, mirror.line(suite)).map_err(|error| error.to_string())?;
        let only_this = [
            format!("Dir::Etc::sourcelist={}", list.display()),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            // What is installed here has no say about another release.
            "Dir::State::status=/dev/null".to_owned(),
        ];
        Self::open(dir, only_this.to_vec())
    }

    fn open(dir: &Path, mut options: Vec<String>) -> Result<Self, String> {
        if which("apt-get").is_none() {
            return Err("there is no apt-get here".to_owned());
        }
        options.push(format!("Dir::State::lists={}", dir.join("lists").display()));
        options.push(format!("Dir::Cache={}", dir.join("cache").display()));
        let fixed = ["APT::Sandbox::User=root", "Acquire::Languages=none", "Acquire::Retries=1"];
        let quick = ["Acquire::http::Timeout=15", "Acquire::https::Timeout=15"];
        options.extend(fixed.into_iter().chain(quick).map(str::to_owned));
        let made =
            ["lists/partial", "cache/archives/partial"].iter().try_for_each(|sub| fs::create_dir_all(dir.join(sub)));
        made.map_err(|error| error.to_string())?;
        let repository = Self { dir: dir.to_owned(), options };
        repository.run("apt-get", &["update", "--quiet"])?;
        Ok(repository)
    }

    /// The version of a package whose upstream part is the wanted one.
    #[must_use]
    pub fn version(&self, package: &str, upstream: &str) -> Option<String> {
        let table = self.run("apt-cache", &["madison", package]).ok()?;
        let versions = table.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
        versions.into_iter().find(|version| upstream_of(version) == upstream).map(str::to_owned)
    }

    /// The newest version of a package.
    #[must_use]
    pub fn newest(&self, package: &str) -> Option<String> {
        let table = self.run("apt-cache", &["madison", package]).ok()?;
        let first = table.lines().find_map(|line| line.split('|').nth(1))?;
        Some(first.trim().to_owned())
    }

    /// What installing packages would add to this system, as `name=version`.
    ///
    /// # Errors
    ///
    /// Apt's complaint.
    pub fn additions(&self, packages: &[&str]) -> Result<Vec<String>, String> {
        let arguments = [&["install", "--simulate", "--no-install-recommends"], packages].concat();
        Ok(self.run("apt-get", &arguments)?.lines().filter_map(addition).collect())
    }

    /// Downloads packages, given as `name=version`, and says where they are.
    ///
    /// # Errors
    ///
    /// Apt's complaint: not found, not signed, a wrong hash.
    pub fn download(&self, packages: &[String]) -> Result<Vec<PathBuf>, String> {
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        self.run("apt-get", &[&["download", "--quiet"], packages.as_slice()].concat())?;
        let entries = fs::read_dir(&self.dir).map_err(|error| error.to_string())?;
        let files = entries.flatten().map(|entry| entry.path());
        Ok(files.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
    }

    /// Runs one of apt's programs on this repository; its output, or its complaint.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(program);
        command.args(self.options.iter().flat_map(|option| ["-o", option])).args(arguments);
        command.env("LC_ALL", "C").current_dir(&self.dir).stderr(Stdio::piped());
        output(command, PATIENCE)
    }
}

/// Runs a command to its end, at most so long; its output, or the last line of its complaint.
pub(crate) fn output(command: Command, patience: Duration) -> Result<String, String> {
    let deadline = Instant::now() + patience;
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = Child::spawn(command).map_err(|error| error.to_string())?;
    child.close_stdin();
    let mut output = Vec::new();
    loop {
        let chunk = child.read(deadline).map_err(|error| error.to_string())?;
        if chunk.is_empty() {
            break;
        }
        output.extend(chunk);
    }
    let status = child.wait(deadline).map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&output).into_owned());
    }
    let complaint = child.stderr_tail();
    // A complaint's first line that says "error" tells more than its last, which may be a backtrace.
    let telling = complaint.lines().find(|line| line.starts_with("error") || line.starts_with("E:"));
    let line = telling.or_else(|| complaint.lines().last()).unwrap_or("it said nothing");
    Err(format!("{program} failed ({}): {}", child.status_text(), line.trim()))
}

/// Unpacks a package's files below a directory.
///
/// # Errors
///
/// Why not, in words.
pub fn unpack(package: &Path, into: &Path) -> Result<(), String> {
    let mut command = Command::new("dpkg-deb");
    command.arg("-x").arg(package).arg(into).stderr(Stdio::piped());
    output(command, PATIENCE).map(drop)
}

/// Unpacks the sources of the standard library, and nothing else of the compiler, as `library/` below a directory.
///
/// # Errors
///
/// Why not, in words.
pub fn unpack_library(package: &Path, into: &Path) -> Result<(), String> {
    let reader = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut reader = reader.map_err(|error| format!("cannot start dpkg-deb: {error}"))?;
    let archive = reader.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let mut tar = Command::new("tar");
    // The directory comes before the pattern: tar takes its arguments in order.
    tar.arg("-x").arg("-C").arg(into).args(["--strip-components=4", "--wildcards", "--no-wildcards-match-slash"]);
    let unpacked = tar.arg("./usr/src/*/library").stdin(archive).stderr(Stdio::null()).status();
    // The reader's status says nothing: tar stops reading at the end of the archive, before the padding.
    let _ = reader.kill();
    let _ = reader.wait();
    match unpacked {
        Ok(status) if status.success() && into.join("library/std/Cargo.toml").is_file() => Ok(()),
        Ok(_) => Err(format!("{} does not hold a standard library's sources", package.display())),
        Err(error) => Err(format!("cannot start tar: {error}")),
    }
}

/// The upstream part of a Debian version: `1.95.0` of `1.95.0+dfsg1-2~bpo13+1`. A pre-release (`~`) stays one.
#[must_use]
pub fn upstream_of(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_epoch, rest)| rest);
    version.split(['+', '-']).next().unwrap_or(version)
}

/// `Inst name [old] (version suite [arch])` of a simulated installation, as `name=version`.
fn addition(line: &str) -> Option<String> {
    let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
    let version = rest.split_once('(')?.1.split_whitespace().next()?;
    Some(format!("{name}={version}"))
}

/// The mirror of this machine's own configuration, and the key its lists are signed with.
#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    uri: String,
    keyring: Option<String>,
}

impl Mirror {
    fn line(&self, suite: &str) -> String {
        let keyring = self.keyring.clone().or_else(|| Path::new(KEYRING).exists().then(|| KEYRING.to_owned()));
        let options = keyring.map(|path| format!("[signed-by={path}] ")).unwrap_or_default();
        format!("deb {options}{} {suite} main\n", self.uri)
    }
}

fn mirror() -> Option<Mirror> {
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = parts.chain([PathBuf::from("/etc/apt/sources.list")]).collect();
    files.sort();
    files.iter().find_map(|path| {
        let text = std::io::read_to_string(File::open(path).ok()?).ok()?;
        let deb822 = path.extension().is_some_and(|extension| extension == "sources");
        if deb822 { text.split("\n\n").find_map(mirror_of_stanza) } else { text.lines().find_map(mirror_of_line) }
    })
}

/// A mirror of the main archive ends in `/debian` and has a `main`; the security archive and foreign ones do not.
fn is_main_archive(uri: &str, suite: &str, components: &str) -> bool {
    uri.trim_end_matches('/').ends_with("/debian")
        && !suite.contains('/')
        && components.split_whitespace().any(|component| component == "main")
}

fn mirror_of_stanza(stanza: &str) -> Option<Mirror> {
    let field = |name: &str| {
        let mut lines = stanza.lines().filter(|line| !line.starts_with('#'));
        lines
            .find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)))
            .map(|(_, v)| v.trim())
    };
    let uri = field("URIs")?.split_whitespace().next()?;
    let fits = is_main_archive(uri, field("Suites")?, field("Components")?);
    let types = field("Types")?.split_whitespace().any(|kind| kind == "deb");
    let disabled = field("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no"));
    // A key may also be given inline; then the usual keyring is tried.
    let keyring = field("Signed-By").filter(|value| value.starts_with('/')).map(str::to_owned);
    (fits && types && !disabled).then(|| Mirror { uri: uri.to_owned(), keyring })
}

fn mirror_of_line(line: &str) -> Option<Mirror> {
    let rest = line.trim().strip_prefix("deb")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let (uri, rest) = rest.trim().split_once(char::is_whitespace)?;
    let (suite, components) = rest.trim().split_once(char::is_whitespace)?;
    let keyring = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by=")).map(str::to_owned);
    is_main_archive(uri, suite, components).then(|| Mirror { uri: uri.to_owned(), keyring })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstream_part_of_a_version() {
        assert_eq!(upstream_of("1.95.0+dfsg1-2~bpo13+1"), "1.95.0");
        assert_eq!(upstream_of("1:22.1.8-1~deb12u1"), "22.1.8");
        assert_eq!(upstream_of("1.95.0~beta.3-1"), "1.95.0~beta.3");
        assert_eq!(upstream_of("1.95.0"), "1.95.0");
    }

    #[test]
    fn a_simulated_installation_names_packages_and_versions() {
        let line = "Inst rustc-web (1.96.0+dfsg1-1~deb12u2 Debian-Security:12/oldstable-security [amd64])";
        assert_eq!(addition(line).as_deref(), Some("rustc-web=1.96.0+dfsg1-1~deb12u2"));
        let upgrade = "Inst libc6 [2.36-9] (2.36-10 Debian:12.15/oldstable [amd64])";
        assert_eq!(addition(upgrade).as_deref(), Some("libc6=2.36-10"));
        for other in ["Conf rustc-web (1.96.0)", "Remv rustup [1.0]", "Inst", "Inst broken"] {
            assert_eq!(addition(other), None, "{other}");
        }
    }

    #[test]
    fn the_mirror_is_found_in_stanzas() {
        let text = "Types: deb\n# http://old.example/debian\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-updates\n\
                    Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg";
        let mirror = mirror_of_stanza(text).unwrap();
        assert_eq!(mirror.uri, "http://deb.debian.org/debian");
        assert_eq!(
            mirror.line("sid"),
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main\n"
        );
        let security = text.replace("org/debian\n", "org/debian-security\n");
        assert_eq!(mirror_of_stanza(&security), None);
        assert_eq!(mirror_of_stanza(&format!("{text}\nEnabled: no")), None);
        assert_eq!(mirror_of_stanza("URIs: x"), None);
    }

    #[test]
    fn the_mirror_is_found_in_lines() {
        let plain = mirror_of_line("deb http://mirror.example/debian/ bookworm main contrib").unwrap();
        assert_eq!((plain.uri.as_str(), plain.keyring), ("http://mirror.example/debian/", None));
        let signed =
            mirror_of_line("deb [arch=amd64 signed-by=/k.gpg] https://m.example/debian bookworm main").unwrap();
        assert_eq!(signed.keyring.as_deref(), Some("/k.gpg"));
        for other in [
            "deb https://download.example/linux/debian bookworm stable",
            "deb-src http://mirror.example/debian bookworm main",
            "# deb http://mirror.example/debian bookworm main",
            "deb http://mirror.example/debian",
            "deb [arch=amd64",
            "",
        ] {
            assert_eq!(mirror_of_line(other), None, "{other}");
        }
    }
}
