//! When each analysis is asked: while the old version answers beside the new one, or after a Service has been pointed at the new one,
//! when nothing is left to hold it against but what the old one did before. Who is asked at both times judges twice.

use crate::rollout::judge::Analysis;
use crate::rollout::{Action, Step, Versions};

/// Who is asked when.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The first step that points a Service at the new version.
    switch: Option<usize>,
    /// Of each analysis, by name: whether it judges before that step, and after it.
    times: Vec<(String, bool, bool)>,
}

impl Asked {
    /// Who is asked when by these steps; `names` are those of all analyses. Who is asked by none of them watches from the switch on,
    /// where there is one before the new version is promoted.
    pub(super) fn of(steps: &[Step], versions: &Versions, names: &[String]) -> Self {
        let is_switch = |step: &Step| matches!(&step.action, Action::SetHost { host, .. } if versions.canary.upstream.as_ref() == Some(host));
        let switch = steps.iter().position(is_switch);
        let promotion = steps.iter().position(|step| step.action == Action::Promote).unwrap_or(steps.len());
        let times = names.iter().enumerate().map(|(number, name)| {
            let is_question = |(_, step): &(usize, &Step)| matches!(step.action, Action::Analysis { analysis, .. } if analysis == number);
            let questions = || steps.iter().enumerate().filter(is_question).map(|(at, _)| at);
            let is_after = |at: usize| switch.is_some_and(|switch| switch < at);
            let watches = questions().next().is_none();
            let after = questions().any(is_after) || (watches && is_after(promotion));
            (name.clone(), questions().any(|at| !is_after(at)) || (watches && !after), after)
        });
        Self { switch, times: times.collect() }
    }

    /// Whether an analysis judges before the switch, and after it.
    pub(super) fn times(&self, name: &str) -> (bool, bool) {
        let known = self.times.iter().find(|(known, ..)| known == name);
        known.map_or((true, false), |&(_, before, after)| (before, after))
    }

    /// Leads questions after the switch to those of `analyses` that are there for them: all but the first `written`.
    pub(super) fn lead(&self, steps: &mut [Step], (analyses, written): (&[Analysis], usize)) {
        let name = |number: usize| analyses.get(number).map(|analysis| analysis.name.as_str());
        for step in steps.iter_mut().skip(self.switch.map_or(usize::MAX, |switch| switch + 1)) {
            let Action::Analysis { analysis, .. } = &mut step.action else { continue };
            let later = (written..analyses.len()).find(|&number| name(number) == name(*analysis));
            *analysis = later.unwrap_or(*analysis);
        }
    }
}
