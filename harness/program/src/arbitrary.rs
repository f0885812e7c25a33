//! Programs as `arbitrary` makes them: of a fuzzer's bytes, six for an operation, as [`super::bytes`] reads them.
//!
//! Every value of the bytes is a program, shorter bytes give shorter programs, and a program has bytes that give it (its
//! encoding), so that seeds can be written and inputs be minimised. Behind the feature `arbitrary`. Called by the fuzz
//! targets' `fuzz_target!`, and by whoever puts a program into an input of their own.

use arbitrary::{Arbitrary, Result, Unstructured};

use super::Program;
use super::bytes::{RECORD, decode};

impl<'a> Arbitrary<'a> for Program {
    /// Takes all whole records that are left; bytes that are no record stay.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Program> {
        let records = bytes.len() / RECORD;
        Ok(decode(bytes.bytes(records * RECORD)?))
    }

    /// Takes all bytes; a last partial record is padded.
    fn arbitrary_take_rest(bytes: Unstructured<'a>) -> Result<Program> {
        Ok(decode(bytes.take_rest()))
    }

    fn size_hint(_depth: usize) -> (usize, Option<usize>) {
        (0, None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::encode;
    use super::super::generate::{Random, legal};
    use super::*;

    fn taken(bytes: &[u8]) -> Program {
        Program::arbitrary_take_rest(Unstructured::new(bytes)).expect("every byte string is a program")
    }

    #[test]
    fn it_is_what_the_bytes_decode_to() {
        for seed in 0..300 {
            let mut random = Random::new(seed);
            let bytes: Vec<u8> = (0..random.below(500)).map(|_| random.next() as u8).collect();
            let program = taken(&bytes);
            assert_eq!(program, decode(&bytes), "seed {seed}");
            assert_eq!(taken(&encode(&program)), program, "seed {seed}");
            let mut rest = Unstructured::new(&bytes);
            let whole = Program::arbitrary(&mut rest).expect("every byte string is a program");
            assert_eq!(whole, decode(&bytes[..bytes.len() / RECORD * RECORD]), "seed {seed}");
            assert_eq!(rest.len(), bytes.len() % RECORD, "seed {seed}: what is no whole record stays");
        }
    }

    /// A fuzzer that cuts an input at its end cuts the program at its end.
    #[test]
    fn fewer_bytes_are_a_shorter_program() {
        for seed in 0..50 {
            let program = legal(seed, 30);
            let bytes = encode(&program);
            let mut before = usize::MAX;
            for length in (0..=bytes.len()).rev() {
                let shorter = taken(&bytes[..length]).ops().len();
                // A block that was closed in the bytes that went is closed at the end.
                assert!(shorter <= before, "seed {seed}, {length} bytes");
                before = shorter;
            }
            assert_eq!(before, 0);
        }
    }

    #[test]
    fn its_size_is_not_limited() {
        assert_eq!(Program::size_hint(0), (0, None));
        assert_eq!(taken(&[]), Program::default());
    }
}
