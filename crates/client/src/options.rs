//! How a socket is opened.

use std::net::IpAddr;
use std::time::Duration;

/// How a socket is opened. The default suits a player; tests and load bots change it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// How long connecting and each request may take. Default 10 s.
    pub timeout: Duration,
    /// Headers of the upgrade request, such as `Origin`.
    pub headers: Vec<(String, String)>,
    /// The local address to connect from: a test of limits per address uses several of
    /// 127.0.0.0/8.
    pub local_address: Option<IpAddr>,
    /// Size of the kernel's receive buffer in bytes (`SO_RCVBUF`). A slow reader sets it low,
    /// so that the server feels it soon. `None`: the system's own.
    pub receive_buffer: Option<u32>,
    /// Size of the buffer frames are read into, in bytes. Default 8 KiB.
    pub read_buffer: usize,
    /// Most events that wait unread. When one more arrives, the oldest state frame
    /// (`match.state`, `world.tick`) goes, or else the oldest event. Default 1024.
    pub event_capacity: usize,
    /// Sends `session.heartbeat` this often. `None` (the default): only when asked.
    pub heartbeat_every: Option<Duration>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            headers: Vec::new(),
            local_address: None,
            receive_buffer: None,
            read_buffer: 8 * 1024,
            event_capacity: 1024,
            heartbeat_every: None,
        }
    }
}

impl ConnectOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Adds a header of the upgrade request.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets [`Self::local_address`].
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Sets [`Self::receive_buffer`].
    #[must_use]
    pub fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Sets [`Self::read_buffer`].
    #[must_use]
    pub fn read_buffer(mut self, bytes: usize) -> Self {
        self.read_buffer = bytes;
        self
    }

    /// Sets [`Self::event_capacity`].
    #[must_use]
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events;
        self
    }

    /// Sets [`Self::heartbeat_every`].
    #[must_use]
    pub fn heartbeat_every(mut self, interval: Duration) -> Self {
        self.heartbeat_every = Some(interval);
        self
    }
}
