//! What a rollout promises, and what is told of a promise that was not kept. Who checks them is in `promises`, `limits`, `revisions`,
//! `leftovers` and `weights`.

use gateway_core::time::Instant;

/// Requests named for each broken promise, and targets.
pub(super) const NAMED: usize = 3;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which promise.
    pub promise: Promise,
    /// When for the first time.
    pub at: Instant,
    /// How often.
    pub count: u64,
    /// The first requests it concerns.
    pub requests: Vec<u64>,
    /// The first targets it concerns, by their mocks.
    pub mocks: Vec<u32>,
    /// What else it concerns: Routes, Services, Upstreams, causes; or how many.
    pub what: Option<String>,
}

/// All promises that were not kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaches(pub(super) Vec<Breach>);

impl Breaches {
    /// That of a promise, which may have been broken at `at` for the first time.
    pub(super) fn of(&mut self, promise: Promise, at: Instant) -> &mut Breach {
        let known = self.0.iter().position(|breach| breach.promise == promise);
        let known = known.unwrap_or_else(|| {
            self.0.push(Breach::of(promise, at));
            self.0.len() - 1
        });
        &mut self.0[known]
    }

    /// Once more, at `at`.
    pub(super) fn count(&mut self, promise: Promise, at: Instant) -> &mut Breach {
        let breach = self.of(promise, at);
        breach.count += 1;
        breach.at = breach.at.min(at);
        breach
    }

    /// The same for this request, which was sent to `mock`.
    pub(super) fn name(&mut self, promise: Promise, (request, mock): (u64, Option<u32>), at: Instant) {
        let breach = self.count(promise, at);
        breach.name(request);
        breach.meets(mock);
    }
}

impl Breach {
    /// One that may have come about at `at` for the first time, and concerns nobody yet.
    pub fn of(promise: Promise, at: Instant) -> Self {
        Self { promise, at, count: 0, requests: Vec::new(), mocks: Vec::new(), what: None }
    }

    /// Names a request it concerns, while few are named.
    pub(super) fn name(&mut self, request: u64) {
        if self.requests.len() < NAMED {
            self.requests.push(request);
        }
    }

    /// Names a target it concerns, each once, while few are named.
    pub(super) fn meets(&mut self, mock: impl IntoIterator<Item = u32>) {
        for mock in mock {
            if self.mocks.len() < NAMED && !self.mocks.contains(&mock) {
                self.mocks.push(mock);
            }
        }
    }
}

/// What a rollout promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Nobody is sent to the new version before a step that leads its Service there has begun; copies are not sent by anybody.
    NewIsAskedFor,
    /// Once a Service points at the new version, and that is in force everywhere, none of its requests is sent to the old one.
    SwitchedIsLeft,
    /// Once the way back is done and in force everywhere, nobody is sent to the new version any more.
    BackIsBack,
    /// Once the way back is done, Routes, the Services' hosts, splits and mirrors, and the targets' weights are those of before.
    NothingIsLeft,
    /// Nobody is sent where the configuration that a pick was made under does not lead.
    RevisionIsKept,
    /// The keys below the share are those of the users who are sent to the new version, each and no other.
    KeysGoByShare,
    /// Whoever carries what a header Route of the rollout looks for is sent where it leads, and nobody else.
    CarriersAreLed,
    /// While a mirror is unchanged, copies are its share of the requests that may be copied, rounded down or up.
    CopiesAreExact,
    /// Once a target is taken out to drain, and that is in force everywhere, nobody is sent to it.
    DrainedIsLeft,
    /// Who was sent to the new version because of a key stays there while the rollout goes on.
    KeysStay,
    /// A target that was taken out is not ended while some node still sends requests to it.
    StoppedIsLeft,
    /// The way back itself drops nothing: there is always somebody to send a request to.
    BackDropsNothing,
    /// Every target of the Upstream that both versions share stays within its bound of its share.
    SharesAreExact,
    /// The targets of a version together stay within the bound of its share.
    VersionIsExact,
    /// Every target stays within a request of its share of what its version gets.
    InsideIsExact,
    /// There are never more targets than those at the start and `max_surge`.
    SurgeIsBounded,
    /// Never fewer targets serve than those at the start less `max_unavailable`.
    EnoughServe,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::NewIsAskedFor,
        Self::SwitchedIsLeft,
        Self::BackIsBack,
        Self::NothingIsLeft,
        Self::RevisionIsKept,
        Self::KeysGoByShare,
        Self::CarriersAreLed,
        Self::CopiesAreExact,
        Self::DrainedIsLeft,
        Self::KeysStay,
        Self::StoppedIsLeft,
        Self::BackDropsNothing,
        Self::SharesAreExact,
        Self::VersionIsExact,
        Self::InsideIsExact,
        Self::SurgeIsBounded,
        Self::EnoughServe,
    ];

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewIsAskedFor => "nobody is sent to the new version before a step leads there",
            Self::SwitchedIsLeft => "after the switch nobody is sent to the old version",
            Self::BackIsBack => "after the way back nobody is sent to the new version",
            Self::NothingIsLeft => "the way back leaves nothing behind",
            Self::RevisionIsKept => "nobody is sent where the configuration in force does not lead",
            Self::KeysGoByShare => "whose key is below the share is sent to the new version, and nobody else",
            Self::CarriersAreLed => {
                "who carries the header or the cookie is sent to the new version, and nobody else"
            }
            Self::CopiesAreExact => "copies are the share that was asked, to the request",
            Self::DrainedIsLeft => "nobody is sent to a target that drains",
            Self::KeysStay => "who has moved to the new version stays there",
            Self::StoppedIsLeft => "no target is ended while a node still sends requests to it",
            Self::BackDropsNothing => "the way back drops nothing",
            Self::SharesAreExact => "every target has its share, to the request",
            Self::VersionIsExact => "a version has its share, to the request, however many targets it has",
            Self::InsideIsExact => "every target has its share of its version, to the request",
            Self::SurgeIsBounded => "max_surge bounds the targets there are",
            Self::EnoughServe => "max_unavailable bounds the targets that are missing",
        }
    }
}
