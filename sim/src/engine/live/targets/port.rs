//! A target's port, which stays its own for the whole run. A socket that is bound and does not listen holds it, so that
//! connections are refused and nobody else gets the port while the listener beside it is closed.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::engine::EngineError;
use crate::plan::MockPlan;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A port that is held.
pub(super) struct Port {
    address: SocketAddr,
    /// Refuses by not listening.
    _holder: Socket,
}

impl Port {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let holder = bound(address)?;
        let address = holder.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { address, _holder: holder })
    }

    /// Listens on it, until the listener is dropped.
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        let socket = bound(self.address)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

/// Sockets that allow it may share a port as long as one of them listens at most.
fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Ports for all mocks, listening before the run begins so that the gateway can be told where they are.
pub(in crate::engine::live) struct Listeners {
    pub(super) ports: Vec<(Port, TcpListener)>,
    /// By target name.
    pub(in crate::engine::live) addresses: BTreeMap<String, SocketAddr>,
}

/// A listener at `address` for each mock; port 0 gives each a free one.
pub(in crate::engine::live) fn listen(
    mocks: &[MockPlan],
    address: SocketAddr,
) -> Result<Listeners, EngineError> {
    let mut all = Listeners { ports: Vec::with_capacity(mocks.len()), addresses: BTreeMap::new() };
    for mock in mocks {
        let failed = || EngineError::system(format!("listen on {address} for target {}", mock.name));
        let port = Port::bind(address).map_err(failed())?;
        let listener = port.listen().map_err(failed())?;
        all.addresses.insert(mock.name.clone(), port.address);
        all.ports.push((port, listener));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    #[test]
    fn a_port_that_does_not_listen_refuses_and_can_listen_again() {
        let port = Port::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let is_refused =
            || TcpStream::connect(port.address).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
        assert!(is_refused());
        for _ in 0..3 {
            let listener = port.listen().unwrap();
            assert!(TcpStream::connect(port.address).is_ok());
            drop(listener);
            assert!(is_refused(), "and the port is still ours");
        }
    }
}
