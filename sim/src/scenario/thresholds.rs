//! `[thresholds]`: `"metric{tag:value}" = ["aggregation op value"]`, each tag's value among those the run will have.

use std::collections::BTreeSet;
use std::ops::Range;

use gateway_core::entity::{Promise, Upstream};

use super::Input;
use super::diagnostic::{Place, Text};
use super::gateway::Entities;
use super::node::{Key, Node, Value};
use super::reader::{Section, Shape};
use super::values::text;
use crate::load::Load;
use crate::measure::Cause;
use crate::plan::threshold::{Subject, parse_expression, parse_subject};
use crate::plan::{Metric, MockPlan, Threshold, ThresholdError};
use crate::words;

/// Its keys are metrics, which have a reader of their own.
const SHAPE: Shape = Shape { what: "the thresholds", keys: &[], later: &[] };

/// What the tags of a run can be.
pub(super) struct Known<'a> {
    pub(super) entities: &'a Entities<'a>,
    pub(super) mocks: &'a [MockPlan],
    pub(super) load: Option<&'a Load>,
    /// How many switches there will be.
    pub(super) switches: usize,
    /// Whether the load has a warm-up; taken for granted when that cannot be told.
    pub(super) has_warmup: bool,
}

/// All thresholds.
pub(super) fn read(root: &Section<'_>, input: &Input, known: &Known<'_>) -> Vec<Threshold> {
    let Some(section) = root.unchecked("thresholds", &SHAPE) else { return Vec::new() };
    let reader = Reader { section, input, known };
    section.entries().iter().flat_map(|(key, node)| reader.of_metric(key, node)).collect()
}

struct Reader<'a> {
    section: Section<'a>,
    input: &'a Input,
    known: &'a Known<'a>,
}

impl Reader<'_> {
    fn of_metric(&self, key: &Key, node: &Node) -> Vec<Threshold> {
        if self.section.swallowed(key) {
            return Vec::new();
        }
        let Some(subject) = self.noted(&key.place, &key.name, parse_subject(&key.name)) else {
            return Vec::new();
        };
        self.check_subject(key, &subject);
        let mistakes = self.section.mistakes;
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items,
            value => {
                let is_list = matches!(value, Value::List(_));
                let label = if is_list { "nothing is asked" } else { "this is not a list" };
                mistakes.note(&node.place, "a threshold is a list", label, "write [\"count == 0\"]");
                return Vec::new();
            }
        };
        let read = |item: &Node| {
            let expression_text = text(item, &key.name, mistakes)?;
            let expression = parse_expression(subject.metric, expression_text);
            Some(Threshold {
                metric: subject.metric,
                tags: subject.tags.clone(),
                expression: self.noted(&item.place, expression_text, expression)?,
                metric_text: key.name.clone(),
                expression_text: expression_text.to_owned(),
                line: item.place.line(&self.input.text),
            })
        };
        items.iter().filter_map(read).collect()
    }

    /// What was read; else the mistake is noted where it stands within `text`, which stands at `place`.
    fn noted<T>(&self, place: &Place, text: &str, result: Result<T, ThresholdError>) -> Option<T> {
        result
            .map_err(|e| {
                let place = self.part(place, text, &e.span);
                self.section.mistakes.note(&place, e.message, e.label, e.help);
            })
            .ok()
    }

    /// Where a part of `text`, the value at `place`, stands. With an escape in it nobody can tell, so it is the whole.
    fn part(&self, place: &Place, text: &str, part: &Range<usize>) -> Place {
        let source = place.text.of(self.input).get(place.span.clone()).unwrap_or_default();
        let before = match source.find(text) {
            Some(before @ (0 | 1)) if source.len() == text.len() + 2 * before => before,
            // A bare word of a flag, or spaces around it.
            Some(before) if matches!(place.text, Text::Set(_)) => before,
            _ => return place.clone(),
        };
        let from = place.span.start + before;
        Place { text: place.text, span: from + part.start..from + part.end }
    }

    fn check_subject(&self, key: &Key, subject: &Subject) {
        let mistakes = self.section.mistakes;
        if subject.metric == Metric::Switch && self.known.switches == 0 {
            let help = "write a step with set_host, or leave this out";
            mistakes.absent(&key.place, "a threshold is about switches", "there is no switch", help);
        }
        if subject.metric == Metric::Weights {
            self.check_promise(key, subject);
        }
        for ((tag, value), span) in subject.tags.iter().zip(&subject.spans) {
            let Some(values) = self.values(tag) else { continue };
            let names: Vec<_> = values.iter().map(String::as_str).collect();
            if names.contains(&value.as_str()) {
                continue;
            }
            let help = match words::closest(value, &names) {
                Some(close) if names.len() > 6 => format!("did you mean `{close}`?"),
                _ => format!("{tag}s here: {}", words::quoted(&names)),
            };
            let place = self.part(&key.place, &key.name, span);
            let message = format!("the {tag} of a threshold does not exist");
            mistakes.absent(&place, message, format!("there is no {tag} `{value}`"), help);
        }
    }

    /// Weights can be held to what an algorithm promises, and some promise nothing about shares.
    fn check_promise(&self, key: &Key, subject: &Subject) {
        let named = subject.tags.iter().find(|(tag, _)| tag == "upstream").map(|(_, name)| name);
        let upstreams = self.known.entities.config.upstreams().map(|(_, upstream)| upstream);
        let meant: Vec<_> =
            upstreams.filter(|upstream| named.is_none_or(|name| *name == upstream.name)).collect();
        let has_shares =
            |upstream: &&Upstream| !matches!(upstream.algorithm.promise(), Promise::Load | Promise::Key);
        if let Some(first) = meant.first().filter(|_| !meant.iter().any(has_shares)) {
            let label = format!("`{}` chooses by something else", first.algorithm.as_str());
            let help = "leave this threshold out; the report shows the shares";
            let message = "the weights of an Upstream promise no shares";
            self.section.mistakes.note(&key.place, message, label, help);
        }
    }

    /// Every value that `tag` can have; `None` when a mistake elsewhere leaves that open.
    fn values(&self, tag: &str) -> Option<Vec<String>> {
        let Known { entities, mocks, .. } = self.known;
        let targets: BTreeSet<_> = entities.targets.iter().map(|target| &target.name).collect();
        match tag {
            "phase" => Some(self.phases()),
            "upstream" => entities.upstreams.all(),
            "target" => entities.targets_are_all.then(|| targets.into_iter().cloned().collect()),
            "version" => (entities.targets_are_all && mocks.len() == targets.len()).then(|| {
                let versions: BTreeSet<_> = mocks.iter().map(|mock| mock.version.clone()).collect();
                versions.into_iter().collect()
            }),
            "request" => {
                let titles = self.known.load?.templates().map(|(_, request)| request.title());
                Some(titles.collect::<BTreeSet<_>>().into_iter().collect())
            }
            "stream" => Some(self.known.load?.streams.iter().map(|stream| stream.name.clone()).collect()),
            "cause" => Some(Cause::ALL.iter().map(|cause| cause.as_str().to_owned()).collect()),
            _ => None,
        }
    }

    /// The phases of the run; a name without a number means all of its kind.
    fn phases(&self) -> Vec<String> {
        let mut names = vec!["before".to_owned()];
        if self.known.has_warmup {
            names.insert(0, "warmup".to_owned());
        }
        if self.known.switches > 0 {
            names.extend(["switch".to_owned(), "after".to_owned()]);
            names.extend(
                (1..=self.known.switches).flat_map(|n| [format!("switch-{n}"), format!("after-{n}")]),
            );
        }
        names
    }
}
