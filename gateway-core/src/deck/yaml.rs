//! YAML text as JSON values, within bounds: what a few kilobytes of text can make of themselves by aliases and nesting is
//! limited, whatever they say. The only file that knows the YAML library.

use serde_json::Value;

/// Values of one document. Ten thousand Targets with three fields each are a tenth of it.
const NODES_MAX: usize = 1_000_000;
/// Values that come from aliases, in all.
const ALIASED_MAX: usize = 100_000;
/// How deep values nest; an Upstream's health checks are six deep.
const DEPTH_MAX: usize = 32;

/// The document in `text`; an empty one is no entities.
pub(super) fn parse(name: &str, text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_nodes: NODES_MAX, max_depth: DEPTH_MAX },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: ALIASED_MAX,
            max_replay_stack_depth: DEPTH_MAX,
        },
    };
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str_with_options(text, options).map_err(|error| format!("{name}: {error}"))
}

/// `document` as YAML.
pub(super) fn to_text(document: &Value) -> String {
    // A JSON value has nothing that YAML cannot say.
    serde_saphyr::to_string(document).unwrap_or_default()
}
