//! Work that costs CPU and memory: a few at a time, a bounded number waiting, off the threads
//! that serve sockets, and after them: where a core is short, matches and sockets come first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, oneshot};

/// How far behind the rest of the server the work stands, as `nice` counts.
const NICE: i32 = 10;

/// A bounded pool of work.
pub(super) struct Bounded {
    /// One for each that runs or waits.
    places: Arc<Semaphore>,
    /// One for each that runs.
    permits: Arc<Semaphore>,
    load: Arc<Load>,
}

/// How much runs, and the most there ever was at once.
#[derive(Default)]
struct Load {
    running: AtomicUsize,
    peak: AtomicUsize,
}

/// Every place is taken.
#[derive(Debug, PartialEq)]
pub(super) struct Full;

impl Bounded {
    /// `threads` (at least one) run at once, `queue` more wait.
    pub(super) fn new(threads: usize, queue: usize) -> Self {
        let threads = threads.clamp(1, 1_024);
        let places = threads.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            permits: Arc::new(Semaphore::new(threads)),
            load: Arc::default(),
        }
    }

    /// Runs `work` when its turn comes. Whoever stops waiting gives their place up; work that
    /// has begun runs to its end and counts until then, whether or not anybody still waits.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, Full>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Full)?;
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let load = self.load.clone();
        let (done, result) = oneshot::channel();
        // A thread of its own: one of tokio's would stay behind for whatever it does next. What
        // it costs to start one is a thousandth of the work.
        let thread = std::thread::Builder::new().name("hashing".into());
        let started = thread.spawn(move || {
            let _held = (place, permit);
            let _counted = load.count();
            // On Linux this is the thread's alone. Refused, the work is done all the same.
            let _ = rustix::process::nice(NICE);
            // Whoever asked may have gone.
            let _ = done.send(work());
        });
        started.map_err(|_| Full)?;
        Ok(result.await.expect("the work does not panic"))
    }

    /// The most that ever ran at once.
    pub(super) fn peak(&self) -> usize {
        self.load.peak.load(Ordering::Relaxed)
    }
}

impl Load {
    fn count(self: &Arc<Self>) -> Counted {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(running, Ordering::Relaxed);
        Counted(self.clone())
    }
}

struct Counted(Arc<Load>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    fn slow() {
        std::thread::sleep(Duration::from_millis(2));
    }

    #[tokio::test]
    async fn no_more_than_the_permits_run_at_once() {
        let pool = Bounded::new(3, 1_000);
        let done = join_all((0..50).map(|_| pool.run(slow))).await;
        assert!(done.iter().all(Result::is_ok));
        assert!((1..=3).contains(&pool.peak()));
    }

    #[tokio::test]
    async fn whoever_finds_every_place_taken_is_turned_away() {
        let pool = Bounded::new(1, 2);
        let done = join_all((0..10).map(|_| pool.run(slow))).await;
        assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 3);
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn giving_up_gives_the_place_back_but_not_the_work() {
        let pool = Bounded::new(1, 1);
        let long = || std::thread::sleep(Duration::from_millis(50));
        let gone = tokio::time::timeout(Duration::from_millis(5), pool.run(long)).await;
        assert!(gone.is_err());
        // The abandoned work still holds the one permit: this waits for it.
        assert_eq!(pool.run(|| 1).await, Ok(1));
        assert_eq!(pool.peak(), 1);
    }
}
