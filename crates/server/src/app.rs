//! The server as a whole: what is wired to what, and how it starts and stops.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use asobi_lua::ScriptWatcher;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::accounts::Accounts;
use crate::chat::Chat;
use crate::cluster::{Bus, Directory};
use crate::config::Config;
use crate::db::Db;
use crate::edge::guard::Limits;
use crate::edge::router::router;
use crate::game::answers::Answers;
use crate::game::{Game, Surroundings};
use crate::matches::Matches;
use crate::matches::host::Host;
use crate::matchmaking::Matchmaking;
use crate::notifications::Notifications;
use crate::parties::Parties;
use crate::players::Players;
use crate::players::reaping::Reaping;
use crate::presence::Presence;
use crate::rpc::Methods;
use crate::session::outbox::Closing;
use crate::social::Social;
use crate::storage::Storage;
use crate::votes::Votes;

/// How long a close frame has to reach its client at the end.
const FAREWELL: Duration = Duration::from_millis(200);

/// Everything the edge speaks to.
pub struct Services {
    /// The settings.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// Delivery to players.
    pub bus: Bus,
    /// The edge's limiters.
    pub limits: Limits,
    /// Sign-in.
    pub accounts: Accounts,
    /// The queue.
    pub matchmaking: Matchmaking,
    /// Players who stay together.
    pub parties: Parties,
    /// Running matches.
    pub matches: Matches,
    /// Votes.
    pub votes: Votes,
    /// Methods of the game.
    pub methods: Methods,
    /// Friends and groups.
    pub social: Social,
    /// Notifications.
    pub notifications: Notifications,
    /// Chat channels and direct messages.
    pub chat: Chat,
    /// Who is online.
    pub presence: Presence,
    /// Profiles and erasure.
    pub players: Players,
    /// Cloud saves and collections.
    pub storage: Storage,
}

/// A server that is ready to take connections.
pub struct App {
    services: Arc<Services>,
    listener: TcpListener,
    address: SocketAddr,
    client: Option<PathBuf>,
    /// Follows the game's scripts for as long as the server runs.
    _watcher: Option<ScriptWatcher>,
    /// Deletes guests who stay away.
    _reaping: Option<Reaping>,
}

impl App {
    /// Opens the database, loads the game, takes up the matches of the last run and binds the
    /// port.
    pub async fn start(config: Config, game_dir: &Path) -> anyhow::Result<Self> {
        let db = Db::open(&config.database, Path::new(&config.server.data_dir)).await?;
        let accounts = Accounts::open(db.clone(), &config).await?;
        let bus = Bus::default();
        let notifications = Notifications::new(&config.notifications, db.clone(), bus.clone());
        let directory = Directory::default();
        let social = Social::new(
            &config.social,
            db.clone(),
            bus.clone(),
            notifications.clone(),
        );
        let chat = Chat::start(
            &config.chat,
            db.clone(),
            bus.clone(),
            directory.clone(),
            accounts.clone(),
            social.clone(),
        );
        let storage = Storage::new(db.clone(), &config.storage);
        let around = Surroundings {
            services: Arc::new(Answers::new(
                db.clone(),
                storage.clone(),
                notifications.clone(),
            )),
            chat: chat.clone(),
            accounts: accounts.clone(),
            bus: bus.clone(),
        };
        let game = Game::load(&config, game_dir, around)?;
        check_guests(&config, &game)?;
        let host = Host::new(bus.clone(), directory, chat.clone(), config.lua.clone());
        let matches = Matches::start(&config, game.clone(), host, db.clone())?;
        let matchmaking = Matchmaking::start(
            &config.matchmaker,
            game.clone(),
            bus.clone(),
            matches.clone(),
        );
        let parties = Parties::start(
            &config.parties,
            bus.clone(),
            chat.clone(),
            social.clone(),
            accounts.clone(),
            matchmaking.clone(),
        );
        let watcher = config.lua.reload.then(|| game.watch()).transpose()?;
        matches.restore().await?;
        let host = config.server.host.as_str();
        let listener = TcpListener::bind((host, config.server.port)).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {host}:{}", config.server.port))?;
        let players = Players::new(
            db.clone(),
            bus.clone(),
            accounts.clone(),
            matches.clone(),
            matchmaking.clone(),
            parties.clone(),
            &config.limits,
        );
        let reaping = Reaping::start(players.clone(), &config.guest);
        let services = Services {
            limits: Limits::new(&config.limits),
            votes: Votes::new(db.clone(), matches.clone()),
            presence: Presence::start(db.clone(), bus.clone(), social.clone()),
            social,
            chat,
            notifications,
            methods: Methods::new(game.backstage()),
            storage,
            players,
            config,
            db,
            bus,
            accounts,
            matchmaking,
            parties,
            matches,
        };
        Ok(Self {
            address: listener.local_addr()?,
            services: Arc::new(services),
            listener,
            _watcher: watcher,
            _reaping: reaping,
            client: Some(game_dir.join("client")).filter(|folder| folder.is_dir()),
        })
    }

    /// What is wired together here, for tests of one domain among the others.
    #[cfg(test)]
    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves, then drains: no new matches, running ones saved, sockets
    /// told.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let router = router(Arc::clone(&self.services), self.client.as_deref());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let listener = self.listener.tap_io(|stream| {
            // A state frame must not wait for the previous one's acknowledgement.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY not set");
            }
        });
        let (drained, closed) = oneshot::channel::<()>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async {
            let _ = closed.await;
        });
        let serving = tokio::spawn(serving.into_future());
        stop.await;
        let limit = Duration::from_secs(self.services.config.server.shutdown_seconds);
        if tokio::time::timeout(limit, drain(&self.services))
            .await
            .is_err()
        {
            tracing::warn!("stopping took too long; some matches go on from an older snapshot");
        }
        let _ = drained.send(());
        let _ = tokio::time::timeout(FAREWELL, serving).await;
        Ok(())
    }
}

/// A game that wants guests needs the pepper their secrets are mixed with: without it every
/// guest would be refused, one by one, later.
fn check_guests(config: &Config, game: &Game) -> anyhow::Result<()> {
    let strong = config.guest.pepper.expose().len() >= Config::MIN_SECRET_BYTES;
    anyhow::ensure!(
        strong || !game.wants_guests(),
        "the game declares guest_auth = true, but guest.pepper is not set or shorter than {} bytes.\n\
         Set ASOBI_GUEST__PEPPER to a random string and keep it, for example from: openssl rand -base64 48",
        Config::MIN_SECRET_BYTES
    );
    Ok(())
}

async fn drain(services: &Services) {
    services.matches.suspend_all().await;
    services.chat.flush().await;
    for outbox in services.bus.sessions().all() {
        outbox.close(Closing::GOING_AWAY);
    }
    tokio::time::sleep(FAREWELL).await;
    // What was said and who has gone in the meantime.
    services.chat.flush().await;
    services.presence.flush().await;
}
