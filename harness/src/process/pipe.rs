//! Our ends of a child's pipes, which never block, and what was read from them before anybody asked.
//!
//! What it is not: it does not wait; the parent module polls.
//!
//! Who calls it: [`super::Child`].

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// How much is read from a pipe at once: the capacity of a pipe on Linux.
const CHUNK: usize = 64 * 1024;

/// Makes reads and writes return at once when there is nothing to do.
pub(super) fn never_block(pipe: &impl AsFd) -> io::Result<()> {
    // The flag belongs to our end of the pipe; the child's end is another open file and still blocks.
    Ok(fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?)
}

/// What one read of a pipe gave.
pub(super) enum Taken {
    /// So many bytes; none when the pipe is empty for now.
    Bytes(usize),
    /// The other side has closed it.
    End,
}

/// Reads once from a pipe that does not block.
pub(super) fn take(pipe: &mut impl io::Read, into: &mut Inbox) -> io::Result<Taken> {
    match pipe.read(&mut into.buffer[..]) {
        Ok(0) => Ok(Taken::End),
        Ok(count) => {
            into.bytes.extend_from_slice(&into.buffer[..count]);
            Ok(Taken::Bytes(count))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(Taken::Bytes(0))
        }
        Err(error) => Err(error),
    }
}

/// Bytes that came and have not been asked for yet.
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// Where the unread bytes begin: taking a small message off the front must not move all that follow.
    start: usize,
    /// Where reads land first, so that no read has to clear memory.
    buffer: Box<[u8; CHUNK]>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { bytes: Vec::new(), start: 0, buffer: Box::new([0; CHUNK]) }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes unread", self.unread().len())
    }
}

impl Inbox {
    /// What came and was not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Forgets so many unread bytes, or all when there are fewer.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.bytes.len().min(self.start + count);
        if self.start * 2 >= self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}
