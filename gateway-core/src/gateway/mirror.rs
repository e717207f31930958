//! Copies of requests for another host: which requests are copied, how many copies may be under way, and what the two answers
//! to one request differ in. Whoever asks carries the copy; the client's request never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::routing::Destination;
use super::{Attempt, Gateway, RouteMatch, Snapshot};
use crate::balancer::Ask;
use crate::entity::{Mirror, Percent};
use crate::request::Head;
use crate::rng::{self, Rng};
use crate::time::Instant;

/// Copies under way at once, of all Services and workers together: a host that does not keep up costs the gateway no more than
/// so many connections. What would be more is not copied, and counted.
pub const MIRRORS_MAX: usize = 1024;

/// Whether a request is copied.
#[derive(Debug)]
#[must_use = "a copy counts as in flight until it is finished"]
pub enum Mirrored {
    /// It is not to be.
    No,
    /// To this target, in flight already. Rare, and so kept apart: every request carries this answer.
    To(Box<Attempt>),
    /// It was to be, and too many copies are under way.
    Overflow,
    /// It was to be, and there is no target.
    NoTarget,
}

impl Gateway {
    /// Whether a copy of a request goes elsewhere too, now that its first try is `own`. To be asked once for each request that
    /// has no body. The copy is an attempt like any other: it is finished, and its target's load and health learn from it.
    pub fn mirror(
        &self,
        matched: &RouteMatch,
        head: &Head<'_>,
        own: &Attempt,
        now: Instant,
        rng: &mut Rng,
    ) -> Mirrored {
        self.mirror_in(&self.view_of(matched.view), (matched, head), own, now, rng)
    }

    /// The same, in the view of the match.
    pub(super) fn mirror_in(
        &self,
        view: &Snapshot,
        (matched, head): (&RouteMatch, &Head<'_>),
        own: &Attempt,
        now: Instant,
        rng: &mut Rng,
    ) -> Mirrored {
        let Some(routing) = view.mirrors() else { return Mirrored::No };
        let mirroring = matched.service.and_then(|service| Some((service, routing.mirrors.get(&service)?)));
        let Some((service, mirroring)) = mirroring.filter(|(_, mirroring)| mirroring.takes(head, own)) else {
            return Mirrored::No;
        };
        if !self.copies.enter() {
            return Mirrored::Overflow;
        }
        let mut ask = Ask { now, rng, key: None, tried: &[] };
        let to = (service, mirroring.to);
        if let Ok(copy) = self.pick(view, |view| view.begin_at((matched, head), to, false, &mut ask)) {
            return Mirrored::To(Box::new(Attempt { is_copy: true, ..copy }));
        }
        self.copies.leave();
        Mirrored::NoTarget
    }
}

/// What is known of a Service's mirror beside its fields.
#[derive(Clone, Debug)]
pub(super) struct Mirroring {
    pub(super) mirror: Mirror,
    pub(super) to: Destination,
    /// Requests that might have been copied so far.
    eligible: Arc<AtomicU64>,
}

impl Mirroring {
    /// The mirror after `old`: one that has not changed counts on.
    pub(super) fn new(mirror: Mirror, to: Destination, old: Option<&Self>) -> Self {
        let same = old.filter(|old| old.mirror == mirror);
        Self { eligible: same.map(|old| Arc::clone(&old.eligible)).unwrap_or_default(), mirror, to }
    }

