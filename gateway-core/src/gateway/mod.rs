//! The machine: it answers where a request goes, learns how it went, and takes changes. It owns no algorithm and does no
//! I/O; shell and model drive it through the same few questions, and pass the time in.
//!
//! ```text
//! route(head) -> RouteMatch        which Route and Service
//! begin(match) -> Attempt          Service -> host -> Upstream -> target; in flight + 1
//! finish(attempt, outcome) -> Next in flight - 1; done, or another try
//! apply(change) -> Applied         one atomic step; the blue-green switch is a patch of a Service's host
//! ```

mod attempt;
mod group;
mod options;
mod retry;
mod routing;
mod slots;
mod snapshot;

pub use attempt::{Attempt, Next, Rejection, RouteMatch};
pub use options::{Balancing, Options, Rules};
pub use slots::Slot;
pub use snapshot::Snapshot;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use self::routing::Routing;
use self::slots::Slots;
use self::snapshot::{Common, PickError};
use crate::balancer::Member;
use crate::config::{Change, Config, ConfigError};
use crate::id::{Epoch, Revision, TargetId, UpstreamId};
use crate::outcome::Outcome;
use crate::request::Head;
use crate::rng;
use crate::time::{self, Instant};

/// How often one `begin` may find that the epoch it picks from has just ended. Each time it waits for the change to be
/// published, so once is the rule; more takes a new change within microseconds.
const EPOCH_CHANGES_MAX: usize = 64;

/// A gateway without sockets. Shared by all workers; a request takes no lock.
#[derive(Debug)]
pub struct Gateway {
    options: Options,
    /// What each worker has in force; a single one where all share it.
    views: Box<[ArcSwap<Snapshot>]>,
    /// The newest configuration, whoever has learnt of it.
    config: ArcSwap<Config>,
    /// Held by whoever changes anything, from the end of the old epochs until the new snapshots are in force.
    writer: Mutex<Writer>,
}

/// What whoever changes anything needs.
#[derive(Debug)]
struct Writer {
    slots: Slots,
    revision: Revision,
    routing: Arc<Routing>,
    /// When each worker looks for a new routing next; empty where all learn of it at once.
    looks: Vec<Instant>,
    /// What happened by itself and was not asked for yet.
    news: Vec<Applied>,
}

/// What is in force right now, held still while it is looked at. Not to be kept across a wait.
pub type View = Guard<Arc<Snapshot>>;

/// How well a target is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetHealth {
    /// Nobody looks.
    Off,
    /// It may be picked.
    Healthy,
    /// It is left out.
    Unhealthy,
}

/// A change that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The revision it made.
    pub revision: Revision,
    /// When.
    pub at: Instant,
    /// The epochs it began, each with its members.
    pub epochs: Vec<NewEpoch>,
}

/// A stretch of picks of one Upstream that begins: who may be picked in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEpoch {
    /// Which Upstream.
    pub upstream: UpstreamId,
    /// Which stretch.
    pub epoch: Epoch,
    /// All its targets with a weight, and whether they are available.
    pub members: Vec<Member>,
}

impl Gateway {
    /// A gateway with this configuration, at revision 0, whose workers share everything.
    pub fn new(config: Config) -> Self {
        Self::with(config, Options::default())
    }

