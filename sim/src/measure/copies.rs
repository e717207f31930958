//! Copies of requests for another version: how many there were, what became of them, and what their answers differed in from
//! those that users got. They are on no other page of the ledger: a copy is neither a request nor a duplicate.

use std::collections::BTreeMap;

use gateway_core::gateway::{Compared, Fingerprint};
use gateway_core::outcome::Outcome;
use gateway_core::time::Instant;

use super::{Copied, Times};

/// Differences kept as they were.
const SAMPLES: usize = 3;

/// All copies of a run.
#[derive(Debug, Default)]
pub struct Copies {
    /// Sent.
    pub sent: u64,
    /// When the first and the last of them were picked.
    pub picked: Option<(Instant, Instant)>,
    /// Of those, that a target wrote into its book.
    pub served: u64,
    /// Of those sent, answered.
    pub answered: u64,
    /// Of those, with a 5xx status.
    pub target_5xx: u64,
    /// Of those sent, given up because they took too long.
    pub timed_out: u64,
    /// Not sent because too many were under way.
    pub overflow: u64,
    /// Not sent because there was no target.
    pub no_target: u64,
    /// Whose answer was that of the request.
    pub alike: u64,
    /// Whose answer was another one.
    pub different: u64,
    /// Without an answer, where the request had one.
    pub no_copy: u64,
    /// Of requests that had no answer: there is nothing to compare with.
    pub no_own: u64,
    /// In what answers differed: `status`, `body`, names of header fields; and how often.
    pub parts: BTreeMap<String, u64>,
    /// The first differences, by request.
    pub samples: Vec<DifferenceSample>,
    /// From the pick to the end of the answer; made on first use.
    pub latency: Option<Box<Times>>,
}

/// Two answers to one request that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferenceSample {
    /// The request's index.
    pub request: u64,
    /// When the later answer was complete.
    pub at: Instant,
    /// In what.
    pub parts: Vec<String>,
    /// What the user got.
    pub own: Fingerprint,
    /// What the copy got.
    pub copy: Fingerprint,
}

impl Copies {
    pub(super) fn count(&mut self, request: u64, at: Instant, copied: &Copied) {
        match copied {
            Copied::Sent(pick) => {
                self.sent += 1;
                let (first, last) = self.picked.unwrap_or((pick.at, pick.at));
                self.picked = Some((first.min(pick.at), last.max(pick.at)));
            }
            Copied::Served { .. } => self.served += 1,
            Copied::Ended { outcome, latency, .. } => match outcome {
                Outcome::Answered { status } => {
                    self.answered += 1;
                    self.target_5xx += u64::from(*status >= 500);
                    self.latency.get_or_insert_with(|| Box::new(Times::coarse())).record(*latency);
                }
                Outcome::Failed { cause, .. } => self.timed_out += u64::from(cause.is_timeout()),
                Outcome::ClientGone => {}
            },
            Copied::Overflow => self.overflow += 1,
            Copied::NoTarget => self.no_target += 1,
            Copied::Compared(compared) => self.compared(request, at, compared),
        }
    }

    fn compared(&mut self, request: u64, at: Instant, compared: &Compared) {
        match compared {
            Compared::Alike => self.alike += 1,
            Compared::NoCopy => self.no_copy += 1,
            Compared::NoOwn => self.no_own += 1,
            Compared::Different { parts, own, copy } => {
                self.different += 1;
                for part in parts {
                    *self.parts.entry(part.clone()).or_default() += 1;
                }
                let place = self.samples.partition_point(|sample| sample.request < request);
                if place < SAMPLES {
                    let (parts, own, copy) = (parts.clone(), own.clone(), copy.clone());
                    self.samples.insert(place, DifferenceSample { request, at, parts, own, copy });
                    self.samples.truncate(SAMPLES);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differences_are_kept_whatever_the_order_they_come_in() {
        let mut copies = Copies::default();
        for request in [9, 4, 7, 1] {
            let (own, copy) = (Fingerprint::new(200, Vec::new()), Fingerprint::new(500, Vec::new()));
            let different = Compared::Different { parts: vec!["status".into()], own, copy };
            copies.count(request, Instant::ZERO, &Copied::Compared(Box::new(different)));
        }
        copies.count(2, Instant::ZERO, &Copied::Compared(Box::new(Compared::Alike)));
        let kept: Vec<_> = copies.samples.iter().map(|sample| sample.request).collect();
        assert_eq!((kept, copies.different, copies.alike), (vec![1, 4, 7], 4, 1));
        assert_eq!(copies.parts["status"], 4);
    }
}
