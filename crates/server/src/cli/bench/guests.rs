//! The players of the load: guests, signed in and connected.

use std::future::Future;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use asobi_client::{Api, ConnectOptions, Connection, Device, Error, Session};
use futures_util::{StreamExt, TryStreamExt, stream};

/// How many sign-ins or connects are under way at a time.
const AT_A_TIME: usize = 16;
/// How long one player may be kept waiting by the server's limits.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long to wait when the server does not say.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the answer to `session.connect` may take.
const ANSWER: Duration = Duration::from_secs(30);

/// A player with an open, authenticated connection.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) player_id: String,
    pub(super) connection: Connection,
}

/// Makes new guests, waiting whenever the server's limits say so.
pub(super) async fn sign_in(url: &str, count: usize) -> anyhow::Result<Vec<Session>> {
    let api = Api::new(url)?;
    say(format_args!("signing in {count} guests"));
    let signing = stream::iter(0..count).map(|_| one_guest(&api));
    signing.buffer_unordered(AT_A_TIME).try_collect().await
}

/// Connects and authenticates a player for each session.
pub(super) async fn connect(url: &str, sessions: &[Session]) -> anyhow::Result<Vec<Guest>> {
    let connecting = stream::iter(sessions).map(|session| one_connection(url, session));
    connecting.buffer_unordered(AT_A_TIME).try_collect().await
}

/// Opens a connection as the bench uses it: one frame of a match fits the read buffer.
pub(super) async fn open(url: &str) -> Result<Connection, Error> {
    let options = ConnectOptions::new().read_buffer(4096).timeout(ANSWER);
    Connection::open(url, &options).await
}

async fn one_guest(api: &Api) -> anyhow::Result<Session> {
    let device = Device::generate();
    let session = patiently(|| api.guest(&device)).await;
    session.context("cannot sign in as a guest; does the game say guest_auth = true?")
}

async fn one_connection(url: &str, session: &Session) -> anyhow::Result<Guest> {
    let connection = patiently(|| async {
        let mut connection = open(url).await?;
        connection
            .authenticate(&session.access_token, ANSWER)
            .await?;
        Ok(connection)
    });
    let connection = connection.await.context("cannot connect")?;
    Ok(Guest {
        player_id: session.player_id.clone(),
        connection,
    })
}

/// Tries again for as long as the only trouble is a rate limit.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(
    mut attempt: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(wait) = rate_limit(&error) else {
            return Err(error.into());
        };
        if start.elapsed() > PATIENCE {
            bail!("the server's limits kept us waiting for {PATIENCE:?}; see `asobi bench --help`");
        }
        tokio::time::sleep(wait).await;
    }
}

/// How long to wait, if the error is a rate limit: over REST, at the upgrade, or as the
/// reason of the close.
fn rate_limit(error: &Error) -> Option<Duration> {
    match error {
        Error::Server(error) if error.status == Some(429) || error.code == "rate_limited" => {
            Some(error.retry_after().unwrap_or(PAUSE))
        }
        Error::Upgrade { status: 429, .. } => Some(PAUSE),
        Error::Closed(close) if close.reason == "rate_limited" => Some(PAUSE),
        _ => None,
    }
}

/// Tells whoever watches what takes so long; standard output is the report's.
pub(super) fn say(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "bench: {what}");
}
