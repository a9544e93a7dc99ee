//! Bodies nobody reads: of requests that are refused for what their head says.
//!
//! A server that answers and closes while its client still sends resets the connection, and the
//! client may never see why it was refused. So what is left of a body is read and thrown away,
//! while the answer is under way and within bounds.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{Stream, StreamExt};
use tokio::sync::oneshot;

/// Most bytes that are thrown away; whoever sends more is cut off.
const MOST: usize = 8 << 20;

/// How long they may take.
const LINGERS: Duration = Duration::from_secs(5);

/// Answers, and reads what the answer was given without.
pub(super) async fn discard(request: Request, next: Next) -> Response {
    // Who asks before sending a body is told by the answer not to.
    let asks = request.headers().contains_key(header::EXPECT);
    if asks || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (back, mut unread) = oneshot::channel();
    let request = request.map(|body| {
        Body::from_stream(Lent {
            rest: Some(body.into_data_stream()),
            back: Some(back),
        })
    });
    let answer = next.run(request).await;
    if let Ok(rest) = unread.try_recv() {
        tokio::spawn(tokio::time::timeout(LINGERS, drain(rest)));
    }
    answer
}

async fn drain(mut rest: BodyDataStream) {
    let mut read = 0;
    while let Some(Ok(bytes)) = rest.next().await {
        read += bytes.len();
        if read > MOST {
            return;
        }
    }
}

/// A body that is given back if it is dropped before its end.
struct Lent {
    rest: Option<BodyDataStream>,
    back: Option<oneshot::Sender<BodyDataStream>>,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        let next = rest.poll_next_unpin(context);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.rest = None;
        }
        next
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(rest), Some(back)) = (self.rest.take(), self.back.take()) {
            let _ = back.send(rest);
        }
    }
}
