//! The machine: it answers where a request goes, learns how it went, and takes changes. It owns no algorithm and does no
//! I/O; shell and model drive it through the same few questions, and pass the time in.
//!
//! ```text
//! route(head) -> RouteMatch        which Route and Service
//! begin(match) -> Attempt          Service -> host -> Upstream -> target; in flight + 1
//! mirror(match, attempt) -> Mirrored   whether a copy goes elsewhere too
//! finish(attempt, outcome) -> Next in flight - 1; done, or another try
//! apply(change) -> Applied         one atomic step; the blue-green switch is a patch of a Service's host
//! ```

mod attempt;
mod care;
mod cookies;
mod found;
mod group;
mod held;
mod keys;
mod looks;
mod mirror;
mod options;
mod retry;
mod routing;
mod slots;
mod slow_start;
mod snapshot;

pub use attempt::{Attempt, Finished, FirstTry, Next, Rejection, RouteMatch};
pub use held::Held;
pub use mirror::{Compared, Fingerprint, MIRRORS_MAX, Mirrored, Pair};
pub use options::{Balancing, Options};
pub use slots::Slot;
pub use snapshot::Snapshot;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use self::care::Care;
use self::found::FoundSince;
use self::looks::Looks;
use self::mirror::UnderWay;
use self::routing::Routing;
use self::slots::Slots;
use self::snapshot::{Common, PickError};
use crate::balancer::{Ask, Member};
use crate::config::{Change, Config, ConfigError};
use crate::id::{Epoch, Revision, UpstreamId};
use crate::outcome::Outcome;
use crate::request::Head;
use crate::rng::Rng;
use crate::time::Instant;

/// How often one `begin` may find that the epoch it picks from has just ended. Each time it waits for the change to be
/// published, so once is the rule; more takes a new change within microseconds.
const EPOCH_CHANGES_MAX: usize = 64;

/// Things that happened by themselves and nobody asked for yet, at most.
const NEWS_MAX: usize = 1024;

/// A gateway without sockets. Shared by all workers; a request takes no lock.
#[derive(Debug)]
pub struct Gateway {
    options: Options,
    /// What each worker has in force; a single one where all share it.
    views: Box<[Arc<ArcSwap<Snapshot>>]>,
    /// The newest configuration, whoever has learnt of it.
    config: ArcSwap<Config>,
    /// Held by whoever changes anything.
    writer: Mutex<Writer>,
    /// Held by the same from the first end of an old epoch until the snapshot that has the new ones is in force.
    ending: Mutex<()>,
    /// Whether there are news to ask for.
    has_news: AtomicBool,
    /// Since when balancers do not go by what attempts have shown of targets.
    found: FoundSince,
    /// Copies of requests under way.
    copies: UnderWay,
}

/// What whoever changes anything needs.
#[derive(Debug)]
struct Writer {
    slots: Slots,
    revision: Revision,
    /// The revision that made the configuration: what a target's health has made since is not counted.
    changed: Revision,
    routing: Arc<Routing>,
    /// When each worker looks for a new routing; `None` where all learn of it at once.
    looks: Option<Looks>,
    /// Whose configuration this node takes over, and when it looks for that.
    origin: Option<(Arc<Gateway>, Looks)>,
    care: Care,
    /// Snapshots that are in force no more. A request may still be looking at one, and is not to be the one to free its tables.
    old: Vec<Arc<Snapshot>>,
    /// What happened by itself and was not asked for yet; beyond [`NEWS_MAX`] the oldest is forgotten.
    news: VecDeque<Applied>,
}

impl Writer {
    /// The snapshots that nobody looks at any more, to be freed.
    fn unseen(&mut self) -> Vec<Arc<Snapshot>> {
        self.old.extract_if(.., |old| Arc::strong_count(old) == 1).collect()
    }

