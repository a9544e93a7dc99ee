//! The closed set of error codes, and the one error object REST and WebSocket answer with:
//!
//! ```json
//! {"error": {"code": "match.full", "message": "...", "details": {}}}
//! ```
//!
//! `code` is the contract and a client may branch on it; `message` is prose for whoever reads
//! a log; `details` is always an object. Nothing a client or a script sends ever becomes a
//! code: an unknown reason is `ws.request_failed` with the reason in `details`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $message:literal;)*) => {
        /// An error code. Its text, its HTTP status and its message belong together.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $code, "` (HTTP ", stringify!($status), "): ", $message)] $name,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it stands on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// The HTTP status REST answers with.
            pub fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }

            /// One sentence for a human.
            pub fn message(self) -> &'static str {
                match self { $(Code::$name => $message,)* }
            }
        }
    };
}

codes! {
    Internal = "internal", 500, "Something failed on the server; the cause is in its log.";
    RateLimited = "rate_limited", 429, "Too many requests; wait and try again.";
    JoinRateLimited = "join_rate_limited", 429, "Too many joins; wait and try again.";
    PayloadTooLarge = "payload_too_large", 413, "The message is over the size limit.";
    LengthRequired = "length_required", 411, "The request needs a Content-Length.";
    InvalidJson = "invalid_json", 400, "This is not JSON.";
    InvalidMessage = "invalid_message", 400, "A message is an object with a string `type`.";
    InvalidPayload = "invalid_payload", 400, "The payload does not have the expected shape.";
    MissingField = "missing_field", 400, "A required field is missing.";
    UnknownType = "unknown_type", 400, "There is no message of this type.";
    Unauthenticated = "unauthenticated", 401, "The token is missing, expired or not valid.";
    Forbidden = "forbidden", 403, "This is not yours to do.";
    NotFound = "not_found", 404, "There is nothing at this address.";
    MethodNotAllowed = "method_not_allowed", 405, "This address does not take this method.";
    ValidationFailed = "validation_failed", 422, "Some fields are not valid; `details` names them.";
    ClientGateDenied = "client_gate_denied", 403, "The gate before registration turned this request away; see `details.reason`.";
    NotReady = "not_ready", 503, "The server is starting or stopping, or its database is away; try again shortly.";

    RegistrationClosed = "auth.registration_closed", 403, "New players are not being accepted here.";
    PasswordRegistrationDisabled = "auth.password_registration_disabled", 403, "New players sign up through a provider here.";
    UsernameTaken = "auth.username_taken", 409, "Another player has this username.";
    InvalidCredentials = "auth.invalid_credentials", 401, "No such username and password.";
    UnsupportedProvider = "auth.unsupported_provider", 401, "No provider of this name is configured here.";
    ProviderRejected = "auth.provider_rejected", 401, "The provider did not vouch for this token; see `details.reason`.";
    ProviderAlreadyLinked = "auth.provider_already_linked", 409, "This provider account belongs to another player.";
    AlreadyRegistering = "auth.already_registering", 409, "Another sign-in is making this player right now; try again.";
    IdentityNotFound = "auth.identity_not_found", 404, "No account of this provider is linked.";
    LastAuthMethod = "auth.last_auth_method", 422, "Without this provider there would be no way left to sign in.";
    GuestDisabled = "guest.disabled", 403, "Guests are not enabled here.";
    GuestInvalidDeviceId = "guest.invalid_device_id", 400, "`device_id` must be 1 to 255 bytes.";
    GuestWeakDeviceSecret = "guest.weak_device_secret", 400, "`device_secret` must be base64 of 32 to 128 bytes.";
    GuestInvalidDeviceSecret = "guest.invalid_device_secret", 401, "The secret is not this device's.";
    GuestRevoked = "guest.revoked", 401, "This device's credential was revoked.";
    GuestAlreadyUpgraded = "guest.already_upgraded", 401, "This guest has a real account now; sign in to that.";
    GuestRateLimited = "guest.rate_limited", 429, "Too many guests are being created right now; try again shortly.";
    GuestCapacityReached = "guest.capacity_reached", 503, "There is no room for more guests.";
    GuestDeviceAlreadyRegistered = "guest.device_already_registered", 409, "This device was registered a moment ago; try again to resume it.";
    GuestNotUnclaimed = "guest.not_unclaimed", 409, "Only a guest without a real account can be upgraded.";
    GuestUnavailable = "guest.unavailable", 503, "Guests cannot be counted right now; try again shortly.";
    PlayerNotFound = "player.not_found", 404, "There is no such player.";
    PlayerConfirmationFailed = "player.confirmation_failed", 403, "The password is not this account's; nothing was deleted.";
    PlayerCredentialsChanged = "player.credentials_changed", 409, "The account's password changed meanwhile; nothing was deleted.";
    PlayerEraseFailed = "player.erase_failed", 500, "The account could not be erased; nothing was deleted.";

    CannotFriendSelf = "social.cannot_friend_self", 400, "One cannot be one's own friend.";
    FriendNotFound = "social.friend_not_found", 404, "There is no player with this friend id.";
    FriendshipNotFound = "social.friendship_not_found", 404, "There is nothing between these players.";
    FriendLimitReached = "social.friend_limit_reached", 409, "The list of friends, requests and blocks is full.";
    SocialBlocked = "social.blocked", 403, "This player does not take requests from the sender.";
    GroupNotFound = "social.group_not_found", 404, "There is no group with this id.";
    GroupClosed = "social.group_closed", 403, "This group takes new members by invitation only.";
    GroupFull = "social.group_full", 409, "The group has as many members as it takes.";
    GroupLimitReached = "social.group_limit_reached", 409, "The player is in as many groups as allowed.";
    AlreadyMember = "social.already_member", 409, "The player is a member already.";
    InvalidRole = "social.invalid_role", 400, "A role is `owner`, `admin`, `moderator` or `member`.";
    MemberNotFound = "social.member_not_found", 404, "The group has no such member.";
    InviteLimitReached = "social.invite_limit_reached", 409, "The group has as many open invitations as it takes.";
    InviteNotFound = "social.invite_not_found", 404, "There is no such invitation or request.";

    ChatInvalidChannelId = "chat.invalid_channel_id", 400, "There is no channel of this form.";
    ChatTooManyChannels = "chat.too_many_channels", 429, "The connection is in as many channels as allowed.";
    ChatContentEmpty = "chat.content_empty", 400, "A message needs `content`.";
    ChatContentTooLarge = "chat.content_too_large", 413, "The message is over the size limit.";
    ChatInvalidContent = "chat.invalid_content", 400, "`content` must be text without control characters.";
    ChatSlowMode = "chat.slow_mode", 429, "This channel takes one message in a while; see `details.retry_after`.";
    ChatRefused = "chat.refused", 403, "The game does not let this message through; see `details.reason`.";
    DmBlocked = "dm.blocked", 403, "One of the two has blocked the other.";
    DmContentEmpty = "dm.content_empty", 400, "A message needs `content`.";
    DmContentTooLarge = "dm.content_too_large", 413, "The message is over the size limit.";
    DmInvalidContent = "dm.invalid_content", 400, "`content` must be text without control characters.";
    DmRecipientNotFound = "dm.recipient_not_found", 404, "There is no player with this recipient id.";
    PresenceInvalidStatus = "presence.invalid_status", 400, "`status` must be 1 to 64 bytes of text without control characters.";
    NotificationNotFound = "notification.not_found", 404, "There is no such notification.";

    SaveNotFound = "save.not_found", 404, "There is no save in this slot.";
    SaveInvalidSlot = "save.invalid_slot", 400, "A slot's name must be 1 to 64 bytes without control characters.";
    SaveTooLarge = "save.too_large", 413, "The save is over the size limit.";
    SaveVersionConflict = "save.version_conflict", 409, "The slot was written meanwhile; see `details.current_version`.";
    SaveSlotLimitReached = "save.slot_limit_reached", 409, "The player has no free save slot.";
    StorageNotFound = "storage.not_found", 404, "There is no object at this collection and key.";
    StorageForbidden = "storage.forbidden", 403, "The object's permissions do not allow this.";
    StorageValueTooLarge = "storage.value_too_large", 413, "The value is over the size limit.";
    StorageInvalidPerm = "storage.invalid_perm", 400, "`read_perm` and `write_perm` must be `public` or `owner`.";
    StorageInvalidKey = "storage.invalid_key", 400, "A collection and a key must be 1 to 128 bytes without control characters.";
    StorageInvalidRequest = "storage.invalid_request", 400, "The body must be an object.";
    StorageVersionConflict = "storage.version_conflict", 409, "The object was written meanwhile; see `details.current_version`.";
    StorageLimitReached = "storage.limit_reached", 409, "The player owns as many objects as allowed.";

    MatchmakerUnknownMode = "matchmaker.unknown_mode", 400, "There is no game mode of this name.";
    MatchmakerQueueFull = "matchmaker.queue_full", 503, "The queue is full; try again shortly.";
    MatchmakerTicketNotFound = "matchmaker.ticket_not_found", 404, "There is no such ticket.";
    MatchmakerInvalidProperties = "matchmaker.invalid_properties", 400, "`properties` is a flat object of up to 16 plain values; see `details.reason` and `details.key`.";
    PartyNotInParty = "party.not_in_party", 409, "The player is in no party.";
    PartyAlreadyInParty = "party.already_in_party", 409, "The player is in a party already.";
    PartyNotLeader = "party.not_leader", 403, "Only the party's leader may do this.";
    PartyFull = "party.full", 409, "The party has as many members as it takes.";
    PartyTooLarge = "party.too_large", 409, "A match of this mode has no place for the whole party; see `details.largest`.";
    PartyMemberNotFound = "party.member_not_found", 404, "The party has no such member.";
    PartyInviteNotFound = "party.invite_not_found", 404, "There is no such invitation, or it has lapsed.";
    PartyNotQueued = "party.not_queued", 409, "The party waits for no match.";
    MatchNotFound = "match.not_found", 404, "There is no live match with this id.";
    MatchNotInMatch = "match.not_in_match", 409, "This connection is in no match.";
    MatchFull = "match.full", 409, "The match has no free place.";
    MatchLocked = "match.locked", 409, "The match takes no new players.";
    MatchJoinRefused = "match.join_refused", 403, "The game turned this player away; see `details.refused_reason`.";
    VoteNotFound = "vote.not_found", 404, "There is no such vote.";

    RpcUnknownMethod = "rpc.unknown_method", 404, "The game has no method of this name.";
    RpcInvalidCid = "rpc.invalid_cid", 400, "A call needs a `cid` of 1 to 64 printable ASCII characters.";
    RpcUnsupportedProtocol = "rpc.unsupported_protocol", 400, "This server speaks other versions of the payload; see `details.supported`.";
    RpcInvalidParams = "rpc.invalid_params", 400, "`params` must be an object.";
    RpcFailed = "rpc.failed", 422, "The game refuses; see `details.reason`.";

    RequestFailed = "ws.request_failed", 400, "The request failed; see `details.reason`.";
}

