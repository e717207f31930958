//! How exactly each Upstream kept its weights: every first try, in the order of its ticket, against the exact share.
//! Workers report concurrently, so picks wait here until all tickets before theirs have come.

mod epoch;
mod inside;
mod row;

pub use row::{LagRange, MeasuredWeights, MemberPicks};

use std::collections::BTreeMap;
use std::hint::black_box;
use std::rc::Rc;

use gateway_core::config::Config;
use gateway_core::gateway::NewEpoch;
use gateway_core::id::{TargetId, UpstreamId};
use gateway_core::time::Instant;

use self::epoch::{Epoch, Member, Members, Standing, Waiting, owed, part};
use self::inside::Inside;
use self::row::widen;
use super::Pick;
use super::by_upstream::ByUpstream;
use super::series::{Cursor, Grid};

/// Picks of one epoch that may wait for an earlier ticket, or until it is known who may be picked in it; beyond that the
/// ticket counts as missing, and members are taken to be those of the epoch before.
const WAITING_MAX: usize = 65_536;

/// Picks of targets that were no members, of each Upstream at each node, that are kept.
const OUTSIDERS_MAX: usize = 64;

/// The weights of all Upstreams.
#[derive(Debug)]
pub(super) struct Weights {
    /// In the eyes of each node.
    upstreams: ByUpstream<Vec<Upstream>>,
    cursor: Cursor,
}

/// An Upstream in the eyes of one node.
#[derive(Debug)]
struct Upstream {
    id: UpstreamId,
    node: u16,
    /// Who may be picked in each epoch that is known.
    members: BTreeMap<u32, Rc<Members>>,
    /// Picks of epochs whose members are not known yet, in the order they came.
    unknown: Vec<Pick>,
    /// When it came to be pointed to, and by which switch.
    stretches: Vec<(Instant, Option<usize>)>,
    /// Those picked from, each at its number.
    epochs: Vec<Option<Epoch>>,
    rows: Vec<MeasuredWeights>,
    /// Smallest and largest lag of any member in each bin of the series.
    range: Vec<Option<(f64, f64)>>,
    /// The targets of a rollout's versions, the new one's first, each in the order of their ids.
    versions: Rc<[Vec<TargetId>]>,
    /// Whether tags divide its targets as the versions do.
    are_told: bool,
    /// Picks of targets that were no members then, and when: the first of them.
    outsiders: Vec<(u64, TargetId, Instant)>,
}

impl Weights {
    /// Nobody was picked yet by any of so many nodes; `versions` are the targets of each of a rollout's versions, the new one's first, in
    /// the order of their ids.
    pub(super) fn new(config: &Config, nodes: u16, versions: &Rc<[Vec<TargetId>]>, grid: Grid) -> Self {
        let mut upstreams: ByUpstream<Vec<Upstream>> = ByUpstream::default();
        for (id, _) in config.upstreams() {
            let targets = config.targets_of(id).filter(|(_, target)| target.weight.get() > 0);
            let members = Members::new(targets.map(|(id, target)| (id, target.weight.get().into())));
            let members = Rc::new(members);
            let of_node = |node| Upstream {
                id,
                node,
                members: BTreeMap::from([(0, Rc::clone(&members))]),
                unknown: Vec::new(),
                stretches: vec![(Instant::ZERO, None)],
                epochs: Vec::new(),
                rows: Vec::new(),
                range: vec![None; grid.bins()],
                versions: Rc::clone(versions),
                are_told: inside::are_told(config, id, versions),
                outsiders: Vec::new(),
            };
            *upstreams.of(Some(id)) = (0..nodes).map(of_node).collect();
        }
        Self { upstreams, cursor: Cursor::new(grid) }
    }

    /// A switch points to `upstream` from `at` on.
    pub(super) fn begin(&mut self, upstream: UpstreamId, at: Instant, switch: usize) {
        for upstream in self.upstreams.of(Some(upstream)) {
            upstream.stretches.push((at, Some(switch)));
        }
    }

