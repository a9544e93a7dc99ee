//! Who may come through: rate limits, origins, and whose token a request carries.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use asobi_wire::Code;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::Services;
use crate::config::{LimitsConfig, ServerConfig};
use crate::session::outbox::Closing;

use super::caller::{Address, bearer};
use super::error::Failure;
use super::limits::{Limiter, Rate, rate_limited};

/// The limiters of the edge.
pub struct Limits {
    connects: Limiter<IpAddr>,
    auth: Limiter<IpAddr>,
    register: Limiter<IpAddr>,
    iap: Limiter<IpAddr>,
    api: Limiter<ApiKey>,
}

/// Whose budget a REST request draws on: the player's, or the address's without one.
#[derive(PartialEq, Eq, Hash)]
enum ApiKey {
    Address(IpAddr),
    Player(asobi_game::PlayerId),
}

impl Limits {
    /// Limiters as configured.
    pub fn new(config: &LimitsConfig) -> Self {
        Self {
            connects: Limiter::new(Rate::per_second(config.ws_connects_per_second)),
            auth: Limiter::new(Rate::per_second(config.auth_per_second)),
            register: Limiter::new(Rate::per_second(config.register_per_second)),
            iap: Limiter::new(Rate::per_second(config.iap_per_second)),
            api: Limiter::new(Rate::per_second(config.api_per_second)),
        }
    }

    /// Whether an address may open a socket from this origin; why not, otherwise. The connect
    /// counts either way: a flood with a wrong origin is a flood.
    pub fn check_connect(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        config: &ServerConfig,
    ) -> Option<Closing> {
        if self.connects.take(peer).is_err() {
            return Some(Closing::RATE_LIMITED);
        }
        let origin = headers
            .get(header::ORIGIN)
            .map(|origin| origin.to_str().unwrap_or_default());
        let allowed = &config.allowed_origins;
        let may = origin
            .is_none_or(|origin| allowed.is_empty() || allowed.iter().any(|known| known == origin));
        if may {
            None
        } else {
            Some(Closing::ORIGIN_REJECTED)
        }
    }

    /// `path` is below `/api/v1`.
    fn check_request(
        &self,
        path: &str,
        peer: IpAddr,
        player: Option<&asobi_game::PlayerId>,
    ) -> Result<(), Duration> {
        if path == "/auth/register" {
            return self.register.take(peer);
        }
        if path.starts_with("/auth/") {
            return self.auth.take(peer);
        }
        if path.starts_with("/iap/") {
            return self.iap.take(peer);
        }
        self.api
            .take(player.map_or(ApiKey::Address(peer), |player| {
                ApiKey::Player(player.clone())
            }))
    }
}

/// Reads the access token, if the request carries a valid one, and spends a token of its
/// limit.
pub async fn guard(
    State(services): State<Arc<Services>>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = address(&request, &services.config.server);
    let peer = network(address);
    let caller = bearer(request.headers()).and_then(|token| services.accounts.verify(token).ok());
    let player = caller.as_ref().map(|caller| &caller.player);
    if let Err(wait) = services
        .limits
        .check_request(request.uri().path(), peer, player)
    {
        return Failure(rate_limited(wait)).into_response();
    }
    if let Err(code) = check_length(&request, services.config.limits.body_bytes) {
        return Failure::from(code).into_response();
    }
    if services.db.is_away() {
        return Failure::from(Code::NotReady).into_response();
    }
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    request
        .extensions_mut()
        .insert(Address(address.to_canonical()));
    next.run(request).await
}

/// A body says how long it is before it is read, and is not too long.
fn check_length(request: &Request, most: usize) -> Result<(), Code> {
    let headers = request.headers();
    let Some(length) = headers.get(header::CONTENT_LENGTH) else {
        return match headers.contains_key(header::TRANSFER_ENCODING) {
            true => Err(Code::LengthRequired),
            false => Ok(()),
        };
    };
    let length = length
        .to_str()
        .ok()
        .and_then(|text| text.parse::<usize>().ok());
    match length {
        Some(length) if length <= most => Ok(()),
        _ => Err(Code::PayloadTooLarge),
    }
}

/// The client's address as limits count it. Whoever has an IPv6 address has the 2^64 of its
/// network, so the network counts.
pub fn peer(request: &Request, config: &ServerConfig) -> IpAddr {
    network(address(request, config))
}

/// The client's address: the peer's, or what a trusted proxy says.
fn address(request: &Request, config: &ServerConfig) -> IpAddr {
    let socket = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let direct = socket.map_or(IpAddr::from([127, 0, 0, 1]), |ConnectInfo(address)| {
        address.ip()
    });
    match config.trust_proxy {
        true => forwarded(request.headers()).unwrap_or(direct),
        false => direct,
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// The last address of `X-Forwarded-For`: the one our own proxy wrote.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let list = headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()?
        .to_str()
        .ok()?;
    list.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_and_a_mapped_address_as_ipv4() {
        let counted = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("192.0.2.7"), "192.0.2.7");
    }
}
