//! Device credentials: what a guest's device proves itself with.
//!
//! The secret is never stored. The database holds a verifier: a random salt and
//! HMAC-SHA256(pepper, salt || secret). The pepper is a setting, so a stolen table is worthless
//! without it. The form of the verifier is the original's.

use asobi_wire::Code;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::tokens::random_bytes;
use crate::config::{Config, GuestConfig, Secret};
use crate::edge::error::Outcome;

/// A shorter pepper counts as none.
const MIN_PEPPER_BYTES: usize = Config::MIN_SECRET_BYTES;
const MAX_DEVICE_ID_BYTES: usize = 255;
const MIN_SECRET_BYTES: usize = 32;
const MAX_SECRET_BYTES: usize = 128;
/// Longer text is not even decoded.
const MAX_SECRET_TEXT: usize = 1_024;
const SALT_BYTES: usize = 16;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ANY_STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const ANY_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A well-formed pair of device id and secret.
pub(super) struct Device {
    /// What the device calls itself.
    pub(super) id: String,
    secret: Vec<u8>,
}

impl Device {
    /// Checks a pair as it came. The secret is base64, in either alphabet, padded or not.
    pub(super) fn new(id: &str, secret: &str) -> Outcome<Self> {
        let secret = decode_secret(secret).ok_or(Code::GuestWeakDeviceSecret)?;
        // PostgreSQL cannot hold a NUL in text.
        if !(1..=MAX_DEVICE_ID_BYTES).contains(&id.len()) || id.contains('\0') {
            return Err(Code::GuestInvalidDeviceId.into());
        }
        Ok(Self {
            id: id.to_owned(),
            secret,
        })
    }
}

fn decode_secret(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_SECRET_TEXT {
        return None;
    }
    let bytes = ANY_STANDARD
        .decode(text)
        .or_else(|_| ANY_URL_SAFE.decode(text))
        .ok()?;
    (MIN_SECRET_BYTES..=MAX_SECRET_BYTES)
        .contains(&bytes.len())
        .then_some(bytes)
}

/// What the database holds in place of the secret.
#[derive(Serialize, Deserialize)]
struct Verifier {
    salt: String,
    key_id: String,
    verifier: String,
    #[serde(default)]
    revoked: bool,
}

/// What a device's secret amounts to.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is the one the verifier was made from.
    Right {
        /// The verifier was made with a pepper of before, and is to be made anew.
        outdated: bool,
    },
    /// It is not.
    Wrong,
    /// Whether or not it is, it counts no longer.
    Revoked,
}

/// The server's part of every verifier: the pepper new ones are made with, and those of before.
pub(super) struct Peppers {
    current: Secret,
    current_id: String,
    old: Vec<Secret>,
}

impl Peppers {
    /// The configured peppers, if the current one is long enough. An old one that is not counts
    /// as none: the log says so.
    pub(super) fn new(config: &GuestConfig) -> Option<Self> {
        let strong = |pepper: &Secret| pepper.expose().len() >= MIN_PEPPER_BYTES;
        let (old, short): (Vec<_>, Vec<_>) = config
            .old_peppers
            .iter()
            .partition(|(_, pepper)| strong(pepper));
        for (id, _) in short {
            tracing::warn!(
                pepper_id = id,
                "an old guest pepper is shorter than {MIN_PEPPER_BYTES} bytes: taken as absent"
            );
        }
        strong(&config.pepper).then(|| Self {
            current: config.pepper.clone(),
            current_id: config.pepper_id.clone(),
            old: old.into_iter().map(|(_, pepper)| pepper.clone()).collect(),
        })
    }

    /// A verifier for a device.
    pub(super) fn verifier(&self, device: &Device) -> Value {
        let salt = random_bytes::<SALT_BYTES>();
        let mac = mac(&self.current, &salt, device).finalize().into_bytes();
        let verifier = Verifier {
            salt: STANDARD.encode(salt),
            key_id: self.current_id.clone(),
            verifier: STANDARD.encode(mac),
            revoked: false,
        };
        serde_json::to_value(verifier).expect("text and a flag are JSON")
    }

    /// Judges a device by its stored verifier, in a time that does not depend on how much of
    /// the secret is right.
    ///
    /// Every pepper is tried, whatever key id the verifier names: the ids are for people, and a
    /// pepper under another name proves the same.
    pub(super) fn judge(&self, device: &Device, stored: &Value) -> Verdict {
        let Ok(stored) = Verifier::deserialize(stored) else {
            return Verdict::Wrong;
        };
        if stored.revoked {
            return Verdict::Revoked;
        }
        let (Ok(salt), Ok(known)) = (
            STANDARD.decode(stored.salt),
            STANDARD.decode(stored.verifier),
        ) else {
            return Verdict::Wrong;
        };
        let made_with = |pepper| mac(pepper, &salt, device).verify_slice(&known).is_ok();
        if made_with(&self.current) {
            return Verdict::Right {
                outdated: stored.key_id != self.current_id,
            };
        }
        match self.old.iter().any(made_with) {
            true => Verdict::Right { outdated: true },
            false => Verdict::Wrong,
        }
    }
}

