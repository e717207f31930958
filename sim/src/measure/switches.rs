//! Each switch of a Service's host, dissected as it happens: which picks and answers were old, which new. Every moment
//! is a smallest or a largest, so it does not matter in which order they are reported.

use std::time::Duration;

use gateway_core::id::{ServiceId, UpstreamId};
use gateway_core::time::Instant;

use super::histogram::{Intended, Times};
use super::lens::REACH;
use super::{Pick, StepMoments};

/// One switch, as measured. Moments that never came are `None`.
#[derive(Clone, Debug)]
pub struct MeasuredSwitch {
    /// The step of the plan.
    pub step: usize,
    /// The Service. What others do at the same Upstreams is no matter of this switch.
    pub service: String,
    /// The same by its number.
    pub service_id: ServiceId,
    /// The host it pointed to.
    pub from: String,
    /// The host it points to now.
    pub to: String,
    /// `from` as an Upstream.
    pub from_upstream: Option<UpstreamId>,
    /// `to` as an Upstream.
    pub to_upstream: Option<UpstreamId>,
    /// When the change was sent, acknowledged and applied.
    pub moments: StepMoments,
    /// The next switch of the same Service was sent: from then on old and new mean something else.
    pub until: Instant,
    /// First first-try of a request picked from `to`.
    pub first_new_pick: Option<Instant>,
    /// Last first-try of a request picked from `from`. Another try of a request stays with its Upstream by design.
    pub last_old_pick: Option<Instant>,
    /// First answer from `to`.
    pub first_new_answer: Option<Instant>,
    /// Last answer from `from`.
    pub last_old_answer: Option<Instant>,
    /// First tries picked from `from` after the acknowledgement.
    pub stale_picks: u64,
    /// The same for each of the gateway's nodes.
    pub nodes: Vec<NodePicks>,
    /// Attempts on `from` under way when it was applied.
    pub in_flight: i64,
    /// How long each connection to `to` took to be opened, within reach of a lens after it was requested; made on first use.
    pub connects: Option<Box<Times>>,
    /// Response times of the steady state before.
    pub steady: Intended,
    /// Response times of the window after.
    pub after: Intended,
}

/// A switch as one node made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodePicks {
    /// Its first pick from `to`.
    pub first_new: Option<Instant>,
    /// Its last pick from `from`, since the switch was asked for.
    pub last_old: Option<Instant>,
    /// First tries it picked from `from` after the acknowledgement.
    pub stale: u64,
}

impl MeasuredSwitch {
    /// When it was in force: as the gateway says, else when that was acknowledged; `None` when it failed.
    pub fn applied(&self) -> Option<Instant> {
        self.moments.applied.or(self.moments.acked)
    }

    /// Whether it changed anything.
    pub(super) fn is_change(&self) -> bool {
        self.from != self.to
    }

    /// A first try was picked.
    pub(super) fn picked(&mut self, pick: &Pick) {
        let &Pick { upstream, at, node, .. } = pick;
        if at >= self.until || !self.concerns(Some(pick.service)) {
            return;
        }
        let is_stale = self.is_stale(pick);
        let Some(node) = self.nodes.get_mut(usize::from(node)) else { return };
        if upstream == self.from_upstream {
            self.last_old_pick = self.last_old_pick.max(Some(at));
            self.stale_picks += u64::from(is_stale);
            node.last_old = node.last_old.max(Some(at));
            node.stale += u64::from(is_stale);
        } else if upstream == self.to_upstream && at >= self.moments.requested {
            let first = |so_far: Option<Instant>| Some(so_far.map_or(at, |so_far| so_far.min(at)));
            self.first_new_pick = first(self.first_new_pick);
            node.first_new = first(node.first_new);
        }
    }

    /// Whether it changes anything for a Service; one that is not known may be its own.
    fn concerns(&self, service: Option<ServiceId>) -> bool {
        self.is_change() && service.is_none_or(|service| service == self.service_id)
    }

    /// Whether a first try should not have been picked from where it was: the change was acknowledged by then.
    pub(super) fn is_stale(&self, pick: &Pick) -> bool {
        self.concerns(Some(pick.service))
            && pick.upstream == self.from_upstream
            && pick.at < self.until
            && self.moments.acked.is_some_and(|acked| pick.at > acked)
    }

    /// A request of `service`, if that is known, picked from `upstream` at `picked`, was answered.
    pub(super) fn answered(
        &mut self,
        (service, upstream): (Option<ServiceId>, Option<UpstreamId>),
        picked: Instant,
        done: Instant,
    ) {
        if picked >= self.until || !self.concerns(service) {
            return;
        }
        if upstream == self.from_upstream {
            self.last_old_answer = self.last_old_answer.max(Some(done));
        } else if upstream == self.to_upstream && picked >= self.moments.requested {
            self.first_new_answer = Some(self.first_new_answer.map_or(done, |so_far| so_far.min(done)));
        }
    }

    /// A connection was open at `at` for a request of `service` that was picked from `upstream`, so long after the pick.
    pub(super) fn connected(
        &mut self,
        (service, upstream): (ServiceId, Option<UpstreamId>),
        at: Instant,
        took: Duration,
    ) {
        let until = self.until.min(self.moments.requested + REACH);
        let is_its_own = self.concerns(Some(service)) && upstream == self.to_upstream;
        if is_its_own && (self.moments.requested..until).contains(&at) {
            self.connects.get_or_insert_with(|| Box::new(Times::coarse())).record(took);
        }
    }

