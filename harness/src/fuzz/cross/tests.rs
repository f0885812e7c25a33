//! Targets that do as the host does, but for what a test bends: what differs is found, made small and kept.

use std::sync::Mutex;

use lazy_mmu_engine::fuzz::find;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Op, Program, bytes};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::listing;
use lazy_mmu_engine::wire::Summary;

use super::lane::Remote;
use super::*;
use crate::agent::{AgentError, Batch, Outcome};

/// What a bent target makes of a program, if it is not what the host makes of it.
type Bend = fn(&Program, Summary) -> Outcome;

/// Subjects and ports that a fake was asked to run.
type Asked = Arc<Mutex<Vec<(u8, u8)>>>;

/// The engine in this process, bent.
struct Fake {
    bend: Bend,
    asked: Asked,
}

impl Remote for Fake {
    fn batch(&mut self, batch: Batch<'_>) -> Result<Vec<Outcome>, AgentError> {
        self.asked.lock().expect("no panic").push((batch.subject, batch.port));
        let mut runner = Runner::new();
        let run = |data: &Vec<u8>| {
            let program = bytes::decode(data);
            let summary = runner.summary(batch.subject.into(), Port::Model, &program);
            (self.bend)(&program, Summary { executed: 7 * u32::from(batch.port), ..summary })
        };
        Ok(batch.programs.iter().map(run).collect())
    }

    fn show(&mut self, subject: usize, _: Port, program: &Program) -> Result<String, AgentError> {
        let mut runner = Runner::new();
        let (events, verdict) = runner.run(subject, Port::Model, program);
        Ok(format!("{}one more\n{verdict}\n", listing(events)))
    }
}

fn faithful(_: &Program, summary: Summary) -> Outcome {
    Outcome::Ran(summary)
}

/// A pause gives other events.
fn pauses(program: &Program, summary: Summary) -> Outcome {
    let all = summary.all ^ u64::from(program.ops().contains(&Op::Pause));
    Outcome::Ran(Summary { all, ..summary })
}