    /// An epoch began: who may be picked in it.
    pub(super) fn began(&mut self, began: &NewEpoch) {
        let of_all = self.upstreams.of(Some(began.upstream));
        let Some(upstream) = of_all.get_mut(usize::from(began.node)) else { return };
        let available = began.members.iter().filter(|member| member.available);
        let members = Members::new(available.map(|member| (member.target, member.weight)));
        upstream.learn(began.epoch.0, members, &mut self.cursor);
    }

    /// A first try was picked.
    pub(super) fn picked(&mut self, pick: &Pick) {
        if let Some(upstream) = self.upstreams.of(pick.upstream).get_mut(usize::from(pick.node)) {
            upstream.picked(pick, &mut self.cursor);
        }
    }

    /// The first picks of targets that were no members then, for which requests and when.
    pub(super) fn outsiders(&self) -> Vec<(u64, TargetId, Instant)> {
        self.upstreams.values().flatten().flat_map(|upstream| upstream.outsiders.iter().copied()).collect()
    }

    /// Reads how the picked target stands, to have it at hand.
    #[inline]
    pub(super) fn look_at(&self, pick: &Pick) {
        let upstream = self.upstreams.get(pick.upstream).and_then(|nodes| nodes.get(usize::from(pick.node)));
        let epoch = upstream.and_then(|upstream| upstream.epochs.get(pick.epoch.0 as usize)?.as_ref());
        let standing =
            epoch.and_then(|epoch| epoch.standings.get(epoch.members.index(pick.target).unwrap_or(0)));
        black_box(standing.map(|standing| standing.picks));
    }

