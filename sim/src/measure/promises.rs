//! The promises that a rollout makes, checked on every run against what was seen of it: each pick, each end, each step. Knows
//! nothing of how steps come about; what limits of a rolling update promise is checked in `limits`.

use std::time::Duration;

use gateway_core::config::Config;
use gateway_core::id::ServiceId;
use gateway_core::time::Instant;

use super::asked::Asked;
use super::breach::{Breaches, Promise};
use super::{Cause, Ending, Pick, Record, StepMoments};
use crate::rollout::judge::Side;
use crate::rollout::{Action, Mark, MarkKind};

/// The checker.
#[derive(Clone, Debug, Default)]
pub(super) struct Promises {
    /// How long it may take until a change of routing, and one of targets, is in force at every node and worker.
    lags: (Duration, Duration),
    /// Whether the strategy's way back is an outage by itself, as of recreate.
    goes_dark: bool,
    /// Upstreams of the new version's targets alone.
    new_hosts: Vec<String>,
    /// Whose requests something leads to the new version, or has.
    asked: Asked,
    /// Since when no request of a Service may be sent to the old version.
    switched: Vec<(ServiceId, Instant)>,
    /// For each mock: nobody is sent there from then on, because a step drained it.
    drained: Vec<Option<Instant>>,
    /// Whether a step has taken it out of rotation, whoever has learnt of that.
    left: Vec<bool>,
    /// Since when its process has ended after that.
    stopped: Vec<Option<Instant>>,
    aborted: Option<Instant>,
    /// The way back is done and in force everywhere.
    back: Option<Instant>,
    /// Since when something that leads to the new version has been left behind.
    leftover: Option<Instant>,
    /// The last copy that was sent: when, of which request, and to whom.
    last_copy: Option<(Instant, u64, Option<u32>)>,
    /// Whether some were held against a way back that was known to be over.
    has_late_copies: bool,
    pub(super) breaches: Breaches,
}

impl Promises {
    /// Nothing is promised yet of so many mocks; `new_hosts` are the Upstreams of the new version's targets alone, and `is_asked` says
    /// whether some of their weights are above zero already.
    pub(super) fn new(
        mocks: usize,
        lags: (Duration, Duration),
        goes_dark: bool,
        (new_hosts, is_asked): (Vec<String>, bool),
    ) -> Self {
        Self {
            lags,
            goes_dark,
            new_hosts,
            asked: Asked::by(is_asked),
            drained: vec![None; mocks],
            left: vec![false; mocks],
            stopped: vec![None; mocks],
            ..Self::default()
        }
    }

    /// The calls of a step were made.
    pub(super) fn stepped(&mut self, moments: StepMoments, action: Option<&Action>) {
        if let Some(Action::SetHost { service, host, .. }) = action {
            let is_new = self.new_hosts.contains(host);
            self.switched.retain(|(switched, _)| switched != service);
            let since = moments.acked.map(|acked| acked + self.lags.0).filter(|_| is_new);
            self.switched.extend(since.map(|since| (*service, since)));
        }
        if let Some(Action::Drain { mocks, .. }) = action {
            let from = moments.acked.map(|acked| acked + self.lags.1);
            set(&mut self.drained, mocks, from);
        } else {
            // Whoever was drained may have come back.
            self.drained.fill(None);
            self.left.fill(false);
        }
    }

    /// Something happened to the rollout; `action` is that of the step it is about. `config` is that of the start, and `may_pick` says
    /// whether some node's configuration still leads to a mock.
    pub(super) fn marked(
        &mut self,
        (mark, action): (&Mark, Option<&Action>),
        config: &Config,
        may_pick: impl Fn(u32) -> bool,
    ) {
        match (&mark.kind, action) {
            (MarkKind::Aborted(_), _) => (self.aborted, self.switched) = (Some(mark.at), Vec::new()),
            (MarkKind::Began, Some(action)) if action.leads_to_the_new() => {
                self.asked.begins(action, config);
            }
            (MarkKind::RolledBack, _) => self.back = Some(mark.at + self.lags.0),
            (MarkKind::Over, Some(Action::Drain { mocks, .. })) => set(&mut self.left, mocks, true),
            (MarkKind::Over, Some(Action::Stop(mocks))) => {
                let is_left = |mock: &u32| self.left.get(*mock as usize) == Some(&true);
                let mut left =
                    mocks.iter().copied().filter(is_left).filter(|mock| may_pick(*mock)).peekable();
                if left.peek().is_some() {
                    self.breaches.count(Promise::StoppedIsLeft, mark.at).meets(left);
                }
                self.ended_or_begun(mocks, Some(mark.at));
            }
            (MarkKind::Began, Some(Action::Start(mocks))) => self.ended_or_begun(mocks, None),
            _ => {}
        }
    }

