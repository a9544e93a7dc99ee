//! One speaks, many hear: what a message to a channel costs, and each delivery of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use asobi_client::{Connection, Error};
use clap::Args;
use serde_json::json;
use tokio::task::JoinSet;

use super::guests;
use super::load::first_failure;
use super::report::Report;
use super::samples::Samples;
use super::target::TargetArgs;
use super::window::{Window, watch_idle};

/// Uncounted load before the window.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the last deliveries may take after the window.
const SETTLE: Duration = Duration::from_secs(1);

/// How many hear how much.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChatArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Members of the channel, the speaker beside them. Each is a guest of its own.
    #[arg(long, default_value_t = 500)]
    members: usize,
    /// The channel; the game must declare it.
    #[arg(long, default_value = "global:bench")]
    channel: String,
    /// Messages a second.
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// Length of a message in bytes.
    #[arg(long, default_value_t = 60)]
    bytes: usize,
    /// Length of the measured window in seconds, after 2 s of warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// What everybody has seen in the window.
#[derive(Debug, Default)]
struct Meter {
    window: Window,
    sent: Cell<usize>,
    /// When the message of this number was sent, if it counts.
    sent_at: RefCell<Vec<Option<Instant>>>,
    /// From sending to each delivery.
    latencies: RefCell<Samples>,
}

/// Fills a channel, lets one speak, and measures.
pub(super) async fn run(args: ChatArgs) -> anyhow::Result<Report> {
    let server = args.target.process()?;
    let sessions = guests::sign_in(&args.target.url, args.members + 1).await?;
    let mut guests = guests::connect(&args.target.url, &sessions).await?;
    let speaker = guests.pop().context("there is a speaker")?.connection;
    let meter = Rc::new(Meter::default());
    let mut tasks = JoinSet::new();
    for mut guest in guests {
        join(&mut guest.connection, &args.channel).await?;
        tasks.spawn_local(listen(guest.connection, meter.clone()));
    }
    let mut report = Report::new("chat");
    watch_idle(server.as_ref(), &mut report).await?;
    tasks.spawn_local(speak(speaker, args.clone(), meter.clone()));
    let length = Duration::from_secs(args.seconds);
    let usage = meter
        .window
        .measure(server.as_ref(), WARM_UP, length)
        .await?;
    tokio::time::sleep(SETTLE).await;
    first_failure(&mut tasks)?;
    let (sent, latencies) = (meter.sent.get(), meter.latencies.take());
    let delivered = latencies.len();
    report.row("members", "members", args.members as f64, "");
    report.row(
        "messages_per_second",
        "messages",
        usage.per_second(sent),
        "/s",
    );
    report.row(
        "deliveries_per_second",
        "deliveries",
        usage.per_second(delivered),
        "/s",
    );
    usage.report(&mut report, "CPU per message", "cpu_per_message_us", sent);
    if let Some(each) = report.value("cpu_per_message_us") {
        let each = each / args.members.max(1) as f64;
        report.row("cpu_per_delivery_us", "CPU per delivery", each, "us");
    }
    report.percentiles("latency", "latency", &latencies.sort(), &[50, 99]);
    if delivered < sent * args.members {
        let missing = sent * args.members - delivered;
        report.note(format!("{missing} deliveries did not come"));
    }
    usage.report_surroundings(&mut report);
    Ok(report)
}

async fn join(connection: &mut Connection, channel: &str) -> anyhow::Result<()> {
    let join = json!({"type": "chat.join", "cid": "join", "payload": {"channel_id": channel}});
    connection.send_text(join.to_string()).await?;
    loop {
        let frame = connection.next().await?;
        let text = frame.text().unwrap_or_default();
        if text.starts_with(r#"{"type":"chat.joined""#) {
            return Ok(());
        }
        if text.starts_with(r#"{"type":"error""#) {
            bail!("cannot join {channel}; does the game declare it? {text}");
        }
    }
}

/// Speaks at an even pace. Nothing of it is answered, so whatever comes is an error.
async fn speak(mut speaker: Connection, args: ChatArgs, meter: Rc<Meter>) -> anyhow::Result<()> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / args.rate.max(1));
    for n in 0_usize.. {
        tokio::select! {
            _ = pace.tick() => {}
            frame = speaker.next() => match frame {
                Ok(frame) => bail!("the server sent {}", frame.text().unwrap_or_default()),
                Err(error) => return Err(error.into()),
            },
        }
        let counts = meter.window.is_open();
        meter.sent_at.borrow_mut().push(counts.then(Instant::now));
        meter.sent.set(meter.sent.get() + usize::from(counts));
        let content = format!("{n} {:.<1$}", "", args.bytes.saturating_sub(8));
        let send = json!({"type": "chat.send", "payload": {"channel_id": args.channel, "content": content}});
        speaker.send_text(send.to_string()).await?;
    }
    Ok(())
}

async fn listen(mut connection: Connection, meter: Rc<Meter>) -> anyhow::Result<()> {
    loop {
        let frame = connection.next().await.map_err(closed)?;
        let now = Instant::now();
        let text = frame.text().unwrap_or_default();
        let sent_at = number(text).and_then(|n| meter.sent_at.borrow().get(n).copied().flatten());
        if let Some(at) = sent_at {
            meter.latencies.borrow_mut().push(now - at);
        }
    }
}

fn closed(error: Error) -> anyhow::Error {
    anyhow::Error::from(error).context("a member's connection has ended")
}

/// The number at the beginning of a message's content.
fn number(frame: &str) -> Option<usize> {
    if !frame.starts_with(r#"{"type":"chat.message""#) {
        return None;
    }
    let (_, content) = frame.split_once(r#""content":""#)?;
    content.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_messages() {
        let frame = r#"{"type":"chat.message","payload":{"channel_id":"global:bench","content":"17 ....","id":"x"}}"#;
        assert_eq!(number(frame), Some(17));
        assert_eq!(
            number(r#"{"type":"chat.sent","payload":{"content":"17 "}}"#),
            None
        );
        assert_eq!(
            number(r#"{"type":"chat.message","payload":{"content":"hi"}}"#),
            None
        );
    }
}
