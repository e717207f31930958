//! Which of several matching Routes wins: Kong's ranks as one number, higher first. Pure; what breaks a tie is the router's.
//!
//! | bits | rank |
//! |---|---|
//! | 45..=43 | how many kinds of matcher are set: hosts, headers, paths, methods, snis |
//! | 42 | hosts are set and none is a wildcard |
//! | 41 | the row's host entries name a port |
//! | 40..=33 | how many header names, at most 255 |
//! | 32 | the path is a regex |
//! | 31..=0 | of a regex: `regex_priority`, moved up so that the least is 0; of a prefix: its length; without path: 0 |

use super::row::regex_of;
use crate::entity::Route;

/// The priority of `route` with one of its paths (or none) and with those of its hosts that name a port (or those that do
/// not).
pub(super) fn priority(route: &Route, path: Option<&str>, hosts_name_port: bool) -> u64 {
    let kinds = [
        !route.hosts.is_empty(),
        !route.headers.is_empty(),
        !route.paths.is_empty(),
        !route.methods.is_empty(),
        !route.snis.is_empty(),
    ];
    let kinds = kinds.into_iter().map(u64::from).sum::<u64>();
    let plain = !route.hosts.is_empty() && !route.hosts.iter().any(|host| host.contains('*'));
    let headers = route.headers.len().min(0xff) as u64;
    let regex = path.is_some_and(|path| regex_of(path).is_some());
    let within = if regex { moved_up(route.regex_priority) } else { path.map_or(0, length) };
    kinds << 43
        | u64::from(plain) << 42
        | u64::from(hosts_name_port) << 41
        | headers << 33
        | u64::from(regex) << 32
        | u64::from(within)
}

/// Keeps the order and has no sign.
fn moved_up(priority: i32) -> u32 {
    priority.cast_unsigned() ^ (1 << 31)
}

fn length(path: &str) -> u32 {
    u32::try_from(path.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ServiceId;

    #[test]
    fn each_rank_outweighs_all_that_follow_it() {
        // Aim: no rank runs over into the one before. Method: rows in rising order, each the least of its rank over the
        // most of all later ones.
        let route = |hosts: &[&str], headers: usize, regex_priority| Route {
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            headers: (0..headers).map(|i| (format!("h{i}"), vec![String::new()])).collect(),
            paths: vec!["/".into()],
            regex_priority,
            ..Route::new("r", ServiceId(0))
        };
        let long = "/".repeat(10_000);
        let rising = [
            priority(&route(&[], 0, 0), Some("/"), false),
            priority(&route(&[], 0, 0), Some(&long), false),
            priority(&route(&[], 0, i32::MIN), Some("~/"), false),
            priority(&route(&[], 0, -1), Some("~/"), false),
            priority(&route(&[], 0, i32::MAX), Some("~/"), false),
            priority(&route(&[], 1, 0), Some("/"), false),
            priority(&route(&[], 255, i32::MAX), Some("~/"), false),
            priority(&route(&["*.a", "b"], 1, 0), Some("/"), false),
            priority(&route(&["*.a", "b"], 300, i32::MAX), Some("~/"), false),
            priority(&route(&["*.a:1"], 1, 0), Some("/"), true),
            priority(&route(&["a"], 1, 0), Some("/"), false),
            priority(&route(&["a:1"], 1, 0), Some("/"), true),
            priority(&Route { methods: vec!["A".into()], ..route(&["*.a"], 1, 0) }, Some("/"), false),
        ];
        assert!(rising.is_sorted_by(|a, b| a < b), "{rising:x?}");
    }
}