    /// The way back has left this behind; who is sent to the new version from now on has met it.
    pub(super) fn left_behind(&mut self, what: String, at: Instant) {
        self.breaches.count(Promise::NothingIsLeft, at).what = Some(what);
        self.leftover = Some(at);
    }

    fn ended_or_begun(&mut self, mocks: &[u32], stopped: Option<Instant>) {
        for &mock in mocks {
            let Some(left) = self.left.get(mock as usize) else { continue };
            // Who is ended in the middle of its work was meant to be.
            self.stopped[mock as usize] = stopped.filter(|_| *left);
        }
    }

    /// A first try was picked for `mock`, which is of that side.
    pub(super) fn picked(&mut self, pick: &Pick, (mock, side): (Option<u32>, Option<Side>)) {
        let &Pick { request, service, at, .. } = pick;
        let since = |moments: &[Option<Instant>]| {
            let moment = mock.and_then(|mock| moments.get(mock as usize).copied().flatten());
            moment.is_some_and(|moment| at > moment)
        };
        let (is_drained, is_stopped) = (since(&self.drained), since(&self.stopped));
        let sent = (request, mock);
        if is_drained {
            self.breaches.name(Promise::DrainedIsLeft, sent, at);
        }
        if is_stopped {
            self.breaches.name(Promise::StoppedIsLeft, sent, at);
        }
        if side == Some(Side::Canary) && !self.asked.is_of(service) {
            self.breaches.name(Promise::NewIsAskedFor, sent, at);
        }
        let is_switched = |(switched, since): &(ServiceId, Instant)| *switched == service && at > *since;
        if side == Some(Side::Stable) && self.switched.iter().any(is_switched) {
            self.breaches.name(Promise::SwitchedIsLeft, sent, at);
        }
        if side == Some(Side::Canary) {
            self.is_late(sent, at);
        }
    }

    /// The new version was sent something: whether the way back was over by then, or left something behind.
    fn is_late(&mut self, sent: (u64, Option<u32>), at: Instant) -> bool {
        let is_late = self.back.is_some_and(|back| at > back);
        if is_late {
            self.breaches.name(Promise::BackIsBack, sent, at);
        }
        if let Some(left) = self.leftover.filter(|left| at > *left) {
            self.breaches.of(Promise::NothingIsLeft, left).name(sent.0);
        }
        is_late
    }

    /// A copy of a request was sent to `mock`, of the new version.
    pub(super) fn copied(&mut self, &Pick { request, at, .. }: &Pick, mock: Option<u32>) {
        self.has_late_copies |= self.is_late((request, mock), at);
        self.last_copy = self.last_copy.max(Some((at, request, mock)));
    }

    /// Everything has been seen. Copies may have been told of before the end of the way back was.
    pub(super) fn finish(&mut self) {
        if let Some((at, request, mock)) = self.last_copy.filter(|_| !self.has_late_copies) {
            self.is_late((request, mock), at);
        }
    }

    /// A first try of somebody who had moved to the new version was picked for `mock`, of the old one.
    pub(super) fn came_back(&mut self, request: u64, mock: Option<u32>, at: Instant) {
        if self.aborted.is_none_or(|aborted| at < aborted) {
            self.breaches.name(Promise::KeysStay, (request, mock), at);
        }
    }

    /// A request came to its end.
    pub(super) fn ended(&mut self, record: &Record) {
        let is_on_the_way = self.aborted.is_some_and(|aborted| record.done >= aborted)
            && self.back.is_none_or(|back| record.done <= back);
        let Ending::Dropped(cause @ (Cause::NoRoute | Cause::Gateway503NoTarget)) = record.ending else {
            return;
        };
        if is_on_the_way && !self.goes_dark {
            let breach = self.breaches.count(Promise::BackDropsNothing, record.done);
            breach.name(record.index);
            breach.what.get_or_insert_with(|| cause.as_str().to_owned());
        }
    }
}

