//! The socket by itself: no task, no queue, no `cid`.
//!
//! One owner sends and reads. [`crate::Client`] is built on it; the bench and load bots use it
//! directly.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use asobi_wire::Envelope;
use bytes::Bytes;
use futures_util::{Sink, SinkExt, StreamExt};
use http::{HeaderName, HeaderValue, Request};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::endpoint::Endpoint;
use crate::{Close, ConnectOptions, Error, Result, ServerError};

/// The `cid` of [`Connection::authenticate`].
const CONNECT_CID: &str = "\"connect\"";

/// One frame from the server, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A JSON envelope.
    Text(Utf8Bytes),
    /// A `world.tick` in the binary encoding.
    Binary(Bytes),
}

impl Frame {
    /// The text of a text frame.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }
}

/// The server's answer to `session.connect`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Welcome {
    /// Who the token belongs to.
    pub player_id: String,
    /// The encoding of `world.tick` the server chose: `json` or `binary`.
    #[serde(default)]
    pub wire: Option<String>,
}

/// A socket, used by one owner at a time.
#[derive(Debug)]
pub struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    closing: Option<Close>,
}

impl Connection {
    /// Opens a socket without signing in. `url` is the server's, with or without a path;
    /// `/ws` is added.
    pub async fn open(url: &str, options: &ConnectOptions) -> Result<Self> {
        let opening = tokio::time::timeout(options.timeout, open(url, options));
        let socket = opening
            .await
            .map_err(|_| Error::Timeout(options.timeout))??;
        Ok(Self {
            socket,
            closing: None,
        })
    }

    /// Signs in with an access token. Frames that arrive before the answer are dropped.
    pub async fn authenticate(&mut self, token: &str, within: Duration) -> Result<Welcome> {
        let payload = json!({"token": token});
        let connect = asobi_wire::envelope::frame("session.connect", Some(CONNECT_CID), &payload);
        let answer = async {
            self.send_text(connect).await?;
            loop {
                if let Some(answer) = welcome(&self.next().await?) {
                    return answer;
                }
            }
        };
        let answer = tokio::time::timeout(within, answer).await;
        answer.map_err(|_| Error::Timeout(within))?
    }

    /// The next frame, with pings answered on the way. Safe to drop while it waits. The end of
    /// the socket is [`Error::Closed`].
    pub async fn next(&mut self) -> Result<Frame> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Sends a text frame, whatever it holds.
    pub async fn send_text(&mut self, text: impl Into<Utf8Bytes>) -> Result<()> {
        let sent = self.socket.send(Message::Text(text.into())).await;
        sent.map_err(|error| self.failed(error))
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        let sent = self.socket.send(Message::Binary(bytes.into())).await;
        sent.map_err(|error| self.failed(error))
    }

    /// Writes bytes past the WebSocket framing, after all frames sent before.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.socket.flush().await {
            return Err(self.failed(error));
        }
        let stream = self.socket.get_mut();
        stream.write_all(bytes).await?;
        Ok(stream.flush().await?)
    }

    /// Sends a close frame. The server's own is then what [`Self::next`] ends with.
    pub async fn close(&mut self, code: u16, reason: &str) -> Result<()> {
        let sent = self.socket.close(Some(close_frame(code, reason))).await;
        sent.map_err(|error| self.failed(error))
    }

    /// When reading now would give nothing, or the next frame.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame>> {
        loop {
            let message = std::task::ready!(self.socket.poll_next_unpin(cx));
            match message {
                Some(Ok(Message::Text(text))) => return Poll::Ready(Ok(Frame::Text(text))),
                Some(Ok(Message::Binary(bytes))) => return Poll::Ready(Ok(Frame::Binary(bytes))),
                // Read on: the next read sends our answer to it and ends the stream.
                Some(Ok(Message::Close(frame))) => self.closing = Some(close(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(self.failed(error))),
                None => return Poll::Ready(Err(self.failed(WsError::ConnectionClosed))),
            }
        }
    }

    /// Puts a frame in line; [`Self::poll_flush`] sends it.
    pub(crate) fn start_send(&mut self, message: Message) -> Result<()> {
        let started = Pin::new(&mut self.socket).start_send(message);
        started.map_err(|error| self.failed(error))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = std::task::ready!(Pin::new(&mut self.socket).poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.failed(error)))
    }

    /// What an error of the socket means, now that it has ended.
    fn failed(&self, error: WsError) -> Error {
        match (&self.closing, error) {
            (Some(close), _) => Error::Closed(close.clone()),
            (None, WsError::Capacity(error)) => Error::Unexpected(error.to_string()),
            (None, error) => Error::Closed(Close::broken(error)),
        }
    }
}

