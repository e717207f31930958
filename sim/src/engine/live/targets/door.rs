//! Where connections come in: accepts them while the target listens, and carries out what begins and ends at its moments.

use std::io;
use std::pin::pin;
use std::rc::Rc;

use gateway_core::time::Instant;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::line::{Line, Wire};
use super::port::Port;
use super::target::Target;
use crate::mock::FaultKind;

/// The door of one target, until it is told to stop.
pub(super) async fn keep(
    target: Rc<Target>,
    port: Port,
    listener: std::net::TcpListener,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut listener = Some(TcpListener::from_std(listener)?);
    let mut changes = target.changes().into_iter().peekable();
    loop {
        let now = target.clock.now();
        while changes.next_if(|&at| at <= now).is_some() {}
        let is_cut = adjust(&target, &port, &mut listener, now)?;
        let next = changes.peek().copied().unwrap_or(Instant::MAX);
        tokio::select! {
            () = target.alarm.wait_until(next) => {}
            accepted = accept(listener.as_ref().filter(|_| !is_cut)) => {
                if let Ok(stream) = accepted {
                    let killed = target.killed.subscribe();
                    tokio::task::spawn_local(serve(Rc::clone(&target), stream, killed, stopped.clone()));
                } else {
                    // One that went away again, or no free descriptor: the client sees it, so it is observed.
                    tokio::task::yield_now().await;
                }
            }
            _ = stopped.changed() => return Ok(()),
        }
    }
}

/// Makes it so as it must be now; whether the wire is cut.
fn adjust(
    target: &Target,
    port: &Port,
    listener: &mut Option<TcpListener>,
    now: Instant,
) -> io::Result<bool> {
    let active = target.active(now);
    if !target.is_listening(now) {
        *listener = None;
    } else if listener.is_none() {
        *listener = Some(TcpListener::from_std(port.listen()?)?);
    }
    if active.is_on(&FaultKind::Kill) {
        target.killed.send_replace(());
    }
    let is_cut = active.is_on(&FaultKind::Partition);
    target.cut.set(is_cut);
    Ok(is_cut)
}

/// The next connection; never when nobody listens.
async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => Ok(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

/// Serves one connection to its end; told to stop, to the end of the request under way.
async fn serve(
    target: Rc<Target>,
    stream: TcpStream,
    mut killed: watch::Receiver<()>,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let line = Line::new(stream, &target.cut, &target.clock);
    let service = service_fn(|request| target.serve(&line, request));
    let wire = TokioIo::new(Wire(Rc::clone(&line)));
    let mut connection = pin!(http1::Builder::new().serve_connection(wire, service));
    let idle = async {
        match target.idle_max() {
            Some(idle) => line.idle_for(idle, &target.alarm).await,
            None => std::future::pending().await,
        }
    };
    // How a connection ends is the client's business.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = idle => return,
        _ = killed.changed() => return line.reset(),
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
