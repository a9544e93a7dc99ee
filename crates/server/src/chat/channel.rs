//! What a channel id says: `<kind>:<name>`.

use asobi_game::MatchId;

use crate::text::{is_id, is_key};

/// Longest channel id in bytes. From the original.
const MAX_BYTES: usize = 256;

/// The kinds of channels. Each has a rule of its own for who may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `dm:<player>:<player>`: two players, their ids in order.
    Dm,
    /// `global:<name>`: everybody, if the game declares the name.
    Global,
    /// `world:<world>`.
    World,
    /// `zone:<world>:<x>,<y>`.
    Zone,
    /// `prox:<world>:<x>,<y>`.
    Prox,
    /// `room:<group>`: the group's members.
    Room,
    /// `match:<match>`: the match's players.
    Match,
    /// `party:<party>`.
    Party,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Dm,
        Self::Global,
        Self::World,
        Self::Zone,
        Self::Prox,
        Self::Room,
        Self::Match,
        Self::Party,
    ];

    /// The word before the colon; the `channel_type` of a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Global => "global",
            Self::World => "world",
            Self::Zone => "zone",
            Self::Prox => "prox",
            Self::Room => "room",
            Self::Match => "match",
            Self::Party => "party",
        }
    }
}

/// A channel id of a known form. Whether there is such a channel is another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel<'a> {
    /// The kind.
    pub kind: Kind,
    /// The whole id.
    pub id: &'a str,
    /// What follows the colon; it may be empty.
    pub name: &'a str,
}

impl<'a> Channel<'a> {
    /// Reads an id: 1 to 256 bytes without control characters, with the prefix of a kind.
    pub fn parse(id: &'a str) -> Option<Self> {
        let (prefix, name) = id.split_once(':')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == prefix)?;
        is_key(id, MAX_BYTES).then_some(Self { kind, id, name })
    }

    /// The two players of a `dm:` channel. None if their ids are no ids or stand in the wrong
    /// order: a pair has one channel.
    pub fn pair(&self) -> Option<(&'a str, &'a str)> {
        let (a, b) = self.name.split_once(':')?;
        let proper = self.kind == Kind::Dm && is_id(a) && is_id(b) && a <= b;
        proper.then_some((a, b))
    }
}

/// The channel of two players.
pub fn between(a: &str, b: &str) -> String {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    format!("dm:{first}:{second}")
}

/// The channel of a match.
pub fn of_match(id: &MatchId) -> String {
    format!("match:{id}")
}

/// The channel of a group's members.
pub fn of_group(id: &str) -> String {
    format!("room:{id}")
}

/// Whether a game may call a global channel so: 1 to 64 letters, digits, `_`, `.`, `-`.
pub fn is_global_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0197a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b";
    const B: &str = "0197a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6c";

    #[test]
    fn a_channel_has_a_kind_and_a_name() {
        for kind in Kind::ALL {
            let id = format!("{}:x:y", kind.as_str());
            let channel = Channel::parse(&id).expect("a known kind");
            assert_eq!((channel.kind, channel.name), (kind, "x:y"));
        }
        let longest = format!("room:{}", "x".repeat(251));
        assert!(Channel::parse(&longest).is_some());
        for bad in [
            "",
            "room",
            "lobby:1",
            "Room:1",
            ":x",
            " room:1",
            "room:a\0",
            "room:\u{202E}x",
            &format!("{longest}x"),
        ] {
            assert_eq!(Channel::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn two_players_have_one_channel() {
        assert_eq!(between(A, B), between(B, A));
        let id = between(B, A);
        assert_eq!(Channel::parse(&id).expect("valid").pair(), Some((A, B)));
        for bad in [
            format!("dm:{B}:{A}"),
            format!("dm:{A}"),
            format!("dm:{A}:"),
            format!("dm:{A}:me"),
            format!("dm:{A}:{B}:{B}"),
            format!("dm:{}:{B}", A.to_uppercase()),
            format!("room:{A}:{B}"),
        ] {
            assert_eq!(Channel::parse(&bad).expect("a form").pair(), None, "{bad}");
        }
        let self_talk = between(A, A);
        assert!(Channel::parse(&self_talk).expect("valid").pair().is_some());
    }

    #[test]
    fn names_of_global_channels_are_plain() {
        for good in ["lobby", "EU-west_1.2", &"x".repeat(64)] {
            assert!(is_global_name(good), "{good}");
        }
        for bad in ["", "a b", "ä", "a:b", &"x".repeat(65)] {
            assert!(!is_global_name(bad), "{bad}");
        }
    }
}
