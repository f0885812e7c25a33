//! Tests of children: that nothing of them survives, and that no wait lasts for ever.

use super::group::live;
use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(100)
}

/// Far enough away to be a failure when it is reached.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Whether a process runs; a zombie that waits for init does not.
fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[test]
fn a_hanging_child_is_killed_and_reaped_at_its_deadline() {
    let mut child = Child::spawn(shell("sleep 1000 & echo $!; wait")).unwrap();
    let grandchild = child.read_line(later()).unwrap().unwrap().parse().unwrap();
    assert!(matches!(child.read(soon()), Err(Error::Deadline { .. })));
    assert!(matches!(child.wait(soon()), Err(Error::Deadline { .. })));
    assert!(runs(child.id()) && runs(grandchild), "a deadline alone kills nothing");
    assert_eq!(child.status_text(), "still running");
    child.kill_and_reap();
    assert_eq!(child.status_text(), "killed by signal 9 (SIGKILL)");
    assert!(!std::fs::exists(format!("/proc/{}", child.id())).unwrap(), "the child is reaped");
    wait_until_gone(grandchild);
    assert!(!live().contains(&child.group.as_raw_nonzero().get()));
}

/// The signal is sent; the kernel ends the process in its own time.
fn wait_until_gone(pid: u32) {
    let deadline = later();
    while runs(pid) {
        assert!(Instant::now() < deadline, "process {pid} survived its group");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_dropped_child_is_gone_with_its_group() {
    let mut child = Child::spawn(shell("sleep 1000 & echo $!; wait")).unwrap();
    let grandchild = child.read_line(later()).unwrap().unwrap().parse().unwrap();
    let leader = child.id();
    drop(child);
    assert!(!std::fs::exists(format!("/proc/{leader}")).unwrap());
    wait_until_gone(grandchild);
}

#[test]
fn what_a_leader_leaves_behind_is_killed_when_it_exits() {
    let mut child = Child::spawn(shell("sleep 1000 >/dev/null & echo $!")).unwrap();
    let grandchild = child.read_line(later()).unwrap().unwrap().parse().unwrap();
    assert!(child.wait(later()).unwrap().success());
    wait_until_gone(grandchild);
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let mut child = thread::spawn(|| Child::spawn(shell("read line; echo got $line")).unwrap()).join().unwrap();
    // The thread is gone; were the child killed with it, this would fail.
    thread::sleep(Duration::from_millis(20));
    child.write_all(b"it\n", later()).unwrap();
    assert_eq!(child.read_line(later()).unwrap().unwrap(), "got it");
}

#[test]
fn bytes_go_both_ways() {
    let mut child = Child::spawn(Command::new("cat")).unwrap();
    child.write_all(b"one\ntwo\nthree", later()).unwrap();
    child.close_stdin();
    assert_eq!(child.read_line(later()).unwrap().as_deref(), Some("one"));
    let mut exact = [0; 4];
    child.read_exact(&mut exact, later()).unwrap();
    assert_eq!(&exact, b"two\n");
    assert!(matches!(child.read_exact(&mut [0; 6], later()), Err(Error::Ended { .. })));
    assert_eq!(child.read_line(later()).unwrap().as_deref(), Some("three"));
    assert_eq!(child.read_line(later()).unwrap(), None);
    assert_eq!(child.read(later()).unwrap(), b"");
    assert!(child.wait(later()).unwrap().success());
}

#[test]
fn more_than_two_pipes_hold_does_not_lock() {
    let mut child = Child::spawn(Command::new("cat")).unwrap();
    let sent = vec![7; 1 << 20];
    // Nobody reads while this writes: `cat` blocks on its output unless `write_all` takes it.
    child.write_all(&sent, later()).unwrap();
    child.close_stdin();
    let mut received = vec![0; sent.len()];
    child.read_exact(&mut received, later()).unwrap();
    assert_eq!(received, sent);
}

#[test]
fn a_child_that_does_not_read_stops_the_writer_at_its_deadline() {
    let mut child = Child::spawn(shell("sleep 1000")).unwrap();
    assert!(matches!(child.write_all(&[0; 1 << 20], soon()), Err(Error::Deadline { .. })));
}

#[test]
fn writing_to_a_child_that_ended_is_an_error() {
    let mut child = Child::spawn(shell("exit 3")).unwrap();
    assert_eq!(child.wait(later()).unwrap().code(), Some(3));
    assert_eq!(child.status_text(), "exit code 3");
    assert!(matches!(child.write_all(b"x", later()), Err(Error::Ended { .. })));
}

#[test]
fn the_end_of_a_piped_standard_error_is_kept() {
    let mut command = shell("yes noise | head -c 100000 >&2; echo last words >&2; kill -SEGV $$");
    command.stderr(Stdio::piped());
    let mut child = Child::spawn(command).unwrap();
    child.wait(later()).unwrap();
    assert_eq!(child.status_text(), "killed by signal 11 (SIGSEGV)");
    assert!(child.stderr_tail().ends_with("last words\n"));
    assert!(child.stderr_tail().len() <= STDERR_KEPT);
}

#[test]
fn a_program_that_does_not_exist_is_an_error() {
    let error = Child::spawn(Command::new("no-such-program-as-this")).unwrap_err();
    assert!(error.to_string().starts_with("cannot start `no-such-program-as-this`"), "{error}");
}
