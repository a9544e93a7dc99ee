//! What an ID token says, and whether it says it to us and now.
//!
//! The rules are those of OpenID Connect Core 1.0, 3.1.3.7. The signature is checked before
//! anything here is looked at.

use serde::Deserialize;
use serde_json::Value;

use super::{Rejected, Vouched};

/// How far the provider's clock may be from ours, in seconds.
const LEEWAY_SECONDS: f64 = 60.0;

/// Stands in the issuer of a provider that signs for many tenants, such as Microsoft's `common`.
pub(super) const TENANT: &str = "{tenantid}";

/// The claims of an ID token that matter here.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    /// Unix seconds; a fraction is allowed.
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    /// Microsoft's tenant.
    #[serde(default)]
    tid: Option<String>,
    // What only decorates an account may be of any type without harm.
    #[serde(default)]
    name: Value,
    #[serde(default)]
    nickname: Value,
    #[serde(default)]
    preferred_username: Value,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_verified: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, client_id: &str) -> bool {
        match self {
            Self::One(one) => one == client_id,
            Self::Several(several) => several.iter().any(|one| one == client_id),
        }
    }
}

/// What a token must say.
pub(super) struct Expected<'a> {
    /// The issuer the provider's own document names, perhaps with [`TENANT`] in it.
    pub(super) issuer: &'a str,
    /// The issuer the key is said to sign for, if it is said. Microsoft does, so that one
    /// tenant's key does not sign for another.
    pub(super) key_issuer: Option<&'a str>,
    /// Ours.
    pub(super) client_ids: &'a [String],
    /// Unix seconds.
    pub(super) now: f64,
}

impl Claims {
    /// Whom these claims vouch for.
    pub(super) fn check(&self, expected: &Expected<'_>) -> Result<Vouched, Rejected> {
        let issuers = [Some(expected.issuer), expected.key_issuer];
        if !issuers.into_iter().flatten().all(|one| self.is_of(one)) {
            return Err(Rejected::WrongIssuer);
        }
        if !expected.client_ids.iter().any(|id| self.aud.has(id)) {
            return Err(Rejected::WrongAudience);
        }
        if self.exp + LEEWAY_SECONDS <= expected.now {
            return Err(Rejected::Expired);
        }
        let begins = [self.nbf, self.iat].into_iter().flatten();
        if begins.fold(0.0, f64::max) > expected.now + LEEWAY_SECONDS {
            return Err(Rejected::NotYetValid);
        }
        self.vouch().ok_or(Rejected::InvalidToken)
    }

    fn is_of(&self, issuer: &str) -> bool {
        if !issuer.contains(TENANT) {
            return self.iss == issuer;
        }
        // Only an id fills the gap: nothing with a slash in it makes up another issuer.
        let tenant = self.tid.as_deref();
        tenant
            .filter(|tenant| uuid::Uuid::try_parse(tenant).is_ok())
            .is_some_and(|tenant| self.iss == issuer.replace(TENANT, tenant))
    }

