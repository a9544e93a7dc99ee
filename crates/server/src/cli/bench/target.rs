//! Which server is measured.

use std::net::{IpAddr, ToSocketAddrs};

use anyhow::{Context, bail};
use axum::http::Uri;
use clap::Args;

use super::process::Process;

/// Which server is measured, and how the result is shown.
#[derive(Args, Clone, Debug)]
pub(crate) struct TargetArgs {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8084")]
    pub(super) url: String,
    /// The server's process. Default: whoever listens on the URL's port.
    #[arg(long)]
    pid: Option<u32>,
    /// Put load on a server that is not on this machine. It must be yours to load.
    #[arg(long)]
    force: bool,
    /// Print one line of JSON instead of the table.
    #[arg(long)]
    pub(super) json: bool,
}

impl TargetArgs {
    /// The process to measure; `None` for a server elsewhere. Fails when the server is
    /// elsewhere and that was not asked for, or no process can be found.
    pub(super) fn process(&self) -> anyhow::Result<Option<Process>> {
        self.process_of(&self.url, self.pid)
    }

    /// As [`Self::process`], of another server under the same rules.
    pub(super) fn process_of(
        &self,
        url: &str,
        pid: Option<u32>,
    ) -> anyhow::Result<Option<Process>> {
        let (host, port) = host_and_port(url)?;
        let here = is_loopback(&host, port)?;
        if !here && !self.force {
            bail!("{host} is not this machine; load on another's server needs --force");
        }
        if let Some(pid) = pid {
            return Process::of(pid).map(Some);
        }
        here.then(|| Process::listening_on(port)).transpose()
    }
}

fn host_and_port(url: &str) -> anyhow::Result<(String, u16)> {
    let uri: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
    let host = uri.host().with_context(|| format!("{url} has no host"))?;
    let tls = matches!(uri.scheme_str(), Some("https" | "wss"));
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

/// Whether every address of the host is this machine's own.
fn is_loopback(host: &str, port: u16) -> anyhow::Result<bool> {
    let addresses = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("cannot resolve {host}"))?;
    let addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
    Ok(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_host_and_port() {
        let read = |url| host_and_port(url).expect("valid");
        assert_eq!(read("http://127.0.0.1:8084"), ("127.0.0.1".into(), 8084));
        assert_eq!(read("ws://[::1]:9/ws"), ("::1".into(), 9));
        assert_eq!(read("https://example.org"), ("example.org".into(), 443));
    }

    #[test]
    fn only_this_machine_is_loaded_unasked() {
        assert!(is_loopback("127.0.0.9", 1).expect("resolves"));
        assert!(is_loopback("::1", 1).expect("resolves"));
        assert!(!is_loopback("192.0.2.1", 1).expect("resolves"));
    }
}
