//! Output of several commands that run at once, printed as if they had run one after the other.
//!
//! The first lane that has not ended prints as it goes; what the others print is kept until their turn comes. What it is
//! not: lanes start nothing and know nothing of what is printed. `lazymmu test` calls it.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The lanes, in the order in which they are printed.
#[derive(Debug)]
pub(super) struct Lanes<W> {
    state: Mutex<State<W>>,
}

#[derive(Debug)]
struct State<W> {
    out: W,
    turn: usize,
    kept: Vec<Vec<u8>>,
    ended: Vec<bool>,
}

impl<W: Write> Lanes<W> {
    /// `count` lanes that print to `out`.
    pub(super) fn new(count: usize, out: W) -> Lanes<W> {
        Lanes { state: Mutex::new(State { out, turn: 0, kept: vec![Vec::new(); count], ended: vec![false; count] }) }
    }

    /// Prints what a lane says, now or when its turn comes. A reader that left early, such as `head`, stops nothing.
    pub(super) fn say(&self, lane: usize, bytes: &[u8]) {
        let state = &mut *self.lock();
        if state.turn == lane {
            state.print(bytes);
        } else {
            state.kept[lane].extend_from_slice(bytes);
        }
    }

    /// A lane has ended: the next in order prints what it has kept.
    pub(super) fn end(&self, lane: usize) {
        let state = &mut *self.lock();
        state.ended[lane] = true;
        while state.ended.get(state.turn) == Some(&true) {
            state.turn += 1;
            if let Some(kept) = state.kept.get_mut(state.turn).map(std::mem::take) {
                state.print(&kept);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write> State<W> {
    fn print(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_out_of_turn_comes_in_turn() {
        let lanes = Lanes::new(3, Vec::new());
        for (lane, bytes) in [(1, "b1 "), (0, "a1 "), (2, "c1 "), (0, "a2 ")] {
            lanes.say(lane, bytes.as_bytes());
        }
        assert_eq!(lanes.lock().out, b"a1 a2 ");
        lanes.end(2);
        lanes.end(0);
        lanes.say(1, b"b2 ");
        assert_eq!(lanes.lock().out, b"a1 a2 b1 b2 ");
        lanes.end(1);
        assert_eq!(String::from_utf8_lossy(&lanes.lock().out), "a1 a2 b1 b2 c1 ");
    }
}
