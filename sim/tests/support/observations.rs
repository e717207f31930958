//! All that an engine says of a request that is answered, for whoever asks what recording that costs.

use std::time::Duration;

use gateway_core::id::{Epoch, Revision, ServiceId, TargetId, UpstreamId};
use gateway_core::outcome::Outcome;
use gateway_core::time::Instant;
use sim::measure::{Ending, Observation, Pick, Record};

/// What is said of request `index`, of so many a second, when this mock target answers it after three to seven milliseconds.
pub(crate) fn observations(index: u64, rate: u64, mock: u32) -> [Observation; 4] {
    let intended = Instant::from_nanos(index * (1_000_000_000 / rate));
    let at = intended + Duration::from_micros(150);
    let done = at + Duration::from_micros(3_000 + index * 7919 % 4_000);
    let (upstream, target) = (Some(UpstreamId(0)), TargetId(mock));
    let pick = Pick {
        request: index,
        at,
        node: 0,
        revision: Revision(0),
        routed: Revision(0),
        service: ServiceId(0),
        upstream,
        target,
        epoch: Epoch(0),
        ticket: index,
        carried: 0.0,
        retry: 0,
    };
    let record = Record {
        index,
        intended,
        released: intended + Duration::from_micros(80),
        on_wire: Some(intended + Duration::from_micros(90)),
        first_byte: Some(done),
        done,
        ending: Ending::Answered(200),
        target: Some(mock),
    };
    [
        Observation::Picked(pick),
        Observation::Served { request: index, mock, at },
        Observation::Finished { at: done, upstream, target, outcome: Outcome::Answered { status: 200 } },
        Observation::Ended(record),
    ]
}
