//! One probe over the network: a connection of its own, and for HTTP a request of which only the status line of the answer is
//! read. What the answer means is decided in `health`.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::NAME;
use super::resolve::resolve;
use super::settings::Settings;
use super::timers::Timers;
use crate::entity::{Address, ProbeKind};
use crate::health::{Plan, Probe, ProbeResult};
use crate::outcome::Failure;

/// How much of an answer is read at most to find its status.
const STATUS_LINE_MAX: usize = 1024;
/// A probe that may take no time at all could never succeed.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// Sends `probe` and reports its end, whatever happens.
pub(super) async fn send(timers: Rc<Timers>, probe: Probe) {
    let Timers { gateway, clock, settings, changed, .. } = &*timers;
    let target = gateway.config().target(probe.target).map(|target| target.target.clone());
    let result = match target {
        Some(target) => {
            let limit = probe.plan.checks.timeout.max(TIMEOUT_MIN);
            timeout(limit, ask(&probe.plan, &target, settings))
                .await
                .unwrap_or(ProbeResult::Failed(Failure::ResponseTimeout))
        }
        None => ProbeResult::Failed(Failure::Refused),
    };
    gateway.on_probe(probe, result, clock.now());
    changed.notify_one();
}

async fn ask(plan: &Plan, target: &Address, settings: &Settings) -> ProbeResult {
    let Some(address) = resolve(target, &settings.overrides).await else {
        return ProbeResult::Failed(Failure::Refused);
    };
    match exchange(plan, target, address).await {
        Ok(Some(status)) => ProbeResult::Answered { status },
        Ok(None) => ProbeResult::Connected,
        Err(e) if e.kind() == io::ErrorKind::InvalidData => ProbeResult::Failed(Failure::BadResponse),
        Err(_) => ProbeResult::Failed(Failure::Refused),
    }
}

/// The status of the answer; `None` when a connection was all that was asked for.
async fn exchange(plan: &Plan, target: &Address, address: SocketAddr) -> io::Result<Option<u16>> {
    let mut stream = TcpStream::connect(address).await?;
    match plan.checks.kind {
        ProbeKind::Tcp => return Ok(None),
        ProbeKind::Http => {}
        // TLS and gRPC are not spoken here: such a target can only be unwell.
        ProbeKind::Https | ProbeKind::Grpc | ProbeKind::Grpcs => {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
    stream.write_all(request(plan, target).as_bytes()).await?;
    let mut line = Vec::with_capacity(STATUS_LINE_MAX);
    while !line.contains(&b'\n') {
        if line.len() >= STATUS_LINE_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    status(&line).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn request(plan: &Plan, target: &Address) -> String {
    let checks = &plan.checks;
    let host = plan.host_header.clone().unwrap_or_else(|| target.host_header());
    let mut head = format!(
        "GET {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nuser-agent: {NAME}\r\n",
        checks.http_path
    );
    for (name, value) in
        checks.headers.iter().flat_map(|(name, values)| values.iter().map(move |v| (name, v)))
    {
        // Whatever could end a line early is left out. A String takes whatever is written.
        if !value.bytes().any(|b| b.is_ascii_control()) && !name.bytes().any(|b| b.is_ascii_control()) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    head.push_str("\r\n");
    head
}

/// `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5)?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (rest[1] == b' ' && (100..=999).contains(&code)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_is_read_strictly() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 503\r\nx"), Some(503));
        for bad in [&b"HTTP/2 200\r\n"[..], b"HTTP/1.1 20x\r\n", b"SSH-2.0\r\n", b"HTTP/1.1\n", b""] {
            assert_eq!(status(bad), None);
        }
    }
}
