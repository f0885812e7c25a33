//! Mutation and crossover of a target's inputs: on operations and blocks where the input is a program, on lines where it
//! is text, and on bytes now and then, and where it is neither.
//!
//! Not here: what a change of a program is (`lazy_mmu_engine::program::mutate`). Called by libFuzzer through
//! [`crate::target!`].

use std::sync::LazyLock;

use lazy_mmu_engine::fuzz::{Input, find};
use lazy_mmu_engine::program::generate::Random;
use lazy_mmu_engine::program::mutate::{crossover, mutate};
use lazy_mmu_engine::program::{Program, bytes, text};

/// Whether all changes are libFuzzer's own: the environment has `LAZYMMU_FUZZ_BYTES`. `lazymmu zoo` compares with that.
static IN_BYTES: LazyLock<bool> = LazyLock::new(|| std::env::var_os("LAZYMMU_FUZZ_BYTES").is_some());

/// Operations a mutant may have: a run takes no more steps than a few thousand anyway.
const MAX_OPS: usize = 512;

/// Changes the first `size` bytes of `data` in place, which has room for `max_size`; yields how many they are then.
pub fn mutated(name: &str, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random::new(seed.into());
    let in_bytes = |data: &mut [u8]| libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    // Bytes too: they come to programs that no operation's change does.
    if *IN_BYTES || random.below(32) == 0 {
        return in_bytes(data);
    }
    let input = find(name).map(|target| target.input);
    match input {
        Some(Input::Program(prefix)) => {
            let mut chosen = data[..prefix.min(size)].to_vec();
            chosen.resize(prefix, 0);
            for byte in &mut chosen {
                if size == 0 || random.below(16) == 0 {
                    *byte = random.next() as u8;
                }
            }
            let program = bytes::decode(data.get(prefix..size).unwrap_or_default());
            let room = max_size.saturating_sub(prefix) / bytes::RECORD;
            let program = mutate(&program, &mut random, room.clamp(1, MAX_OPS));
            write(data, max_size, &Input::Program(prefix).join(&chosen, &program)).unwrap_or_else(|| in_bytes(data))
        }
        Some(Input::Text) => match text::parse_bytes(&data[..size]) {
            Ok(program) if random.below(2) == 0 => {
                let text = mutate(&program, &mut random, MAX_OPS).to_string();
                write(data, max_size, text.as_bytes()).unwrap_or_else(|| in_bytes(data))
            }
            _ => in_bytes(data),
        },
        Some(Input::Trace) if random.below(2) == 0 => {
            let lines = with_line_moved(&data[..size], &mut random);
            write(data, max_size, &lines).unwrap_or_else(|| in_bytes(data))
        }
        _ => in_bytes(data),
    }
}

/// Puts a mixture of two inputs into `out`; yields how many bytes it has.
pub fn crossed(name: &str, first: &[u8], second: &[u8], out: &mut [u8], seed: u32) -> usize {
    // Nothing was made: libFuzzer turns to mutation, of which its own crossover is a part.
    if *IN_BYTES {
        return 0;
    }
    let mut random = Random::new(seed.into());
    let room = out.len();
    let mixed = match find(name).map(|target| target.input) {
        Some(input @ Input::Program(prefix)) => {
            let program = |data: &[u8]| -> Program { bytes::decode(data.get(prefix..).unwrap_or_default()) };
            let most = (room.saturating_sub(prefix) / bytes::RECORD).clamp(1, MAX_OPS);
            let program = crossover(&program(first), &program(second), &mut random, most);
            input.join(&first[..prefix.min(first.len())], &program)
        }
        _ => {
            let cut = |data: &[u8], random: &mut Random| line_start(data, random.below(data.len() as u32 + 1) as usize);
            let (end, start) = (cut(first, &mut random), cut(second, &mut random));
            [&first[..end], &second[start..]].concat()
        }
    };
    let mixed = &mixed[..mixed.len().min(room)];
    write(out, room, mixed).unwrap_or(0)
}

/// Copies bytes to where they go, if there is room; yields how many.
fn write(data: &mut [u8], max_size: usize, bytes: &[u8]) -> Option<usize> {
    let room = max_size.min(data.len());
    (bytes.len() <= room).then(|| {
        data[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    })
}

/// The start of the line that this place is in.
fn line_start(data: &[u8], at: usize) -> usize {
    data[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1)
}

/// A line is left out, doubled, or put elsewhere.
fn with_line_moved(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = data.split_inclusive(|&byte| byte == b'\n').collect();
    if lines.is_empty() {
        return data.to_vec();
    }
    let at = random.below(lines.len() as u32) as usize;
    let line = match random.below(3) {
        0 => lines[at],
        _ => lines.remove(at),
    };
    if random.below(3) > 0 {
        lines.insert(random.below(lines.len() as u32 + 1) as usize, line);
    }
    lines.concat()
}
