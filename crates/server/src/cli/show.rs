//! What the command prints.

use std::io::Write;
use std::path::Path;

use crate::app::App;
use crate::config::{Loaded, Profile};

/// Prints a text as it is.
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Prints every setting with its source.
pub(super) fn settings(loaded: &Loaded) -> anyhow::Result<()> {
    let shown = loaded.shown();
    let width = |column: fn(&crate::config::load::Shown) -> usize| {
        shown.iter().map(column).max().unwrap_or(0)
    };
    let (keys, values) = (width(|s| s.key.len()), width(|s| s.value.len()));
    let mut out = std::io::stdout().lock();
    for setting in &shown {
        writeln!(
            out,
            "{:keys$}  {:values$}  {}",
            setting.key, setting.value, setting.source
        )?;
    }
    Ok(())
}

/// Says where the server is, in one block for people and one line for scripts.
pub(super) fn ready(profile: Profile, app: &App, game_dir: &Path) -> anyhow::Result<()> {
    let address = app.address();
    let mut out = std::io::stdout().lock();
    if profile == Profile::Dev {
        writeln!(
            out,
            "\n  Asobi is serving {}\n\n    play    http://{address}/\n    REST    http://{address}/api/v1\n    \
             socket  ws://{address}/ws\n\n  Save a script and running matches change. Ctrl-C stops.\n",
            game_dir.display(),
        )?;
    }
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;
    Ok(())
}

/// Says why the command failed.
pub(super) fn failure(error: &anyhow::Error) {
    // Nothing is left to do where even standard error is closed.
    let _ = writeln!(std::io::stderr(), "asobi: {error:#}");
}
