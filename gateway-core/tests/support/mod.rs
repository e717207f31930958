//! A gateway on free ports, and a client that keeps its connection: what the tests over real sockets share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gateway_core::config::Config;
use gateway_core::gateway::Gateway;
use gateway_core::shell::{Clock, Drained, Hooks, Settings, Shell};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A gateway that is running.
pub(crate) struct Gate {
    pub(crate) shell: Shell,
}

/// A client with one kept-alive connection.
pub(crate) struct Client(SendRequest<Full<Bytes>>);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Gate {
    pub(crate) fn start(config: Config, overrides: BTreeMap<String, SocketAddr>, workers: usize) -> Self {
        Self::telling(Hooks::default(), config, overrides, workers)
    }

    pub(crate) fn telling(
        hooks: Hooks,
        config: Config,
        overrides: BTreeMap<String, SocketAddr>,
        workers: usize,
    ) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings { proxy: any, admin: any, workers, overrides, ..Settings::default() };
        let gateway = Arc::new(Gateway::new(config));
        Self { shell: Shell::start(gateway, settings, Clock::started(), hooks).unwrap() }
    }

    pub(crate) fn proxy(&self) -> SocketAddr {
        self.shell.proxy_addr()
    }

    pub(crate) async fn client(&self) -> Client {
        client(self.proxy()).await
    }

    pub(crate) async fn stop(self) -> Drained {
        tokio::task::spawn_blocking(|| self.shell.stop()).await.unwrap()
    }
}

pub(crate) async fn client(address: SocketAddr) -> Client {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    Client(sender)
}

impl Client {
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// The answer, or the error that cut it short.
    pub(crate) async fn try_send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        self.0.ready().await?;
        let (parts, body) = self.0.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

pub(crate) fn request(method: &str, path: &str) -> Request<Full<Bytes>> {
    let builder = Request::builder().method(method).uri(path).header("host", "example.com");
    builder.body(Full::default()).unwrap()
}
