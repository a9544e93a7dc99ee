//! Steam, which has session tickets in place of ID tokens: each is shown to the Steam Web API.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::{Rejected, Vouched};
use crate::config::{Config, Secret, SteamConfig};
use crate::edge::limits::Seldom;
use crate::outbound::{NoAnswer, Outbound, is_trustworthy};

/// The name clients send as `provider`.
pub(super) const NAME: &str = "steam";

/// Longest ticket, in hex digits. From the original.
const MAX_TICKET_DIGITS: usize = 4_096;

/// A SteamID64 has 17 digits.
const MAX_ID_DIGITS: usize = 20;

/// The Steam Web API, as this game may use it.
pub(super) struct Steam {
    api: Url,
    key: Secret,
    app_id: String,
    identity: String,
    timeout: Duration,
    outbound: Outbound,
    complaint: Seldom,
}

impl Steam {
    /// None: sign-in with Steam is not configured. An error says what is wrong with its
    /// settings.
    pub(super) fn new(config: &Config, outbound: Outbound) -> Result<Option<Self>, &'static str> {
        let SteamConfig {
            api_key,
            app_id,
            identity,
            api_url,
        } = &config.steam;
        match (api_key.is_empty(), app_id.is_empty()) {
            (true, true) => return Ok(None),
            (false, false) => {}
            _ => return Err("steam.api_key and steam.app_id must both be set"),
        }
        let mut api = Url::parse(api_url).map_err(|_| "steam.api_url is no address")?;
        if !is_trustworthy(&api) {
            return Err("steam.api_url must be https, or http on this machine");
        }
        api.set_query(None);
        Ok(Some(Self {
            api,
            key: api_key.clone(),
            app_id: app_id.clone(),
            identity: identity.clone(),
            timeout: Duration::from_millis(config.auth.provider_timeout_ms.max(1)),
            outbound,
            complaint: Seldom::default(),
        }))
    }

    /// Whom a ticket vouches for.
    pub(super) async fn verify(&self, ticket: &str) -> Result<Vouched, Rejected> {
        let is_hex = ticket.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || !(1..=MAX_TICKET_DIGITS).contains(&ticket.len()) {
            return Err(Rejected::InvalidTicket);
        }
        let holder = self.holder(ticket).await?;
        if holder.publisherbanned {
            return Err(Rejected::PublisherBanned);
        }
        let mut vouched = Vouched::new(&holder.steamid).ok_or(Rejected::Unavailable)?;
        // A game decides for itself what a borrowed copy or a ban elsewhere means.
        let owner = holder.ownersteamid.as_ref().filter(|owner| is_id(owner));
        vouched.note("owner_steamid", owner.unwrap_or(&holder.steamid).as_str());
        vouched.note("vac_banned", holder.vacbanned);
        vouched.take_name(&[self.persona(&holder.steamid).await.as_deref()]);
        Ok(vouched)
    }

    async fn holder(&self, ticket: &str) -> Result<Holder, Rejected> {
        let mut query = vec![("appid", self.app_id.as_str()), ("ticket", ticket)];
        if !self.identity.is_empty() {
            query.push(("identity", &self.identity));
        }
        let answer = self
            .ask::<Ticket>("ISteamUserAuth/AuthenticateUserTicket/v1/", &query)
            .await;
        let answer = answer.map_err(|error| {
            if self.complaint.is_due() {
                tracing::warn!(provider = NAME, %error, "cannot check a ticket");
            }
            Rejected::Unavailable
        })?;
        match (answer.params, answer.error) {
            (Some(holder), _) if holder.result == "OK" && is_id(&holder.steamid) => Ok(holder),
            (None, Some(error)) => {
                tracing::debug!(provider = NAME, %error, "ticket refused");
                Err(Rejected::InvalidTicket)
            }
            (Some(holder), _) if holder.result != "OK" => Err(Rejected::InvalidTicket),
            _ => {
                if self.complaint.is_due() {
                    tracing::warn!(
                        provider = NAME,
                        "the answer about a ticket is not understood"
                    );
                }
                Err(Rejected::Unavailable)
            }
        }
    }

    /// What the player is called on Steam. None if that does not come out: a name is no reason
    /// to turn anybody away.
    async fn persona(&self, steamid: &str) -> Option<String> {
        let query = [("steamids", steamid)];
        let answer = self
            .ask::<Summaries>("ISteamUser/GetPlayerSummaries/v2/", &query)
            .await
            .inspect_err(|error| tracing::debug!(provider = NAME, %error, "no player summary"));
        let player = answer.ok()?.players.into_iter().next()?;
        Some(player["personaname"].as_str()?.to_owned())
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        query: &[(&str, &str)],
    ) -> Result<T, NoAnswer> {
        let mut url = self.api.clone();
        let base = url.path().trim_end_matches('/');
        url.set_path(&format!("{base}/{method}"));
        url.query_pairs_mut()
            .append_pair("key", self.key.expose())
            .extend_pairs(query);
        let answer: Answer<T> = self.outbound.get(url, self.timeout).await?;
        Ok(answer.response)
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Deserialize)]
struct Answer<T> {
    response: T,
}

#[derive(Deserialize)]
struct Ticket {
    params: Option<Holder>,
    error: Option<Value>,
}

/// Who holds a ticket.
#[derive(Deserialize)]
struct Holder {
    result: String,
    #[serde(default)]
    steamid: String,
    /// Somebody else's with a borrowed copy.
    #[serde(default)]
    ownersteamid: Option<String>,
    #[serde(default)]
    vacbanned: bool,
    #[serde(default)]
    publisherbanned: bool,
}

#[derive(Deserialize)]
struct Summaries {
    players: Vec<Value>,
}
