//! How exactly each Upstream kept its weights: every first try, in the order of its ticket, against the exact share.
//! Workers report concurrently, so picks wait here until all tickets before theirs have come.

mod row;

pub use row::{LagRange, MeasuredWeights, MemberPicks};

use std::collections::BTreeMap;
use std::rc::Rc;

use gateway_core::config::Config;
use gateway_core::gateway::NewEpoch;
use gateway_core::id::{TargetId, UpstreamId};
use gateway_core::time::Instant;

use self::row::widen;
use super::Pick;
use super::series::Grid;

/// Picks of one epoch that may wait for an earlier ticket, or until it is known who may be picked in it; beyond that the
/// ticket counts as missing, and members are taken to be those of the epoch before.
const WAITING_MAX: usize = 65_536;

/// The weights of all Upstreams.
#[derive(Debug)]
pub(super) struct Weights {
    upstreams: BTreeMap<(UpstreamId, u16), Upstream>,
}

/// An Upstream in the eyes of one node.
#[derive(Debug)]
struct Upstream {
    node: u16,
    /// Who may be picked in each epoch that is known.
    members: BTreeMap<u32, Rc<Members>>,
    /// Picks of epochs whose members are not known yet, in the order they came.
    unknown: Vec<Pick>,
    /// When it came to be pointed to, and by which switch.
    stretches: Vec<(Instant, Option<usize>)>,
    epochs: BTreeMap<u32, Epoch>,
    rows: Vec<MeasuredWeights>,
    /// Smallest and largest lag of any member in each bin of the series.
    range: Vec<Option<(f64, f64)>>,
    /// The targets of a rollout's new version, in the order of their ids.
    new_version: Rc<[TargetId]>,
}

/// Who may be picked, in the order of their ids.
#[derive(Debug)]
struct Members {
    all: Box<[Member]>,
    total: u64,
}

#[derive(Debug)]
struct Member {
    target: TargetId,
    weight: u32,
}

#[derive(Debug)]
struct Epoch {
    members: Rc<Members>,
    /// The ticket that comes next.
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// Picks seen, in all and of each member.
    n: u64,
    picks: Vec<u64>,
    /// The weights of a rollout's new version together, and the picks of its targets.
    new_version: (u64, u64),
    /// What each member was owed at the start; not known before its first pick, except in the first epoch.
    carried: Vec<Option<f64>>,
    /// Where the last pick was counted: stretch, row, bin.
    last: Option<(usize, usize, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    member: usize,
    at: Instant,
    request: u64,
    carried: f64,
}

impl Weights {
    /// Nobody was picked yet by any of so many nodes; `new_version` are the targets of a rollout's new version, in
    /// the order of their ids.
    pub(super) fn new(config: &Config, nodes: u16, new_version: &Rc<[TargetId]>, grid: Grid) -> Self {
        let of_all = config.upstreams().flat_map(|(id, _)| (0..nodes).map(move |node| (id, node)));
        let upstreams = of_all.map(|(id, node)| {
            let targets = config.targets_of(id).filter(|(_, target)| target.weight.get() > 0);
            let members = Members::new(targets.map(|(id, target)| (id, target.weight.get().into())));
            let upstream = Upstream {
                node,
                members: BTreeMap::from([(0, Rc::new(members))]),
                unknown: Vec::new(),
                stretches: vec![(Instant::ZERO, None)],
                epochs: BTreeMap::new(),
                rows: Vec::new(),
                range: vec![None; grid.bins()],
                new_version: Rc::clone(new_version),
            };
            ((id, node), upstream)
        });
        Self { upstreams: upstreams.collect() }
    }

    /// A switch points to `upstream` from `at` on.
    pub(super) fn begin(&mut self, upstream: UpstreamId, at: Instant, switch: usize) {
        for (_, upstream) in self.upstreams.range_mut((upstream, 0)..=(upstream, u16::MAX)) {
            upstream.stretches.push((at, Some(switch)));
        }
    }

