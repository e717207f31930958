//! Judges: they watch what both versions answer and say whether the new one is worse. Each may be asked at any time; what is
//! done about a verdict is the machine's to decide.

mod analysis;
mod before;
mod mann_whitney;
mod pairs;
mod points;
mod sequential;
mod threshold;

pub use analysis::{Analysis, Bad, BadTerm, Kind, On, Otherwise, Reference, Unit};
pub use before::Before;
pub use mann_whitney::MannWhitneyRule;
pub use sequential::SequentialRule;
pub use threshold::ThresholdRule;

use std::time::Duration;

use gateway_core::id::ServiceId;
use gateway_core::outcome::Outcome;
use gateway_core::time::Instant;
use rustc_hash::FxHashSet;

use self::mann_whitney::MannWhitney;
use self::pairs::Pairs;
use self::points::Points;
use self::sequential::Sequential;
use self::threshold::Threshold;
use crate::words;

/// Old or new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The version that is to be replaced.
    Stable,
    /// The version that is to replace it.
    Canary,
    /// Fresh targets of the old version, started with the new one's for comparison.
    Baseline,
}

impl Side {
    /// As scenario files call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
            Self::Baseline => "baseline",
        }
    }
}

/// A user: of which stream, and who there.
pub type User = (usize, u64);

/// One try at a target of either version, or one answer. An answer is its whose the request was first tried at: the dice that
/// made that pick are what the default judge goes by, and who is tried next depends on who has failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it ended.
    pub at: Instant,
    /// The Service whose request it was.
    pub service: ServiceId,
    /// Whose it was; whatever is not the canary's is what it is held against.
    pub side: Side,
    /// The canary's share of picks among the two when it was picked, 0 to 1.
    pub share: f64,
    /// Which of the two it is.
    pub on: On,
    /// How it ended.
    pub outcome: Outcome,
    /// From the pick of the first try to the end.
    pub latency: Duration,
    /// The request's number.
    pub request: u64,
    /// Whose request it was, where a judge counts users.
    pub user: Option<User>,
}

/// What a judge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new version is worse.
    Fail,
    /// It is not.
    Pass,
    /// Too little was seen to tell.
    Unclear,
    /// Nothing was seen.
    NoData,
}

impl Verdict {
    /// As reports say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Pass => "pass",
            Self::Unclear => "unclear",
            Self::NoData => "no data",
        }
    }
}

/// How many attempts of a version a judge has seen, and how many of them were bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All.
    pub n: u64,
    /// The bad ones.
    pub bad: u64,
}

impl Count {
    pub(in crate::rollout) fn add(&mut self, is_bad: bool) {
        self.n += 1;
        self.bad += u64::from(is_bad);
    }

    /// The share of bad ones; 0 when there were none.
    pub fn rate(self) -> f64 {
        if self.n == 0 { 0.0 } else { self.bad as f64 / self.n as f64 }
    }
}

/// What a verdict rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The old version.
    pub stable: Count,
    /// The new one.
    pub canary: Count,
    /// `e-value 312, needed 100`
    pub text: String,
}

impl Evidence {
    /// `canary 12 of 240 bad, stable 4 of 4,560; e-value 312, needed 100`
    pub fn in_words(&self) -> String {
        let of = |count: Count| format!("{} of {} bad", words::count(count.bad), words::count(count.n));
        let told = if self.text.is_empty() { String::new() } else { format!("; {}", self.text) };
        format!("canary {}, stable {}{told}", of(self.canary), of(self.stable))
    }
}

/// Users who were seen, where they count and not their requests.
#[derive(Clone, Debug, Default)]
struct Keys {
    seen: FxHashSet<(Side, User)>,
    hit: FxHashSet<User>,
}

impl Keys {
    /// Whether the user is new to this version, and whether this is what hits him first.
    fn see(&mut self, side: Side, user: User, is_bad: bool) -> (bool, bool) {
        (self.seen.insert((side, user)), is_bad && self.hit.insert(user))
    }
}