    /// A gateway with this configuration, at revision 0, that behaves as `options` say.
    pub fn with(config: Config, options: Options) -> Self {
        let mut slots = Slots::default();
        slots.follow(&config, &config);
        let routing = Arc::new(Routing::new(config.clone(), &mut slots, None));
        let count = if options.workers_differ() { options.workers.max(1) } else { 1 };
        let common = Common::new(&config, &slots, options, (Revision(0), Instant::ZERO));
        let mut snapshots: Vec<Snapshot> = Vec::with_capacity(count);
        for view in 0..count {
            let snapshot = common.snapshot(view, Arc::clone(&routing), None, snapshots.first());
            snapshots.push(snapshot);
        }
        drop(common);
        let looks = options.sync_interval.map_or_else(Vec::new, |interval| {
            // Workers started together do not look together for long: each has a moment of its own.
            let draw = |view: usize| rng::draw(options.seed, rng::fnv1a("sync"), view as u64);
            let phase = |view| Instant::from_nanos(draw(view) % time::nanos(interval).max(1));
            (0..count).map(phase).collect()
        });
        Self {
            options,
            views: snapshots.into_iter().map(ArcSwap::from_pointee).collect(),
            config: ArcSwap::from_pointee(config),
            writer: Mutex::new(Writer { slots, revision: Revision(0), routing, looks, news: Vec::new() }),
        }
    }

    /// What worker `worker` has in force right now.
    pub fn view_of(&self, worker: usize) -> View {
        self.views[if self.views.len() == 1 { 0 } else { worker % self.views.len() }].load()
    }

    /// What is in force right now; where workers differ, for the first of them.
    pub fn view(&self) -> View {
        self.views[0].load()
    }

    /// The newest configuration. Workers may not have learnt of it yet.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Which Route a request belongs to that `worker` has got.
    ///
    /// # Errors
    /// [`Rejection::NoRoute`] when none matches.
    pub fn route(&self, worker: usize, head: &Head<'_>) -> Result<RouteMatch, Rejection> {
        let view = self.view_of(worker);
        let found = view.router().find(head).ok_or(Rejection::NoRoute)?;
        Ok(RouteMatch {
            view: view.view(),
            revision: view.revision(),
            route: found.route,
            service: found.service,
            stripped: found.stripped,
            preserve_host: found.preserve_host,
        })
    }

    /// Chooses the target of a request's first try and counts it in flight. `head` is asked only for what the choice
    /// and later retries depend on.
    ///
    /// # Errors
    /// Why there is nowhere to send it.
    pub fn begin(&self, matched: &RouteMatch, head: &Head<'_>, now: Instant) -> Result<Attempt, Rejection> {
        let service = matched.service.ok_or(Rejection::NoService)?;
        let repeatable = retry::is_repeatable(head, self.options.rules);
        for _ in 0..EPOCH_CHANGES_MAX {
            match self.view_of(matched.view).begin(matched.route, service, repeatable, now) {
                Ok(attempt) => return Ok(attempt),
                Err(PickError::Rejected(rejection)) => return Err(rejection),
                Err(PickError::Closed) => drop(self.writer()),
            }
        }
        Err(Rejection::NoTarget)
    }

    /// Ends an attempt and says whether another one follows. An attempt that is tried again is already in flight at its
    /// new target.
    pub fn finish(&self, attempt: Attempt, outcome: Outcome, now: Instant) -> Next {
        let view = self.view_of(attempt.view);
        view.release(&attempt);
        if retry::is_due(&attempt, outcome)
            && let Some(next) = view.begin_again(attempt, now)
        {
            return Next::Retry(next);
        }
        Next::Done
    }

    /// Puts a change in force in one atomic step: for every worker's next request, or where workers look for changes of their
    /// own accord, for each when it looks next. Requests under way are left alone.
    ///
    /// # Errors
    /// The rule the change breaks; nothing has happened then.
    pub fn apply(&self, change: Change, now: Instant) -> Result<Applied, ConfigError> {
        let mut writer = self.writer();
        let before = self.config();
        let config = before.with(change)?;
        let Writer { slots, revision, routing, .. } = &mut *writer;
        slots.follow(&before, &config);
        *revision = revision.next();
        if !routing.config.differs_in_targets_only(&config) {
            *routing = Arc::new(Routing::new(config.clone(), slots, Some(routing)));
        }
        self.config.store(Arc::new(config));
        Ok(self.publish(&writer, now, |_| self.options.sync_interval.is_none()))
    }

