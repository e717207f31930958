//! What each request carries of one header field or cookie, by the load that sends it: nothing a gateway has read. Cookies that
//! answers have set are not known here.

use super::recorder::RunFacts;
use crate::load::{Pattern, RequestIds, Values};
use crate::plan::{self, Plan};
use crate::rollout::Field;

/// What requests carry of a field.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    /// In the order of the load's templates.
    kinds: Vec<Kind>,
    now: Values,
    text: String,
}

#[derive(Clone, Debug)]
struct Kind {
    values: Vec<Pattern>,
    /// Digits of a user.
    user_width: usize,
}

impl Carried {
    pub(super) fn new(plan: &Plan, field: &Field) -> Self {
        let kinds = plan.load.templates().map(|(stream, request)| {
            let users = &plan.load.streams[stream].users;
            Kind { values: plan::carried(request, users, field), user_width: users.width() }
        });
        let now = Values::new(plan.seed, RequestIds::new(plan.seed, plan.load.total()));
        Self { kinds: kinds.collect(), now, text: String::new() }
    }

    /// Whether some value that a request of the schedule carries is what is looked for.
    pub(super) fn any(&mut self, request: u64, facts: &RunFacts, is_it: impl Fn(&str) -> bool) -> bool {
        let Self { kinds, now, text } = self;
        let Kind { values, user_width } = &kinds[facts.numbering.kind(request)];
        values.iter().any(|value| {
            if !value.is_fixed() {
                (now.index, now.user) = (request, facts.numbering.user(request));
            }
            text.clear();
            now.fill(value, *user_width, text);
            is_it(text)
        })
    }

    /// The first value that a request of the schedule carries.
    pub(super) fn first(&mut self, request: u64, facts: &RunFacts) -> Option<&str> {
        self.any(request, facts, |_| true).then_some(self.text.as_str())
    }
}
