//! After a target has agreed to another protocol: bytes both ways, as they come, until both sides have ended or neither has
//! sent anything for the Service's read timeout. Each way holds one buffer, so whoever reads slowly slows the other down;
//! the end of one way is passed on while the other goes on.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::connection::{Connection, Patience};
use super::ticket::Ticket;
use crate::outcome::Outcome;

/// Bytes held for each way.
const ROOM: usize = 16 * 1024;

/// A tunnel that is dug on the target's side. Its attempt stays in flight as long as it lives.
#[derive(Debug)]
pub(super) struct Tunnel {
    target: Connection,
    ticket: Ticket,
}

impl Tunnel {
    /// A tunnel to the target that has just answered 101.
    pub(super) fn new(target: Connection, mut ticket: Ticket) -> Self {
        ticket.let_go_as(Outcome::Answered { status: 101 });
        Self { target, ticket }
    }

    /// Carries bytes until it ends; `first` is what the client had sent behind its request.
    pub(super) async fn run(self, mut client: TcpStream, first: Bytes) {
        let timeout = self.ticket.read_timeout();
        let (mut target, input, patience) = self.target.into_tunnel();
        let (from_client, to_client) = client.split();
        let (from_target, to_target) = target.split();
        patience.renew(timeout);
        let up = pass(from_client, first, to_target, &patience, timeout);
        let down = pass(from_target, input.freeze(), to_client, &patience, timeout);
        let both = async { tokio::try_join!(up, down) };
        let idle = poll_fn(|cx| if patience.poll_over(cx) { Poll::Ready(()) } else { Poll::Pending });
        tokio::select! {
            biased;
            // However it ends, it has ended.
            _ = both => {}
            () = idle => {}
        }
    }
}

/// Carries `first` and then all that comes, one way, and then the end.
async fn pass(
    mut from: ReadHalf<'_>,
    first: Bytes,
    mut to: WriteHalf<'_>,
    patience: &Patience,
    timeout: Duration,
) -> io::Result<()> {
    to.write_all(&first).await?;
    let mut buffer = vec![0; ROOM];
    loop {
        let n = from.read(&mut buffer).await?;
        patience.renew(timeout);
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..n]).await?;
        patience.renew(timeout);
    }
}