fn set<T: Copy>(all: &mut [T], mocks: &[u32], to: T) {
    for &mock in mocks {
        if let Some(of_mock) = all.get_mut(mock as usize) {
            *of_mock = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::rehearsal::pick;

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Mock 0 is of the old version, 1 of the new one, 2 of neither.
    fn side(mock: u32) -> (Option<u32>, Option<Side>) {
        (Some(mock), [Some(Side::Stable), Some(Side::Canary), None][mock as usize])
    }

    fn promises(lag: u64) -> Promises {
        let lag = Duration::from_millis(lag);
        Promises::new(3, (lag, lag), false, (vec!["green".into()], true))
    }

    fn stepped(promises: &mut Promises, at: u64, action: &Action) {
        let moments = StepMoments { step: 0, requested: ms(at), acked: Some(ms(at + 1)), applied: None };
        promises.stepped(moments, Some(action));
    }

    fn marked(promises: &mut Promises, at: u64, kind: MarkKind, action: Option<&Action>) {
        let mark = Mark { at: ms(at), step: Some(0), kind };
        promises.marked((&mark, action), &Config::default(), |_| false);
    }

    /// A first try for the Service 0.
    fn picked(promises: &mut Promises, request: u64, to: (Option<u32>, Option<Side>), at: u64) {
        promises.picked(&Pick { at: ms(at), ..pick(request) }, to);
    }

    fn drain(mocks: Vec<u32>) -> Action {
        Action::Drain { mocks, weights: Vec::new(), at_most: Duration::ZERO }
    }

    fn broken(promises: &Promises) -> Vec<(Promise, u64, &[u64])> {
        let all = promises.breaches.0.iter();
        all.map(|breach| (breach.promise, breach.count, breach.requests.as_slice())).collect()
    }

    #[test]
    fn who_is_sent_to_the_new_version_after_the_way_back_is_named() {
        let mut promises = promises(5);
        picked(&mut promises, 1, side(1), 5);
        marked(&mut promises, 10, MarkKind::RolledBack, None);
        picked(&mut promises, 2, side(0), 16);
        picked(&mut promises, 3, side(1), 15);
        assert!(promises.breaches.0.is_empty(), "until 15 somebody may not have learnt of it");
        for request in [7, 8, 9, 10] {
            picked(&mut promises, request, side(1), request + 10);
        }
        assert_eq!(broken(&promises), [(Promise::BackIsBack, 4, &[7, 8, 9][..])]);
        assert_eq!(promises.breaches.0[0].at, ms(17));
        assert_eq!(promises.breaches.0[0].mocks, [1], "and to whom");
    }

    #[test]
    fn a_copy_that_is_sent_after_the_way_back_is_named_though_nobody_asked_for_it() {
        // Aim: the request and its target, also where the last copy is told of before the way back is. Method: two copies before, the
        // first of which is late; then the same with one that comes after.
        let copied = |promises: &mut Promises, request, at| {
            promises.copied(&Pick { at: ms(at), ..pick(request) }, Some(1));
        };
        for late in [None, Some((9, 30))] {
            let mut promises = promises(5);
            copied(&mut promises, 7, 20);
            copied(&mut promises, 8, 15);
            marked(&mut promises, 10, MarkKind::RolledBack, None);
            if let Some((request, at)) = late {
                copied(&mut promises, request, at);
            }
            promises.finish();
            let named = late.map_or(7, |(request, _)| request);
            assert_eq!(broken(&promises), [(Promise::BackIsBack, 1, &[named][..])]);
            assert_eq!(promises.breaches.0[0].mocks, [1]);
        }
    }

    fn host(service: u32, host: &str) -> Action {
        Action::SetHost { service: ServiceId(service), service_name: "shop".into(), host: host.into() }
    }

    #[test]
    fn who_is_sent_where_something_left_behind_leads_is_named() {
        let mut promises = promises(5);
        picked(&mut promises, 1, side(1), 9);
        promises.left_behind("route testers is there".into(), ms(10));
        picked(&mut promises, 2, side(0), 11);
        picked(&mut promises, 3, side(1), 12);
        assert_eq!(broken(&promises), [(Promise::NothingIsLeft, 1, &[3][..])]);
        assert_eq!(promises.breaches.0[0].what.as_deref(), Some("route testers is there"));
    }

    #[test]
    fn who_is_sent_to_a_version_too_early_or_too_late_is_named() {
        // Aim: before a blue-green switch nobody meets green, after it nobody blue. Method: a pick of each around it, with a lag of
        // 5 ms; then the way back, after which blue is right again.
        let mut promises = Promises { asked: Asked::by(false), ..promises(5) };
        picked(&mut promises, 1, side(0), 1);
        picked(&mut promises, 2, side(1), 2);
        marked(&mut promises, 10, MarkKind::Began, Some(&host(0, "green")));
        stepped(&mut promises, 10, &host(0, "green"));
        picked(&mut promises, 3, side(1), 12);
        picked(&mut promises, 4, side(0), 16);
        picked(&mut promises, 5, side(0), 17);
        marked(&mut promises, 20, MarkKind::Aborted("worse".into()), None);
        stepped(&mut promises, 20, &host(0, "blue"));
        picked(&mut promises, 6, side(0), 30);
        let expected = [(Promise::NewIsAskedFor, 1, &[2][..]), (Promise::SwitchedIsLeft, 1, &[5][..])];
        assert_eq!(broken(&promises), expected);
    }

    #[test]
    fn each_service_is_held_to_its_own_switch() {
        // Aim: one Service is switched while another waits. Method: Service 0 goes first, then 1; a pick of both at both versions
        // between the two and after them.
        let mut promises = Promises { asked: Asked::by(false), ..promises(0) };
        let both = |promises: &mut Promises, at: u64| {
            for (number, (service, version)) in (0..).zip([(0, 0), (0, 1), (1, 0), (1, 1)]) {
                let pick = Pick { at: ms(at), service: ServiceId(service), ..pick(at + number) };
                promises.picked(&pick, side(version));
            }
        };
        for (service, at) in [(0, 10), (1, 30)] {
            marked(&mut promises, at, MarkKind::Began, Some(&host(service, "green")));
            stepped(&mut promises, at, &host(service, "green"));
            both(&mut promises, at + 5);
        }
        let expected =
            [(Promise::SwitchedIsLeft, 3, &[15, 35, 37][..]), (Promise::NewIsAskedFor, 1, &[18][..])];
        assert_eq!(broken(&promises), expected);
    }

    #[test]
    fn who_is_sent_to_a_target_that_drains_is_named_until_it_comes_back() {
        let mut promises = promises(0);
        picked(&mut promises, 1, side(2), 5);
        stepped(&mut promises, 10, &drain(vec![2]));
        picked(&mut promises, 2, side(2), 11);
        picked(&mut promises, 3, side(2), 12);
        assert_eq!(broken(&promises), [(Promise::DrainedIsLeft, 1, &[3][..])]);
        stepped(&mut promises, 20, &Action::Promote);
        picked(&mut promises, 4, side(2), 30);
        assert_eq!(promises.breaches.0[0].count, 1);
    }

    #[test]
    fn a_target_that_is_ended_before_every_node_has_left_it_is_told() {
        // Aim: a node that learns late sends to an ended process. Method: taken out, ended, and picked within the lag; then one
        // that is ended in the middle of its work, as the steps say.
        let mut promises = promises(1000);
        let (out, stop) = (drain(vec![0]), Action::Stop(vec![0]));
        stepped(&mut promises, 10, &out);
        marked(&mut promises, 15, MarkKind::Over, Some(&out));
        marked(&mut promises, 16, MarkKind::Over, Some(&stop));
        picked(&mut promises, 1, side(0), 16);
        picked(&mut promises, 2, side(0), 17);
        assert_eq!(broken(&promises), [(Promise::StoppedIsLeft, 1, &[2][..])]);
        marked(&mut promises, 20, MarkKind::Began, Some(&Action::Start(vec![0])));
        picked(&mut promises, 3, side(0), 30);
        marked(&mut promises, 40, MarkKind::Over, Some(&Action::Stop(vec![1])));
        picked(&mut promises, 4, side(1), 50);
        assert_eq!(promises.breaches.0[0].count, 1);
        // Nobody was sent there, but might have been.
        marked(&mut promises, 60, MarkKind::Over, Some(&out));
        let over = Mark { at: ms(61), step: Some(0), kind: MarkKind::Over };
        assert_eq!(promises.breaches.0[0].mocks, [0]);
        let both = Action::Stop(vec![0, 2]);
        promises.left[2] = true;
        promises.marked((&over, Some(&both)), &Config::default(), |mock| mock == 2);
        assert_eq!((promises.breaches.0[0].count, &promises.breaches.0[0].mocks[..]), (2, &[0, 2][..]));
    }

    #[test]
    fn what_goes_nowhere_on_the_way_back_is_told_but_where_the_way_back_is_an_outage() {
        let record = |index, done, cause| Record {
            index,
            intended: ms(0),
            released: ms(0),
            on_wire: Some(ms(0)),
            first_byte: None,
            done: ms(done),
            ending: Ending::Dropped(cause),
            target: None,
        };
        for goes_dark in [false, true] {
            let mut promises = Promises { goes_dark, ..promises(0) };
            promises.ended(&record(1, 5, Cause::NoRoute));
            marked(&mut promises, 10, MarkKind::Aborted("worse".into()), None);
            promises.ended(&record(2, 11, Cause::Gateway502));
            promises.ended(&record(3, 12, Cause::Gateway503NoTarget));
            marked(&mut promises, 20, MarkKind::RolledBack, None);
            promises.ended(&record(4, 21, Cause::NoRoute));
            let expected = [(Promise::BackDropsNothing, 1, &[3][..])];
            assert_eq!(broken(&promises), expected[..usize::from(!goes_dark)]);
            let cause = promises.breaches.0.first().and_then(|breach| breach.what.as_deref());
            assert_eq!(cause, (!goes_dark).then_some("gateway_503_no_target"));
        }
    }
}
