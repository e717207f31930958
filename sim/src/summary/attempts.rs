//! How often requests were sent to targets, in the names of the report.

use super::Attempts;
use crate::measure;
use crate::plan::Plan;

/// Whether anything may be sent to targets more than once.
pub(super) fn may_repeat(plan: &Plan) -> bool {
    let mut services = plan.gateway.config.services();
    let mut streams = plan.load.streams.iter();
    services.any(|(_, service)| service.retries > 0)
        || streams.any(|stream| stream.retry.is_some() || stream.hedge.is_some())
}

impl From<measure::Attempts> for Attempts {
    fn from(measure::Attempts { n, requests }: measure::Attempts) -> Self {
        Self { n, requests, per_request: (requests > 0).then(|| n as f64 / requests as f64) }
    }
}
