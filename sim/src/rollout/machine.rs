//! The machine: which step is under way, what it waits for, what comes next, and the way back.

mod judging;
mod presence;

use std::collections::VecDeque;

use gateway_core::gateway::{Finished, NewEpoch};
use gateway_core::id::TargetId;
use gateway_core::time::Instant;

pub use self::judging::Users;

use self::judging::Judging;
use self::presence::Presence;
use super::action::{Action, Step};
use super::admin;
use super::judge::{Analysis, Otherwise, Verdict};
use super::output::{Mark, MarkKind, Order, OrderId, Output, Task};
use super::plan::Rollout;
use crate::mock::Behind;

/// What the gateway did.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// It picked a target.
    Picked {
        /// The target.
        target: TargetId,
    },
    /// It was done with an attempt of this request.
    Finished(u64, Finished),
    /// An epoch began. To be told before the attempts picked in it.
    Began(NewEpoch),
}

/// Goes through the steps of one run.
#[derive(Debug)]
pub struct Machine {
    steps: Vec<Step>,
    rollout: Rollout,
    /// The mock behind each target.
    mocks: Behind,
    /// Attempts under way at each mock.
    in_flight: Vec<i64>,
    presence: Presence,
    judging: Judging,
    /// The step that is under way or comes next; those of the way back follow the plan's.
    step: usize,
    state: State,
    is_going_back: bool,
    /// Why the rollout is to be given up as soon as the calls under way are acknowledged.
    abort: Option<String>,
    /// No step begins earlier: when the one before it was over.
    earliest: Instant,
    orders: u32,
    out: VecDeque<Output>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The moment of the next step.
    Next,
    /// The acknowledgement of an order, until this moment.
    Ordered(OrderId, Instant),
    /// Attempts under way at the mocks of a drain, until this moment.
    Draining(Instant),
    /// This moment.
    Until(Instant),
    /// A judge, until this moment.
    Judging(Instant),
    /// So many first tries at the new version since the start of the run, until this moment.
    Counting(u64, Instant),
    /// Nothing.
    Over,
}

impl Machine {
    /// At the beginning of a run. `mocks` says which of so many mocks each target is, `users` whose each request is.
    pub fn new(
        steps: &[Step],
        rollout: &Rollout,
        (mocks, mocks_count): (Behind, usize),
        users: Users,
    ) -> Self {
        Self {
            steps: steps.to_vec(),
            rollout: rollout.clone(),
            mocks,
            in_flight: vec![0; mocks_count],
            presence: Presence::new(mocks_count),
            judging: Judging::new(rollout, users),
            step: 0,
            state: State::Next,
            is_going_back: false,
            abort: None,
            earliest: Instant::ZERO,
            orders: 0,
            out: VecDeque::new(),
        }
    }

    /// When [`poll`](Self::poll) has something to say at the latest; [`Instant::MAX`] when only an acknowledgement or an
    /// observation can change that. Changed by all other methods.
    pub fn next_time(&self) -> Instant {
        if !self.out.is_empty() {
            return Instant::ZERO;
        }
        let own = match self.state {
            State::Next => self.due().unwrap_or(Instant::ZERO),
            State::Draining(_) if self.is_drained() => Instant::ZERO,
            State::Counting(tries, _) if self.judging.canary_tries() >= tries => Instant::ZERO,
            State::Ordered(_, until)
            | State::Draining(until)
            | State::Until(until)
            | State::Judging(until)
            | State::Counting(_, until) => until,
            State::Over => Instant::MAX,
        };
        own.min(self.judging.next_time())
    }

    /// Whether anything it does depends on what the gateway is seen to do: else it need not be told.
    pub fn is_watching(&self) -> bool {
        let waits = |action: &Action| {
            matches!(action, Action::Drain { .. } | Action::Analysis { .. } | Action::WaitUntil { .. })
        };
        self.rollout.is_some()
            || !self.rollout.analyses.is_empty()
            || self.steps.iter().any(|step| waits(&step.action))
    }