/// The older flat reasons of the socket that have a code of their own.
const REASONS: &[(&str, Code)] = &[
    ("payload_too_large", Code::PayloadTooLarge),
    ("invalid_json", Code::InvalidJson),
    ("invalid_message", Code::InvalidMessage),
    ("invalid_payload", Code::InvalidPayload),
    ("missing_field", Code::MissingField),
    ("rate_limited", Code::RateLimited),
    ("join_rate_limited", Code::JoinRateLimited),
    ("unknown_type", Code::UnknownType),
    ("internal", Code::Internal),
    ("not_ready", Code::NotReady),
    ("unauthenticated", Code::Unauthenticated),
    ("invalid_token", Code::Unauthenticated),
    ("not_authorized", Code::Forbidden),
    ("not_owner", Code::Forbidden),
    ("not_in_match", Code::MatchNotInMatch),
    ("match_not_found", Code::MatchNotFound),
    ("match_full", Code::MatchFull),
    ("match_locked", Code::MatchLocked),
    ("join_refused", Code::MatchJoinRefused),
    ("unknown_mode", Code::MatchmakerUnknownMode),
    ("queue_full", Code::MatchmakerQueueFull),
    ("invalid_channel_id", Code::ChatInvalidChannelId),
    ("too_many_channels", Code::ChatTooManyChannels),
    ("slow_mode", Code::ChatSlowMode),
    ("message_refused", Code::ChatRefused),
    ("blocked", Code::DmBlocked),
    ("content_empty", Code::DmContentEmpty),
    ("content_too_large", Code::DmContentTooLarge),
    ("recipient_not_found", Code::DmRecipientNotFound),
    ("invalid_status", Code::PresenceInvalidStatus),
];

