//! Every kind of frame, there and back, and what is no frame.

use super::*;

fn faults() -> Vec<Fault> {
    let fault = |known: Option<&str>| Fault {
        invariant: Invariant::I3,
        op: "disable".into(),
        text: "late".into(),
        place: known.is_none().then(|| "mm/vmalloc.c:9, f(): x".to_owned()),
        known: known.map(str::to_owned),
    };
    vec![fault(None), fault(Some("xen-new-task"))]
}

fn expanded() -> Expanded {
    let broken = Broken { invariant: Invariant::I7, text: "stale".into(), op: 4 };
    let known = Reached::Known("xen-new-task or other".into());
    let reached = vec![Reached::State(u64::MAX), Reached::Misuse, Reached::Cut, known, Reached::Broken(broken)];
    let mut expanded = Expanded { boot: 5, reached, ..Expanded::default() };
    (expanded.exercised[20], expanded.judged[1]) = (7, u64::MAX);
    expanded
}

fn samples() -> Vec<Frame> {
    let summary = Summary { generic: 1, all: u64::MAX, broken: 0x8001, left: 1, events: 7, programs: 1, executed: 5 };
    vec![
        Frame::Hello { version: VERSION, arch: "sparc64".into(), subjects: 99 },
        Frame::Batch { subject: 3, port: 1, programs: vec![vec![], vec![1, 2, 3]] },
        Frame::Results(vec![summary, Summary::default()]),
        Frame::Show { subject: 0, port: 0, program: vec![0; 12] },
        Frame::Generate { subject: 1, port: 0, seed: 5, count: 6, length: 7, legal: true },
        Frame::Tables,
        Frame::Text("a table".into()),
        Frame::Replay("arm64".into()),
        Frame::ReplayData(vec![b'#'; 100]),
        Frame::ReplayEnd,
        Frame::Replayed(Ok("fine".into())),
        Frame::Replayed(Err("line 3".into())),
        Frame::Facts,
        Frame::Examine { subject: 40, program: vec![1, 2] },
        Frame::Examined(Examined {
            faults: faults(),
            misuses: true,
            timeline: "cpu0".into(),
            conclusion: "holds".into(),
        }),
        Frame::Reduce { subject: 40, program: vec![3], invariant: 2, op: "disable".into() },
        Frame::Reduced(vec![9, 9]),
        Frame::Costs { subject: 41, programs: vec![vec![], vec![5]] },
        Frame::Counted(vec![Costs::from_values([1, 2, 3, 4, 5, 6, u64::MAX]), Costs::default()]),
        Frame::Expand { subject: 41, steps: vec![vec![1], vec![]], paths: vec![vec![], vec![0, 1, 31]] },
        Frame::Expanded(Box::new(expanded())),
        Frame::Expanded(Box::default()),
        Frame::Listings { subject: 41, programs: vec![vec![7], vec![]] },
        Frame::Known { subject: 41, programs: vec![vec![], vec![7]] },
        Frame::Texts(vec!["xen-new-task".into(), String::new()]),
        Frame::Panicked { program: 9, message: "index out of bounds".into() },
        Frame::Bye,
    ]
}

#[test]
fn frames_come_back_as_they_went() {
    for frame in samples() {
        assert_eq!(read(&mut bytes(&frame).as_slice()).expect("a frame"), frame);
    }
}

#[test]
fn a_cut_or_padded_frame_is_refused() {
    for frame in samples() {
        let whole = bytes(&frame);
        for cut in 0..whole.len() {
            assert!(read(&mut &whole[..cut]).is_err(), "{frame:?} cut at {cut}");
        }
        let mut padded = whole[4..].to_vec();
        padded.push(0);
        assert!(parse(&padded).is_err(), "{frame:?}");
    }
    assert!(parse(&[77]).is_err());
    assert!(parse(&[1, 0, 0, 255, 255, 255, 255]).is_err(), "a count that no payload can hold");
    assert!(read(&mut [255u8; 8].as_slice()).is_err(), "a length that no frame has");
    let long = (MAX_FRAME + 1).to_be_bytes();
    assert!(matches!(read(&mut long.as_slice()), Err(WireError::Garbled(_))), "nothing is read of so long a frame");
    assert!(parse(&[6, 0, 0, 0, 1, 0xff]).is_err(), "text that is none");
    let mut flag =
        bytes(&Frame::Generate { subject: 1, port: 0, seed: 5, count: 6, length: 7, legal: true })[4..].to_vec();
    *flag.last_mut().expect("the flag") = 2;
    assert!(parse(&flag).is_err(), "a second form of one frame");
    assert!(parse(&[10, 7, 0, 0, 0, 1, b'a']).is_err(), "a second form of another");
}
