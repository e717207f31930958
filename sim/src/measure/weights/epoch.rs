//! One epoch of an Upstream as its picks show it: who may be picked, and how each stands, in whole numbers.

use std::collections::BTreeMap;
use std::rc::Rc;

use gateway_core::id::TargetId;
use gateway_core::time::Instant;

use super::inside::Inside;

/// Who may be picked, in the order of their ids.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) all: Box<[Member]>,
    pub(super) total: u64,
    /// Nobody has said who they are.
    pub(super) are_guessed: bool,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) target: TargetId,
    pub(super) weight: u32,
}

#[derive(Debug)]
pub(super) struct Epoch {
    pub(super) members: Rc<Members>,
    /// The ticket that comes next.
    pub(super) next: u64,
    pub(super) waiting: BTreeMap<u64, Waiting>,
    /// Picks seen.
    pub(super) n: u64,
    /// The targets of a rollout's new version together.
    pub(super) new_version: Together,
    /// Each target among those of its version, where there are several.
    pub(super) inside: Option<Inside>,
    /// How each member stands.
    pub(super) standings: Vec<Standing>,
    /// Where the last pick was counted: stretch, row, bin.
    pub(super) last: Option<(usize, usize, usize)>,
}

/// Several members of an epoch as if they were one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Together {
    pub(super) weight: u64,
    pub(super) picks: u64,
    /// What those were owed at the start whose carry is known, and how many others there are.
    pub(super) carried: f64,
    pub(super) unknown: usize,
    /// The smallest and the largest lag so far, without what was carried.
    pub(super) low: f64,
    pub(super) high: f64,
}

/// One member of an epoch.
// Within one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Standing {
    /// What it was owed at the start; not known before its first pick, except in the first epoch.
    pub(super) carried: Option<f64>,
    /// Picks seen, and how many of them its rows tell of.
    pub(super) picks: u64,
    pub(super) told: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) member: usize,
    pub(super) at: Instant,
    pub(super) request: u64,
    pub(super) carried: f64,
}

impl Members {
    /// Targets come in the order of their ids.
    pub(super) fn new(all: impl Iterator<Item = (TargetId, u32)>) -> Self {
        let all: Box<[Member]> = all.map(|(target, weight)| Member { target, weight }).collect();
        let total = all.iter().map(|member| u64::from(member.weight)).sum();
        Self { all, total, are_guessed: false }
    }

    /// Index of a target. Mostly ids follow each other without a gap.
    pub(super) fn index(&self, target: TargetId) -> Option<usize> {
        let first = self.all.first()?.target;
        let guess = target.0.wrapping_sub(first.0) as usize;
        if self.all.get(guess).is_some_and(|member| member.target == target) {
            return Some(guess);
        }
        self.all.binary_search_by_key(&target, |member| member.target).ok()
    }

    /// The same members once more, for want of better knowledge.
    pub(super) fn again(&self) -> Self {
        let members = self.all.iter().map(|member| (member.target, member.weight));
        Self { are_guessed: true, ..Self::new(members) }
    }
}

impl Epoch {
    /// Epoch 0 owes nobody anything.
    pub(super) fn new(number: u32, members: Rc<Members>, versions: &[Vec<TargetId>]) -> Self {
        let k = members.all.len();
        let new = versions.iter().take(1).flatten().filter_map(|target| members.index(*target));
        let weights: Vec<_> = new.map(|member| u64::from(members.all[member].weight)).collect();
        let unknown = if number == 0 { 0 } else { weights.len() };
        Self {
            new_version: Together { weight: weights.iter().sum(), unknown, ..Together::default() },
            inside: Inside::new(number, &members, versions).filter(|_| !versions.is_empty()),
            next: 0,
            waiting: BTreeMap::new(),
            n: 0,
            standings: vec![Standing { carried: (number == 0).then_some(0.0), picks: 0, told: 0 }; k],
            last: None,
            members,
        }
    }
}

impl Together {
    /// Pick number `n` was made, of one of them or of somebody else; `news` is what its target was owed at the start where that was not
    /// known before. How far they are off at most, once all carries are known.
    pub(super) fn picked(&mut self, (is_one, news): (bool, Option<f64>), n: u64, total: u64) -> Option<f64> {
        if is_one {
            self.picks += 1;
            self.carried += news.unwrap_or(0.0);
            self.unknown -= usize::from(news.is_some());
        }
        let lag = part(owed(n, self.weight, self.picks, total), total);
        (self.low, self.high) = (self.low.min(lag), self.high.max(lag));
        let off = (self.low + self.carried).abs().max((self.high + self.carried).abs());
        (self.unknown == 0).then_some(off)
    }
}

/// What a member of this weight is owed after `n` picks of which it got `own`, in parts of a request of which there are
/// `total`: in whole numbers up to the last step, so that no rounding adds up.
pub(super) fn owed(n: u64, weight: u64, own: u64, total: u64) -> i128 {
    i128::from(n) * i128::from(weight) - i128::from(own) * i128::from(total)
}

/// The same in requests.
pub(super) fn part(owed: i128, total: u64) -> f64 {
    // Most are small, and the processor knows those.
    let owed = if let Ok(owed) = i64::try_from(owed) { owed as f64 } else { large(owed) };
    owed / total as f64
}

// Out of line: a compiler that sees both ways makes one of them, the dear one.
#[cold]
#[inline(never)]
fn large(owed: i128) -> f64 {
    owed as f64
}