    /// Makes the next snapshot of each worker and puts it in force; those that `learn` get the newest routing.
    fn publish(&self, writer: &Writer, now: Instant, learn: impl Fn(usize) -> bool) -> Applied {
        let (revision, config) = (writer.revision, self.config());
        let common = Common::new(&config, &writer.slots, self.options, (revision, now));
        let mut epochs: Vec<NewEpoch> = Vec::new();
        let mut peer: Option<Arc<Snapshot>> = None;
        for (view, current) in self.views.iter().enumerate() {
            let old = current.load_full();
            let routing = if learn(view) { &writer.routing } else { old.routing() };
            let next = Arc::new(common.snapshot(view, Arc::clone(routing), Some(&old), peer.as_deref()));
            current.store(Arc::clone(&next));
            for (upstream, group) in next.groups() {
                let is_new = old.group(upstream).is_none_or(|old| !Arc::ptr_eq(old, group));
                let is_told =
                    epochs.iter().any(|told| told.upstream == upstream && told.epoch == group.epoch);
                if is_new && !is_told {
                    epochs.push(NewEpoch { upstream, epoch: group.epoch, members: group.members().to_vec() });
                }
            }
            peer = Some(next);
        }
        Applied { revision, at: now, epochs }
    }

    /// The next moment at which something happens by itself: a worker looks for changes. Changes only by
    /// [`Gateway::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        self.writer().looks.iter().min().copied()
    }

    /// Lets happen what is due by `now`.
    pub fn handle_timeout(&self, now: Instant) {
        let mut writer = self.writer();
        let Some(interval) = self.options.sync_interval else { return };
        let due: Vec<_> = writer.looks.iter().map(|look| *look <= now).collect();
        for look in writer.looks.iter_mut().filter(|look| **look <= now) {
            *look = now + interval;
        }
        let has_news =
            |view: usize| due[view] && !Arc::ptr_eq(self.views[view].load().routing(), &writer.routing);
        if (0..self.views.len()).any(has_news) {
            let applied = self.publish(&writer, now, |view| due[view]);
            writer.news.push(applied);
        }
    }

    /// What happened by itself since this was asked last.
    pub fn news(&self) -> Vec<Applied> {
        std::mem::take(&mut self.writer().news)
    }

    /// How well a target is known to be.
    pub fn health(&self, _: TargetId) -> TargetHealth {
        TargetHealth::Off
    }

    /// Says by hand how well a target is.
    pub fn set_health(&self, _: TargetId, _: bool, _: Instant) {}

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // Whoever panicked with the lock had not published anything half.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{Address, Route, Service, Target, Upstream};
    use crate::id::{ServiceId, TargetId, UpstreamId};
    use crate::outcome::Failure;
    use crate::weight::Weight;

    /// The how-to: blue 100/50, green 100/100, one Service, one Route.
    fn how_to() -> Gateway {
        let mut config = Config::default();
        for (upstream, targets) in [
            ("blue", [("httpbin.konghq.com:80", 100), ("httpbin.org:80", 50)]),
            ("green", [("any.httpbun.com:80", 100), ("httpbun.com:80", 100)]),
        ] {
            let id = config.add_upstream(Upstream::new(upstream)).unwrap();
            for (target, weight) in targets {
                let address = Address::parse(target).unwrap();
                config.add_target(Target::new(id, address, Weight::new(weight))).unwrap();
            }
        }
        let service = config.add_service(Service::new("example-service", "blue")).unwrap();
        config
            .add_route(Route { paths: vec!["/anything".into()], ..Route::new("example-route", service) })
            .unwrap();
        Gateway::new(config)
    }

    const GET: Head<'_> = Head::new("GET", "/anything");
    const OK: Outcome = Outcome::Answered { status: 200 };

    fn begin(gateway: &Gateway, head: &Head<'_>) -> Result<Attempt, Rejection> {
        gateway.begin(&gateway.route(0, head)?, head, Instant::ZERO)
    }

    fn serve(gateway: &Gateway, requests: usize) -> [usize; 4] {
        let mut counts = [0; 4];
        for _ in 0..requests {
            let attempt = begin(gateway, &GET).unwrap();
            counts[attempt.target.index()] += 1;
            answered(gateway, attempt);
        }
        counts
    }

    fn answered(gateway: &Gateway, attempt: Attempt) {
        assert!(matches!(gateway.finish(attempt, OK, Instant::ZERO), Next::Done));
    }

    fn in_flight(gateway: &Gateway) -> u32 {
        (0..4).map(|i| gateway.view().slot(TargetId(i)).map_or(0, Slot::in_flight)).sum()
    }

    #[test]
    fn the_how_to_switches_at_once_and_back() {
        let gateway = how_to();
        assert_eq!(serve(&gateway, 300), [200, 100, 0, 0]);
        let to = |host: &str| Change::SetHost(ServiceId(0), host.to_owned());
        let applied = gateway.apply(to("green"), Instant::from_millis(5)).unwrap();
        assert_eq!((applied.revision, applied.at), (Revision(1), Instant::from_millis(5)));
        assert_eq!(serve(&gateway, 300), [0, 0, 150, 150]);
        gateway.apply(to("blue"), Instant::ZERO).unwrap();
        assert_eq!(serve(&gateway, 3), [2, 1, 0, 0]);
    }

    #[test]
    fn a_switch_leaves_both_balancers_turns_alone() {
        // Aim: a change that does not bear on an Upstream starts no new epoch of it. Method: tickets go on.
        let gateway = how_to();
        serve(&gateway, 4);
        gateway.apply(Change::SetHost(ServiceId(0), "green".to_owned()), Instant::ZERO).unwrap();
        gateway.apply(Change::SetHost(ServiceId(0), "blue".to_owned()), Instant::ZERO).unwrap();
        let attempt = begin(&gateway, &GET).unwrap();
        assert_eq!((attempt.epoch.0, attempt.ticket, attempt.revision.0), (0, 4, 2));
        answered(&gateway, attempt);
    }

    #[test]
    fn another_weight_begins_an_epoch_that_remembers_what_is_owed() {
        let gateway = how_to();
        serve(&gateway, 1);
        gateway.apply(Change::SetWeight(TargetId(1), Weight::new(100)), Instant::ZERO).unwrap();
        let attempt = begin(&gateway, &GET).unwrap();
        assert_eq!((attempt.epoch.0, attempt.ticket, attempt.target), (1, 0, TargetId(1)));
        assert!((attempt.carried - 1.0 / 3.0).abs() < 1e-9, "{}", attempt.carried);
        answered(&gateway, attempt);
    }

    #[test]
    fn a_failed_change_changes_nothing() {
        let gateway = how_to();
        let nonsense = Change::SetHost(ServiceId(0), "a b".to_owned());
        assert!(gateway.apply(nonsense, Instant::ZERO).is_err());
        assert_eq!(gateway.view().revision(), Revision(0));
        assert_eq!(serve(&gateway, 3), [2, 1, 0, 0]);
    }

    #[test]
    fn what_has_nowhere_to_go_is_rejected_by_name() {
        let gateway = how_to();
        assert_eq!(begin(&gateway, &Head::new("GET", "/other")).unwrap_err(), Rejection::NoRoute);
        gateway
            .apply(
                Change::All(vec![Change::DeleteTarget(TargetId(0)), Change::DeleteTarget(TargetId(1))]),
                Instant::ZERO,
            )
            .unwrap();
        assert_eq!(begin(&gateway, &GET).unwrap_err(), Rejection::NoTarget);
        let orphan = Route { service: None, paths: vec!["/o".into()], ..Route::new("o", ServiceId(0)) };
        gateway.apply(Change::CreateRoute(orphan), Instant::ZERO).unwrap();
        assert_eq!(begin(&gateway, &Head::new("GET", "/o")).unwrap_err(), Rejection::NoService);
    }

    #[test]
    fn a_host_that_is_no_upstream_is_a_target_of_its_own() {
        let gateway = how_to();
        let old = gateway.view().service(ServiceId(0)).unwrap().clone();
        let direct = Service { host: "example.org".into(), port: 81, ..old };
        gateway.apply(Change::UpdateService(ServiceId(0), direct), Instant::ZERO).unwrap();
        let attempt = begin(&gateway, &GET).unwrap();
        assert_eq!(attempt.upstream, None);
        let view = gateway.view();
        assert_eq!(view.address(attempt.target).map(ToString::to_string).as_deref(), Some("example.org:81"));
        assert_eq!(view.host_header(&attempt), Some("example.org:81"));
        answered(&gateway, attempt);
    }

    #[test]
    fn a_safe_retry_goes_elsewhere_and_costs_no_turn() {
        // Aim: retries exclude what failed and never advance the sequence of first tries.
        let gateway = how_to();
        let first = begin(&gateway, &GET).unwrap();
        let failed = first.target;
        let refused = Outcome::Failed { cause: Failure::Refused, sent: false, replayable: true };
        let Next::Retry(second) = gateway.finish(first, refused, Instant::ZERO) else { panic!("no retry") };
        assert_ne!(second.target, failed);
        assert_eq!(second.number, 1);
        assert_eq!(in_flight(&gateway), 1);
        answered(&gateway, second);
        let next = begin(&gateway, &GET).unwrap();
        assert_eq!(next.ticket, 1);
        answered(&gateway, next);
        assert_eq!(in_flight(&gateway), 0);
    }

    #[test]
    fn in_flight_returns_to_zero_even_when_the_target_is_gone() {
        let gateway = how_to();
        let attempt = begin(&gateway, &GET).unwrap();
        let target = attempt.target;
        gateway.apply(Change::DeleteTarget(target), Instant::ZERO).unwrap();
        assert_eq!(gateway.view().slot(target).map(Slot::in_flight), Some(1));
        assert!(matches!(gateway.finish(attempt, Outcome::ClientGone, Instant::ZERO), Next::Done));
        assert_eq!(gateway.view().slot(target).map(Slot::in_flight), Some(0));
        let again = Target::new(UpstreamId(0), Address::parse("new:80").unwrap(), Weight::DEFAULT);
        gateway.apply(Change::CreateTarget(again), Instant::ZERO).unwrap();
        assert!(gateway.view().slot(target).is_none(), "a slot that nobody needs is let go");
    }

    #[test]
    fn in_kongs_profile_targets_change_at_once_and_services_when_a_worker_looks() {
        // Aim: the switch comes late and not to all at once, a weight comes at once, and a change forgets whose turn it was.
        let config = how_to().config().as_ref().clone();
        let gateway = Gateway::with(config, Options::kong(2, 7));
        let hosts = |gateway: &Gateway| {
            let one = |worker| {
                let matched = gateway.route(worker, &GET).unwrap();
                let attempt = gateway.begin(&matched, &GET, Instant::ZERO).unwrap();
                let target = attempt.target;
                answered(gateway, attempt);
                target.0 / 2
            };
            [one(0), one(1)]
        };
        gateway.apply(Change::SetHost(ServiceId(0), "green".to_owned()), Instant::ZERO).unwrap();
        assert_eq!(
            gateway.config().service(ServiceId(0)).unwrap().host,
            "green",
            "the Admin API knows at once"
        );
        assert_eq!(hosts(&gateway), [0, 0]);
        let first = gateway.next_timeout().unwrap();
        gateway.handle_timeout(first);
        assert_eq!(hosts(&gateway).iter().sum::<u32>(), 1, "one worker has looked");
        assert_eq!(gateway.news().len(), 1);
        gateway.handle_timeout(gateway.next_timeout().unwrap());
        assert_eq!(hosts(&gateway), [1, 1]);
        assert!(gateway.next_timeout().unwrap() <= first + std::time::Duration::from_secs(5));
        let weights =
            [Change::SetWeight(TargetId(2), Weight::new(0)), Change::SetWeight(TargetId(3), Weight::new(1))];
        gateway.apply(Change::All(weights.into()), first).unwrap();
        let attempt = begin(&gateway, &GET).unwrap();
        assert_eq!((attempt.target, attempt.epoch.0), (TargetId(3), 1));
        answered(&gateway, attempt);
    }

    #[test]
    fn workers_with_balancers_of_their_own_are_exact_each_and_number_their_picks_together() {
        let config = how_to().config().as_ref().clone();
        let options = Options { workers: 2, balancing: Balancing::PerWorker, ..Options::default() };
        let gateway = Gateway::with(config, options);
        let mut counts = [[0; 2]; 2];
        for n in 0..600_usize {
            let worker = usize::from(n % 3 == 0);
            let matched = gateway.route(worker, &GET).unwrap();
            let attempt = gateway.begin(&matched, &GET, Instant::ZERO).unwrap();
            assert_eq!(attempt.ticket, n as u64);
            counts[worker][attempt.target.index()] += 1;
            answered(&gateway, attempt);
        }
        assert_eq!(counts, [[267, 133], [133, 67]].map(|c| c), "two thirds and one third, for each worker");
    }

    #[test]
    fn when_everything_fails_retries_are_bounded() {
        // Aim: a failing Upstream is not hit with a multiple of its load. Method: requests that all wait and then all fail; of
        // the retries that follow no more are under way at once than the budget says.
        let gateway = how_to();
        let waiting: Vec<_> = (0..200).map(|_| begin(&gateway, &GET).unwrap()).collect();
        let timeout = Outcome::Failed { cause: Failure::ResponseTimeout, sent: true, replayable: true };
        let (mut retries, mut largest) = (Vec::new(), 0);
        for attempt in waiting {
            if let Next::Retry(retry) = gateway.finish(attempt, timeout, Instant::ZERO) {
                retries.push(retry);
            }
            largest = largest.max(retries.len());
        }
        assert!((20..=40).contains(&largest), "{largest}");
        for retry in retries {
            answered(&gateway, retry);
        }
        assert_eq!(in_flight(&gateway), 0);
        let refused = Outcome::Failed { cause: Failure::Refused, sent: false, replayable: true };
        for _ in 0..100 {
            let first = begin(&gateway, &GET).unwrap();
            let Next::Retry(second) = gateway.finish(first, refused, Instant::ZERO) else {
                panic!("no retry")
            };
            answered(&gateway, second);
        }
    }

    #[test]
    fn workers_and_a_writer_together_misroute_nothing() {
        // Aim: with changes of weight under way no pick is lost or made twice, whatever epoch it falls into. Method: two
        // threads pick while a third changes weights 200 times; tickets of each epoch must be 0..n without gaps.
        let gateway = how_to();
        let mut seen: Vec<(u32, u64)> = std::thread::scope(|scope| {
            let worker = || {
                let mut seen = Vec::new();
                for _ in 0..20_000 {
                    let attempt = begin(&gateway, &GET).unwrap();
                    seen.push((attempt.epoch.0, attempt.ticket));
                    answered(&gateway, attempt);
                }
                seen
            };
            let workers = [scope.spawn(worker), scope.spawn(worker)];
            for weight in 1..200 {
                gateway.apply(Change::SetWeight(TargetId(1), Weight::new(weight)), Instant::ZERO).unwrap();
            }
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        seen.sort_unstable();
        let mut expected = 0;
        for pair in seen.windows(2) {
            expected = if pair[0].0 == pair[1].0 { pair[0].1 + 1 } else { 0 };
            assert_eq!(pair[1].1, expected, "epoch {}", pair[1].0);
        }
        assert_eq!(seen[0].1, 0);
        assert!(expected > 0 || seen.len() == 40_000);
        assert_eq!(in_flight(&gateway), 0);
    }
}
