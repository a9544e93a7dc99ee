//! How everybody else speaks to a match.
//!
//! Inputs go into a bounded box that the match empties at its next tick: no wake-up, no reply.
//! Everything else is a command the match's task answers.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use super::{MatchInfo, SavedMatch};
use crate::ids::{MatchId, PlayerId};
use crate::logic::Input;
use crate::votes::{CastError, VetoError, Vote};

/// Most inputs that wait for one tick. A client is limited to 60 messages a second, so this
/// is out of reach for honest players.
pub const MAX_WAITING_INPUTS: usize = 4096;

/// An input that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Too many inputs wait for the next tick.
    #[error("rate_limited")]
    Full,
}

/// A join that did not happen. The texts are the reasons the socket answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum JoinError {
    #[error("match_not_found")]
    Gone,
    #[error("match_full")]
    Full,
    #[error("match_locked")]
    Locked,
    #[error("join_refused")]
    Refused(Option<String>),
}

/// What a match's task is asked to do.
pub(crate) enum Command {
    Join {
        player: PlayerId,
        ctx: Box<RawValue>,
        reply: oneshot::Sender<Result<MatchInfo, JoinError>>,
    },
    Leave {
        player: PlayerId,
    },
    Connected {
        player: PlayerId,
    },
    Disconnected {
        player: PlayerId,
    },
    CastVote {
        voter: PlayerId,
        vote_id: String,
        ids: Vec<String>,
        reply: oneshot::Sender<Result<(), CastError>>,
    },
    Veto {
        player: PlayerId,
        vote_id: String,
        reply: oneshot::Sender<Result<(), VetoError>>,
    },
    Votes {
        reply: oneshot::Sender<Vec<Vote>>,
    },
    Info {
        reply: oneshot::Sender<MatchInfo>,
    },
    Suspend {
        reply: oneshot::Sender<Option<SavedMatch>>,
    },
}

/// The address of a live match. Cheap to clone.
#[derive(Clone)]
pub struct MatchHandle {
    shared: Arc<Shared>,
}

struct Shared {
    id: MatchId,
    mode: String,
    inputs: Mutex<Vec<Input>>,
    commands: mpsc::UnboundedSender<Command>,
}

impl MatchHandle {
    /// A handle and the match's end of it.
    pub(crate) fn new(id: MatchId, mode: String) -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let shared = Shared {
            id,
            mode,
            inputs: Mutex::new(Vec::new()),
            commands,
        };
        (
            Self {
                shared: Arc::new(shared),
            },
            inbox,
        )
    }

    /// The match.
    pub fn id(&self) -> &MatchId {
        &self.shared.id
    }

    /// Its mode.
    pub fn mode(&self) -> &str {
        &self.shared.mode
    }

    /// Whether the match's task has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.commands.is_closed()
    }

    /// Leaves an input for the next tick.
    pub fn input(&self, input: Input) -> Result<(), InputError> {
        let mut inputs = self.inputs();
        if inputs.len() >= MAX_WAITING_INPUTS {
            return Err(InputError::Full);
        }
        inputs.push(input);
        Ok(())
    }

    /// Takes the waiting inputs, leaving `into`'s space in their place.
    pub(crate) fn take_inputs(&self, into: &mut Vec<Input>) {
        into.clear();
        std::mem::swap(&mut *self.inputs(), into);
    }

    fn inputs(&self) -> std::sync::MutexGuard<'_, Vec<Input>> {
        // A panic while pushing leaves a whole vector behind: nothing to repair.
        self.shared
            .inputs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a player. Answers what the match tells about itself.
    pub async fn join(&self, player: PlayerId, ctx: Box<RawValue>) -> Result<MatchInfo, JoinError> {
        self.ask(|reply| Command::Join { player, ctx, reply })
            .await
            .unwrap_or(Err(JoinError::Gone))
    }

    /// Takes a player out.
    pub fn leave(&self, player: PlayerId) {
        self.tell(Command::Leave { player });
    }

    /// A player in the match has a connection again.
    pub fn connected(&self, player: PlayerId) {
        self.tell(Command::Connected { player });
    }

    /// A player's connection dropped.
    pub fn disconnected(&self, player: PlayerId) {
        self.tell(Command::Disconnected { player });
    }

    /// Casts a ballot: ids of options.
    pub async fn cast_vote(
        &self,
        voter: PlayerId,
        vote_id: String,
        ids: Vec<String>,
    ) -> Result<(), CastError> {
        let cast = self.ask(|reply| Command::CastVote {
            voter,
            vote_id,
            ids,
            reply,
        });
        cast.await.unwrap_or(Err(CastError::VoteNotFound))
    }

    /// Spends a veto token on a vote.
    pub async fn veto(&self, player: PlayerId, vote_id: String) -> Result<(), VetoError> {
        let veto = self.ask(|reply| Command::Veto {
            player,
            vote_id,
            reply,
        });
        veto.await.unwrap_or(Err(VetoError::VoteNotFound))
    }

    /// The votes in progress, oldest first.
    pub async fn votes(&self) -> Vec<Vote> {
        self.ask(|reply| Command::Votes { reply })
            .await
            .unwrap_or_default()
    }

    /// What the match tells about itself; `None` when it is gone.
    pub async fn info(&self) -> Option<MatchInfo> {
        self.ask(|reply| Command::Info { reply }).await
    }

    /// Stops the match without ending it and answers its snapshot.
    pub async fn suspend(&self) -> Option<SavedMatch> {
        self.ask(|reply| Command::Suspend { reply }).await.flatten()
    }

    fn tell(&self, command: Command) {
        // A match that is gone has nobody to tell.
        let _ = self.shared.commands.send(command);
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply));
        answer.await.ok()
    }
}
