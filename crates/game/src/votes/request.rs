//! What a game asks for when it asks for a vote, read from the object it hands over.
//!
//! Lua, an operator's templates and native games all write the same JSON object; its keys and
//! defaults are those of the voting guide. What is wrong with the options refuses the vote, for
//! there is nothing to vote on. Any other wrong value is complained about and the value below it
//! applies: the template's, or else the default. Keys that mean nothing here are the game's own.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::PlayerId;

/// Most options a vote may have.
pub const MAX_OPTIONS: usize = 64;

/// Longest window in milliseconds (a day).
pub const MAX_WINDOW_MS: u64 = 24 * 60 * 60 * 1000;

/// Longest id of a vote, a template or an option, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// Longest label of an option, in bytes.
pub const MAX_LABEL_BYTES: usize = 256;

/// Most entries of one list or table of players: weights, spectators, delegation and the like.
pub const MAX_ENTRIES: usize = 1_000;

/// Largest weight of one voter.
pub const MAX_WEIGHT: f64 = 1e6;

/// A vote as a game asks for it: the object of the voting guide.
pub type VoteAsk = Map<String, Value>;

/// Named requests that a vote's own request is laid over.
pub type Templates = BTreeMap<String, VoteAsk>;

/// How ballots are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Method {
    #[default]
    Plurality,
    Approval,
    Weighted,
    Ranked,
}

impl Method {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plurality => "plurality",
            Self::Approval => "approval",
            Self::Weighted => "weighted",
            Self::Ranked => "ranked",
        }
    }
}

/// When a vote closes. `window_ms` bounds them all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowType {
    /// When the window has passed.
    #[default]
    Fixed,
    /// As soon as everybody has voted.
    ReadyUp,
    /// As `ReadyUp`, but not before `min_window_ms`.
    Hybrid,
    /// A supermajority leaves the others three more seconds.
    Adaptive,
}

/// Whether running tallies are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Visibility {
    #[default]
    Live,
    Hidden,
}

/// What decides a draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TieBreaker {
    /// Chance.
    #[default]
    Random,
    /// The order of the options.
    First,
}

/// Who votes beside the eligible, in a pool of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spectators {
    /// These.
    Listed(Vec<PlayerId>),
    /// Whoever is not eligible (`spectators = true`).
    Everyone,
}

impl Default for Spectators {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// One thing that can be voted for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteOption {
    /// What a ballot names.
    pub id: String,
    /// What a player reads. Defaults to the id.
    #[serde(default)]
    pub label: Option<String>,
}

/// A vote that can be held. Names and defaults are those of the voting guide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VoteRequest {
    /// Which of the game's votes this is; handed back to `vote_resolved`.
    pub template: String,
    /// Overrides the generated id.
    pub vote_id: Option<String>,
    /// What can be voted for.
    pub options: Vec<VoteOption>,
    /// How ballots are counted.
    pub method: Method,
    /// How long the vote is open at most, in milliseconds.
    pub window_ms: u64,
    /// When it closes.
    pub window_type: WindowType,
    /// How long a `hybrid` vote is open at least, in milliseconds.
    pub min_window_ms: u64,
    /// Whether running tallies are shown.
    pub visibility: Visibility,
    /// What decides a draw.
    pub tie_breaker: TieBreaker,
    /// How often a voter may change their mind.
    pub max_revotes: u32,
    /// Whether a veto token ends the vote.
    pub veto_enabled: bool,
    /// What each voter's ballot weighs with `weighted`; 1 for who is not here.
    pub weights: BTreeMap<PlayerId, f64>,
    /// Share that makes a supermajority, above 0 to 1.
    pub supermajority: f64,
    /// Whether the winner must have it.
    pub require_supermajority: bool,
    /// Who may vote, of those in the session. `None`: everybody in it.
    pub eligible: Option<Vec<PlayerId>>,
    /// Who votes beside them.
    pub spectators: Spectators,
    /// Share of the spectators' pool in the score, 0 to 1.
    pub spectator_weight: f64,
    /// Share of the eligible that must take part, 0 to 1.
    pub quorum: f64,
    /// Ballots of those who cast none, as positions of options.
    pub default_votes: BTreeMap<PlayerId, Vec<usize>>,
    /// Whose ballot counts for those who cast none.
    pub delegation: BTreeMap<PlayerId, PlayerId>,
}

impl Default for VoteRequest {
    fn default() -> Self {
        Self {
            template: "default".into(),
            vote_id: None,
            options: Vec::new(),
            method: Method::default(),
            window_ms: 15_000,
            window_type: WindowType::default(),
            min_window_ms: 5_000,
            visibility: Visibility::default(),
            tie_breaker: TieBreaker::default(),
            max_revotes: 3,
            veto_enabled: false,
            weights: BTreeMap::new(),
            supermajority: 0.75,
            require_supermajority: false,
            eligible: None,
            spectators: Spectators::default(),
            spectator_weight: 0.3,
            quorum: 0.0,
            default_votes: BTreeMap::new(),
            delegation: BTreeMap::new(),
        }
    }
}