    /// An epoch began: who may be picked in it.
    pub(super) fn began(&mut self, began: &NewEpoch, grid: Grid) {
        let Some(upstream) = self.upstreams.get_mut(&(began.upstream, began.node)) else { return };
        let available = began.members.iter().filter(|member| member.available);
        let members = Members::new(available.map(|member| (member.target, member.weight)));
        upstream.learn(began.upstream, began.epoch.0, members, grid);
    }

    /// A first try was picked.
    pub(super) fn picked(&mut self, pick: &Pick, grid: Grid) {
        let Some(id) = pick.upstream else { return };
        if let Some(upstream) = self.upstreams.get_mut(&(id, pick.node)) {
            upstream.picked(id, pick, grid);
        }
    }

    /// All stretches with a pick, in order of time, and the range of lags in each bin.
    pub(super) fn finish(mut self, grid: Grid) -> (Vec<MeasuredWeights>, BTreeMap<UpstreamId, LagRange>) {
        let mut rows = Vec::new();
        let mut ranges: BTreeMap<UpstreamId, LagRange> = BTreeMap::new();
        for ((id, _), upstream) in &mut self.upstreams {
            upstream.finish(*id, grid);
            rows.append(&mut upstream.rows);
            if upstream.range.iter().any(Option::is_some) {
                let range = ranges.entry(*id).or_insert_with(|| vec![None; grid.bins()]);
                for (of_all, of_node) in range.iter_mut().zip(&upstream.range) {
                    if let Some((low, high)) = *of_node {
                        widen(of_all, low);
                        widen(of_all, high);
                    }
                }
            }
        }
        rows.sort_by_key(|row| (row.from, row.upstream, row.node));
        (rows, ranges)
    }
}

impl Members {
    /// Targets come in the order of their ids.
    fn new(all: impl Iterator<Item = (TargetId, u32)>) -> Self {
        let all: Box<[Member]> = all.map(|(target, weight)| Member { target, weight }).collect();
        let total = all.iter().map(|member| u64::from(member.weight)).sum();
        Self { all, total }
    }

    /// Index of a target. Mostly ids follow each other without a gap.
    fn index(&self, target: TargetId) -> Option<usize> {
        let first = self.all.first()?.target;
        let guess = target.0.wrapping_sub(first.0) as usize;
        if self.all.get(guess).is_some_and(|member| member.target == target) {
            return Some(guess);
        }
        self.all.binary_search_by_key(&target, |member| member.target).ok()
    }

    /// The same members once more.
    fn again(&self) -> Self {
        Self::new(self.all.iter().map(|member| (member.target, member.weight)))
    }
}

impl Epoch {
    /// Epoch 0 owes nobody anything.
    fn new(number: u32, members: Rc<Members>, new_version: &[TargetId]) -> Self {
        let k = members.all.len();
        let new = new_version.iter().filter_map(|target| members.index(*target));
        Self {
            new_version: (new.map(|member| u64::from(members.all[member].weight)).sum(), 0),
            next: 0,
            waiting: BTreeMap::new(),
            n: 0,
            picks: vec![0; k],
            carried: vec![(number == 0).then_some(0.0); k],
            last: None,
            members,
        }
    }
}

impl Upstream {
    fn learn(&mut self, id: UpstreamId, epoch: u32, members: Members, grid: Grid) {
        self.members.entry(epoch).or_insert_with(|| Rc::new(members));
        let (known, unknown) =
            std::mem::take(&mut self.unknown).into_iter().partition(|pick| pick.epoch.0 == epoch);
        self.unknown = unknown;
        let known: Vec<Pick> = known;
        for pick in &known {
            self.picked(id, pick, grid);
        }
    }

