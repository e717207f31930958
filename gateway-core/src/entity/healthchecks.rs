//! What an Upstream says about the health of its Targets: Kong's active and passive checks, and Envoy's outlier detection
//! beside them. Only the settings; the state machine is `health`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{FieldError, check_path};

/// Kong's `healthchecks`, with Kong's defaults: everything off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Healthchecks {
    /// Probes.
    pub active: Active,
    /// What is learnt from the answers to clients.
    pub passive: Limits,
    /// What kind of traffic the passive checks look at.
    pub passive_kind: ProbeKind,
    /// Percent of the whole weight, 0 to 100: the Upstream has somebody to send to only while more than this is available.
    pub threshold: f64,
}

/// Probes.
#[derive(Clone, Debug, PartialEq)]
pub struct Active {
    /// What a probe is.
    pub kind: ProbeKind,
    /// How long one may take; above 0, 1 s by default.
    pub timeout: Duration,
    /// Probes at a time; 1 to 2147483648, 10 by default.
    pub concurrency: u32,
    /// Asked for with `GET`.
    pub http_path: String,
    /// More header fields of a probe.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Server name of TLS.
    pub https_sni: Option<String>,
    /// Whether a target's certificate is verified.
    pub https_verify_certificate: bool,
    /// Time between probes of healthy targets; zero is off.
    pub healthy_interval: Duration,
    /// Time between probes of unhealthy targets; zero is off.
    pub unhealthy_interval: Duration,
    /// What an answer counts as, and how many it takes.
    pub limits: Limits,
}

/// What an answer counts as, and how many turn a target. Zero switches a counter off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Statuses that count as a success.
    pub healthy_statuses: Statuses,
    /// Successes that turn a target healthy.
    pub successes: u8,
    /// Statuses that count as a failure.
    pub unhealthy_statuses: Statuses,
    /// Failed connections that turn a target unhealthy.
    pub tcp_failures: u8,
    /// Timeouts that turn a target unhealthy.
    pub timeouts: u8,
    /// Failures by status that turn a target unhealthy.
    pub http_failures: u8,
}

/// HTTP statuses, each 100 to 999, in the order they were given.
pub type Statuses = Vec<u16>;

/// What a probe is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbeKind {
    /// A connection that is accepted.
    Tcp,
    /// A request and the status of its answer.
    #[default]
    Http,
    /// The same over TLS.
    Https,
    /// gRPC.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
}

/// Envoy's outlier detection: a target that stands out is left out for a while. An addition of ours; Kong has none.
/// Names and defaults are Envoy's.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlierDetection {
    /// 5xx answers, failed connections and timeouts in a row that eject a target; 0 is off, 5 by default.
    pub consecutive_5xx: u32,
    /// Time between looks at success rates; 10 s by default.
    pub interval: Duration,
    /// A target is left out for this long, times how often it has been; 30 s by default.
    pub base_ejection_time: Duration,
    /// No ejection lasts longer; 300 s by default.
    pub max_ejection_time: Duration,
    /// Percent of the targets that may be left out at once; one always may. 10 by default.
    pub max_ejection_percent: u8,
    /// Targets with enough requests that a comparison needs; 5 by default, 0 switches it off.
    pub success_rate_minimum_hosts: u32,
    /// Requests within an interval that are enough; 100 by default.
    pub success_rate_request_volume: u32,
    /// Standard deviations below the mean, in thousandths; 1900 by default.
    pub success_rate_stdev_factor: u32,
}

impl Limits {
    /// Kong's defaults for probes.
    pub fn active() -> Self {
        Self {
            healthy_statuses: vec![200, 302],
            unhealthy_statuses: vec![429, 404, 500, 501, 502, 503, 504, 505],
            ..Self::default()
        }
    }
}

impl Default for Limits {
    /// Kong's defaults for passive checks.
    fn default() -> Self {
        Self {
            healthy_statuses: vec![
                200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308,
            ],
            successes: 0,
            unhealthy_statuses: vec![429, 500, 503],
            tcp_failures: 0,
            timeouts: 0,
            http_failures: 0,
        }
    }
}

impl Default for Active {
    fn default() -> Self {
        Self {
            kind: ProbeKind::Http,
            timeout: Duration::from_secs(1),
            concurrency: 10,
            http_path: "/".to_owned(),
            headers: BTreeMap::new(),
            https_sni: None,
            https_verify_certificate: true,
            healthy_interval: Duration::ZERO,
            unhealthy_interval: Duration::ZERO,
            limits: Limits::active(),
        }
    }
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_5xx: 5,
            interval: Duration::from_secs(10),
            base_ejection_time: Duration::from_secs(30),
            max_ejection_time: Duration::from_secs(300),
            max_ejection_percent: 10,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
        }
    }
}

impl ProbeKind {
    /// All, in the order Kong lists them.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Http, Self::Https, Self::Grpc, Self::Grpcs];

    /// As Kong writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
        }
    }

    /// Reads Kong's word, `None` when there is no such kind.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Healthchecks {
    /// Whether anything is checked at all: probes of either list, or a passive counter that can turn a target unhealthy.
    /// Kong's rule for `HEALTHCHECKS_OFF`.
    pub fn are_on(&self) -> bool {
        let passive = &self.passive;
        !self.active.healthy_interval.is_zero()
            || !self.active.unhealthy_interval.is_zero()
            || passive.tcp_failures > 0
            || passive.timeouts > 0
            || passive.http_failures > 0
    }

    /// All fields that break their rule, each below `healthchecks`.
    pub(super) fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Err(message) = check_path(&self.active.http_path) {
            errors.push(FieldError::new("healthchecks.active.http_path", message));
        }
        if !(0.0..=100.0).contains(&self.threshold) {
            errors.push(FieldError::new("healthchecks.threshold", "value should be between 0 and 100"));
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_off_until_a_counter_or_an_interval_says_otherwise() {
        let off = Healthchecks::default();
        assert!(!off.are_on());
        let passive = Limits { http_failures: 1, ..Limits::default() };
        assert!(Healthchecks { passive, ..off.clone() }.are_on());
        let active = Active { unhealthy_interval: Duration::from_secs(1), ..Active::default() };
        assert!(Healthchecks { active, ..off.clone() }.are_on());
        let hopeful = Limits { successes: 3, ..Limits::default() };
        assert!(!Healthchecks { passive: hopeful, ..off }.are_on());
    }
}
