//! The match's own task: waits for commands and for the next tick.
//!
//! The task runs on one simulation thread and owns the match; nothing is locked. If it panics
//! (a bug of ours or of a native game), the match is restored from its last snapshot, a few
//! times at most.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::handle::{Command, MatchHandle};
use super::{Match, Status};
use crate::logic::Input;

/// How often a match looks whether it is done when it does not tick, in milliseconds.
const IDLE_CHECK_MS: u64 = 250;

/// What made a match's task end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The match is over.
    Done,
    /// The match was suspended and goes on elsewhere or later.
    Suspended,
}

/// Runs a match until it is done or suspended.
pub(crate) async fn run(
    current: &mut Match,
    handle: &MatchHandle,
    inbox: &mut UnboundedReceiver<Command>,
    clock: fn() -> u64,
) -> Ended {
    let mut next = Instant::now() + interval(current);
    let mut inputs: Vec<Input> = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(next) => {
                handle.take_inputs(&mut inputs);
                current.tick(&mut inputs, clock()).await;
                next = following(next, interval(current));
            }
            command = inbox.recv() => match command {
                Some(Command::Suspend { reply }) => {
                    let _ = reply.send(current.saved(clock()));
                    return Ended::Suspended;
                }
                Some(command) => obey(current, command, clock()).await,
                None => return Ended::Done,
            },
        }
        if current.is_done(clock()) {
            current.release();
            return Ended::Done;
        }
    }
}

fn interval(current: &Match) -> Duration {
    Duration::from_millis(match current.status() {
        Status::Running => current.tick_rate_ms(),
        // The game's clock runs while it waits for players.
        Status::Waiting if current.is_timed() => current.tick_rate_ms(),
        Status::Waiting | Status::Finished => IDLE_CHECK_MS,
    })
}

/// The next tick: on the beat, or right away after an overrun. Missed ticks are not made up.
fn following(last: Instant, interval: Duration) -> Instant {
    (last + interval).max(Instant::now())
}

async fn obey(current: &mut Match, command: Command, now: u64) {
    // Whoever asked may have gone: a reply that reaches nobody is no failure.
    match command {
        Command::Join { player, ctx, reply } => {
            let _ = reply.send(current.join(&player, &ctx, now).await);
        }
        Command::Leave { player } => current.leave(&player, now).await,
        Command::Connected { player } => current.connected(&player, now).await,
        Command::Disconnected { player } => current.disconnected(&player, now).await,
        Command::CastVote {
            voter,
            vote_id,
            ids,
            reply,
        } => {
            let _ = reply.send(current.cast_vote(&voter, &vote_id, &ids, now));
        }
        Command::Veto {
            player,
            vote_id,
            reply,
        } => {
            let _ = reply.send(current.veto_vote(&player, &vote_id, now));
        }
        Command::Votes { reply } => {
            let _ = reply.send(current.votes().to_vec());
        }
        Command::Info { reply } => {
            current.set_time(now);
            let _ = reply.send(current.info());
        }
        Command::Suspend { .. } => unreachable!("the caller handles this one"),
    }
}
