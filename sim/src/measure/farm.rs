//! The targets of both versions as the steps of a rollout leave them: which run, which are ready, which have a weight. What faults
//! do to a target is none of the rollout's doing.

use gateway_core::time::Instant;

use super::StepMoments;
use crate::plan::Plan;
use crate::rollout::{Action, Mark, MarkKind, TargetWeight};

/// One thing that happened to targets.
pub(super) enum Happened<'a> {
    Began(&'a [u32]),
    Ready(&'a [u32]),
    Ended(&'a [u32]),
    Weights(Vec<&'a TargetWeight>),
    Aborted,
}

/// The targets of both versions as the steps leave them.
pub(super) struct Farm<'a> {
    plan: &'a Plan,
    runs: Vec<bool>,
    is_ready: Vec<bool>,
    weighs: Vec<bool>,
}

/// What happened, in order: steps come one after the other, even at one moment.
pub(super) fn in_order<'a>(
    plan: &'a Plan,
    marks: &[Mark],
    steps: &[StepMoments],
) -> Vec<(Instant, Happened<'a>)> {
    let of_mark = |mark: &Mark| {
        let action = mark.step.and_then(|step| plan.action(step));
        let happened = match (&mark.kind, action) {
            (MarkKind::Aborted(_), _) => Happened::Aborted,
            (MarkKind::Began, Some(Action::Start(mocks))) => Happened::Began(mocks),
            (MarkKind::Over, Some(Action::WaitReady { mocks, .. })) => Happened::Ready(mocks),
            (MarkKind::Over, Some(Action::Stop(mocks))) => Happened::Ended(mocks),
            _ => return None,
        };
        Some((mark.at, mark.step.unwrap_or(plan.steps.len()), happened))
    };
    let of_step = |step: &StepMoments| {
        let weights = match plan.action(step.step)? {
            Action::SetWeight { weights, .. } | Action::Drain { weights, .. } => weights.iter().collect(),
            Action::SetTarget(weight) => vec![weight],
            _ => return None,
        };
        Some((step.in_force()?, step.step, Happened::Weights(weights)))
    };
    let mut all: Vec<_> = marks.iter().filter_map(of_mark).chain(steps.iter().filter_map(of_step)).collect();
    // Steps come one after the other, if all at one moment; those of the way back follow the plan's.
    all.sort_by_key(|(at, step, _)| (*at, *step));
    all.into_iter().map(|(at, _, happened)| (at, happened)).collect()
}

impl<'a> Farm<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let runs = plan.there_at_start();
        let config = &plan.gateway.config;
        let shared = || plan.rollout.shared.into_iter().flat_map(|upstream| config.targets_of(upstream));
        // Where each version has an Upstream of its own, no weight keeps a target from serving.
        let weighs = |name: &str| {
            plan.rollout.shared.is_none()
                || shared().any(|(_, target)| target.weight.get() > 0 && target.target.to_string() == name)
        };
        let weighs = plan.mocks.iter().map(|mock| weighs(&mock.name)).collect();
        Self { plan, is_ready: runs.clone(), runs, weighs }
    }

    pub(super) fn happen(&mut self, happened: &Happened<'_>) {
        match happened {
            Happened::Began(mocks) => {
                // Who runs already is not begun anew.
                for &mock in *mocks {
                    let is_new = !self.runs[mock as usize];
                    self.runs[mock as usize] = true;
                    self.is_ready[mock as usize] &= !is_new;
                }
            }
            Happened::Ready(mocks) => set(&mut self.is_ready, mocks, true),
            Happened::Ended(mocks) => {
                set(&mut self.runs, mocks, false);
                set(&mut self.is_ready, mocks, false);
            }
            Happened::Weights(weights) => {
                for weight in weights {
                    let mock = self.plan.mocks.iter().position(|mock| mock.name == weight.target);
                    if let Some(weighs) = mock.and_then(|mock| self.weighs.get_mut(mock)) {
                        *weighs = weight.weight > 0;
                    }
                }
            }
            Happened::Aborted => {}
        }
    }

    /// Targets of either version.
    fn all(&self) -> impl Iterator<Item = usize> {
        let sides = self.plan.rollout.sides.iter().enumerate();
        sides.filter(|(_, side)| side.is_some()).map(|(mock, _)| mock)
    }

    fn serves(&self, mock: usize) -> bool {
        self.runs[mock] && self.is_ready[mock] && self.weighs[mock]
    }

    pub(super) fn running(&self) -> usize {
        self.all().filter(|mock| self.runs[*mock]).count()
    }

    pub(super) fn serving(&self) -> usize {
        self.all().filter(|mock| self.serves(*mock)).count()
    }

    /// Those that run.
    pub(super) fn all_running(&self) -> Vec<usize> {
        self.all().filter(|mock| self.runs[*mock]).collect()
    }

    /// Those of the start that do not serve any more.
    pub(super) fn missing(&self) -> Vec<usize> {
        let start = Self::new(self.plan);
        self.all().filter(|mock| start.serves(*mock) && !self.serves(*mock)).collect()
    }
}

fn set(flags: &mut [bool], mocks: &[u32], to: bool) {
    for &mock in mocks {
        flags[mock as usize] = to;
    }
}
