//! The faults of a run as its progress names them: which are on, and which have begun or ended since somebody asked.

use crate::plan::Plan;
use crate::words;
use gateway_core::time::Instant;

/// A fault with its moments.
#[derive(Clone, Debug)]
struct Line {
    from: Instant,
    until: Instant,
    /// `hang at blue-*`
    text: String,
}

/// All faults of a run.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    lines: Vec<Line>,
    told_until: Option<Instant>,
}

impl Faults {
    /// Those of `plan`.
    pub(super) fn new(plan: &Plan) -> Self {
        let picked = plan.picked_faults();
        let line = |(fault, picked): (&crate::mock::Fault, &crate::mock::Scheduled)| {
            let whom = match picked.mocks.len() {
                n if n < fault.mocks.len() => format!("{n} of {} at {}", fault.mocks.len(), fault.pattern),
                _ => fault.pattern.clone(),
            };
            Line {
                from: picked.from,
                until: picked.until,
                text: format!("{} ({})", picked.kind, words::plain(&whom)),
            }
        };
        Self { lines: plan.faults.iter().zip(picked.all()).map(line).collect(), told_until: None }
    }

    /// What is on at `now`: `hang (blue-*)`.
    pub(super) fn on(&self, now: Instant) -> Vec<&str> {
        let is_on = |line: &&Line| line.from <= now && now < line.until;
        self.lines.iter().filter(is_on).map(|line| line.text.as_str()).collect()
    }

    /// What has begun and what is over since this was asked last, each with its moment.
    pub(super) fn news(&mut self, now: Instant) -> Vec<(Instant, String)> {
        let since = self.told_until;
        // A later run of several begins anew, and is not told again.
        self.told_until = since.max(Some(now));
        let is_new = |at: &Instant| *at <= now && since.is_none_or(|since| *at > since);
        let mut news = Vec::new();
        for line in &self.lines {
            news.extend(Some(line.from).filter(is_new).map(|at| (at, format!("fault: {}", line.text))));
            news.extend(Some(line.until).filter(is_new).map(|at| (at, format!("over: {}", line.text))));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::rehearsal::how_to;
    use crate::mock::{Fault, FaultKind};

    #[test]
    fn faults_are_named_while_they_are_on_and_told_once() {
        let mut plan = how_to(600.0, 30, &[]);
        let fault = |kind, at, lasts, mocks: Vec<usize>, fraction| Fault {
            at: Duration::from_secs(at),
            lasts,
            pattern: "*".into(),
            mocks,
            fraction,
            kind,
        };
        plan.faults = vec![
            fault(FaultKind::Hang, 1, Some(Duration::from_secs(2)), vec![0, 1], 1.0),
            fault(FaultKind::LatencyX(20.0), 2, None, vec![0, 1, 2, 3], 0.25),
        ];
        let (mut faults, s) = (Faults::new(&plan), |seconds: u64| Instant::from_millis(seconds * 1000));
        assert_eq!(faults.on(s(0)), [""; 0]);
        assert_eq!(faults.on(s(2)), ["hang (*)", "latency_x 20 (1 of 4 at *)"]);
        assert!(faults.news(s(0)).is_empty());
        assert_eq!(faults.news(s(1)), [(s(1), "fault: hang (*)".to_owned())]);
        let told: Vec<_> = faults.news(s(30)).into_iter().map(|(_, text)| text).collect();
        assert_eq!(told, ["over: hang (*)", "fault: latency_x 20 (1 of 4 at *)"]);
        assert!(faults.news(s(30)).is_empty());
    }
}