/// A failure as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// What went wrong.
    pub code: Code,
    reason: Option<Cow<'static, str>>,
    details: Map<String, Value>,
    about: Option<&'static str>,
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self {
            code,
            reason: None,
            details: Map::new(),
            about: None,
        }
    }
}

impl ApiError {
    /// The error for one of the socket's flat reasons. A reason without a code of its own
    /// becomes `ws.request_failed` and travels in `details`.
    pub fn from_reason(reason: impl Into<Cow<'static, str>>) -> Self {
        let reason = reason.into();
        let known = REASONS.iter().find(|(text, _)| *text == reason);
        let error = match known {
            Some((_, code)) => Self::from(*code),
            None => Self::from(Code::RequestFailed).with("reason", reason.as_ref()),
        };
        Self {
            reason: Some(reason),
            ..error
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// Names the frame type a push (an error nobody asked for) is about.
    #[must_use]
    pub fn about(mut self, kind: &'static str) -> Self {
        self.about = Some(kind);
        self
    }

    /// The flat reason of the older dialect: the reason it was made from, or else the code.
    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or(self.code.as_str())
    }

    /// The details.
    pub fn details(&self) -> &Map<String, Value> {
        &self.details
    }

    /// The body REST answers with. Details stand at the top level too, where clients from
    /// before the error object look for `fields` and `retry_after`.
    pub fn rest_body(&self) -> Value {
        let mut body = self.details.clone();
        body.insert("error".into(), self.object());
        Value::Object(body)
    }

    /// The payload of an `error` frame.
    pub fn socket_payload(&self) -> SocketError<'_> {
        SocketError {
            kind: self.about,
            reason: self.reason(),
            error: self.object(),
        }
    }