    /// Takes members for those of the epoch before where nobody has said who they are.
    fn guess(&mut self, id: UpstreamId, grid: Grid) {
        while let Some(epoch) = self.unknown.iter().map(|pick| pick.epoch.0).min() {
            let before = self.members.range(..epoch).next_back();
            let members = before.map_or_else(|| Members::new(std::iter::empty()), |(_, m)| m.again());
            self.learn(id, epoch, members, grid);
        }
    }

    fn picked(&mut self, id: UpstreamId, pick: &Pick, grid: Grid) {
        let Some(members) = self.members.get(&pick.epoch.0) else {
            self.unknown.push(*pick);
            if self.unknown.len() > WAITING_MAX {
                self.guess(id, grid);
            }
            return;
        };
        let member = members.index(pick.target);
        let new = || Epoch::new(pick.epoch.0, Rc::clone(members), &self.new_version);
        let epoch = self.epochs.entry(pick.epoch.0).or_insert_with(new);
        let ticket = pick.ticket;
        let Some(member) = member.filter(|_| ticket >= epoch.next && !epoch.waiting.contains_key(&ticket))
        else {
            let row = self.row(id, pick.epoch.0, pick.at);
            self.rows[row].wrong += 1;
            return;
        };
        let waiting = Waiting { member, at: pick.at, request: pick.request, carried: pick.carried };
        let is_alone = epoch.waiting.is_empty();
        if ticket == epoch.next {
            self.count(id, pick.epoch.0, waiting, grid);
            if is_alone {
                return;
            }
        } else {
            epoch.waiting.insert(ticket, waiting);
        }
        self.drain(id, pick.epoch.0, grid, WAITING_MAX);
    }

    /// Counts what waits and whose turn it is; gives tickets up while more than `most` wait.
    fn drain(&mut self, id: UpstreamId, number: u32, grid: Grid, most: usize) {
        loop {
            let Some(epoch) = self.epochs.get_mut(&number) else { return };
            let Some(first) = epoch.waiting.first_entry() else { return };
            let (ticket, waiting) = (*first.key(), *first.get());
            if ticket > epoch.next {
                if epoch.waiting.len() <= most {
                    return;
                }
                let gap = ticket - epoch.next;
                epoch.next = ticket;
                let row = self.row(id, number, waiting.at);
                self.rows[row].missing += gap;
                continue;
            }
            first.remove();
            self.count(id, number, waiting, grid);
        }
    }

    /// Counts the pick whose ticket is next. A member's lag rises by its share with every pick and falls by one with its
    /// own, so it is largest just before and smallest just after a pick of its own: looking there, and at everybody
    /// where a bin or a stretch ends, misses nothing and costs the same for any number of members.
    fn count(&mut self, id: UpstreamId, number: u32, pick: Waiting, grid: Grid) {
        let bin = grid.bin(pick.at);
        let stretch = self.stretch(pick.at);
        let last = self.epochs.get(&number).and_then(|epoch| epoch.last);
        if last.is_some_and(|(old, _, old_bin)| old != stretch || old_bin != bin) {
            self.look_at_all(number);
        }
        let row = match last {
            Some((old, row, _)) if old == stretch => row,
            _ => self.row(id, number, pick.at),
        };
        let Some(epoch) = self.epochs.get_mut(&number) else { return };
        let Member { target, weight } = epoch.members.all[pick.member];
        let (weight, total) = (u64::from(weight), epoch.members.total);
        let is_news = epoch.carried[pick.member].is_none();
        let carried = *epoch.carried[pick.member].get_or_insert(pick.carried);
        let lag = |n: u64, own: u64| carried + lag(n, weight, own, total);
        let (n, own) = (epoch.n, epoch.picks[pick.member]);
        let (first, before, after) = (lag(1, 0), lag(n, own), lag(n + 1, own + 1));
        epoch.n += 1;
        epoch.picks[pick.member] += 1;
        epoch.next += 1;
        epoch.last = Some((stretch, row, bin));
        epoch.new_version.1 += u64::from(self.new_version.binary_search(&target).is_ok());
        let (new_weight, new_picks) = epoch.new_version;
        let share_off = self::lag(n + 1, new_weight, new_picks, total).abs();
        self.rows[row].share_off = self.rows[row].share_off.max(share_off);
        self.rows[row].picks += 1;
        self.rows[row].members[pick.member].picks += 1;
        // The lag before belongs to the pick before: to its bin and stretch, where `look_at_all` has seen it.
        if last.is_some_and(|(old, _, old_bin)| old == stretch && old_bin == bin) {
            self.note(row, bin, before);
        }
        // What was owed is known only now, so the lags since then are looked at now: they rose from `first` to `before`.
        if is_news && n > 0 {
            self.note(row, bin, first);
            self.note(row, bin, before);
        }
        self.note(row, bin, after);
        let (row, off) = (&mut self.rows[row], first.abs().max(before.abs()).max(after.abs()));
        if off >= row.deviation_max {
            row.farthest = Some((pick.at, pick.request));
        }
    }

