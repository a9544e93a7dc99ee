//! Friends: requests, friendships and blocks.
//!
//! Between two players stands at most one request or friendship, in the name of who asked; and,
//! instead of it, a block in the name of whoever blocks. The original lists only the rows a
//! player made, so who accepted never sees the friend; here both see it, each from their side.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::store::{self, Row, status};
use super::{Seen, Social};
use crate::accounts::people::{self, Person};
use crate::chat::channel;
use crate::clock::{db_now, iso};
use crate::edge::error::{Outcome, database};
use crate::edge::fields::Fields;
use crate::edge::params::{Limit, cursor};
use crate::notifications::{self, Notice, Notification};
use crate::text::is_id;

/// The types of notifications.
const REQUESTED: &str = "friend_request";
const ACCEPTED: &str = "friend_accepted";

/// What a request is called once it was turned down. It is gone by then.
const REJECTED: &str = "rejected";

/// What stands between the caller and another player, seen from the caller's side.
#[derive(Debug, Serialize, ToSchema)]
pub struct Friendship {
    id: String,
    /// The caller.
    player_id: String,
    /// The other player.
    friend_id: String,
    /// `pending`, `accepted` or `blocked`; `rejected` in the answer to just that.
    status: String,
    /// Of a pending request: who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[schema(format = DateTime)]
    inserted_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    friend: Friend,
}

/// Who asked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FriendRequestDirection)]
enum Direction {
    /// The caller.
    Outgoing,
    /// The other.
    Incoming,
}

/// The other player.
#[derive(Debug, Serialize, ToSchema)]
struct Friend {
    id: String,
    #[serde(flatten)]
    seen: Seen,
}

/// Which rows to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only this status: `pending`, `accepted` or `blocked`.
    pub status: Option<String>,
    /// Most rows, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u64>)]
    pub limit: Limit,
    /// Only rows older than this id.
    #[serde(default, deserialize_with = "cursor")]
    pub before: Option<String>,
}

/// Two players, both locked, and what stands between them.
struct Pair {
    me: Person,
    other: Person,
    rows: Vec<Row>,
}

impl Pair {
    /// # Errors
    /// `unauthenticated` if the caller is no player any more, `social.friend_not_found`.
    async fn lock(tx: &DatabaseTransaction, me: &PlayerId, other: &str) -> Outcome<Self> {
        if !is_id(other) {
            return Err(Code::FriendNotFound.into());
        }
        let mut locked = people::lock(tx, [me.as_str(), other])
            .await
            .map_err(database)?;
        let mut take = |id: &str| {
            let at = locked.iter().position(|person| person.id == id)?;
            Some(locked.swap_remove(at))
        };
        let me = take(me.as_str()).ok_or(Code::Unauthenticated)?;
        let other = take(other).ok_or(Code::FriendNotFound)?;
        let rows = store::between(tx, &me.id, &other.id)
            .await
            .map_err(database)?;
        Ok(Self { me, other, rows })
    }

    /// The request or friendship.
    fn relation(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.status != status::BLOCKED)
    }

    /// The request that waits for the caller's answer.
    fn request_to_me(&self) -> Option<&Row> {
        self.relation()
            .filter(|row| row.status == status::PENDING && row.friend_id == self.me.id)
    }

    fn my_block(&self) -> Option<&Row> {
        self.block_of(&self.me)
    }

    fn block_of(&self, person: &Person) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.status == status::BLOCKED && row.player_id == person.id)
    }

    /// Why the caller cannot answer or end what they named: nothing is there that they know of,
    /// or it is not theirs to touch.
    fn refusal(&self) -> ApiError {
        match self.relation().or(self.my_block()) {
            Some(_) => Code::Forbidden.into(),
            None => Code::FriendshipNotFound.into(),
        }
    }
}

