//! Which analyses steps ask, and when: while the old version answers beside the new one, or after a Service has been pointed at the new
//! one, when nothing is left to hold it against but what the old one did before. Who is asked at both times judges twice.

use crate::rollout::judge::Analysis;
use crate::rollout::{Action, Step, Versions};

/// What steps ask of analyses.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// The first step that points a Service at the new version.
    switch: Option<usize>,
    /// Of each analysis.
    times: Vec<Times>,
}

/// When an analysis judges.
#[derive(Debug)]
struct Times {
    name: String,
    /// Where no step asks it, it watches all along.
    is_asked: bool,
    before_the_switch: bool,
    after_it: bool,
}

impl Questions {
    /// What these steps ask; `names` are those of all analyses. Who watches all along judges from the switch on, where there is one
    /// before the new version is promoted.
    pub(super) fn of(steps: &[Step], versions: &Versions, names: &[String]) -> Self {
        let is_switch = |step: &Step| matches!(&step.action, Action::SetHost { host, .. } if versions.canary.upstream.as_ref() == Some(host));
        let switch = steps.iter().position(is_switch);
        let is_after = |at: usize| switch.is_some_and(|switch| switch < at);
        let promotion = steps.iter().position(|step| step.action == Action::Promote).unwrap_or(steps.len());
        let times = names.iter().enumerate().map(|(number, name)| {
            let asks =
                |step: &Step| matches!(step.action, Action::Analysis { analysis, .. } if analysis == number);
            let asked: Vec<usize> = (0..steps.len()).filter(|at| asks(&steps[*at])).collect();
            let judges_at = if asked.is_empty() { &[promotion][..] } else { &asked };
            Times {
                name: name.clone(),
                is_asked: !asked.is_empty(),
                before_the_switch: judges_at.iter().any(|at| !is_after(*at)),
                after_it: judges_at.iter().any(|at| is_after(*at)),
            }
        });
        Self { switch, times: times.collect() }
    }

    fn times(&self, name: &str) -> Option<&Times> {
        self.times.iter().find(|times| times.name == name)
    }

    /// Whether a step asks this analysis.
    pub(super) fn ask(&self, name: &str) -> bool {
        self.times(name).is_some_and(|times| times.is_asked)
    }

    /// Whether it judges while the old version answers too.
    pub(super) fn are_beside(&self, name: &str) -> bool {
        self.times(name).is_none_or(|times| times.before_the_switch)
    }

    /// Whether it judges after a Service has been switched.
    pub(super) fn are_alone(&self, name: &str) -> bool {
        self.times(name).is_some_and(|times| times.after_it)
    }

    /// Leads those after the switch to those of `analyses` that are there for them: all but the first `written`.
    pub(super) fn lead(&self, steps: &mut [Step], (analyses, written): (&[Analysis], usize)) {
        let name = |number: usize| analyses.get(number).map(|analysis| analysis.name.as_str());
        for step in steps.iter_mut().skip(self.switch.map_or(usize::MAX, |switch| switch + 1)) {
            let Action::Analysis { analysis, .. } = &mut step.action else { continue };
            let later = (written..analyses.len()).find(|&number| name(number) == name(*analysis));
            *analysis = later.unwrap_or(*analysis);
        }
    }
}
