//! From a target's name to where it listens: what the settings say, else the address it is, else what the system's resolver
//! says. Asked only when a connection is opened.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::entity::Address;

/// Where `target` listens; `None` when its name has no address.
pub(super) async fn resolve(
    target: &Address,
    overrides: &BTreeMap<String, SocketAddr>,
) -> Option<SocketAddr> {
    if let Some(address) = overrides.get(&target.to_string()) {
        return Some(*address);
    }
    let host = target.host().trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = host.parse() {
        return Some(SocketAddr::new(ip, target.port()));
    }
    tokio::net::lookup_host((host, target.port())).await.ok()?.next()
}
