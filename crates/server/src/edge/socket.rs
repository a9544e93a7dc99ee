//! One WebSocket connection, from its upgrade to its close.
//!
//! A connection is one task. It reads a frame, carries it out, and writes what waits in its
//! outbox; others push into the outbox and never wait for the socket. Bad input is answered
//! with an error frame and the connection lives on.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use asobi_wire::envelope::{error_frame, frame, frame_raw};
use asobi_wire::{ApiError, Envelope};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt;
use serde::{Deserialize, Serialize};

use crate::app::Services;
use crate::matches;
use crate::session::outbox::{Batch, Closing, Outbox};
use crate::session::{self, SessionId};

use super::dispatch::dispatch;
use super::limits::{Rate, TokenBucket};

/// How much larger than the limit a frame may be and still get an answer rather than a close.
pub const OVERSIZE_FACTOR: usize = 16;

/// The socket's read buffer. Small, because a server holds many idle connections; larger
/// frames make it grow.
pub const READ_BUFFER_BYTES: usize = 256;

/// Messages up to this size are read for their `cid` even when there are too many.
const SHORT_MESSAGE_BYTES: usize = 1024;
/// An input that goes nowhere is answered at most once in this time.
const NOT_IN_MATCH_HINT: Duration = Duration::from_secs(5);

/// A connection and what it knows.
struct Connection {
    services: Arc<Services>,
    outbox: Arc<Outbox>,
    session: Option<(PlayerId, SessionId)>,
    bucket: TokenBucket,
    /// When the client last gave a sign of life.
    heard_at: Instant,
    hinted_at: Option<Instant>,
}

/// How the connection goes on after a frame.
enum Next {
    Continue,
    Stop,
}

/// Runs a connection until it ends. `refused` closes it at once, for the reason given: a
/// browser can read a close reason where it cannot read a refused upgrade.
pub async fn run(
    mut socket: WebSocket,
    services: Arc<Services>,
    peer: IpAddr,
    refused: Option<Closing>,
) {
    if let Some(closing) = refused {
        tracing::debug!(%peer, reason = closing.reason, "connection refused");
        close(&mut socket, closing).await;
        return;
    }
    let mut connection = Connection::new(services);
    connection.serve(&mut socket).await;
    connection.end();
}

impl Connection {
    fn new(services: Arc<Services>) -> Self {
        let now = Instant::now();
        let limits = &services.config.limits;
        let rate = Rate::per_second(limits.ws_messages_per_second);
        Self {
            outbox: Arc::new(Outbox::new(limits.ws_waiting_events)),
            bucket: TokenBucket::full(rate, now),
            services,
            session: None,
            heard_at: now,
            hinted_at: None,
        }
    }

    async fn serve(&mut self, socket: &mut WebSocket) {
        let auth_timeout = Duration::from_millis(self.services.config.limits.ws_auth_timeout_ms);
        // One timer for the connection's life: setting one up for each frame would show.
        let mut check = pin!(tokio::time::sleep(auth_timeout));
        let mut pinged = false;
        let outbox = Arc::clone(&self.outbox);
        loop {
            let next = tokio::select! {
                biased;
                () = outbox.changed() => self.write_waiting(socket).await,
                received = socket.recv() => match received {
                    Some(Ok(message)) => {
                        pinged = false;
                        self.receive(socket, message).await
                    }
                    Some(Err(_)) | None => Next::Stop,
                },
                () = &mut check => {
                    let checked = self.check_alive(socket, &mut pinged).await;
                    check.as_mut().reset(tokio::time::Instant::now() + self.idle_timeout());
                    checked
                }
            };
            if matches!(next, Next::Stop) {
                return;
            }
        }
    }

    fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.services.config.limits.ws_idle_seconds.max(1))
    }

    /// Closes a connection that never signed in or gives no sign of life; pings a silent one.
    async fn check_alive(&mut self, socket: &mut WebSocket, pinged: &mut bool) -> Next {
        if self.session.is_none() {
            close(socket, Closing::AUTH_TIMEOUT).await;
            return Next::Stop;
        }
        if self.heard_at.elapsed() < self.idle_timeout() {
            return Next::Continue;
        }
        if *pinged {
            close(socket, Closing::IDLE).await;
            return Next::Stop;
        }
        *pinged = true;
        match self.write(socket, Message::Ping(Bytes::new())).await {
            Ok(()) => Next::Continue,
            Err(Stuck) => Next::Stop,
        }
    }

    async fn write_waiting(&mut self, socket: &mut WebSocket) -> Next {
        let Batch { frames, closing } = self.outbox.take();
        let limit = Duration::from_millis(self.services.config.limits.ws_write_timeout_ms);
        let writing = async {
            for text in frames {
                socket.feed(Message::Text(text)).await?;
            }
            socket.flush().await
        };
        let written = tokio::time::timeout(limit, writing).await;
        if !matches!(written, Ok(Ok(()))) {
            return Next::Stop;
        }
        match closing {
            None => Next::Continue,
            Some(closing) => {
                close(socket, closing).await;
                Next::Stop
            }
        }
    }

    async fn receive(&mut self, socket: &mut WebSocket, message: Message) -> Next {
        self.heard_at = Instant::now();
        match message {
            Message::Text(text) => self.receive_text(socket, text).await,
            Message::Binary(_) => {
                let reason = match self.spend_token() {
                    true => "binary_uplink_unsupported",
                    false => "rate_limited",
                };
                self.refuse(None, &ApiError::from_reason(reason));
                Next::Continue
            }
            Message::Ping(_) | Message::Pong(_) => Next::Continue,
            Message::Close(_) => Next::Stop,
        }
    }

    async fn receive_text(&mut self, socket: &mut WebSocket, text: Utf8Bytes) -> Next {
        if text.len() > self.services.config.limits.ws_frame_bytes {
            self.refuse(None, &ApiError::from_reason("payload_too_large"));
            return Next::Continue;
        }
        if !self.spend_token() {
            self.refuse_hasty(&text);
            return Next::Continue;
        }
        let envelope = match Envelope::parse(&text) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.refuse(None, &ApiError::from_reason(error.reason()));
                return Next::Continue;
            }
        };
        match envelope.kind.as_ref() {
            "session.heartbeat" => return self.heartbeat(socket, &envelope).await,
            "match.input" => self.input(&envelope),
            "session.connect" => self.sign_in(&envelope),
            // Boxed: these futures are large, and rarely under way.
            _ => Box::pin(self.carry_out(&envelope)).await,
        }
        Next::Continue
    }

    /// Refuses a message too many. Whoever waits for its answer hears at once; to find out who
    /// that is must not cost what the limit is to save, so only in a short message.
    fn refuse_hasty(&self, text: &str) {
        let short = (text.len() <= SHORT_MESSAGE_BYTES).then(|| Envelope::parse(text).ok());
        let envelope = short.flatten();
        let cid = envelope.as_ref().and_then(Envelope::cid);
        self.refuse(cid, &ApiError::from_reason("rate_limited"));
    }

    fn spend_token(&mut self) -> bool {
        let rate = Rate::per_second(self.services.config.limits.ws_messages_per_second);
        self.bucket.take(rate, self.heard_at).is_ok()
    }

    async fn heartbeat(&mut self, socket: &mut WebSocket, envelope: &Envelope<'_>) -> Next {
        let payload = format!("{{\"ts\":{}}}", crate::clock::now_ms());
        let reply = frame_raw("session.heartbeat", envelope.cid(), &payload);
        match self.write(socket, Message::Text(reply.into())).await {
            Ok(()) => Next::Continue,
            Err(Stuck) => Next::Stop,
        }
    }

    async fn write(&self, socket: &mut WebSocket, message: Message) -> Result<(), Stuck> {
        let limit = Duration::from_millis(self.services.config.limits.ws_write_timeout_ms);
        match tokio::time::timeout(limit, socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Stuck),
        }
    }

    fn input(&mut self, envelope: &Envelope<'_>) {
        let Some((player, _)) = &self.session else {
            return self.refuse(envelope.cid(), &ApiError::from_reason("unauthenticated"));
        };
        let taken = matches::frames::input(&self.services.matches, player, envelope);
        match taken {
            Ok(()) => {}
            Err(error) if error.reason() == "not_in_match" => self.hint_not_in_match(error),
            Err(error) => self.refuse(envelope.cid(), &error),
        }
    }

    /// Tells a client, now and then, that its input goes nowhere.
    fn hint_not_in_match(&mut self, error: ApiError) {
        let due = self
            .hinted_at
            .is_none_or(|at| at.elapsed() >= NOT_IN_MATCH_HINT);
        if due {
            self.hinted_at = Some(Instant::now());
            self.refuse(None, &error.about("match.input"));
        }
    }

    async fn carry_out(&mut self, envelope: &Envelope<'_>) {
        let Some((player, session)) = &self.session else {
            return self.refuse(envelope.cid(), &ApiError::from_reason("unauthenticated"));
        };
        match dispatch(&self.services, player, *session, envelope).await {
            Ok(reply) => {
                if let Some(frame) = reply.frame(envelope.cid()) {
                    self.outbox.event(frame.into());
                }
            }
            Err(error) => self.refuse(envelope.cid(), &error),
        }
    }

    fn refuse(&self, cid: Option<&str>, error: &ApiError) {
        self.outbox.event(error_frame(cid, error).into());
    }

    /// `session.connect`: checks the token and makes this the player's connection.
    fn sign_in(&mut self, envelope: &Envelope<'_>) {
        let token = envelope.read::<Connect>().map(|connect| connect.token);
        let caller = token.and_then(|token| self.services.accounts.verify(&token));
        let Ok(caller) = caller else {
            return self.refuse(envelope.cid(), &ApiError::from_reason("invalid_token"));
        };
        if self
            .session
            .as_ref()
            .is_some_and(|(player, _)| *player != caller.player)
        {
            self.end();
        }
        let connected = Connected {
            player_id: &caller.player,
            wire: "json",
            match_id: self
                .services
                .matches
                .of(&caller.player)
                .map(|handle| handle.id().clone()),
        };
        // Queued before the session begins, so that it is the first thing the client reads.
        self.outbox
            .event(frame("session.connected", envelope.cid(), &connected).into());
        if self.session.is_none() {
            let sessions = self.services.bus.sessions();
            let (id, displaced) = sessions.begin(caller.player.clone(), Arc::clone(&self.outbox));
            self.session = Some((caller.player.clone(), id));
            self.services.matches.player_connected(&caller.player);
            self.services.chat.connected(&caller.player);
            self.services.presence.connected(&caller.player, displaced);
            // Whoever revoked the token since it was checked did not find this connection.
            if self.services.accounts.is_revoked(&caller) {
                session::revoke(&self.outbox, Closing::REVOKED);
            }
        }
    }

    /// Ends the session. If another connection is the player's by now, only what belongs to
    /// this one goes.
    fn end(&mut self) {
        let Some((player, id)) = self.session.take() else {
            return;
        };
        self.services.chat.disconnected(id);
        if let Some(last) = self.services.bus.sessions().end(&player, id) {
            self.services.matches.player_disconnected(&player);
            self.services.presence.disconnected(&player, last);
        }
    }
}

/// The socket took too long or is gone.
struct Stuck;

#[derive(Deserialize)]
struct Connect {
    token: String,
}

#[derive(Serialize)]
struct Connected<'a> {
    player_id: &'a PlayerId,
    wire: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    match_id: Option<asobi_game::MatchId>,
}

/// Says goodbye, for as long as a client may take to hear it.
async fn close(socket: &mut WebSocket, closing: Closing) {
    let goodbye = CloseFrame {
        code: closing.code,
        reason: Utf8Bytes::from_static(closing.reason),
    };
    let said = socket.send(Message::Close(Some(goodbye)));
    let _ = tokio::time::timeout(Duration::from_secs(1), said).await;
}