    /// What is to be done or told now; to be asked again until there is nothing.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        while self.out.is_empty() && (self.judge(now) || self.advance(now)) {}
        self.out.pop_front()
    }

    /// An order was carried out (`ok`), or could not be.
    pub fn acked(&mut self, order: OrderId, now: Instant, ok: bool) {
        let State::Ordered(waited, _) = self.state else { return };
        if waited != order {
            return;
        }
        if let Some(why) = self.abort.take() {
            self.mark(now, MarkKind::Over);
            return self.go_back(why, now);
        }
        match self.action() {
            _ if !ok => self.fail("it was refused", now),
            Some(action) if action.share_of_attempts().is_some() => {
                self.share_is(false, now);
                self.end_step(now);
            }
            Some(Action::SetHost { .. } | Action::SetHeaderRoute(_) | Action::Patch { .. }) => {
                self.judging.led_elsewhere(now);
                self.end_step(now);
            }
            Some(Action::Drain { at_most, .. }) => self.state = State::Draining(now + *at_most),
            _ => self.end_step(now),
        }
    }

    /// Something was seen at the gateway.
    pub fn observe(&mut self, seen: Seen) {
        match seen {
            Seen::Began(epoch) => self.judging.began(&epoch, &self.mocks),
            Seen::Picked { target } => self.under_way(target, 1),
            Seen::Finished(request, attempt) => {
                self.under_way(attempt.target, -1);
                if let Some(mock) = self.mocks.get(attempt.first.target) {
                    self.judging.finished(request, &attempt, mock);
                }
            }
        }
    }

    fn under_way(&mut self, target: TargetId, change: i64) {
        if let Some(mock) = self.mocks.get(target)
            && let Some(in_flight) = self.in_flight.get_mut(mock as usize)
        {
            *in_flight += change;
        }
    }

    /// Whether a judge had something to say.
    fn judge(&mut self, now: Instant) -> bool {
        let Some((analysis, verdict)) = self.judging.decided(now) else { return false };
        self.take(analysis, verdict, now);
        true
    }

    /// Does what follows from a verdict; whether the rollout goes on.
    fn take(&mut self, analysis: usize, verdict: Verdict, now: Instant) -> bool {
        let evidence = self.judging.evidence(analysis);
        let Analysis { name, dry_run, on_unclear, on_no_data, .. } = self.judging.analysis(analysis).clone();
        let why = format!("{name}: {}: {}", verdict.as_str(), evidence.in_words());
        self.mark(now, MarkKind::Judged { analysis, verdict, evidence });
        let follows = match verdict {
            _ if dry_run => Otherwise::Promote,
            Verdict::Fail => Otherwise::Abort,
            Verdict::Pass => Otherwise::Promote,
            Verdict::Unclear => on_unclear,
            Verdict::NoData => on_no_data,
        };
        match follows {
            Otherwise::Promote => {
                if matches!(self.state, State::Judging(_)) {
                    self.judging.ask_nothing();
                    self.end_step(now);
                }
                return true;
            }
            Otherwise::Hold => self.hold(why, now),
            Otherwise::Abort => self.abort(why, now),
        }
        false
    }

    /// The last word of those who watched all along; whether the rollout goes on.
    fn ask_the_watching(&mut self, now: Instant) -> bool {
        self.judging.in_background().into_iter().all(|analysis| {
            let verdict = self.judging.last_verdict(analysis, now);
            self.take(analysis, verdict, now)
        })
    }

    /// Gives the rollout up, for this reason: what is under way is left, and the way back begins.
    pub fn abort(&mut self, why: String, now: Instant) {
        if self.is_going_back {
            return;
        }
        self.judging.end();
        let calls_are_under_way = matches!(self.state, State::Ordered(..))
            && self.action().is_some_and(|a| !admin::calls(a).is_empty());
        if calls_are_under_way {
            self.abort = Some(why);
        } else {
            self.go_back(why, now);
        }
    }

    /// The action of the step that is under way or comes next.
    fn action(&self) -> Option<&Action> {
        let action = self.rollout.action(&self.steps, self.step);
        action.filter(|_| self.step < self.steps.len() || self.is_going_back)
    }

    /// When the next step begins; `None` when there is none.
    fn due(&self) -> Option<Instant> {
        self.action()?;
        let planned =
            self.steps.get(self.step).and_then(Step::at).map_or(Instant::ZERO, |at| Instant::ZERO + at);
        Some(planned.max(self.earliest))
    }

    /// Goes on as far as time alone allows; whether anything has changed.
    fn advance(&mut self, now: Instant) -> bool {
        match self.state {
            State::Next => match self.due() {
                Some(due) if due <= now => self.begin_step(now),
                Some(_) => return false,
                None => self.end(now),
            },
            State::Ordered(_, until) if until <= now => self.fail("it took too long", now),
            State::Draining(until) if until <= now || self.is_drained() => self.end_step(now),
            State::Until(until) if until <= now => self.end_step(until),
            State::Counting(tries, _) if self.judging.canary_tries() >= tries => self.end_step(now),
            State::Counting(_, until) if until <= now => self.fail("it took too long", now),
            State::Judging(until) if until <= now => {
                if let Some(&Action::Analysis { analysis, .. }) = self.action() {
                    let verdict = self.judging.last_verdict(analysis, now);
                    self.take(analysis, verdict, now);
                }
            }
            _ => return false,
        }
        true
    }

    fn begin_step(&mut self, now: Instant) {
        self.mark(now, MarkKind::Began);
        let Some(action) = self.action().cloned() else { return };
        // Where targets make the share, the new version stays as long as all of the old one are gone.
        let is_kept = self.is_going_back && self.rollout.limits.is_some();
        if is_kept && self.presence.leaves_nobody(&action, &self.rollout.sides) {
            return self.end_step(now);
        }
        let action = if self.is_going_back { self.presence.only_missing(action) } else { Some(action) };
        let Some(action) = action else { return self.end_step(now) };
        self.presence.follow(&action);
        let calls = admin::calls(&action);
        match action {
            Action::Start(mocks) => self.order(Task::Start(mocks), Instant::MAX),
            Action::WaitReady { mocks, at_most } => self.order(Task::AwaitReady(mocks), now + at_most),
            Action::Stop(mocks) => self.order(Task::Stop(mocks), Instant::MAX),
            Action::Drain { at_most, .. } if calls.is_empty() => self.state = State::Draining(now + at_most),
            Action::Scaled(_) => self.end_step(now),
            Action::Pause(pause) => self.state = State::Until(now + pause),
            Action::Analysis { analysis, at_most } => {
                self.judging.ask(analysis);
                self.state = State::Judging(now + at_most);
            }
            Action::WaitUntil { requests, at_most } => {
                self.state = State::Counting(self.judging.canary_tries() + requests, now + at_most);
            }
            Action::Promote => {
                if self.ask_the_watching(now) {
                    self.judging.end();
                    self.mark(now, MarkKind::Promoted);
                    self.end_step(now);
                }
            }
            Action::Abort => {
                self.end_step(now);
                self.go_back("the steps say so".to_owned(), now);
            }
            _ if self.ends_the_trial(&action) && !self.ask_the_watching(now) => {}
            _ => {
                self.share_is(true, now);
                self.order(Task::Admin(calls), Instant::MAX);
            }
        }
    }

    /// Whether nothing that comes leads to the new version any more: the last moment for those who watched it.
    fn ends_the_trial(&self, action: &Action) -> bool {
        let mut rest = self.steps.iter().skip(self.step + 1).map(|step| &step.action);
        let goes_on = |action: &Action| {
            action.leads_to_the_new()
                || matches!(action, Action::Promote)
                || matches!(action, Action::SetMirrorRoute(route) if route.to.is_some())
        };
        action.ends_a_trial() && !rest.any(goes_on)
    }

    /// Tells the judges the share that the step sets, if it sets one.
    fn share_is(&mut self, is_under_way: bool, now: Instant) {
        if let Some(share) = self.action().and_then(Action::share_of_attempts) {
            self.judging.share_is(share, is_under_way, now);
        }
    }

    fn order(&mut self, task: Task, until: Instant) {
        let id = OrderId(self.orders);
        self.orders += 1;
        self.state = State::Ordered(id, until);
        self.out.push_back(Output::Order(Order { id, step: self.step, task }));
    }

    fn end_step(&mut self, now: Instant) {
        self.mark(now, MarkKind::Over);
        self.next_step(now);
    }

    fn fail(&mut self, why: &str, now: Instant) {
        self.mark(now, MarkKind::Failed(why.to_owned()));
        let verb = self.action().map_or("", Action::verb);
        let why = format!("step {} ({verb}) failed: {why}", self.step + 1);
        if self.rollout.is_some() && !self.is_going_back {
            self.go_back(why, now);
        } else {
            self.next_step(now);
        }
    }

    fn next_step(&mut self, now: Instant) {
        self.step += 1;
        self.earliest = now;
        self.state = State::Next;
    }

    fn hold(&mut self, why: String, now: Instant) {
        self.judging.end();
        self.mark(now, MarkKind::Held(why));
        self.state = State::Over;
    }

    fn go_back(&mut self, why: String, now: Instant) {
        if self.rollout.is_some() && self.rollout.way_back.is_none() {
            return self.hold(why, now);
        }
        self.judging.end();
        self.out.push_back(Output::Mark(Mark { at: now, step: None, kind: MarkKind::Aborted(why) }));
        self.is_going_back = true;
        self.step = self.steps.len();
        self.earliest = now;
        self.state = State::Next;
    }

    fn end(&mut self, now: Instant) {
        self.state = State::Over;
        if self.is_going_back {
            self.out.push_back(Output::Mark(Mark { at: now, step: None, kind: MarkKind::RolledBack }));
        }
    }

    fn is_drained(&self) -> bool {
        let Some(Action::Drain { mocks, .. }) = self.action() else { return true };
        mocks.iter().all(|&mock| self.in_flight.get(mock as usize).is_none_or(|&n| n <= 0))
    }

    fn mark(&mut self, at: Instant, kind: MarkKind) {
        self.out.push_back(Output::Mark(Mark { at, step: Some(self.step), kind }));
    }
}

#[cfg(test)]
mod tests;