/// Why a requested vote does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum VoteRequestError {
    #[error("a vote needs at least one option: options = {{ {{ id = \"a\" }}, ... }}")]
    NoOptions,
    #[error("a vote has at most {MAX_OPTIONS} options, not {0}")]
    TooManyOptions(usize),
    #[error("option {0} needs an id of 1 to {MAX_ID_BYTES} bytes")]
    BadOption(usize),
    #[error("option id '{0}' stands twice")]
    DuplicateOption(String),
    #[error("a vote with the id '{0}' is open already")]
    DuplicateVote(String),
    #[error("at most {0} votes can be open at once")]
    TooManyVotes(usize),
}

impl VoteRequest {
    /// Reads what a game asks for on top of the template it names. Answers what was wrong with it
    /// beside the vote.
    pub fn read(
        ask: &VoteAsk,
        templates: &Templates,
    ) -> Result<(Self, Vec<String>), VoteRequestError> {
        let mut reader = Reader::default();
        let template = ask.get("template").and_then(id);
        if let Some(template) = templates.get(template.as_deref().unwrap_or("default")) {
            reader.take(template);
        }
        reader.take(ask);
        reader.finish()
    }

    /// What is wrong with a template, whatever vote it is laid under.
    pub fn complaints_about(template: &VoteAsk) -> Vec<String> {
        let mut reader = Reader::default();
        reader.take(template);
        reader.complaints
    }

    /// A ballot with these ids, as positions of options; `None` when it is no ballot of this
    /// vote. `plurality` and `weighted` take one option, `approval` any number of them, `ranked`
    /// at least one; none may stand twice.
    pub fn ballot(&self, ids: &[impl AsRef<str>]) -> Option<Vec<usize>> {
        let fits = match self.method {
            Method::Plurality | Method::Weighted => ids.len() == 1,
            Method::Approval => ids.len() <= self.options.len(),
            Method::Ranked => (1..=self.options.len()).contains(&ids.len()),
        };
        if !fits {
            return None;
        }
        let position = |id: &str| self.options.iter().position(|option| option.id == id);
        let ballot: Vec<usize> = ids
            .iter()
            .map(|id| position(id.as_ref()))
            .collect::<Option<_>>()?;
        let distinct: BTreeSet<&usize> = ballot.iter().collect();
        (distinct.len() == ballot.len()).then_some(ballot)
    }
}

#[derive(Default)]
struct Reader {
    request: VoteRequest,
    complaints: Vec<String>,
    refused: Option<VoteRequestError>,
    /// Read last: which ballots are valid depends on the options and the method.
    default_votes: Option<Value>,
}

impl Reader {
    fn take(&mut self, ask: &VoteAsk) {
        for (key, value) in ask {
            if let Err(expected) = self.set(key, value) {
                self.complain(key, value, expected);
            }
        }
    }

    fn complain(&mut self, key: &str, value: &Value, expected: &str) {
        let value: String = value.to_string().chars().take(60).collect();
        self.complaints.push(format!(
            "{key} = {value} in a vote: expected {expected}; the default applies"
        ));
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), &'static str> {
        const SHARE: &str = "a number from 0 to 1";
        const WINDOW: &str = "milliseconds from 1 to 86400000";
        const ID: &str = "a text of 1 to 64 bytes";
        const FLAG: &str = "true or false";
        let request = &mut self.request;
        match key {
            "template" => request.template = id(value).ok_or(ID)?,
            "vote_id" => request.vote_id = Some(id(value).ok_or(ID)?),
            "options" => match options(value) {
                Ok(options) => (request.options, self.refused) = (options, None),
                Err(error) => self.refused = Some(error),
            },
            "method" => {
                request.method =
                    word(value).ok_or("'plurality', 'approval', 'weighted' or 'ranked'")?;
            }
            "window_ms" => request.window_ms = whole(value, 1, MAX_WINDOW_MS).ok_or(WINDOW)?,
            "min_window_ms" => {
                request.min_window_ms = whole(value, 1, MAX_WINDOW_MS).ok_or(WINDOW)?;
            }
            "window_type" => {
                request.window_type =
                    word(value).ok_or("'fixed', 'ready_up', 'hybrid' or 'adaptive'")?;
            }
            "visibility" => request.visibility = word(value).ok_or("'live' or 'hidden'")?,
            "tie_breaker" => request.tie_breaker = word(value).ok_or("'random' or 'first'")?,
            "max_revotes" => {
                let revotes = whole(value, 0, 1_000).ok_or("a number from 0 to 1000")?;
                request.max_revotes = u32::try_from(revotes).unwrap_or(u32::MAX);
            }
            "veto_enabled" => request.veto_enabled = value.as_bool().ok_or(FLAG)?,
            "require_supermajority" => {
                request.require_supermajority = value.as_bool().ok_or(FLAG)?;
            }
            "supermajority" => {
                let share = number(value, 1.0).filter(|share| *share > 0.0);
                request.supermajority = share.ok_or("a number above 0, to 1")?;
            }
            "spectator_weight" => request.spectator_weight = number(value, 1.0).ok_or(SHARE)?,
            "quorum" => request.quorum = number(value, 1.0).ok_or(SHARE)?,
            "weights" => {
                let weight = |weight: &Value| number(weight, MAX_WEIGHT);
                request.weights = table(value, weight)
                    .ok_or("at most 1000 numbers from 0 to 1000000 by player id")?;
            }
            "eligible" => request.eligible = Some(players(value).ok_or("a list of player ids")?),
            "spectators" => {
                request.spectators = spectators(value).ok_or("true, or a list of player ids")?;
            }
            "delegation" => {
                let delegate = |delegate: &Value| delegate.as_str().map(PlayerId::from);
                request.delegation =
                    table(value, delegate).ok_or("at most 1000 player ids by player id")?;
            }
            "default_votes" => self.default_votes = Some(value.clone()),
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(VoteRequest, Vec<String>), VoteRequestError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        if self.request.options.is_empty() {
            return Err(VoteRequestError::NoOptions);
        }
        if let Some(value) = self.default_votes.take() {
            match table(&value, |ballot| self.request.ballot(&ids(ballot)?)) {
                Some(ballots) => self.request.default_votes = ballots,
                None => self.complain(
                    "default_votes",
                    &value,
                    "at most 1000 ballots of this vote by player id",
                ),
            }
        }
        Ok((self.request, self.complaints))
    }
}