fn mac(pepper: &Secret, salt: &[u8], device: &Device) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(pepper.expose().as_bytes())
        .expect("HMAC takes keys of every length")
        .chain_update(salt)
        .chain_update(&device.secret)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RIGHT: Verdict = Verdict::Right { outdated: false };

    fn pepper(text: &str) -> Option<Peppers> {
        Peppers::new(&GuestConfig {
            pepper: text.to_owned().into(),
            ..GuestConfig::default()
        })
    }

    fn device(byte: u8) -> Device {
        Device::new("phone", &STANDARD.encode([byte; 32])).unwrap()
    }

    #[test]
    fn a_short_pepper_is_none() {
        assert!(pepper(&"p".repeat(31)).is_none());
        assert!(pepper(&"p".repeat(32)).is_some());
    }

    #[test]
    fn a_verifier_knows_its_secret_and_no_other() {
        let pepper = pepper(&"p".repeat(32)).unwrap();
        let stored = pepper.verifier(&device(1));
        assert_eq!(stored["key_id"], "v1");
        assert_eq!(pepper.judge(&device(1), &stored), RIGHT);
        assert_eq!(pepper.judge(&device(2), &stored), Verdict::Wrong);
        assert_ne!(stored, pepper.verifier(&device(1)));
    }

    #[test]
    fn another_pepper_knows_nobody() {
        let stored = pepper(&"p".repeat(32)).unwrap().verifier(&device(1));
        let other = pepper(&"q".repeat(32)).unwrap();
        assert_eq!(other.judge(&device(1), &stored), Verdict::Wrong);
    }

    #[test]
    fn a_pepper_of_before_still_counts_and_is_outdated() {
        let (old, new) = ("o".repeat(32), "n".repeat(32));
        let stored = pepper(&old).unwrap().verifier(&device(1));
        let rotated = |id: &str, kept: &str| {
            let config = GuestConfig {
                pepper: new.clone().into(),
                pepper_id: "v2".into(),
                old_peppers: [(id.to_owned(), kept.to_owned().into())].into(),
                ..GuestConfig::default()
            };
            Peppers::new(&config).unwrap()
        };
        // The environment cannot tell `V1` from `v1`.
        for id in ["v1", "V1", "another name"] {
            let peppers = rotated(id, &old);
            let outdated = Verdict::Right { outdated: true };
            assert_eq!(peppers.judge(&device(1), &stored), outdated);
            assert_eq!(peppers.judge(&device(2), &stored), Verdict::Wrong);
            let renewed = peppers.verifier(&device(1));
            assert_eq!(renewed["key_id"], "v2");
            assert_eq!(peppers.judge(&device(1), &renewed), RIGHT);
        }
        let short = &old[..31];
        let stored = json!({"salt": "", "key_id": "v1", "verifier": STANDARD.encode(
            mac(&short.to_owned().into(), &[], &device(1)).finalize().into_bytes())});
        let verdict = rotated("v1", short).judge(&device(1), &stored);
        assert_eq!(verdict, Verdict::Wrong, "a short pepper counts as none");
    }

    #[test]
    fn a_revoked_or_broken_verifier_lets_nobody_in() {
        let pepper = pepper(&"p".repeat(32)).unwrap();
        let mut stored = pepper.verifier(&device(1));
        stored["revoked"] = json!(true);
        assert_eq!(pepper.judge(&device(1), &stored), Verdict::Revoked);
        for broken in [
            json!({}),
            json!(null),
            json!({"salt": "", "key_id": "", "verifier": ""}),
        ] {
            assert_eq!(pepper.judge(&device(1), &broken), Verdict::Wrong);
        }
    }

    #[test]
    fn a_verifier_of_the_originals_form_is_understood() {
        // HMAC-SHA256(key = 32 times "p", 16 times 0x00 followed by 32 times 0x01).
        let stored = json!({
            "salt": "AAAAAAAAAAAAAAAAAAAAAA==",
            "key_id": "v1",
            "verifier": "+VgylnHTe8G+DTvM+IjpRf971QR9I9eyDPKUw2Md1sw=",
            "revoked": false,
        });
        let pepper = pepper(&"p".repeat(32)).unwrap();
        assert_eq!(pepper.judge(&device(1), &stored), RIGHT);
    }

    #[test]
    fn secrets_are_32_to_128_bytes_of_base64() {
        let code = |secret: &str| Device::new("phone", secret).err().map(|error| error.code);
        assert_eq!(code(&STANDARD.encode([251; 32])), None);
        assert_eq!(code(STANDARD.encode([251; 32]).trim_end_matches('=')), None);
        assert_eq!(
            code(
                &STANDARD
                    .encode([251; 128])
                    .replace('+', "-")
                    .replace('/', "_")
            ),
            None
        );
        let weak = [
            STANDARD.encode([1; 31]),
            STANDARD.encode([1; 129]),
            "*".repeat(44),
            "A".repeat(100_000),
            String::new(),
        ];
        for secret in weak {
            assert_eq!(code(&secret), Some(Code::GuestWeakDeviceSecret));
        }
    }

    #[test]
    fn device_ids_are_1_to_255_bytes() {
        let secret = STANDARD.encode([1; 32]);
        for good in ["x", &"x".repeat(255), "ein Gerät"] {
            assert!(Device::new(good, &secret).is_ok());
        }
        for bad in ["", &"x".repeat(256), "a\0b"] {
            let error = Device::new(bad, &secret).err().unwrap();
            assert_eq!(error.code, Code::GuestInvalidDeviceId);
        }
    }
}
