//! What the JavaScript and browser tests need: Node.js, npm and Chromium.

use std::process::{Command, Stdio};

use crate::{Outcome, root, run};

/// A program and the Debian package it comes in.
const TOOLS: [(&str, &str); 3] = [("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium")];

/// Installs what is missing with apt-get.
pub(crate) fn install_missing() -> Outcome {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    let install: Vec<&str> = ["install", "-y", "--no-install-recommends"]
        .into_iter()
        .chain(missing.iter().copied())
        .collect();
    run("apt-get", &["update", "-q"], &root(), &quiet)
        .and_then(|()| run("apt-get", &install, &root(), &quiet))
        .map_err(|error| {
            format!(
                "{error}\ninstall these yourself and try again: {}",
                missing.join(" ")
            )
        })
}

fn is_there(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}