fn dies(program: &Program, summary: Summary) -> Outcome {
    let dies = program.ops().contains(&Op::Flush);
    if dies { Outcome::Crashed("killed by signal 11".to_owned()) } else { Outcome::Ran(summary) }
}

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("lazymmu-cross-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("corpus")).expect("a folder");
        Folder(folder)
    }

    /// An input of `contract`, on the subject at a place.
    fn input(&self, name: &str, at: usize, text: &str) {
        let data = [vec![at as u8], bytes::encode(&parse(text).expect("a program"))].concat();
        fs::write(self.0.join("corpus").join(name), data).expect("an input");
    }

    fn feed(&self, target: &str) -> Feed {
        let target = find(target).expect("a target");
        Feed { target, only: None, corpora: vec![self.0.join("corpus")], findings: self.0.join("findings") }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A target that is bent, and what it was asked.
fn bent(bend: Bend) -> (Cross, Asked) {
    let asked = Asked::default();
    let fake = Fake { bend, asked: Arc::clone(&asked) };
    let skipped = Missing { what: "x86_64 lacks all".into(), why: "a test".into(), remedy: "install it".into() };
    let lane = Lane::new(Target::Sparc64, "a fake".to_owned(), Box::new(fake));
    (Cross::of(vec![lane], vec![(Target::X86_64, skipped)]), asked)
}

/// A run from beginning to end.
fn crossed(folder: &Folder, target: &str, bend: Bend) -> (Vec<Kept>, Vec<Compared>) {
    let (mut cross, _) = bent(bend);
    cross.begin(folder.feed(target));
    cross.end().expect("it ends")
}

fn place(name: &str) -> usize {
    SUBJECTS.iter().position(|subject| subject.name == name).expect("a subject")
}

#[test]
fn what_runs_there_as_here_is_counted_and_what_is_skipped_is_said() {
    let folder = Folder::new("same");
    folder.input("a", 3, "enable; pause; resume; disable");
    folder.input("b", place("counted/sparc64"), "enable; set U 1; disable");
    let (kept, compared) = crossed(&folder, "contract", faithful);
    assert_eq!(kept, []);
    let texts: Vec<_> = compared.iter().map(ToString::to_string).collect();
    let expected = [
        // The second one's instructions are the target's own: it runs on both ports.
        "cross sparc64 (a fake): 2 entries compared in 4 runs, 0 differences",
        "cross x86_64: SKIPPED: x86_64 lacks all; to do: install it",
    ];
    assert_eq!(SUBJECTS[3].name, "stateless/sparc64");
    assert_eq!(texts, expected);
    assert!(compared.iter().all(|compared| compared.wrong().is_none()));
}

#[test]
fn a_wrong_summary_becomes_a_small_finding_once_for_each_subject() {
    let folder = Folder::new("wrong");
    let aarch64 = place("counted/aarch64");
    folder.input("a", aarch64, "enable; set U 1 x4; irq { pause; get K 7 }; disable; query");
    folder.input("b", aarch64, "query; pause; resume");
    folder.input("c", place("counted/none"), "enable; disable");
    let (kept, compared) = crossed(&folder, "contract", pauses);
    let place = folder.0.join("findings/cross-sparc64-counted-aarch64");
    assert_eq!(kept, [(place.clone(), true)]);
    assert_eq!((compared[0].entries, compared[0].runs, compared[0].differences), (3, 3, 2));
    let read = |name: &str| fs::read_to_string(place.join(name)).expect(name);
    assert_eq!(read("program.lmm"), "# counted/aarch64 on sparc64 is not what the host makes of it.\npause\n");
    let report = read("report.txt");
    let program = place.join("program.lmm");
    for part in [
        "finding: cross-sparc64-counted-aarch64\n".to_owned(),
        "corpus of contract".to_owned(),
        "  + one more\n".to_owned(),
        "program:\n\npause\n".to_owned(),
        format!("cargo lazymmu run {} --subject counted/aarch64 --target sparc64\n", program.display()),
    ] {
        assert!(report.contains(&part), "{part}\n{report}");
    }
    assert_eq!(fs::read(place.join("input")).expect("input")[0], aarch64 as u8);
    // Found again by the next run, it is known.
    assert_eq!(crossed(&folder, "contract", pauses).0, [(place, false)]);
}

#[test]
fn a_program_that_kills_the_agent_is_a_finding() {
    let folder = Folder::new("dies");
    folder.input("a", 0, "enable; pause; flush; resume; disable");
    let (kept, _) = crossed(&folder, "contract", dies);
    let place = folder.0.join("findings/cross-sparc64-stateless-aarch64-killed");
    assert_eq!(kept, [(place.clone(), true)]);
    let program = fs::read_to_string(place.join("program.lmm")).expect("a program");
    assert!(program.ends_with(".\nflush\n"), "{program}");
    assert!(fs::read_to_string(place.join("report.txt")).expect("a report").contains("killed by signal 11"));
}

/// What comes while the run goes on is fed, a file that was being written again; other targets choose no subject.
#[test]
fn the_corpus_is_watched_and_every_subject_of_today_asked() {
    let folder = Folder::new("watched");
    let (mut cross, asked) = bent(faithful);
    cross.begin(folder.feed("architectures"));
    assert_eq!(cross.look().expect("a look"), []);
    let path = folder.0.join("corpus/late");
    let data = bytes::encode(&parse("enable; disable").expect("a program"));
    fs::write(&path, &data[..6]).expect("half a file");
    cross.look().expect("a look");
    fs::write(&path, &data).expect("the other half");
    cross.look().expect("a look");
    cross.look().expect("a look");
    let (_, compared) = cross.end().expect("it ends");
    let current = SUBJECTS.iter().filter(|subject| subject.is_current());
    let own = current.clone().filter(|subject| subject.backend.contains("sparc64")).count();
    assert_eq!((compared[0].entries, compared[0].runs), (2, 2 * (current.clone().count() + own) as u64));
    let asked = asked.lock().expect("no panic");
    for subject in SUBJECTS {
        let met = asked.iter().any(|(at, _)| SUBJECTS[usize::from(*at)].name == subject.name);
        assert_eq!(met, subject.is_current(), "{}", subject.name);
    }
}

#[test]
fn a_lost_agent_and_an_empty_corpus_are_wrong() {
    struct Gone;
    impl Remote for Gone {
        fn batch(&mut self, _: Batch<'_>) -> Result<Vec<Outcome>, AgentError> {
            Err(AgentError::Garbled("nonsense".to_owned()))
        }
        fn show(&mut self, _: usize, _: Port, _: &Program) -> Result<String, AgentError> {
            Err(AgentError::Silent(Duration::from_secs(1)))
        }
    }
    let folder = Folder::new("gone");
    let mut cross = Cross::of(vec![Lane::new(Target::Aarch64, "a fake".to_owned(), Box::new(Gone))], Vec::new());
    cross.begin(folder.feed("model"));
    let (_, compared) = cross.end().expect("it ends");
    assert!(compared[0].wrong().expect("nothing ran").contains("not one entry"), "{compared:?}");
    folder.input("a", 0, "enable");
    cross.begin(folder.feed("model"));
    let (_, compared) = cross.end().expect("it ends");
    assert_eq!((compared[0].entries, compared[0].left), (0, 1));
    assert!(compared[0].wrong().expect("it is lost").contains("nonsense"), "{compared:?}");
}
