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
use super::server::Server;
use crate::mock::Process;

/// The door of one target, until it is told to stop.
pub(super) async fn keep(
    server: Rc<Server>,
    port: Port,
    listener: std::net::TcpListener,
    mut stopped: watch::Receiver<bool>,
    mut process: watch::Receiver<Process>,
) -> io::Result<()> {
    let mut listener = Some(TcpListener::from_std(listener)?);
    server.target.set_process(*process.borrow_and_update());
    let mut changes = server.target.changes().into_iter();
    let handed_on = stopped.clone();
    let mut now = Instant::ZERO;
    loop {
        let is_cut = adjust(&server, &port, &mut listener, now)?;
        // One after the other, however late: nobody survives a death that was too short to be seen.
        let next = changes.find(|&at| at > now).unwrap_or(Instant::MAX);
        tokio::select! {
            () = server.alarm.wait_until(next) => now = next,
            Ok(()) = process.changed() => {
                now = server.clock.now();
                server.target.set_process(*process.borrow_and_update());
                changes = server.target.changes().into_iter();
            }
            () = accept(&server, listener.as_ref().filter(|_| !is_cut), &handed_on) => {}
            _ = stopped.changed() => return Ok(()),
        }
    }
}

/// Makes it so as it must be from `now` on; whether the wire is cut.
fn adjust(
    server: &Server,
    port: &Port,
    listener: &mut Option<TcpListener>,
    now: Instant,
) -> io::Result<bool> {
    let target = &server.target;
    if !target.is_listening(now) {
        *listener = None;
    } else if listener.is_none() {
        *listener = Some(TcpListener::from_std(port.listen()?)?);
    }
    if target.is_killed(now) {
        server.killed.send_replace(());
    }
    let is_cut = target.is_cut(now);
    server.cut.set(is_cut);
    Ok(is_cut)
}

/// Serves whoever comes; never ends.
async fn accept(server: &Rc<Server>, listener: Option<&TcpListener>, stopped: &watch::Receiver<bool>) {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let killed = server.killed.subscribe();
            tokio::task::spawn_local(serve(Rc::clone(server), stream, killed, stopped.clone()));
        } else {
            // One that went away again, or no free descriptor: the client sees it, so it is observed.
            tokio::task::yield_now().await;
        }
    }
}

/// Serves one connection to its end; told to stop, to the end of the request under way.
async fn serve(
    server: Rc<Server>,
    stream: TcpStream,
    mut killed: watch::Receiver<()>,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let line = Line::new(stream, &server.cut, &server.clock);
    let service = service_fn(|request| server.serve(&line, request));
    let wire = TokioIo::new(Wire(Rc::clone(&line)));
    let mut connection = pin!(http1::Builder::new().serve_connection(wire, service));
    let idle = async {
        match server.target.behaviour().keepalive.idle {
            Some(idle) => line.idle_for(idle, &server.alarm).await,
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