/// One analysis under way.
#[derive(Clone, Debug)]
pub struct Judge {
    bad: Bad,
    keys: Option<Keys>,
    pairs: Option<Pairs>,
    reference: Reference,
    canary: Count,
    stable: Count,
    running: Running,
}

#[derive(Clone, Debug)]
enum Running {
    Sequential(Box<Sequential>),
    Threshold(Threshold),
    MannWhitney(Box<MannWhitney>),
}

impl Judge {
    /// The judge of `analysis`, from `now` on. `before` is what the old version did until then.
    pub fn new(analysis: &Analysis, before: &Before, now: Instant) -> Self {
        let running = match &analysis.kind {
            Kind::Sequential(rule) => {
                Running::Sequential(Box::new(Sequential::new(rule.clone(), analysis.reference, before)))
            }
            Kind::Threshold(rule) => Running::Threshold(Threshold::new(rule.clone(), now)),
            Kind::MannWhitney(rule) => {
                Running::MannWhitney(Box::new(MannWhitney::new(rule.clone(), before.points.clone(), now)))
            }
        };
        let (canary, stable) = (Count::default(), Count::default());
        let keys = (analysis.unit == Unit::Keys).then(Keys::default);
        let pairs = analysis.is_paired.then(Pairs::default);
        let (bad, reference) = (analysis.bad.clone(), analysis.reference);
        Self { bad, keys, pairs, reference, canary, stable, running }
    }

    /// An attempt has ended.
    pub fn see(&mut self, sample: &Sample) {
        // Who went away first has said nothing about the target.
        let Some(is_bad) = self.bad.is(sample) else { return };
        let (is_new, is_bad) = match (&mut self.keys, sample.user) {
            (Some(keys), Some(user)) => keys.see(sample.side, user, is_bad),
            _ => (true, is_bad),
        };
        let count = match sample.side {
            Side::Canary => &mut self.canary,
            Side::Stable | Side::Baseline => &mut self.stable,
        };
        count.n += u64::from(is_new);
        count.bad += u64::from(is_bad);
        match &mut self.running {
            Running::Sequential(judge) => match &mut self.pairs {
                Some(pairs) => {
                    if let Some(side) = pairs.see(sample.request, sample.side, is_bad) {
                        // Of a pair one is as likely to be the bad one as the other.
                        judge.see((side, sample.service), 0.5, true);
                    }
                }
                None => judge.see((sample.side, sample.service), sample.share, is_bad),
            },
            Running::Threshold(judge) => judge.see(sample.side, is_bad),
            Running::MannWhitney(judge) => judge.see(sample.side, sample.at, is_bad),
        }
    }

    /// The next moment at which time alone may bring a verdict.
    pub fn next_time(&self) -> Instant {
        match &self.running {
            Running::Sequential(_) => Instant::MAX,
            Running::Threshold(judge) => judge.next_time(),
            Running::MannWhitney(judge) => judge.next_time(),
        }
    }

    /// What is decided by now, if anything is.
    pub fn verdict(&mut self, now: Instant) -> Option<Verdict> {
        match &mut self.running {
            Running::Sequential(judge) => judge.verdict(self.canary, self.stable),
            Running::Threshold(judge) => judge.verdict(now),
            Running::MannWhitney(judge) => judge.verdict(now),
        }
    }

    /// What is to be said when there is no more time.
    pub fn last_verdict(&mut self, now: Instant) -> Verdict {
        let decided = self.verdict(now);
        decided.unwrap_or(if self.canary.n == 0 { Verdict::NoData } else { Verdict::Unclear })
    }

    /// What a verdict rests on.
    pub fn evidence(&self) -> Evidence {
        let mut text = match &self.running {
            Running::Sequential(judge) => judge.in_words(),
            Running::Threshold(judge) => judge.in_words(),
            Running::MannWhitney(judge) => judge.in_words(),
        };
        if self.pairs.is_some() {
            text.push_str("; of requests that one of both alone failed");
        }
        if self.reference == Reference::Baseline {
            text.push_str("; against the baseline");
        }
        if self.keys.is_some() {
            text.push_str("; each user counts once");
        }
        Evidence { stable: self.stable, canary: self.canary, text }
    }
}

#[cfg(test)]
mod tests;