    /// All stretches with a pick, in order of time, and the range of lags in each bin.
    pub(super) fn finish(mut self, grid: Grid) -> (Vec<MeasuredWeights>, BTreeMap<UpstreamId, LagRange>) {
        let mut rows = Vec::new();
        let mut ranges: BTreeMap<UpstreamId, LagRange> = BTreeMap::new();
        for mut upstream in self.upstreams.into_all().flat_map(|(_, of_nodes)| of_nodes) {
            upstream.finish(&mut self.cursor);
            rows.append(&mut upstream.rows);
            if upstream.range.iter().any(Option::is_some) {
                let range = ranges.entry(upstream.id).or_insert_with(|| vec![None; grid.bins()]);
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

impl Upstream {
    fn learn(&mut self, epoch: u32, members: Members, cursor: &mut Cursor) {
        self.members.entry(epoch).or_insert_with(|| Rc::new(members));
        let (known, unknown) =
            std::mem::take(&mut self.unknown).into_iter().partition(|pick| pick.epoch.0 == epoch);
        self.unknown = unknown;
        let known: Vec<Pick> = known;
        for pick in &known {
            self.picked(pick, cursor);
        }
    }

    /// Takes members for those of the epoch before where nobody has said who they are.
    fn guess(&mut self, cursor: &mut Cursor) {
        while let Some(epoch) = self.unknown.iter().map(|pick| pick.epoch.0).min() {
            let before = self.members.range(..epoch).next_back();
            let nobody = || Members { are_guessed: true, ..Members::new(std::iter::empty()) };
            let members = before.map_or_else(nobody, |(_, members)| members.again());
            self.learn(epoch, members, cursor);
        }
    }

    /// An epoch that may be picked in, once it is known by whom.
    fn epoch(&mut self, number: u32) -> Option<&mut Epoch> {
        let place = number as usize;
        if self.epochs.get(place).is_none_or(Option::is_none) {
            let members = self.members.get(&number)?;
            let epoch = Epoch::new(number, Rc::clone(members), &self.versions);
            if self.epochs.len() <= place {
                self.epochs.resize_with(place + 1, || None);
            }
            self.epochs[place] = Some(epoch);
        }
        self.epochs[place].as_mut()
    }

    fn picked(&mut self, pick: &Pick, cursor: &mut Cursor) {
        let (number, ticket) = (pick.epoch.0, pick.ticket);
        let Some(epoch) = self.epoch(number) else {
            self.unknown.push(*pick);
            if self.unknown.len() > WAITING_MAX {
                self.guess(cursor);
            }
            return;
        };
        let member = epoch.members.index(pick.target);
        let is_outsider = member.is_none() && !epoch.members.are_guessed;
        let Some(member) = member.filter(|_| ticket >= epoch.next && !epoch.waiting.contains_key(&ticket))
        else {
            let row = self.row(number, pick.at);
            self.rows[row].wrong += 1;
            if is_outsider && self.outsiders.len() < OUTSIDERS_MAX {
                self.outsiders.push((pick.request, pick.target, pick.at));
            }
            return;
        };
        let waiting = Waiting { member, at: pick.at, request: pick.request, carried: pick.carried };
        let is_alone = epoch.waiting.is_empty();
        if ticket == epoch.next {
            self.count(number, waiting, cursor);
            if is_alone {
                return;
            }
        } else {
            epoch.waiting.insert(ticket, waiting);
        }
        self.drain(number, cursor, WAITING_MAX);
    }

    /// Counts what waits and whose turn it is; gives tickets up while more than `most` wait.
    fn drain(&mut self, number: u32, cursor: &mut Cursor, most: usize) {
        loop {
            let Some(epoch) = self.epochs[number as usize].as_mut() else { return };
            let Some(first) = epoch.waiting.first_entry() else { return };
            let (ticket, waiting) = (*first.key(), *first.get());
            if ticket > epoch.next {
                if epoch.waiting.len() <= most {
                    return;
                }
                let gap = ticket - epoch.next;
                epoch.next = ticket;
                let row = self.row(number, waiting.at);
                self.rows[row].missing += gap;
                continue;
            }
            first.remove();
            self.count(number, waiting, cursor);
        }
    }

    /// Counts the pick whose ticket is next. A member's lag rises by its share with every pick and falls by one with its
    /// own, so it is largest just before and smallest just after a pick of its own: looking there, and at everybody
    /// where a bin or a stretch ends, misses nothing and costs the same for any number of members.
    fn count(&mut self, number: u32, pick: Waiting, cursor: &mut Cursor) {
        let bin = cursor.bin(pick.at);
        let stretch = self.stretch(pick.at);
        let last = self.epochs[number as usize].as_ref().and_then(|epoch| epoch.last);
        if last.is_some_and(|(old, _, old_bin)| old != stretch || old_bin != bin) {
            self.look_at_all(number);
        }
        let row = match last {
            Some((old, row, _)) if old == stretch => row,
            _ => self.row(number, pick.at),
        };
        let Some(epoch) = self.epochs[number as usize].as_mut() else { return };
        let Member { target, weight } = epoch.members.all[pick.member];
        let (weight, total) = (u64::from(weight), epoch.members.total);
        let standing = &mut epoch.standings[pick.member];
        let is_news = standing.carried.is_none();
        let carried = *standing.carried.get_or_insert(pick.carried);
        let (n, own) = (epoch.n, standing.picks);
        standing.picks += 1;
        let before = owed(n, weight, own, total);
        let lag = |owed: i128| carried + part(owed, total);
        // The pick makes all be owed their share, and takes one from the picked.
        let after = lag(before + i128::from(weight) - i128::from(total));
        let (first, before) = (lag(weight.into()), lag(before));
        epoch.n += 1;
        epoch.next += 1;
        epoch.last = Some((stretch, row, bin));
        if let Some(inside) = &mut epoch.inside {
            inside.picked(pick.member, pick.carried, (pick.at, pick.request));
        }
        if let Some(new_version) = self.versions.first() {
            let is_one = new_version.binary_search(&target).is_ok();
            let off = epoch.new_version.picked((is_one, is_news.then_some(carried)), n + 1, total);
            let row = &mut self.rows[row];
            if off.is_some_and(|off| off > row.share_off) {
                row.share_off = off.unwrap_or_default();
                row.share_farthest = Some((pick.at, pick.request));
            }
        }
        let (row, range) = (&mut self.rows[row], &mut self.range[bin]);
        row.picks += 1;
        // The lag before belongs to the pick before: to its bin and stretch, where `look_at_all` has seen it.
        if last.is_some_and(|(old, _, old_bin)| old == stretch && old_bin == bin) {
            note(row, range, before);
        }
        // What was owed is known only now, so the lags since then are looked at now: they rose from `first` to `before`.
        if is_news && n > 0 {
            note(row, range, first);
            note(row, range, before);
        }
        note(row, range, after);
        let off = first.abs().max(before.abs()).max(after.abs());
        if off >= row.deviation_max {
            row.farthest = Some((pick.at, pick.request, target));
        }
    }

    /// Looks at every member as it stands after the last pick of an epoch, and tells its row of it.
    fn look_at_all(&mut self, number: u32) {
        let Some(epoch) = self.epochs[number as usize].as_mut() else { return };
        let Some((_, row, bin)) = epoch.last else { return };
        let members = &epoch.members;
        let lags: Vec<(f64, bool, u64)> = members
            .all
            .iter()
            .zip(&mut epoch.standings)
            .map(|(member, Standing { carried, picks, told })| {
                let lag = part(owed(epoch.n, member.weight.into(), *picks, members.total), members.total);
                let news = *picks - std::mem::replace(told, *picks);
                (carried.unwrap_or(0.0) + lag, carried.is_some(), news)
            })
            .collect();
        let (row, range) = (&mut self.rows[row], &mut self.range[bin]);
        for (at, (lag, is_known, news)) in lags.into_iter().enumerate() {
            row.members[at].picks += news;
            if is_known {
                note(row, range, lag);
            }
            // Never a negative zero in a report.
            row.members[at].deviation = if lag == 0.0 { 0.0 } else { -lag };
        }
    }

    fn stretch(&self, at: Instant) -> usize {
        self.stretches.partition_point(|(from, _)| *from <= at).saturating_sub(1)
    }

    /// The row of a pick at this moment, made on first use.
    fn row(&mut self, number: u32, at: Instant) -> usize {
        let (from, switch) = self.stretches[self.stretch(at)];
        if let Some(row) = self.rows.iter().rposition(|row| row.from == from && row.epoch == number) {
            return row;
        }
        self.rows.push(MeasuredWeights {
            node: self.node,
            upstream: self.id,
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
            farthest: None,
            share_off: 0.0,
            share_farthest: None,
            sides: self.sides(number),
            versions: self.epochs[number as usize]
                .as_ref()
                .and_then(|epoch| epoch.inside.as_ref())
                .map_or(1, Inside::versions),
            are_told: self.are_told,
            inside_off: None,
            inside_farthest: None,
            missing: 0,
            wrong: 0,
        });
        self.rows.len() - 1
    }

    /// How many members of an epoch are of the new version, and how many are not.
    fn sides(&self, number: u32) -> (usize, usize) {
        let Some(members) = self.members.get(&number) else { return (0, 0) };
        let new =
            self.versions.iter().take(1).flatten().filter(|target| members.index(**target).is_some()).count();
        (new, members.all.len() - new)
    }

    fn finish(&mut self, cursor: &mut Cursor) {
        self.guess(cursor);
        for number in 0..self.epochs.len() as u32 {
            self.drain(number, cursor, 0);
            self.look_at_all(number);
            self.look_inside(number);
        }
    }

    /// Tells the last row of an epoch how far targets were from their shares inside their versions.
    fn look_inside(&mut self, number: u32) {
        let Some(epoch) = self.epochs[number as usize].as_ref() else { return };
        let Some((_, row, _)) = epoch.last else { return };
        if let Some((off, at)) = epoch.inside.as_ref().and_then(Inside::farthest) {
            (self.rows[row].inside_off, self.rows[row].inside_farthest) = (Some(off), at);
        }
    }
}

/// A member stood like this in a row, and in a bin of the series.
#[inline]
fn note(row: &mut MeasuredWeights, range: &mut Option<(f64, f64)>, lag: f64) {
    row.deviation_max = row.deviation_max.max(lag.abs());
    widen(range, lag);
}

#[cfg(test)]
mod tests;
