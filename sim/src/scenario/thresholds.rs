//! `[thresholds]`: `"metric{tag:value}" = ["aggregation op value"]`, each tag's value among those the run will have.

use gateway_core::config::Config;

use super::Section;
use super::diagnostic::Place;
use super::node::{Key, Node, Value};
use super::reader::{closest, listed, text};
use crate::measure::Cause;
use crate::plan::threshold::{parse_expression, parse_subject};
use crate::plan::{MockPlan, Threshold, ThresholdError};

/// What the tags of a run can be.
pub(super) struct Known<'a> {
    pub(super) config: &'a Config,
    pub(super) mocks: &'a [MockPlan],
    /// How many switches there will be.
    pub(super) switches: usize,
}

/// All thresholds.
pub(super) fn read(root: &Section<'_>, file: &str, known: &Known<'_>) -> Vec<Threshold> {
    let Some((table, _)) = root.table("thresholds") else { return Vec::new() };
    table.entries.iter().flat_map(|(key, node)| of_metric(root, key, node, file, known)).collect()
}

fn of_metric(root: &Section<'_>, key: &Key, node: &Node, file: &str, known: &Known<'_>) -> Vec<Threshold> {
    let note = |place: &Place, error: ThresholdError| {
        root.mistakes.note(place, error.message, "", error.help.unwrap_or_default());
    };
    let subject = match parse_subject(&key.name) {
        Ok(subject) => subject,
        Err(error) => {
            note(&key.place, error);
            return Vec::new();
        }
    };
    for (tag, value) in &subject.tags {
        check_tag(root, key, tag, value, known);
    }
    let Value::List(items) = &node.value else {
        root.mistakes.note(
            &node.place,
            "a threshold is a list",
            format!("this is {}", node.value.kind()),
            "write [\"count == 0\"]",
        );
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            let expression_text = text(item, &key.name, root.mistakes)?;
            let expression = parse_expression(subject.metric, expression_text)
                .map_err(|error| note(&item.place, error))
                .ok()?;
            Some(Threshold {
                metric: subject.metric,
                tags: subject.tags.clone(),
                expression,
                metric_text: key.name.clone(),
                expression_text: expression_text.to_owned(),
                line: item.place.line(file),
            })
        })
        .collect()
}

fn check_tag(root: &Section<'_>, key: &Key, tag: &str, value: &str, known: &Known<'_>) {
    let values: Vec<String> = match tag {
        "phase" => phases(known.switches),
        "upstream" => known.config.upstreams().map(|(_, upstream)| upstream.name.clone()).collect(),
        "target" => known.mocks.iter().map(|mock| mock.name.clone()).collect(),
        "version" => known.mocks.iter().map(|mock| mock.version.clone()).collect(),
        "cause" => Cause::ALL.iter().map(|cause| cause.as_str().to_owned()).collect(),
        _ => return,
    };
    if values.iter().any(|known| known == value) {
        return;
    }
    let names: Vec<_> = values.iter().map(String::as_str).collect();
    let help = match closest(value, &names) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("{tag}s here: {}", listed(&names[..names.len().min(20)])),
    };
    root.mistakes.note(
        &key.place,
        format!("the {tag} of a threshold does not exist"),
        format!("there is no {tag} `{value}`"),
        help,
    );
}

/// The phases of a run with so many switches; a name without a number means all of its kind.
fn phases(switches: usize) -> Vec<String> {
    let mut names = vec!["warmup".to_owned(), "before".to_owned()];
    if switches > 0 {
        names.extend(["switch".to_owned(), "after".to_owned()]);
        names.extend((1..=switches).flat_map(|n| [format!("switch-{n}"), format!("after-{n}")]));
    }
    names
}