    fn object(&self) -> Value {
        serde_json::json!({
            "code": self.code.as_str(),
            "message": self.code.message(),
            "details": self.details,
        })
    }
}

/// The payload of an `error` frame.
#[derive(Serialize)]
pub struct SocketError<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    reason: &'a str,
    error: Value,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.code.message())
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_have_an_error_status() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert!((400..600).contains(&code.status()), "{}", code.as_str());
            let twin = Code::ALL[at + 1..]
                .iter()
                .find(|other| other.as_str() == code.as_str());
            assert_eq!(twin, None);
        }
    }

    #[test]
    fn a_strangers_reason_never_becomes_a_code() {
        let error = ApiError::from_reason("party_is_full");
        assert_eq!(error.code, Code::RequestFailed);
        assert_eq!(error.reason(), "party_is_full");
        assert_eq!(error.details()["reason"], "party_is_full");
    }

    #[test]
    fn details_stand_at_the_top_level_of_a_rest_body_too() {
        let body = ApiError::from(Code::RateLimited)
            .with("retry_after", 2)
            .rest_body();
        assert_eq!(body["retry_after"], 2);
        assert_eq!(body["error"]["details"]["retry_after"], 2);
        assert_eq!(body["error"]["code"], "rate_limited");
    }

    #[test]
    fn a_push_names_the_frame_it_is_about() {
        let error = ApiError::from_reason("not_in_match").about("match.input");
        let payload = serde_json::to_value(error.socket_payload()).expect("serializes");
        assert_eq!(payload["type"], "match.input");
        assert_eq!(payload["error"]["code"], "match.not_in_match");
    }
}