    /// Whether this request, whose own try is `own`, is copied. Of the first n that might have been, it was so many as n times
    /// the share, rounded down: never one away from it, over all workers.
    pub(super) fn takes(&self, head: &Head<'_>, own: &Attempt) -> bool {
        let goes_there = match self.to {
            Destination::Upstream(upstream, _) => own.upstream == Some(upstream),
            Destination::Direct(target, _) => own.target == target,
        };
        if goes_there || !self.mirror.methods.iter().any(|method| method == head.method) {
            return false;
        }
        let n = self.eligible.fetch_add(1, Ordering::Relaxed);
        let share = u128::from(self.mirror.percent.hundredths());
        let due = |n: u64| u128::from(n) * share / u128::from(Percent::WHOLE);
        due(n + 1) > due(n)
    }
}

/// Counts copies under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay(AtomicUsize);

impl UnderWay {
    /// One more, unless there are [`MIRRORS_MAX`].
    pub(super) fn enter(&self) -> bool {
        let more = |n: usize| (n < MIRRORS_MAX).then_some(n + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(super) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

// === Comparing answers ===

/// What an answer is compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Its status.
    pub status: u16,
    /// A hash of its body.
    pub body: u64,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// The header fields that are compared, in the order of the mirror's; `None` where there is none.
    pub headers: Vec<(String, Option<String>)>,
}

impl Fingerprint {
    /// Of an answer of whose body nothing has come yet.
    pub fn new(status: u16, headers: Vec<(String, Option<String>)>) -> Self {
        Self { status, body: rng::fnv1a_of_nothing(), body_bytes: 0, headers }
    }

    /// More of the body has come (FNV-1a, whatever the pieces).
    pub fn add(&mut self, bytes: &[u8]) {
        self.body = rng::fnv1a_more(self.body, bytes);
        self.body_bytes += bytes.len() as u64;
    }
}

/// What became of a request and its copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Both answers are alike.
    Alike,
    /// They are not.
    Different {
        /// In what: `status`, `body`, or the name of a header field.
        parts: Vec<String>,
        /// What the client got.
        own: Fingerprint,
        /// What the copy got.
        copy: Fingerprint,
    },
    /// The copy had no answer; the client had.
    NoCopy,
    /// The client had none, so there is nothing to compare with.
    NoOwn,
}

/// The two answers to one request, as they come.
#[derive(Debug)]
pub struct Pair {
    own: Half,
    copy: Half,
    /// Whether statuses are compared, and bodies.
    compares: (bool, bool),
}

/// One of them.
#[derive(Debug, Default)]
enum Half {
    /// It may still come.
    #[default]
    Open,
    /// It came whole.
    Whole(Fingerprint),
    /// It will not come.
    Missing,
}

impl Half {
    fn of(answer: Option<Fingerprint>) -> Self {
        answer.map_or(Self::Missing, Self::Whole)
    }
}

impl Pair {
    /// Neither is there yet; what `mirror` says of them will be compared.
    pub fn new(mirror: &Mirror) -> Self {
        let compares = (mirror.compare_status, mirror.compare_body);
        Self { own: Half::Open, copy: Half::Open, compares }
    }

    /// The client's answer is complete, or will not come. What both come to once the other one is there.
    pub fn own(&mut self, answer: Option<Fingerprint>) -> Option<Compared> {
        self.own = Half::of(answer);
        self.compared()
    }

    /// The same of the copy's.
    pub fn copy(&mut self, answer: Option<Fingerprint>) -> Option<Compared> {
        self.copy = Half::of(answer);
        self.compared()
    }

