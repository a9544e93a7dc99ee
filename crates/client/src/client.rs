//! One player's socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use asobi_wire::envelope;

use crate::driver::{Command, Driver};
use crate::inbox::Inbox;
use crate::{Close, ConnectOptions, Connection, Error, Event, Result, Welcome};

/// How long a proper close may take before the connection is cut.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// One player's socket. Dropping it closes the socket.
///
/// All methods take `&self` but [`Self::reconnect`]; share it between tasks in an `Arc`.
#[derive(Debug)]
pub struct Client {
    url: String,
    options: ConnectOptions,
    inbox: Arc<Inbox>,
    link: Link,
    next_cid: AtomicU64,
    player_id: Option<String>,
    token: Option<String>,
}

/// The way to the driver of the present socket.
#[derive(Debug)]
struct Link {
    commands: UnboundedSender<Command>,
    driver: JoinHandle<()>,
}

impl Client {
    /// Opens a socket to the server at `url` (`http://host:port` or `ws://host:port/ws`) and
    /// signs in with an access token.
    pub async fn connect(url: &str, token: &str) -> Result<Self> {
        Self::connect_with(url, token, ConnectOptions::default()).await
    }

    /// As [`Self::connect`], with options.
    pub async fn connect_with(url: &str, token: &str, options: ConnectOptions) -> Result<Self> {
        let mut client = Self::open(url, options).await?;
        client.authenticate(token).await?;
        Ok(client)
    }

    /// Opens a socket without signing in.
    pub async fn open(url: &str, options: ConnectOptions) -> Result<Self> {
        let inbox = Arc::new(Inbox::new(options.event_capacity));
        let link = Link::open(url, &options, &inbox).await?;
        Ok(Self {
            url: url.to_owned(),
            options,
            inbox,
            link,
            next_cid: AtomicU64::new(1),
            player_id: None,
            token: None,
        })
    }

    /// Signs in: `session.connect`. A bad token is refused with `unauthenticated`, and another
    /// may be tried on the same socket.
    pub async fn authenticate(&mut self, token: &str) -> Result<Welcome> {
        let payload = json!({"token": token});
        let welcome: Welcome = self.request("session.connect", &payload).await?.read()?;
        self.player_id = Some(welcome.player_id.clone());
        self.token = Some(token.to_owned());
        Ok(welcome)
    }

    /// Closes the present socket, opens a new one and signs in with the last good token.
    /// Events not yet taken stay in the queue.
    pub async fn reconnect(&mut self) -> Result<()> {
        self.end().await;
        self.inbox.reopen();
        self.link = match Link::open(&self.url, &self.options, &self.inbox).await {
            Ok(link) => link,
            Err(error) => {
                self.inbox.end(Close::broken(&error));
                return Err(error);
            }
        };
        if let Some(token) = self.token.clone() {
            self.authenticate(&token).await?;
        }
        Ok(())
    }

    /// Who is signed in.
    pub fn player_id(&self) -> Option<&str> {
        self.player_id.as_deref()
    }

    /// Sends a frame and waits for the answer with its `cid`. An `error` frame is
    /// [`Error::Server`].
    pub async fn request(&self, kind: &str, payload: &impl Serialize) -> Result<Event> {
        self.request_within(kind, payload, self.options.timeout)
            .await
    }