    fn tell(&mut self, applied: Applied) {
        if self.news.len() >= NEWS_MAX {
            self.news.pop_front();
        }
        self.news.push_back(applied);
    }
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
#[derive(Clone, Debug)]
pub struct Applied {
    /// Where: [`Options::node`].
    pub node: u16,
    /// Why it happened.
    pub cause: Cause,
    /// The revision it made.
    pub revision: Revision,
    /// When.
    pub at: Instant,
    /// The configuration, and the revision of the change that made it: the same at every node.
    pub config: (Revision, Arc<Config>),
    /// The epochs it began, each with its members.
    pub epochs: Vec<NewEpoch>,
}

/// Why something has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it.
    Change,
    /// A target turned out of rotation or into it.
    Health,
    /// A node or a worker has learnt of what was asked for before.
    Look,
}

/// A stretch of picks of one Upstream that begins: who may be picked in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEpoch {
    /// Whose: [`Options::node`].
    pub node: u16,
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
        let routing = Arc::new(Routing::new((Revision(0), config.clone()), &mut slots, None));
        let count = if options.workers_differ() { options.workers.max(1) } else { 1 };
        let mut care = Care::default();
        let common = Common::new(&config, (&slots, &care.starters), options, (Revision(0), Instant::ZERO));
        let mut snapshots: Vec<Snapshot> = Vec::with_capacity(count);
        for view in 0..count {
            let snapshot = common.prepare(view, Arc::clone(&routing), None, snapshots.first());
            snapshots.push(snapshot());
        }
        drop(common);
        care.follow(&config, &slots, Instant::ZERO);
        let looks = options.sync_interval.map(|interval| Looks::new(interval, count, options.seed));
        Self {
            options,
            views: snapshots.into_iter().map(|snapshot| Arc::new(ArcSwap::from_pointee(snapshot))).collect(),
            config: ArcSwap::from_pointee(config),
            has_news: AtomicBool::new(false),
            found: FoundSince::default(),
            copies: UnderWay::default(),
            ending: Mutex::new(()),
            writer: Mutex::new(Writer {
                slots,
                revision: Revision(0),
                changed: Revision(0),
                routing,
                looks,
                origin: None,
                care,
                old: Vec::new(),
                news: VecDeque::new(),
            }),
        }
    }

    /// What worker `worker` has in force right now.
    pub fn view_of(&self, worker: usize) -> View {
        self.cell_of(worker).load()
    }

    /// Where that is.
    fn cell_of(&self, worker: usize) -> &Arc<ArcSwap<Snapshot>> {
        &self.views[if self.views.len() == 1 { 0 } else { worker % self.views.len() }]
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
    /// [`Rejection::NoRoute`] when none matches, [`Rejection::NeedsHttps`] when the one that does is not for plain requests.
    pub fn route(&self, worker: usize, head: &Head<'_>) -> Result<RouteMatch, Rejection> {
        let view = self.view_of(worker);
        let found = view.router().find(head).ok_or(Rejection::NoRoute)?;
        if let Some(status) = found.needs_https {
            return Err(Rejection::NeedsHttps(status));
        }
        Ok(RouteMatch {
            view: view.view(),
            revision: view.revision(),
            row: found.row,
            route: found.route,
            service: found.service,
            stripped: found.stripped,
            preserve_host: found.preserve_host,
            path_handling: found.path_handling,
        })
    }

    /// Chooses the target of a request's first try and counts it in flight. `head` is asked only for what the choice
    /// and later retries depend on; algorithms that draw do so from `rng`, the worker's own.
    ///
    /// # Errors
    /// Why there is nowhere to send it.
    pub fn begin(
        &self,
        matched: &RouteMatch,
        head: &Head<'_>,
        now: Instant,
        rng: &mut Rng,
    ) -> Result<Attempt, Rejection> {
        self.begin_in(&self.view_of(matched.view), (matched, head), now, rng)
    }

    /// The same, in the view of the match.
    fn begin_in(
        &self,
        view: &Snapshot,
        (matched, head): (&RouteMatch, &Head<'_>),
        now: Instant,
        rng: &mut Rng,
    ) -> Result<Attempt, Rejection> {
        let service = matched.service.ok_or(Rejection::NoService)?;
        let repeatable = retry::is_repeatable(head, self.options.rules);
        let mut ask = Ask { now, rng, key: None, tried: &[] };
        self.pick(view, |view| view.begin((matched, head), service, repeatable, &mut ask))
    }

    /// Picks by `begin` in a view, and in the one after it when its epoch has just ended.
    fn pick(
        &self,
        view: &Snapshot,
        mut begin: impl FnMut(&Snapshot) -> Result<Attempt, PickError>,
    ) -> Result<Attempt, Rejection> {
        let mut picked = begin(view);
        for _ in 0..EPOCH_CHANGES_MAX {
            match picked {
                Ok(attempt) => return Ok(attempt),
                Err(PickError::Rejected(rejection)) => return Err(rejection),
                Err(PickError::Closed) => drop(self.ending()),
            }
            picked = begin(&self.view_of(view.view()));
        }
        Err(Rejection::NoTarget)
    }

    /// Ends an attempt and says whether another one follows. An attempt that is tried again is already in flight at its
    /// new target. When its end turns a target, [`has_turned`](Self::has_turned) says so: the tables that show it are made
    /// by [`handle_timeout`](Self::handle_timeout), for all targets that have turned by then, and no request waits for them.
    pub fn finish(&self, attempt: Attempt, outcome: Outcome, now: Instant, rng: &mut Rng) -> Next {
        self.finish_in(&self.view_of(attempt.view as usize), attempt, outcome, now, rng)
    }

    /// The same, in the view of the attempt's worker.
    fn finish_in(
        &self,
        view: &Snapshot,
        attempt: Attempt,
        outcome: Outcome,
        now: Instant,
        rng: &mut Rng,
    ) -> Next {
        view.release(&attempt, outcome, now);
        if attempt.is_copy {
            self.copies.leave();
        }
        let target = attempt.target;
        let learner = attempt.upstream.filter(|upstream| view.lessons(*upstream).is_some());
        let is_due = retry::is_due(&attempt, outcome);
        let next = if is_due { view.begin_again(attempt, now, rng) } else { None };
        if let Some(upstream) = learner {
            self.learn(view, (upstream, target), outcome, next.is_none(), now);
        }
        next.map_or(Next::Done, Next::Retry)
    }

    /// Puts a change in force in one atomic step: for every worker's next request, or where workers look for changes of their
    /// own accord, for each when it looks next. Requests under way are left alone.
    ///
    /// # Errors
    /// The rule the change breaks; nothing has happened then.
    pub fn apply(&self, change: Change, now: Instant) -> Result<Applied, ConfigError> {
        let mut writer = self.writer();
        let config = self.config().with(change)?;
        let revision = writer.revision.next();
        Ok(self.put(&mut writer, (config, revision), Cause::Change, now))
    }

    /// Puts a configuration in force.
    fn put(
        &self,
        writer: &mut Writer,
        (config, next): (Config, Revision),
        cause: Cause,
        now: Instant,
    ) -> Applied {
        let before = self.config();
        let Writer { slots, revision, changed, routing, care, .. } = &mut *writer;
        slots.follow(&before, &config);
        // A node whose targets have turned meanwhile has counted on.
        *revision = next.max(revision.next());
        *changed = next;
        if !routing.config.differs_in_targets_only(&config) {
            *routing = Arc::new(Routing::new((next, config.clone()), slots, Some(routing)));
        }
        care.follow(&config, slots, now);
        care.starters.follow(&before, &config, now);
        let learn = |_| self.options.sync_interval.is_none();
        let config = Arc::new(config);
        let applied = self.publish((writer, &config), cause, now, learn);
        // Last, so that who reads it sees nothing that is not in force yet.
        self.config.store(config);
        applied
    }

    /// Makes the next snapshot of each worker and puts it in force; those that `learn` get the newest routing.
    fn publish(
        &self,
        (writer, config): (&mut Writer, &Arc<Config>),
        cause: Cause,
        now: Instant,
        learn: impl Fn(usize) -> bool,
    ) -> Applied {
        drop(writer.unseen());
        let Writer { slots, care, revision, routing: newest, old: replaced, .. } = writer;
        let revision = *revision;
        let common = Common::new(config, (slots, &care.starters), self.options, (revision, now));
        let mut epochs: Vec<NewEpoch> = Vec::new();
        let mut peer: Option<Arc<Snapshot>> = None;
        for (view, current) in self.views.iter().enumerate() {
            let old = current.load_full();
            let routing = if learn(view) { &*newest } else { old.routing() };
            let next = common.prepare(view, Arc::clone(routing), Some(&old), peer.as_deref());
            let next = self.put_in_force(current, next);
            for (upstream, group) in next.groups() {
                let is_new = old.group(upstream).is_none_or(|old| !Arc::ptr_eq(old, group));
                let is_told =
                    epochs.iter().any(|told| told.upstream == upstream && told.epoch == group.epoch);
                if is_new && !is_told {
                    let (epoch, members) = (group.epoch, group.members().to_vec());
                    epochs.push(NewEpoch { node: self.options.node, upstream, epoch, members });
                }
            }
            peer = Some(next);
            replaced.push(old);
        }
        let config = (writer.changed, Arc::clone(config));
        Applied { node: self.options.node, cause, revision, at: now, config, epochs }
    }

    /// Makes what has been prepared and puts it in force; nobody who finds that its epoch has ended waits for anything else.
    fn put_in_force(&self, view: &ArcSwap<Snapshot>, make: impl FnOnce() -> Snapshot) -> Arc<Snapshot> {
        let _ending = self.ending();
        let next = Arc::new(make());
        view.store(Arc::clone(&next));
        next
    }

    /// The next moment at which something happens by itself: a node or a worker looks for changes, a probe is due, outliers are
    /// weighed; in the past where a target has turned. Changed by [`handle_timeout`](Self::handle_timeout),
    /// [`poll_probe`](Self::poll_probe), [`apply`](Self::apply), and by whatever turns a target: [`finish`](Self::finish),
    /// [`on_probe`](Self::on_probe) and [`set_health`](Self::set_health).
    pub fn next_timeout(&self) -> Option<Instant> {
        let writer = self.writer();
        let nodes = writer.origin.as_ref().and_then(|(_, looks)| looks.next_time());
        let workers = writer.looks.as_ref().and_then(Looks::next_time);
        let care = writer.care.next_timeout(&self.config());
        nodes.into_iter().chain(workers).chain(care).chain(self.found.get()).min()
    }

    /// Lets happen what is due by `now`, but for probes: those are asked for. Makes new tables where a target has turned, so it
    /// is not for who serves requests.
    pub fn handle_timeout(&self, now: Instant) {
        let mut writer = self.writer();
        self.act_on_found(&mut writer, now);
        self.weigh_outliers(&mut writer, now);
        self.step_starters(&mut writer, now);
        self.look_at_origin(&mut writer, now);
        self.look(&mut writer, now);
        let unseen = writer.unseen();
        self.has_news.store(!writer.news.is_empty(), Ordering::Release);
        // Nobody who waits for the writer waits for this.
        drop(writer);
        drop(unseen);
    }

    /// The next thing that happened by itself, in order. Costs one load while there is none.
    pub fn news(&self) -> Option<Applied> {
        if !self.has_news.load(Ordering::Acquire) {
            return None;
        }
        let mut writer = self.writer();
        let next = writer.news.pop_front();
        self.has_news.store(!writer.news.is_empty(), Ordering::Release);
        next
    }

    fn ending(&self) -> MutexGuard<'_, ()> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // Whoever panicked with the lock had not published anything half.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