    fn compared(&self) -> Option<Compared> {
        Some(match (&self.own, &self.copy) {
            (Half::Open, _) | (_, Half::Open) => return None,
            (Half::Missing, _) => Compared::NoOwn,
            (Half::Whole(_), Half::Missing) => Compared::NoCopy,
            (Half::Whole(own), Half::Whole(copy)) => match differences(own, copy, self.compares) {
                parts if parts.is_empty() => Compared::Alike,
                parts => Compared::Different { parts, own: own.clone(), copy: copy.clone() },
            },
        })
    }
}

fn differences(own: &Fingerprint, copy: &Fingerprint, (status, body): (bool, bool)) -> Vec<String> {
    let body = body && (own.body, own.body_bytes) != (copy.body, copy.body_bytes);
    let plain = [("status", status && own.status != copy.status), ("body", body)];
    let named = own.headers.iter().zip(&copy.headers).filter(|(own, copy)| own != copy);
    let plain = plain.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned());
    plain.chain(named.map(|((name, _), _)| name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::entity::{Address, Route, Service, Target, Upstream};
    use crate::outcome::Outcome;
    use crate::weight::Weight;

    /// A Service at `blue` whose requests are copied to `green`.
    fn gateway(mirror: Mirror) -> Gateway {
        let mut config = Config::default();
        for name in ["blue", "green"] {
            let upstream = config.add_upstream(Upstream::new(name)).unwrap();
            let address = Address::parse(&format!("{name}:80")).unwrap();
            config.add_target(Target::new(upstream, address, Weight::DEFAULT)).unwrap();
        }
        let service = Service { mirror: Some(mirror), ..Service::new("shop", "blue") };
        let service = config.add_service(service).unwrap();
        config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
        Gateway::new(config)
    }

    /// What becomes of one more request.
    fn ask(gateway: &Gateway, method: &str) -> (Attempt, Mirrored) {
        let (head, mut rng) = (Head::new(method, "/"), rng::stream(1, "test", 0));
        let matched = gateway.route(0, &head).unwrap();
        let own = gateway.begin(&matched, &head, Instant::ZERO, &mut rng).unwrap();
        let copy = gateway.mirror(&matched, &head, &own, Instant::ZERO, &mut rng);
        (own, copy)
    }

    fn end(gateway: &Gateway, attempt: Attempt) {
        let outcome = Outcome::Answered { status: 200 };
        let _ = gateway.finish(attempt, outcome, Instant::ZERO, &mut rng::stream(1, "test", 0));
    }

    #[test]
    fn copies_are_never_one_away_from_their_share() {
        for percent in [0.0, 0.01, 12.5, 33.33, 100.0] {
            let gateway = gateway(Mirror { percent: Percent::new(percent), ..Mirror::new("green") });
            let mut copies = 0_u32;
            for n in 1..=10_000_u32 {
                let (own, copy) = ask(&gateway, "GET");
                end(&gateway, own);
                if let Mirrored::To(copy) = copy {
                    assert!(copy.is_copy);
                    copies += 1;
                    end(&gateway, *copy);
                }
                let due = f64::from(n) * percent / 100.0;
                assert!((due - f64::from(copies)).abs() < 1.0, "{percent} {n}: {copies}");
            }
        }
    }

    #[test]
    fn only_the_methods_asked_for_are_copied_and_nothing_to_where_it_goes_anyway() {
        let gateway = gateway(Mirror::new("green"));
        for (method, is_copied) in [("GET", true), ("HEAD", true), ("POST", false)] {
            let (own, copy) = ask(&gateway, method);
            assert_eq!(matches!(copy, Mirrored::To(_)), is_copied, "{method}");
            assert!(!own.is_copy);
        }
        let to_itself = tests::gateway(Mirror::new("blue"));
        assert!(matches!(ask(&to_itself, "GET").1, Mirrored::No));
    }

    #[test]
    fn copies_under_way_are_bounded_and_make_room_when_they_end() {
        let gateway = gateway(Mirror::new("green"));
        let mut under_way: Vec<_> = (0..MIRRORS_MAX).map(|_| ask(&gateway, "GET").1).collect();
        assert!(matches!(ask(&gateway, "GET").1, Mirrored::Overflow));
        let Some(Mirrored::To(copy)) = under_way.pop() else { panic!() };
        end(&gateway, *copy);
        assert!(matches!(ask(&gateway, "GET").1, Mirrored::To(_)));
    }

    #[test]
    fn a_copy_without_a_target_is_told_and_takes_no_room() {
        let gateway = gateway(Mirror::new("green"));
        let config = gateway.config();
        let green = config.upstream_named("green").unwrap().0;
        let target = config.targets_of(green).next().unwrap().0;
        gateway.apply(crate::config::Change::DeleteTarget(target), Instant::ZERO).unwrap();
        (0..=MIRRORS_MAX).for_each(|_| assert!(matches!(ask(&gateway, "GET").1, Mirrored::NoTarget)));
    }

    #[test]
    fn a_body_has_the_same_print_in_whatever_pieces() {
        let print = |pieces: &[&str]| {
            let mut print = Fingerprint::new(200, Vec::new());
            for piece in pieces {
                print.add(piece.as_bytes());
            }
            print
        };
        assert_eq!(print(&["hel", "", "lo"]), print(&["hello"]));
        assert_ne!(print(&["hello"]), print(&["hellp"]));
    }

    #[test]
    fn answers_are_compared_once_both_are_known_and_differences_are_named() {
        let answer = |status, body, version: &str| {
            let headers = vec![("x-version".to_owned(), Some(version.to_owned()))];
            let mut print = Fingerprint::new(status, headers);
            print.add(&[body]);
            Some(print)
        };
        let compared = |own, copy| {
            let mut pair = Pair::new(&Mirror::new("green"));
            assert_eq!(pair.copy(copy), None);
            pair.own(own).unwrap()
        };
        assert_eq!(compared(answer(200, 1, "a"), answer(200, 1, "a")), Compared::Alike);
        assert_eq!(compared(answer(200, 1, "a"), None), Compared::NoCopy);
        assert_eq!(compared(None, answer(200, 1, "a")), Compared::NoOwn);
        let Compared::Different { parts, .. } = compared(answer(200, 1, "a"), answer(500, 2, "b")) else {
            panic!()
        };
        assert_eq!(parts, ["status", "body", "x-version"]);
        let mirror = Mirror { compare_body: false, ..Mirror::new("green") };
        let mut pair = Pair::new(&mirror);
        assert_eq!(pair.copy(answer(200, 1, "a")), None);
        assert_eq!(pair.own(answer(200, 2, "a")), Some(Compared::Alike), "bodies may differ here");
    }
}
