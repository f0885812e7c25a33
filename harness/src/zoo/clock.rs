//! How long a search took: of the processor, and of the clock on the wall.
//!
//! Processor time (user and system) is what a search is judged by, because the wall's depends on what else the machine
//! does. Not here: a child's, which [`crate::process::Child::cpu_time`] says. Called by the searchers.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What a search has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// Of the processor.
    pub cpu: Duration,
    /// On the wall.
    pub wall: Duration,
}

/// Runs from when it is made, for the thread that made it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    cpu: Duration,
    wall: Instant,
}

impl Clock {
    /// Starts one for this thread.
    #[must_use]
    pub fn start() -> Clock {
        Clock { cpu: of_thread(), wall: Instant::now() }
    }

    /// What this thread has taken since.
    #[must_use]
    pub fn took(&self) -> Took {
        Took { cpu: of_thread().saturating_sub(self.cpu), wall: self.wall.elapsed() }
    }
}

/// The processor time of this thread since it began.
fn of_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_takes_no_processor_time_and_working_does() {
        let clock = Clock::start();
        std::thread::sleep(Duration::from_millis(30));
        let waited = clock.took();
        assert!(waited.wall >= Duration::from_millis(30) && waited.cpu < waited.wall, "{waited:?}");
        while clock.took().cpu < waited.cpu + Duration::from_millis(5) {}
        assert!(clock.took().wall > waited.wall);
    }
}
