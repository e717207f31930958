//! The gateway on sockets: listeners, worker threads, the Admin API, an orderly end. The only async code of this crate; it
//! carries out what the machine below decides and decides nothing itself.
//!
//! One request: `client` parses it, `screen` and `refusal` say what no careful proxy passes on, `proxy` asks the gateway,
//! `forward` takes a connection from the `pool` and sends it with `upload` through `connection`, `answer_head` reads what
//! comes back, `framing` says where it ends, `body` streams it to the client, and its `ticket` finishes the attempt,
//! whatever happens. A `mirror`'s copy goes its own way
//! beside it. After a 101 a `tunnel` takes the body's place.

mod admin_server;
mod answer;
mod answer_head;
mod body;
mod chunks;
mod client;
mod clock;
mod connection;
mod forward;
mod framing;
mod headers;
#[cfg(test)]
mod hostile;
mod lane;
mod listen;
mod mirror;
mod pool;
mod probes;
mod proxy;
mod refusal;
mod request_id;
mod resolve;
mod screen;
mod settings;
mod ticket;
mod timers;
mod traffic;
mod tunnel;
mod upload;
mod watch;
mod worker;

pub use chunks::{Chunk, Chunks};
pub use clock::Clock;
pub use headers::MIRROR_HEADER;
pub use settings::{AnswerLimits, ClientLimits, CopyNews, Hooks, Observer, PoolSettings, Settings};

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::{Notify, oneshot};

use self::traffic::Traffic;
use crate::config::{Change, ConfigError};
use crate::gateway::{Applied, Gateway};

/// A gateway that is running. Dropped, it stops as
/// [`Shell::stop`] does.
#[derive(Debug)]
pub struct Shell {
    proxy: SocketAddr,
    admin: SocketAddr,
    workers: Vec<Thread<usize>>,
    admin_thread: Option<Thread<()>>,
    gateway: Arc<Gateway>,
    clock: Clock,
    on_applied: OnApplied,
    changed: Arc<Notify>,
}

/// A thread and the way to tell it to stop.
#[derive(Debug)]
struct Thread<T> {
    stop: oneshot::Sender<()>,
    handle: JoinHandle<io::Result<T>>,
}

/// Who is told of changes.
struct OnApplied(Arc<dyn Fn(&Applied) + Send + Sync>);

impl std::fmt::Debug for OnApplied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnApplied")
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot listen.
    #[error("cannot listen on {address} for the {what}: {source}")]
    Listen {
        /// `proxy` or `Admin API`.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why: the port is taken, or may not be used.
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// How a gateway ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Client connections that were still open when the time was over.
    pub left: usize,
    /// Threads that ended by a failure instead of the stop.
    pub failed: usize,
}

impl Shell {
    /// Starts the gateway. When this returns, both addresses accept connections.
    ///
    /// # Errors
    /// When an address is taken or the system gives no thread.
    pub fn start(
        gateway: Arc<Gateway>,
        settings: Settings,
        clock: Clock,
        hooks: Hooks,
    ) -> Result<Self, StartError> {
        let count = settings.workers.max(1);
        let proxies = listen::listen(settings.proxy, count).map_err(refused("proxy", settings.proxy))?;
        let admins = listen::listen(settings.admin, 1).map_err(refused("Admin API", settings.admin))?;
        let address = |listener: &std::net::TcpListener, asked| listener.local_addr().unwrap_or(asked);
        let proxy = address(&proxies[0], settings.proxy);
        let admin = address(&admins[0], settings.admin);
        let settings = Arc::new(settings);
        let traffic: Vec<_> = (0..count).map(|_| Arc::new(Traffic::default())).collect();
        let changed = Arc::new(Notify::new());
        let mut shell = Self {
            proxy,
            admin,
            workers: Vec::with_capacity(count),
            admin_thread: None,
            gateway: Arc::clone(&gateway),
            clock: clock.clone(),
            on_applied: OnApplied(Arc::clone(&hooks.on_applied)),
            changed: Arc::clone(&changed),
        };
        for (number, listener) in proxies.into_iter().enumerate() {
            let (gateway, clock, hooks) = (Arc::clone(&gateway), clock.clone(), hooks.clone());
            let (settings, traffic) = (Arc::clone(&settings), Arc::clone(&traffic[number]));
            let changed = Arc::clone(&changed);
            shell.workers.push(spawn(format!("gateway-{number}"), move |stop| {
                worker::run(worker::Start {
                    number,
                    listener,
                    gateway,
                    clock,
                    hooks,
                    settings,
                    traffic,
                    changed,
                    stop,
                })
            })?);
        }
        let admins = admins.into_iter().next();
        if let Some(listener) = admins {
            let served = admin_server::Start { gateway, clock, hooks, traffic, settings, changed };
            shell.admin_thread =
                Some(spawn("admin".to_owned(), move |stop| admin_server::run(served, listener, stop))?);
        }
        Ok(shell)
    }

    /// Where clients connect.
    pub fn proxy_addr(&self) -> SocketAddr {
        self.proxy
    }

    /// Where the Admin API listens.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// Puts a change in force as the Admin API does: the hooks are told, and what is due sooner now happens sooner.
    ///
    /// # Errors
    /// The rule the change breaks; nothing has happened then.
    pub fn apply(&self, change: Change) -> Result<Applied, ConfigError> {
        let applied = self.gateway.apply(change, self.clock.now())?;
        (self.on_applied.0)(&applied);
        self.changed.notify_one();
        Ok(applied)
    }

    /// Accepts nothing more, lets requests under way finish within the settings' `drain`, and ends all threads.
    pub fn stop(mut self) -> Drained {
        self.end()
    }

    fn end(&mut self) -> Drained {
        let mut drained = Drained::default();
        // All are told before any is waited for, so that they drain at the same time.
        let workers: Vec<_> = self.workers.drain(..).map(Thread::tell).collect();
        for handle in workers {
            match handle.join() {
                Ok(Ok(left)) => drained.left += left,
                _ => drained.failed += 1,
            }
        }
        if let Some(admin) = self.admin_thread.take()
            && !matches!(admin.tell().join(), Ok(Ok(())))
        {
            drained.failed += 1;
        }
        drained
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> Thread<T> {
    fn tell(self) -> JoinHandle<io::Result<T>> {
        // A thread that has ended already hears nothing; joining it says how.
        let _ = self.stop.send(());
        self.handle
    }
}

fn spawn<T: Send + 'static>(
    name: String,
    run: impl FnOnce(oneshot::Receiver<()>) -> io::Result<T> + Send + 'static,
) -> Result<Thread<T>, StartError> {
    let (stop, stopped) = oneshot::channel();
    let handle = thread::Builder::new().name(name).spawn(move || run(stopped)).map_err(StartError::Thread)?;
    Ok(Thread { stop, handle })
}

fn refused(what: &'static str, address: SocketAddr) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Listen { what, address, source }
}
