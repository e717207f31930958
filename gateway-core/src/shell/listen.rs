//! Listening sockets: several on one port for several workers, and a port that somebody else has is said to be taken.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the system keeps for us before we accept them.
const BACKLOG: i32 = 4096;

/// `count` listeners on `address`; with port 0, all on the same free one.
///
/// Only sockets that all ask for it may share a port, so another gateway could share ours without either noticing. Hence
/// the first one is bound without asking, to see that the port is free.
pub(super) fn listen(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let alone = bind(address, false)?;
    if count == 1 {
        return Ok(vec![accepting(alone)?]);
    }
    let address = alone.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    drop(alone);
    (0..count).map(|_| accepting(bind(address, true)?)).collect()
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn accepting(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn listeners_share_a_port_among_themselves_and_with_nobody_else() {
        let ours = listen(ANY, 2).unwrap();
        let address = ours[0].local_addr().unwrap();
        assert_eq!(address, ours[1].local_addr().unwrap());
        for count in [1, 2] {
            assert_eq!(listen(address, count).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
    }
}
