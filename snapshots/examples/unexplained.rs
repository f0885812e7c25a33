//! Runs generated and mutated programs on every subject and lists what no known finding explains.
use std::collections::BTreeMap;
use lazy_mmu_engine::contract::{Judge, Verdict, Violation};
use lazy_mmu_engine::machine::Machine;
use lazy_mmu_engine::program::{Program, generate, minimise::minimise, mutate};
use lazy_mmu_engine::subject::{Port, Subject, registry::{Descriptor, SUBJECTS}};
use lazy_mmu_snapshots::known;

struct Bench { machine: Machine, judge: Judge }
impl Bench {
    fn first(&mut self, d: &Descriptor, s: &dyn Subject, p: &Program) -> Option<Violation> {
        let events = self.machine.run(s, p);
        let v = self.judge.judge_to_misuse(events, d.rules());
        if v.faults().next().is_none() { return None }
        let v: Verdict = self.judge.judge_every(events, d.rules(), false);
        let faults: Vec<Violation> = v.faults().cloned().collect();
        let e = known::explain_all(d.name, events, &faults);
        let op = |v: &Violation| events.get(v.event).map_or(0, |e| e.op);
        let _ = op;
        faults.into_iter().zip(e).find(|(_, e)| e.is_none()).map(|(v, _)| v)
    }
}
fn main() {
    let mut args = std::env::args().skip(1);
    let count: u64 = args.next().and_then(|a| a.parse().ok()).unwrap_or(2000);
    let only = args.next().unwrap_or_default();
    let from: u64 = args.next().and_then(|a| a.parse().ok()).unwrap_or(0);
    let mut b = Bench { machine: Machine::new(), judge: Judge::default() };
    b.machine.set_limit(1024);
    for d in SUBJECTS.iter().filter(|d| d.name.contains(&only)) {
        let s = d.make(Port::Model);
        let mut found: BTreeMap<String, (u32, Program)> = BTreeMap::new();
        for seed in from..from + count {
            let mut random = generate::Random::new(seed);
            let base = if seed % 2 == 0 { generate::legal(seed, 24) } else { generate::any(seed, 24) };
            let p = match seed % 4 { 0 | 1 => base, _ => { let mut p = base; for _ in 0..1 + seed % 5 { p = mutate::mutate(&p, &mut random, 200); } p } };
            if let Some(v) = b.first(d, &*s, &p) {
                let events = b.machine.events();
                let what = events.get(v.event).map(|e| format!("{:?}", e.what)).unwrap_or_default();
                let what: String = what.chars().take_while(|c| c.is_alphanumeric()).collect();
                let sig = format!("{} {}", v.invariant.id(), what);
                match found.get_mut(&sig) { Some(x) => x.0 += 1, None => { found.insert(sig, (1, p)); } }
            }
        }
        println!("== {}: {}", d.name, found.len());
        for (sig, (n, p)) in found {
            let id = sig.split(' ').next().unwrap_or_default().to_owned();
            let small = minimise(&p, |p| b.first(d, &*s, p).is_some_and(|v| v.invariant.id() == id));
            let v = b.first(d, &*s, &small);
            println!("  {sig} x{n}: {}\n      {}", v.map(|v| v.text).unwrap_or_default(), small.to_string().replace('\n', "; "));
        }
    }
}