impl Social {
    /// What concerns a player, newest first. Others' blocks are not shown.
    ///
    /// # Errors
    /// `validation_failed` for a status there is not.
    pub async fn friends(&self, player: &PlayerId, filter: &Filter) -> Outcome<Vec<Friendship>> {
        let known = [status::PENDING, status::ACCEPTED, status::BLOCKED];
        if let Some(status) = &filter.status {
            check_status(status, &known)?;
        }
        let me = player.as_str();
        let db = self.db.read();
        let rows = store::list(db, me, filter).await.map_err(database)?;
        let others = rows.iter().map(|row| other_of(row, me));
        let mut seen = self.seen_by_id(db, others).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let seen = seen.remove(other_of(&row, me))?;
                Some(shown(row, me, seen))
            })
            .collect())
    }

    /// Asks another player to be friends. If the other has asked already, the two are friends at
    /// once. What stands already is answered as it is, a block of the caller's own too.
    ///
    /// # Errors
    /// `social.cannot_friend_self`, `rate_limited`, `social.friend_not_found`, `social.blocked`,
    /// `social.friend_limit_reached` (`details.player_id`: whose list is full).
    pub async fn ask(&self, player: &PlayerId, friend: &str) -> Outcome<Friendship> {
        if player.as_str() == friend {
            return Err(Code::CannotFriendSelf.into());
        }
        self.spend_notice(player)?;
        let tx = self.db.write().await.map_err(database)?;
        let pair = Pair::lock(&tx, player, friend).await?;
        let (row, told) = self.ask_locked(&tx, &pair).await?;
        tx.commit().await.map_err(database)?;
        self.notifications.push(told).await;
        Ok(self.shown(row, pair))
    }

    async fn ask_locked(
        &self,
        tx: &DatabaseTransaction,
        pair: &Pair,
    ) -> Outcome<(Row, Vec<Notification>)> {
        if let Some(block) = pair.my_block() {
            return Ok((block.clone(), Vec::new()));
        }
        if pair.block_of(&pair.other).is_some() {
            return Err(Code::SocialBlocked.into());
        }
        if let Some(request) = pair.request_to_me() {
            return self.accept(tx, pair, request).await;
        }
        if let Some(row) = pair.relation() {
            return Ok((row.clone(), Vec::new()));
        }
        self.check_room(store::count_friends(tx, &pair.me.id).await, &pair.me)?;
        self.check_room(store::count_requests(tx, &pair.other.id).await, &pair.other)?;
        let row = store::insert(tx, &pair.me.id, &pair.other.id, status::PENDING)
            .await
            .map_err(database)?;
        let told = tell(tx, pair, REQUESTED, "New friend request").await?;
        Ok((row, told))
    }

    async fn accept(
        &self,
        tx: &DatabaseTransaction,
        pair: &Pair,
        request: &Row,
    ) -> Outcome<(Row, Vec<Notification>)> {
        self.check_room(store::count_friends(tx, &pair.me.id).await, &pair.me)?;
        let row = store::accept(tx, request).await.map_err(database)?;
        let told = tell(tx, pair, ACCEPTED, "Friend request accepted").await?;
        Ok((row, told))
    }

    /// Answers a request (`accepted`, `rejected`), or blocks a player (`blocked`). Accepting a
    /// friend again and blocking again change nothing.
    ///
    /// # Errors
    /// `validation_failed` for another status, `social.friendship_not_found`, `forbidden` (there
    /// is something, but no request that waits for the caller's answer),
    /// `social.friend_limit_reached`; when blocking `social.cannot_friend_self` and
    /// `social.friend_not_found`.
    pub async fn answer(
        &self,
        player: &PlayerId,
        friend: &str,
        answer: &str,
    ) -> Outcome<Friendship> {
        check_status(answer, &[status::ACCEPTED, REJECTED, status::BLOCKED])?;
        let is_block = answer == status::BLOCKED;
        if player.as_str() == friend {
            return Err(match is_block {
                true => Code::CannotFriendSelf.into(),
                false => Code::FriendshipNotFound.into(),
            });
        }
        let tx = self.db.write().await.map_err(database)?;
        let pair = Pair::lock(&tx, player, friend).await;
        let pair = if is_block {
            pair
        } else {
            pair.map_err(no_friendship)
        }?;
        let (row, told) = match answer {
            status::BLOCKED => (self.block(&tx, &pair).await?, Vec::new()),
            status::ACCEPTED => self.accept_locked(&tx, &pair).await?,
            _ => (reject(&tx, &pair).await?, Vec::new()),
        };
        tx.commit().await.map_err(database)?;
        if is_block {
            let channel = channel::between(player.as_str(), friend);
            self.bus.close_channel(&channel);
        }
        self.notifications.push(told).await;
        Ok(self.shown(row, pair))
    }

    async fn accept_locked(
        &self,
        tx: &DatabaseTransaction,
        pair: &Pair,
    ) -> Outcome<(Row, Vec<Notification>)> {
        match (pair.request_to_me(), pair.relation()) {
            (Some(request), _) => self.accept(tx, pair, request).await,
            (None, Some(row)) if row.status == status::ACCEPTED => Ok((row.clone(), Vec::new())),
            _ => Err(pair.refusal()),
        }
    }

    async fn block(&self, tx: &DatabaseTransaction, pair: &Pair) -> Outcome<Row> {
        if let Some(block) = pair.my_block() {
            return Ok(block.clone());
        }
        self.check_room(store::count_blocks(tx, &pair.me.id).await, &pair.me)?;
        if let Some(row) = pair.relation() {
            remove(tx, row).await?;
        }
        store::insert(tx, &pair.me.id, &pair.other.id, status::BLOCKED)
            .await
            .map_err(database)
    }

    /// Ends a friendship, a request of the caller's, or a block of the caller's.
    ///
    /// # Errors
    /// `social.friendship_not_found`; `forbidden` for a request that waits for the caller's
    /// answer.
    pub async fn unfriend(&self, player: &PlayerId, friend: &str) -> Outcome<()> {
        if player.as_str() == friend {
            return Err(Code::FriendshipNotFound.into());
        }
        let tx = self.db.write().await.map_err(database)?;
        let pair = Pair::lock(&tx, player, friend)
            .await
            .map_err(no_friendship)?;
        let own = match pair.request_to_me() {
            Some(_) => None,
            None => pair.my_block().or(pair.relation()),
        };
        remove(&tx, own.ok_or_else(|| pair.refusal())?).await?;
        tx.commit().await.map_err(database)
    }

    /// Refuses one more row in a list that is full.
    fn check_room(&self, count: Result<u64, sea_orm::DbErr>, of: &Person) -> Outcome<()> {
        match count.map_err(database)? >= self.max_friends {
            true => Err(ApiError::from(Code::FriendLimitReached).with("player_id", of.id.as_str())),
            false => Ok(()),
        }
    }

    fn shown(&self, row: Row, pair: Pair) -> Friendship {
        shown(row, &pair.me.id, self.seen(pair.other))
    }
}