    fn vouch(&self) -> Option<Vouched> {
        let mut vouched = Vouched::new(&self.sub)?;
        let names = [&self.name, &self.nickname, &self.preferred_username];
        vouched.take_name(&names.map(Value::as_str));
        // Apple sends the flag as text.
        let unverified = matches!(&self.email_verified, Value::Bool(false))
            || self.email_verified.as_str() == Some("false");
        if !unverified {
            vouched.take_email(self.email.as_str());
        }
        Some(vouched)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: f64 = 1_800_000_000.0;
    const TENANT_ID: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

    fn check(change: Value) -> Result<Vouched, Rejected> {
        check_for("https://id.example", None, change)
    }

    fn check_for(
        issuer: &str,
        key_issuer: Option<&str>,
        change: Value,
    ) -> Result<Vouched, Rejected> {
        let mut claims = json!({
            "iss": "https://id.example", "sub": "42", "aud": "game", "exp": NOW + 1.0,
        });
        for (key, value) in change.as_object().unwrap() {
            claims[key] = value.clone();
        }
        let claims: Claims = serde_json::from_value(claims).map_err(|_| Rejected::InvalidToken)?;
        claims.check(&Expected {
            issuer,
            key_issuer,
            client_ids: &["game".to_owned(), "game-ios".to_owned()],
            now: NOW,
        })
    }

    #[test]
    fn a_token_counts_for_its_time_give_or_take_a_minute() {
        assert!(check(json!({})).is_ok());
        for (change, outcome) in [
            (json!({"exp": NOW - 59.0}), None),
            (json!({"exp": NOW - 60.0}), Some(Rejected::Expired)),
            (json!({"nbf": NOW + 60.0, "iat": NOW + 60.0}), None),
            (json!({"nbf": NOW + 61.0}), Some(Rejected::NotYetValid)),
            (json!({"iat": NOW + 61.0}), Some(Rejected::NotYetValid)),
            (json!({"exp": "soon"}), Some(Rejected::InvalidToken)),
            (json!({"exp": null}), Some(Rejected::InvalidToken)),
            (json!({"exp": -1e308}), Some(Rejected::Expired)),
        ] {
            assert_eq!(check(change.clone()).err(), outcome, "{change}");
        }
    }

    #[test]
    fn a_token_is_for_one_of_our_clients() {
        for (audience, outcome) in [
            (json!("game-ios"), None),
            (json!(["other", "game"]), None),
            (json!("gam"), Some(Rejected::WrongAudience)),
            (json!(["other"]), Some(Rejected::WrongAudience)),
            (json!([]), Some(Rejected::WrongAudience)),
            (json!(7), Some(Rejected::InvalidToken)),
            (json!(null), Some(Rejected::InvalidToken)),
        ] {
            assert_eq!(check(json!({"aud": audience})).err(), outcome, "{audience}");
        }
    }

    #[test]
    fn an_issuer_is_exactly_the_one() {
        for bad in [
            "https://id.example/",
            "http://id.example",
            "https://evil.example",
            "",
        ] {
            let outcome = check(json!({"iss": bad}));
            assert_eq!(outcome, Err(Rejected::WrongIssuer), "{bad}");
        }
    }

    #[test]
    fn a_tenant_fills_the_issuers_gap() {
        const MANY: &str = "https://login.example/{tenantid}/v2.0";
        let of = |tenant: &str| format!("https://login.example/{tenant}/v2.0");
        let good = json!({"iss": of(TENANT_ID), "tid": TENANT_ID});
        assert!(check_for(MANY, None, good.clone()).is_ok());
        assert!(check_for(MANY, Some(MANY), good.clone()).is_ok());
        assert!(check_for(MANY, Some(&of(TENANT_ID)), good.clone()).is_ok());
        let other = of("11111111-6c67-4c5b-b112-36a304b66dad");
        assert_eq!(
            check_for(MANY, Some(&other), good),
            Err(Rejected::WrongIssuer)
        );
        for bad in [
            json!({"iss": of(TENANT_ID)}),
            json!({"iss": of("x/y"), "tid": "x/y"}),
            json!({"iss": MANY, "tid": "{tenantid}"}),
            json!({"iss": other, "tid": TENANT_ID}),
        ] {
            let outcome = check_for(MANY, None, bad.clone());
            assert_eq!(outcome, Err(Rejected::WrongIssuer), "{bad}");
        }
    }

    #[test]
    fn what_decorates_is_kept_if_it_is_fit() {
        let vouched = check(json!({
            "name": 7, "nickname": "Ada", "email": "ada@example.org", "email_verified": "true",
        }))
        .unwrap();
        assert_eq!(vouched.uid, "42");
        let metadata = Value::Object(vouched.metadata);
        assert_eq!(
            metadata,
            json!({"display_name": "Ada", "email": "ada@example.org"})
        );
        for flag in [json!(false), json!("false")] {
            let change = json!({"email": "ada@example.org", "email_verified": flag});
            assert!(check(change).unwrap().metadata.is_empty());
        }
    }
}
