//! Looking at what may hang: a file system whose server has stopped to answer, a name service that is far away.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Something that is being looked at in a thread of its own, which is left behind if it does not come back: the process ends
/// all the same.
#[derive(Debug)]
pub struct Pending<T>(Option<Receiver<T>>);

/// Begins to look.
pub fn begin<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
    let (found, receiver) = channel();
    let started = thread::Builder::new().spawn(move || drop(found.send(look())));
    // Without a thread there is no answer either.
    Pending(started.ok().map(|_| receiver))
}

/// Looks, for so long at most.
pub fn within<T: Send + 'static>(limit: Duration, look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    begin(look).by(Instant::now() + limit)
}

impl<T> Pending<T> {
    /// What was found, if it is there by then.
    pub fn by(self, deadline: Instant) -> Option<T> {
        self.0?.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_come_back_is_not_waited_for() {
        assert_eq!(within(Duration::from_secs(20), || 7), Some(7));
        let (_never, nothing) = channel::<()>();
        let begun = Instant::now();
        let hung = within(Duration::from_millis(20), move || nothing.recv().is_ok());
        assert_eq!(hung, None);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn one_that_panics_has_no_answer() {
        assert_eq!(
            within(Duration::from_secs(20), || -> u8 { std::panic::resume_unwind(Box::new(())) }),
            None
        );
    }
}
