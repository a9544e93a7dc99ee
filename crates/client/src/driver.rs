//! The task that owns a client's socket.
//!
//! One loop does it all, so that a server that stops reading never keeps us from reading, nor
//! the other way round: each turn flushes what is to be sent, then takes one frame or one
//! command, whichever is there.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;

use crate::connection::close_frame;
use crate::inbox::Inbox;
use crate::{Close, Connection, Error, Event, Frame};

/// What the client asks of its driver.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send a text frame.
    Text(String),
    /// Send a binary frame.
    Binary(Vec<u8>),
    /// Write bytes past the framing.
    Bytes(Vec<u8>),
    /// Stop (`true`) or go on (`false`) reading from the socket.
    Pause(bool),
    /// Close properly.
    Close(u16, String),
}

#[derive(Debug)]
pub(crate) struct Driver {
    connection: Connection,
    commands: UnboundedReceiver<Command>,
    inbox: Arc<Inbox>,
    heartbeat: Option<Interval>,
    unsent: bool,
    paused: bool,
}

enum Step {
    Received(Frame),
    Asked(Command),
    Heartbeat,
    /// The client is gone.
    Abandoned,
    Failed(Error),
}

impl Driver {
    pub(crate) fn new(
        connection: Connection,
        commands: UnboundedReceiver<Command>,
        inbox: Arc<Inbox>,
        heartbeat_every: Option<Duration>,
    ) -> Self {
        Self {
            connection,
            commands,
            inbox,
            heartbeat: heartbeat_every.map(ticks),
            unsent: false,
            paused: false,
        }
    }

    /// Serves the socket to its end. The TCP connection is gone when this returns.
    pub(crate) async fn run(mut self) {
        let error = loop {
            match poll_fn(|cx| self.poll_step(cx)).await {
                Step::Received(frame) => self.inbox.deliver(Event::new(frame, Instant::now())),
                Step::Asked(command) => {
                    if let Err(error) = self.carry_out(command).await {
                        break error;
                    }
                }
                Step::Heartbeat => self.send_heartbeat(),
                Step::Abandoned => {
                    let _ = self.connection.close(1000, "").await;
                    break Error::Closed(Close::default());
                }
                Step::Failed(error) => break error,
            }
        };
        self.inbox.end(match error {
            Error::Closed(close) => close,
            other => Close::broken(other),
        });
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if self.unsent {
            match self.connection.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unsent = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Step::Failed(error)),
                Poll::Pending => {}
            }
        }
        if let Poll::Ready(command) = self.commands.poll_recv(cx) {
            return Poll::Ready(command.map_or(Step::Abandoned, Step::Asked));
        }
        if !self.paused
            && let Poll::Ready(received) = self.connection.poll_next(cx)
        {
            return Poll::Ready(received.map_or_else(Step::Failed, Step::Received));
        }
        match &mut self.heartbeat {
            Some(interval) => interval.poll_tick(cx).map(|_| Step::Heartbeat),
            None => Poll::Pending,
        }
    }

    async fn carry_out(&mut self, command: Command) -> crate::Result<()> {
        let message = match command {
            Command::Text(text) => Message::Text(text.into()),
            Command::Binary(bytes) => Message::Binary(bytes.into()),
            Command::Close(code, reason) => Message::Close(Some(close_frame(code, &reason))),
            Command::Bytes(bytes) => return self.connection.send_bytes(&bytes).await,
            Command::Pause(paused) => {
                self.paused = paused;
                return Ok(());
            }
        };
        self.unsent = true;
        self.connection.start_send(message)
    }

    fn send_heartbeat(&mut self) {
        let frame = asobi_wire::envelope::frame_raw("session.heartbeat", None, "{}");
        self.unsent = true;
        // A socket that has failed says so at its next read.
        let _ = self.connection.start_send(Message::Text(frame.into()));
    }
}

fn ticks(every: Duration) -> Interval {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
