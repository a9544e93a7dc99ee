//! The simulation threads, and how a match gets onto one.
//!
//! Each thread runs a single-threaded executor that owns many matches. A script never runs on
//! an I/O thread, and a match never moves between threads.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::host::MatchHost;
use crate::ids::MatchId;
use crate::logic::{LocalFuture, LogicFactory, MatchLogic, MatchSetup, ScriptFault};
use crate::matches::actor::{self, Ended};
use crate::matches::running::Parts;
use crate::matches::{Match, MatchHandle, MatchSettings, NewMatch, SavedMatch};
use crate::modes::Mode;

/// How often one match is restored after a panic before it is given up.
const MAX_RESTARTS: u32 = 3;

type Job = Box<dyn FnOnce() -> LocalFuture<'static, ()> + Send>;

/// The simulation threads. Cheap to clone.
#[derive(Clone)]
pub struct Simulation {
    threads: Arc<[SimulationThread]>,
    settings: MatchSettings,
    host: Arc<dyn MatchHost>,
    clock: fn() -> u64,
}

struct SimulationThread {
    jobs: mpsc::UnboundedSender<Job>,
    load: Arc<AtomicUsize>,
}

impl Simulation {
    /// Starts `threads` simulation threads. `clock` answers Unix milliseconds.
    pub fn start(
        threads: usize,
        settings: MatchSettings,
        host: Arc<dyn MatchHost>,
        clock: fn() -> u64,
    ) -> std::io::Result<Self> {
        let threads = (0..threads.max(1))
            .map(SimulationThread::start)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            threads,
            settings,
            host,
            clock,
        })
    }

    /// Starts a match. Answers its handle once the game is loaded and its players are in.
    pub async fn start_match(
        &self,
        new: NewMatch,
        factory: Arc<dyn LogicFactory>,
    ) -> Result<MatchHandle, ScriptFault> {
        self.launch(Origin::New(new), factory).await
    }

    /// Takes a saved match up again.
    pub async fn restore_match(
        &self,
        saved: SavedMatch,
        mode: Mode,
        factory: Arc<dyn LogicFactory>,
    ) -> Result<MatchHandle, ScriptFault> {
        self.launch(Origin::Saved(Box::new(saved), mode), factory)
            .await
    }

    async fn launch(
        &self,
        origin: Origin,
        factory: Arc<dyn LogicFactory>,
    ) -> Result<MatchHandle, ScriptFault> {
        let (ready, started) = oneshot::channel();
        let thread = self.idlest();
        let load = Load::on(&thread.load);
        let (simulation, clock) = (self.clone(), self.clock);
        let job: Job = Box::new(move || {
            Box::pin(async move {
                let _load = load;
                simulation.run(origin, &*factory, ready, clock).await;
            })
        });
        thread
            .jobs
            .send(job)
            .expect("simulation threads outlive their handles");
        started.await.expect("a launched match reports")
    }

    fn idlest(&self) -> &SimulationThread {
        let load = |thread: &&SimulationThread| thread.load.load(Ordering::Relaxed);
        self.threads
            .iter()
            .min_by_key(load)
            .expect("at least one thread")
    }

    async fn run(
        &self,
        origin: Origin,
        factory: &dyn LogicFactory,
        ready: oneshot::Sender<Result<MatchHandle, ScriptFault>>,
        clock: fn() -> u64,
    ) {
        let (id, mode) = (origin.id().clone(), origin.mode().clone());
        let (handle, mut inbox) = MatchHandle::new(id, mode.name.clone());
        let mut current = match self.build(&origin, factory, &handle, clock).await {
            Ok(current) => current,
            Err(fault) => return drop(ready.send(Err(fault))),
        };
        if let Origin::New(new) = &origin {
            current.begin(&new.players, clock()).await;
        }
        let _ = ready.send(Ok(handle.clone()));
        for _ in 0..=MAX_RESTARTS {
            let running = actor::run(&mut current, &handle, &mut inbox, clock);
            match AssertUnwindSafe(running).catch_unwind().await {
                Ok(Ended::Done | Ended::Suspended) => return,
                Err(_) => tracing::error!(match_id = %handle.id(), "match task panicked"),
            }
            let Some(saved) = current.last_saved().cloned() else {
                break;
            };
            match self.rebuild(&saved, &mode, factory, clock()) {
                Ok(restored) => current = restored,
                Err(_) => break,
            }
        }
        current.release();
    }

    async fn build(
        &self,
        origin: &Origin,
        factory: &dyn LogicFactory,
        handle: &MatchHandle,
        clock: fn() -> u64,
    ) -> Result<Match, ScriptFault> {
        let started = || self.host.match_started(handle.clone());
        match origin {
            Origin::Saved(saved, mode) => {
                let setup = setup(&saved.id, mode, saved.meta.seed);
                let logic = factory.restore(&setup, &saved.state)?;
                started();
                let parts = self.parts(logic);
                Ok(Match::restored(saved, mode.clone(), parts, clock()))
            }
            Origin::New(new) => {
                let setup = setup(&new.id, &new.mode, new.seed);
                let logic = factory.create(&setup).await?;
                started();
                Ok(Match::new(new, self.parts(logic), clock()))
            }
        }
    }

    fn rebuild(
        &self,
        saved: &SavedMatch,
        mode: &Mode,
        factory: &dyn LogicFactory,
        now: u64,
    ) -> Result<Match, ScriptFault> {
        let logic = factory.restore(&setup(&saved.id, mode, saved.meta.seed), &saved.state)?;
        Ok(Match::restored(saved, mode.clone(), self.parts(logic), now))
    }

    fn parts(&self, logic: Box<dyn MatchLogic>) -> Parts {
        Parts {
            settings: self.settings.clone(),
            host: Arc::clone(&self.host),
            logic,
        }
    }
}

/// What a match is made from.
enum Origin {
    New(NewMatch),
    Saved(Box<SavedMatch>, Mode),
}

impl Origin {
    fn id(&self) -> &MatchId {
        match self {
            Self::New(new) => &new.id,
            Self::Saved(saved, _) => &saved.id,
        }
    }

    fn mode(&self) -> &Mode {
        match self {
            Self::New(new) => &new.mode,
            Self::Saved(_, mode) => mode,
        }
    }
}

fn setup(id: &MatchId, mode: &Mode, seed: u64) -> MatchSetup {
    MatchSetup {
        match_id: id.clone(),
        mode: mode.name.clone(),
        seed,
    }
}

impl SimulationThread {
    fn start(number: usize) -> std::io::Result<Self> {
        let (jobs, mut inbox) = mpsc::unbounded_channel::<Job>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        thread::Builder::new()
            .name(format!("simulation-{number}"))
            .spawn(move || {
                let matches = LocalSet::new();
                matches.block_on(&runtime, async {
                    while let Some(job) = inbox.recv().await {
                        tokio::task::spawn_local(job());
                    }
                });
            })?;
        Ok(Self {
            jobs,
            load: Arc::default(),
        })
    }
}

/// Counts a match on its thread for as long as it lives.
struct Load(Arc<AtomicUsize>);

impl Load {
    fn on(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counter))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
