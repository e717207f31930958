//! The rules for names and hosts that several entities share.

/// Kong's rule for the name of a Service or Route: ASCII letters, digits, `.`, `-`, `_`, `~`, and any other character
/// beyond ASCII.
///
/// # Errors
/// Kong's sentence.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("length must be at least 1".to_owned());
    }
    if name.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~'))
    {
        return Ok(());
    }
    Err(format!(
        "invalid value '{name}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
    ))
}

/// Kong's rule for a host without a port: a DNS name (labels may hold `_`; one trailing dot is fine) or an IP address.
///
/// # Errors
/// Kong's sentence.
pub fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("length must be at least 1".to_owned());
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u32>().is_ok()) {
        return Err("must not have a port".to_owned());
    }
    if is_dns_name(host) { Ok(()) } else { Err(format!("invalid value: {host}")) }
}

/// Whether `host` is made of non-empty labels of letters, digits, `-` and `_`, none starting or ending in `-`.
pub(super) fn is_dns_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_hosts_follow_kongs_rules() {
        assert_eq!(check_name("example-service"), Ok(()));
        assert!(check_name("a b").unwrap_err().contains("only accepted ascii"));
        for good in ["blue", "httpbin.konghq.com", "a_b.c", "10.0.0.1", "::1", "a.b."] {
            assert_eq!(check_host(good), Ok(()), "{good}");
        }
        assert_eq!(check_host("blue:80"), Err("must not have a port".to_owned()));
        for bad in ["", "a..b", "-a", "a-", "a b"] {
            assert!(check_host(bad).is_err(), "{bad}");
        }
    }
}