/// The answer to `session.connect`, if the frame is that.
fn welcome(frame: &Frame) -> Option<Result<Welcome>> {
    let text = frame.text()?;
    let envelope = Envelope::parse(text).ok()?;
    if envelope.cid() != Some(CONNECT_CID) {
        return None;
    }
    let payload = envelope.payload();
    if envelope.kind == "error" {
        let error = ServerError::parse(None, payload.as_bytes());
        return Some(Err(
            error.map_or_else(|| Error::Unexpected(text.to_owned()), Into::into)
        ));
    }
    let welcome = serde_json::from_str(payload);
    Some(welcome.map_err(|_| Error::Unexpected(text.to_owned())))
}

pub(crate) fn close_frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    }
}

fn close(frame: Option<CloseFrame>) -> Close {
    frame.map_or_else(Close::default, |frame| Close {
        code: Some(frame.code.into()),
        reason: frame.reason.to_string(),
    })
}

async fn open(
    url: &str,
    options: &ConnectOptions,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>> {
    let endpoint = Endpoint::parse(url)?;
    let request = upgrade(&endpoint, options)?;
    let stream = dial(&endpoint, options).await?;
    let config = WebSocketConfig::default().read_buffer_size(options.read_buffer);
    #[cfg(not(feature = "tls"))]
    let opened = {
        let stream = MaybeTlsStream::Plain(stream);
        tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await
    };
    #[cfg(feature = "tls")]
    let opened = {
        let connector = endpoint
            .tls()
            .then(|| tokio_tungstenite::Connector::Rustls(crate::tls::config()));
        let config = Some(config);
        tokio_tungstenite::client_async_tls_with_config(request, stream, config, connector).await
    };
    opened.map(|(socket, _)| socket).map_err(refused)
}

fn upgrade(endpoint: &Endpoint, options: &ConnectOptions) -> Result<Request<()>> {
    let url = endpoint.socket();
    let invalid = |what: &str| Error::Address(format!("{url}: {what}"));
    let mut request = url
        .as_str()
        .into_client_request()
        .map_err(|error| invalid(&error.to_string()))?;
    for (name, value) in &options.headers {
        let name: HeaderName = name.parse().map_err(|_| invalid(name))?;
        let value = HeaderValue::from_str(value).map_err(|_| invalid(value))?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// Tries the host's addresses in turn.
async fn dial(endpoint: &Endpoint, options: &ConnectOptions) -> Result<TcpStream> {
    let mut failure = Error::Address(format!("{}: no address", endpoint.host()));
    for address in tokio::net::lookup_host((endpoint.host(), endpoint.port())).await? {
        match dial_address(address, options).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}

async fn dial_address(address: SocketAddr, options: &ConnectOptions) -> std::io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(local) = options.local_address {
        bind(&socket, local)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn bind(socket: &TcpSocket, local: IpAddr) -> std::io::Result<()> {
    socket.bind(SocketAddr::new(local, 0))
}

fn refused(error: WsError) -> Error {
    match error {
        WsError::Http(answer) => Error::Upgrade {
            status: answer.status().as_u16(),
            body: String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default())
                .into_owned(),
        },
        other => Error::network(other),
    }
}
