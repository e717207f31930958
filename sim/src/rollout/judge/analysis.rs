//! `[[analysis]]` as checked: which judge, what is bad, and what follows from each verdict.

use std::time::Duration;

use gateway_core::outcome::{Failure, Outcome};

use super::{MannWhitneyRule, Sample, SequentialRule, ThresholdRule};

/// One analysis of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Its name.
    pub name: String,
    /// Who judges.
    pub kind: Kind,
    /// What is judged.
    pub on: On,
    /// Which of those are bad.
    pub bad: Bad,
    /// What counts as one.
    pub unit: Unit,
    /// What the new version is held against.
    pub reference: Reference,
    /// Whether it is asked the same as the old one, by copies, so that what both did with a request is compared.
    pub is_paired: bool,
    /// What follows when it cannot be told.
    pub on_unclear: Otherwise,
    /// What follows when the new version was asked nothing.
    pub on_no_data: Otherwise,
    /// Its verdicts are told and nothing follows from them.
    pub dry_run: bool,
    /// Whether it runs from the new version's first request on; else only where a step asks for it.
    pub in_background: bool,
}

/// The judges there are.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Looks after every request, and is right at any time.
    Sequential(SequentialRule),
    /// Counts measurements that failed, as Argo and Flagger do.
    Threshold(ThresholdRule),
    /// Compares rates point by point, once, as Kayenta does.
    MannWhitney(MannWhitneyRule),
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The first try of each request: what the version itself said.
    Attempts,
    /// What the gateway told the client in the end: tries that follow a failure hide it.
    Answers,
}

/// What counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Each request.
    Requests,
    /// Each user, whose first bad one is the only one that counts: where users are divided, what happens to one of them over
    /// and over is one piece of evidence.
    Keys,
}

/// What the new version is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The old version at the same time.
    Concurrent,
    /// Fresh targets of the old version, which started with the new one's and get as much: neither is warmer than the other.
    Baseline,
    /// The old version before the new one was asked anything. A shared outage fools it.
    Before,
}

/// What follows when nothing is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// On with the next step.
    Promote,
    /// Back to the old version.
    Abort,
    /// Nothing further: the rollout stays where it is.
    Hold,
}

/// Which attempts or answers are bad: those of which one term is true.
#[derive(Clone, Debug, PartialEq)]
pub struct Bad(pub Vec<BadTerm>);

/// One way to be bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTerm {
    /// An answer with a status in this range, both ends included.
    Status(u16, u16),
    /// No answer, for whatever reason.
    Failed,
    /// No answer in time.
    Timeout,
    /// Whatever took longer.
    Slower(Duration),
}

impl Bad {
    /// Whether one is bad; `None` when its client went away first.
    pub fn is(&self, sample: &Sample) -> Option<bool> {
        let is = |term: &BadTerm| match (term, sample.outcome) {
            (BadTerm::Status(from, to), outcome) => {
                status(outcome, sample.on).is_some_and(|status| (*from..=*to).contains(&status))
            }
            (BadTerm::Failed, Outcome::Failed { .. }) => true,
            (BadTerm::Timeout, Outcome::Failed { cause, .. }) => cause.is_timeout(),
            (BadTerm::Slower(limit), _) => sample.latency > *limit,
            _ => false,
        };
        (sample.outcome != Outcome::ClientGone).then(|| self.0.iter().any(is))
    }
}

/// The status that was seen: the target's, or what the gateway says of a failure.
fn status(outcome: Outcome, on: On) -> Option<u16> {
    match outcome {
        Outcome::Answered { status } => Some(status),
        Outcome::Failed { cause, .. } if on == On::Answers && cause != Failure::ResetMidBody => {
            Some(if cause.is_timeout() { 504 } else { 502 })
        }
        _ => None,
    }
}