    /// An attempt on `upstream` began (`+1`) or ended (`-1`).
    pub(super) fn in_flight(&mut self, upstream: Option<UpstreamId>, at: Instant, change: i64) {
        if upstream == self.from_upstream && self.applied().is_some_and(|applied| at <= applied) {
            self.in_flight += change;
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::id::{Epoch, Revision, TargetId};

    use super::*;

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    const BLUE: Option<UpstreamId> = Some(UpstreamId(0));
    const GREEN: Option<UpstreamId> = Some(UpstreamId(1));

    /// A pick, of node 1 when its moment is odd.
    fn pick(upstream: Option<UpstreamId>, at: u64) -> Pick {
        Pick {
            request: at,
            at: ms(at),
            node: u16::from(at % 2 == 1),
            revision: Revision(0),
            routed: Revision(0),
            service: ServiceId(0),
            upstream,
            target: TargetId(0),
            epoch: Epoch(0),
            ticket: at,
            carried: 0.0,
            retry: 0,
        }
    }

    fn to_green() -> MeasuredSwitch {
        MeasuredSwitch {
            step: 0,
            service: "s".into(),
            service_id: ServiceId(0),
            from: "blue".into(),
            to: "green".into(),
            from_upstream: BLUE,
            to_upstream: GREEN,
            moments: StepMoments { step: 0, requested: ms(10), applied: Some(ms(11)), acked: Some(ms(12)) },
            until: ms(20),
            first_new_pick: None,
            last_old_pick: None,
            first_new_answer: None,
            last_old_answer: None,
            stale_picks: 0,
            connects: None,
            nodes: vec![NodePicks::default(); 2],
            in_flight: 0,
            steady: Intended::default(),
            after: Intended::default(),
        }
    }

    #[test]
    fn moments_do_not_depend_on_the_order_of_reports() {
        // Aim: reports may come out of order. Method: the same picks and answers forwards and backwards.
        let picks = [(BLUE, 5), (BLUE, 10), (GREEN, 11), (BLUE, 12), (GREEN, 13), (BLUE, 14), (BLUE, 21)];
        let run = |picks: &mut dyn Iterator<Item = (Option<UpstreamId>, u64)>| {
            let mut switch = to_green();
            for (upstream, at) in picks {
                switch.picked(&pick(upstream, at));
                switch.answered((Some(ServiceId(0)), upstream), ms(at), ms(at + 4));
                switch.in_flight(upstream, ms(at), 1);
                switch.in_flight(upstream, ms(at + 4), -1);
            }
            let moments = [
                switch.first_new_pick,
                switch.last_old_pick,
                switch.first_new_answer,
                switch.last_old_answer,
            ];
            (moments, switch.stale_picks, switch.in_flight, switch.nodes)
        };
        let seen = run(&mut picks.into_iter());
        assert_eq!(seen, run(&mut picks.into_iter().rev()));
        // The pick at 12 is not after the acknowledgement at 12; the one at 21 belongs to the next switch.
        let (moments, stale, in_flight, nodes) = seen;
        assert_eq!(moments, [Some(ms(11)), Some(ms(14)), Some(ms(15)), Some(ms(18))]);
        assert_eq!((stale, in_flight), (1, 1));
        let [even, odd] = nodes.as_slice() else { panic!("{nodes:?}") };
        assert_eq!((even.first_new, even.last_old, even.stale), (None, Some(ms(14)), 1));
        assert_eq!((odd.first_new, odd.last_old, odd.stale), (Some(ms(11)), Some(ms(5)), 0));
    }

    #[test]
    fn connections_to_the_new_upstream_are_counted_from_the_request_on_and_timed() {
        // Aim: those of the switched Service to where it leads now, within reach. Method: one before, one to the old Upstream, one of
        // another Service, one too late; and two that count.
        let mut switch = MeasuredSwitch { until: Instant::MAX, ..to_green() };
        let (own, other) = (ServiceId(0), ServiceId(1));
        for (service, upstream, at) in [
            (own, GREEN, 9),
            (own, BLUE, 11),
            (other, GREEN, 11),
            (own, GREEN, 10),
            (own, GREEN, 1_509),
            (own, GREEN, 1_510),
        ] {
            switch.connected((service, upstream), ms(at), Duration::from_micros(at));
        }
        let took = switch.connects.unwrap();
        assert_eq!((took.n(), took.max_us()), (2, Some(1_509.0)));
    }

    #[test]
    fn what_another_service_does_at_the_same_upstreams_is_no_matter_of_a_switch() {
        let mut switch = to_green();
        let other = ServiceId(1);
        for (upstream, at) in [(BLUE, 9), (GREEN, 11), (BLUE, 15)] {
            let pick = Pick { service: other, ..pick(upstream, at) };
            switch.picked(&pick);
            assert!(!switch.is_stale(&pick));
            switch.answered((Some(other), upstream), ms(at), ms(at + 4));
        }
        assert_eq!((switch.first_new_pick, switch.last_old_pick, switch.stale_picks), (None, None, 0));
        assert_eq!((switch.first_new_answer, switch.last_old_answer), (None, None));
    }

    #[test]
    fn a_change_to_the_same_host_has_no_old_and_no_new() {
        let mut switch = MeasuredSwitch { to: "blue".into(), to_upstream: BLUE, ..to_green() };
        switch.picked(&pick(BLUE, 15));
        assert_eq!((switch.stale_picks, switch.last_old_pick), (0, None));
    }
}
