//! What the tests need beside Rust, installed with apt-get where it is missing.

use std::process::{Command, Stdio};

use crate::{Outcome, root, run};

/// Programs and the Debian packages they come in, for the JavaScript and browser tests.
pub(crate) const JAVASCRIPT: [(&str, &str); 3] =
    [("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium")];

/// Installs the packages of those programs that are missing.
pub(crate) fn install(tools: &[(&str, &str)]) -> Outcome {
    let missing: Vec<&str> = tools
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect();
    install_packages(&missing)
}

/// Installs packages.
pub(crate) fn install_packages(packages: &[&str]) -> Outcome {
    if packages.is_empty() {
        return Ok(());
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    let install: Vec<&str> = ["install", "-y", "--no-install-recommends"]
        .into_iter()
        .chain(packages.iter().copied())
        .collect();
    run("apt-get", &["update", "-q"], &root(), &quiet)
        .and_then(|()| run("apt-get", &install, &root(), &quiet))
        .map_err(|error| {
            format!(
                "{error}\ninstall these yourself and try again: {}",
                packages.join(" ")
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