    fn note(&mut self, row: usize, bin: usize, lag: f64) {
        let row = &mut self.rows[row];
        row.deviation_max = row.deviation_max.max(lag.abs());
        widen(&mut self.range[bin], lag);
    }

    /// Looks at every member as it stands after the last pick of an epoch.
    fn look_at_all(&mut self, number: u32) {
        let Some(epoch) = self.epochs.get(&number) else { return };
        let Some((_, row, bin)) = epoch.last else { return };
        let members = &epoch.members;
        let lags: Vec<(f64, bool)> = members
            .all
            .iter()
            .zip(epoch.carried.iter().zip(&epoch.picks))
            .map(|(member, (carried, picks))| {
                let lag = lag(epoch.n, member.weight.into(), *picks, members.total);
                (carried.unwrap_or(0.0) + lag, carried.is_some())
            })
            .collect();
        for (at, (lag, is_known)) in lags.into_iter().enumerate() {
            if is_known {
                self.note(row, bin, lag);
            }
            // Never a negative zero in a report.
            self.rows[row].members[at].deviation = if lag == 0.0 { 0.0 } else { -lag };
        }
    }

    fn stretch(&self, at: Instant) -> usize {
        self.stretches.partition_point(|(from, _)| *from <= at).saturating_sub(1)
    }

    /// The row of a pick at this moment, made on first use.
    fn row(&mut self, id: UpstreamId, number: u32, at: Instant) -> usize {
        let (from, switch) = self.stretches[self.stretch(at)];
        if let Some(row) = self.rows.iter().rposition(|row| row.from == from && row.epoch == number) {
            return row;
        }
        self.rows.push(MeasuredWeights {
            node: self.node,
            upstream: id,
            epoch: number,
            from,
            switch,
            picks: 0,
            members: self
                .members
                .get(&number)
                .iter()
                .flat_map(|members| members.all.iter())
                .map(|m| MemberPicks { target: m.target, weight: m.weight, picks: 0, deviation: 0.0 })
                .collect(),
            deviation_max: 0.0,
            share_off: 0.0,
            farthest: None,
            missing: 0,
            wrong: 0,
        });
        self.rows.len() - 1
    }

    fn finish(&mut self, id: UpstreamId, grid: Grid) {
        self.guess(id, grid);
        let numbers: Vec<u32> = self.epochs.keys().copied().collect();
        for number in numbers {
            self.drain(id, number, grid, 0);
            self.look_at_all(number);
        }
    }
}

/// What a member of this weight is owed after `n` picks of which it got `own`: in whole numbers up to the last step, so
/// that no rounding adds up.
fn lag(n: u64, weight: u64, own: u64, total: u64) -> f64 {
    let owed = i128::from(n) * i128::from(weight) - i128::from(own) * i128::from(total);
    // Most are small, and the processor knows those.
    i64::try_from(owed).map_or(owed as f64, |owed| owed as f64) / total as f64
}

#[cfg(test)]
mod tests;