    /// As [`Self::request`], with a time limit of its own.
    pub async fn request_within(
        &self,
        kind: &str,
        payload: &impl Serialize,
        within: Duration,
    ) -> Result<Event> {
        let cid = format!("\"c-{}\"", self.next_cid.fetch_add(1, Ordering::Relaxed));
        let frame = frame(kind, Some(&cid), payload)?;
        let answer = self.inbox.expect(&cid)?;
        self.command(Command::Text(frame))?;
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(event)) => event.into_result(),
            Ok(Err(_)) => Err(self.closed_error()),
            Err(_) => {
                self.inbox.forget(&cid);
                Err(Error::Timeout(within))
            }
        }
    }

    /// Sends a frame without `cid` and waits for nothing.
    pub fn send(&self, kind: &str, payload: &impl Serialize) -> Result<()> {
        self.command(Command::Text(frame(kind, None, payload)?))
    }

    /// Sends a text frame as it is, be it an envelope or not. An answer with a `cid` of one's
    /// own is an event.
    pub fn send_text(&self, text: impl Into<String>) -> Result<()> {
        self.command(Command::Text(text.into()))
    }

    /// Sends a binary frame.
    pub fn send_binary(&self, bytes: impl Into<Vec<u8>>) -> Result<()> {
        self.command(Command::Binary(bytes.into()))
    }

    /// Writes bytes to the connection past the WebSocket framing: what no proper client does.
    pub fn send_bytes(&self, bytes: impl Into<Vec<u8>>) -> Result<()> {
        self.command(Command::Bytes(bytes.into()))
    }

    /// Stops reading from the socket: the kernel's buffers fill, then the server's. Sending
    /// goes on. A server that closes is not noticed until reading goes on.
    pub fn pause_reading(&self) -> Result<()> {
        self.command(Command::Pause(true))
    }

    /// Goes on reading.
    pub fn resume_reading(&self) -> Result<()> {
        self.command(Command::Pause(false))
    }

    /// The first event there is, from the queue or as it arrives. When the queue is empty and
    /// the socket has ended: [`Error::Closed`].
    pub async fn next_event(&self, within: Duration) -> Result<Event> {
        self.next_where(within, |_| true).await
    }

    /// The first event of this kind, such as `match.matched`. Other events stay in the queue.
    pub async fn next_of(&self, kind: &str, within: Duration) -> Result<Event> {
        self.next_where(within, |event| event.kind == kind).await
    }

    /// The first event `wanted` accepts. Other events stay in the queue.
    pub async fn next_where(
        &self,
        within: Duration,
        wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event> {
        self.inbox.take_first(within, wanted).await
    }

    /// The newest event of this kind: of those in the queue the last (the older ones are
    /// dropped), or else the next to arrive.
    pub async fn newest_of(&self, kind: &str, within: Duration) -> Result<Event> {
        match self.inbox.take_newest(|event| event.kind == kind) {
            Some(event) => Ok(event),
            None => self.next_of(kind, within).await,
        }
    }

    /// Takes all events in the queue.
    pub fn take_events(&self) -> Vec<Event> {
        self.inbox.take_all()
    }

    /// How many events a full queue has dropped ([`ConnectOptions::event_capacity`]).
    pub fn dropped_events(&self) -> u64 {
        self.inbox.dropped()
    }

    /// How the socket ended, if it has.
    pub fn close_reason(&self) -> Option<Close> {
        self.inbox.closed()
    }

    /// Waits for the end of the socket.
    pub async fn closed(&self, within: Duration) -> Result<Close> {
        let ended = tokio::time::timeout(within, self.inbox.ended()).await;
        ended.map_err(|_| Error::Timeout(within))
    }

    /// Closes the socket properly and waits until it is closed.
    pub async fn close(mut self) {
        self.end().await;
    }

    /// Cuts the connection without a close frame, as a lost network does.
    pub fn cut(&self) {
        self.link.driver.abort();
        self.inbox.end(Close::broken("cut by the client"));
    }

    async fn end(&mut self) {
        let _ = self.command(Command::Pause(false));
        let _ = self.command(Command::Close(1000, String::new()));
        let driver = &mut self.link.driver;
        if tokio::time::timeout(CLOSE_PATIENCE, &mut *driver)
            .await
            .is_err()
        {
            driver.abort();
        }
        self.inbox.end(Close::broken("closed by the client"));
    }

    fn command(&self, command: Command) -> Result<()> {
        if let Some(close) = self.inbox.closed() {
            return Err(Error::Closed(close));
        }
        let sent = self.link.commands.send(command);
        sent.map_err(|_| self.closed_error())
    }

    fn closed_error(&self) -> Error {
        let broken = || Close::broken("the client's task has ended");
        Error::Closed(self.inbox.closed().unwrap_or_else(broken))
    }
}

impl Link {
    async fn open(url: &str, options: &ConnectOptions, inbox: &Arc<Inbox>) -> Result<Self> {
        let connection = Connection::open(url, options).await?;
        let (commands, receiver) = unbounded_channel();
        let heartbeat = options.heartbeat_every;
        let driver = Driver::new(connection, receiver, inbox.clone(), heartbeat);
        Ok(Self {
            commands,
            driver: tokio::spawn(driver.run()),
        })
    }
}

fn frame(kind: &str, cid: Option<&str>, payload: &impl Serialize) -> Result<String> {
    let payload = serde_json::to_string(payload).map_err(Error::Encode)?;
    Ok(envelope::frame_raw(kind, cid, &payload))
}
