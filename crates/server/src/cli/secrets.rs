//! The secrets a server needs: generated and kept in `dev`, required in `serve`.

use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Secret};

use super::is_strong;

/// The file inside the data folder that keeps what `dev` generated.
const FILE: &str = "dev-secrets.json";

#[derive(Serialize, Deserialize)]
struct Generated {
    token_secret: String,
    guest_pepper: String,
}

/// Fills in what is not set with what this data folder's file holds, made at the first start.
pub(super) fn generate_missing(config: &mut Config) -> anyhow::Result<()> {
    if !config.auth.token_secret.is_empty() && !config.guest.pepper.is_empty() {
        return Ok(());
    }
    let generated = kept(Path::new(&config.server.data_dir))?;
    if config.auth.token_secret.is_empty() {
        config.auth.token_secret = Secret::from(generated.token_secret);
    }
    if config.guest.pepper.is_empty() {
        config.guest.pepper = Secret::from(generated.guest_pepper);
    }
    Ok(())
}

fn kept(data_dir: &Path) -> anyhow::Result<Generated> {
    let path = data_dir.join(FILE);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is damaged; delete it to make new secrets (access tokens are refreshed; guests' devices are not known any more)",
                path.display()
            )
        });
    }
    let generated = Generated {
        token_secret: random(),
        guest_pepper: random(),
    };
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot create {}", data_dir.display()))?;
    write_private(&path, &serde_json::to_string_pretty(&generated)?)?;
    Ok(generated)
}

/// Written whole or not at all, and readable by this user only.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let draft = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    Ok(())
}

fn random() -> String {
    STANDARD_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// Refuses to start without a key for tokens.
pub(super) fn require(config: &Config) -> anyhow::Result<()> {
    if !is_strong(config.auth.token_secret.expose()) {
        bail!(
            "auth.token_secret is not set or shorter than {} bytes: access tokens cannot be signed.\n\
             Set ASOBI_AUTH__TOKEN_SECRET to a random string and keep it, for example from: openssl rand -base64 48",
            Config::MIN_SECRET_BYTES
        );
    }
    Ok(())
}