/// The option ids a ballot names: one, or a list. `None` for anything else.
pub fn ids(ballot: &Value) -> Option<Vec<String>> {
    match ballot {
        Value::String(id) => Some(vec![id.clone()]),
        Value::Array(ids) if ids.len() <= MAX_OPTIONS => ids
            .iter()
            .map(|id| id.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

fn options(value: &Value) -> Result<Vec<VoteOption>, VoteRequestError> {
    let list = value.as_array().ok_or(VoteRequestError::NoOptions)?;
    if list.len() > MAX_OPTIONS {
        return Err(VoteRequestError::TooManyOptions(list.len()));
    }
    let mut options: Vec<VoteOption> = Vec::with_capacity(list.len());
    for (at, value) in list.iter().enumerate() {
        let option = option(value).ok_or(VoteRequestError::BadOption(at + 1))?;
        if options.iter().any(|earlier| earlier.id == option.id) {
            return Err(VoteRequestError::DuplicateOption(option.id));
        }
        options.push(option);
    }
    Ok(options)
}

/// `{ id, label }` or a plain id.
fn option(value: &Value) -> Option<VoteOption> {
    let Value::Object(option) = value else {
        return id(value).map(|id| VoteOption { id, label: None });
    };
    let label = option.get("label").and_then(text);
    Some(VoteOption {
        id: id(option.get("id")?)?,
        label: label.filter(|label| label.len() <= MAX_LABEL_BYTES),
    })
}

/// A string, or a number as text: options are often numbered.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_i64() {
            Some(number) => number.to_string(),
            None => number.as_f64()?.to_string(),
        }),
        _ => None,
    }
}

fn id(value: &Value) -> Option<String> {
    text(value).filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()) && !id.contains('\0'))
}

fn word<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn number(value: &Value, most: f64) -> Option<f64> {
    value
        .as_f64()
        .filter(|number| (0.0..=most).contains(number))
}

fn whole(value: &Value, least: u64, most: u64) -> Option<u64> {
    // Scripts compute times; half a millisecond is no mistake.
    let number = number(value, most as f64)? as u64;
    (number >= least).then_some(number)
}

fn players(value: &Value) -> Option<Vec<PlayerId>> {
    let list = value.as_array().filter(|list| list.len() <= MAX_ENTRIES)?;
    list.iter()
        .map(|id| id.as_str().map(PlayerId::from))
        .collect()
}

fn spectators(value: &Value) -> Option<Spectators> {
    match value {
        Value::Bool(true) => Some(Spectators::Everyone),
        Value::Bool(false) => Some(Spectators::default()),
        list => players(list).map(Spectators::Listed),
    }
}

/// What is listed by player. An empty table of Lua is an empty list in JSON.
fn table<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<BTreeMap<PlayerId, T>> {
    match value {
        Value::Array(list) if list.is_empty() => Some(BTreeMap::new()),
        Value::Object(table) if table.len() <= MAX_ENTRIES => table
            .iter()
            .map(|(player, value)| Some((PlayerId::from(player.as_str()), read(value)?)))
            .collect(),
        _ => None,
    }
}