/// Turns down the request that waits for the caller.
async fn reject(tx: &DatabaseTransaction, pair: &Pair) -> Outcome<Row> {
    let request = pair.request_to_me().ok_or_else(|| pair.refusal())?;
    store::delete(tx, request).await.map_err(database)?;
    Ok(Row {
        status: REJECTED.to_owned(),
        updated_at: db_now(),
        ..request.clone()
    })
}

/// Removes a row. Of a request nobody answered nothing stays behind in the other's list.
async fn remove(tx: &DatabaseTransaction, row: &Row) -> Outcome<()> {
    store::delete(tx, row).await.map_err(database)?;
    if row.status != status::PENDING {
        return Ok(());
    }
    let about = [("from_player_id", row.player_id.as_str())];
    notifications::withdraw(tx, &[&row.friend_id], REQUESTED, &about)
        .await
        .map_err(database)
}

/// Tells the other player what the caller did.
async fn tell(
    tx: &DatabaseTransaction,
    pair: &Pair,
    kind: &'static str,
    subject: &'static str,
) -> Outcome<Vec<Notification>> {
    let content = json!({ "from_player_id": pair.me.id, "from_username": pair.me.username });
    let to = [PlayerId::from(pair.other.id.as_str())];
    let notice = Notice::new(kind, subject, &content).from(&pair.me.id);
    notifications::add(tx, &to, &notice).await.map_err(database)
}

/// With a player there is not, there is nothing either.
fn no_friendship(error: ApiError) -> ApiError {
    match error.code {
        Code::FriendNotFound => Code::FriendshipNotFound.into(),
        _ => error,
    }
}

fn check_status(status: &str, known: &[&str]) -> Outcome<()> {
    let mut fields = Fields::default();
    let is_known = known.contains(&status);
    fields.check("status", is_known.then_some(()).ok_or("is not a status"));
    fields.finish()
}

fn other_of<'a>(row: &'a Row, me: &str) -> &'a str {
    match row.player_id == me {
        true => &row.friend_id,
        false => &row.player_id,
    }
}

fn shown(row: Row, me: &str, seen: Seen) -> Friendship {
    let direction = (row.status == status::PENDING).then(|| match row.player_id == me {
        true => Direction::Outgoing,
        false => Direction::Incoming,
    });
    let other = other_of(&row, me).to_owned();
    Friendship {
        id: row.id,
        player_id: me.to_owned(),
        friend_id: other.clone(),
        status: row.status,
        direction,
        inserted_at: iso(row.inserted_at),
        updated_at: iso(row.updated_at),
        friend: Friend { id: other, seen },
    }
}
