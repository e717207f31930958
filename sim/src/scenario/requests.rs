//! `[[load.requests]]`: what is sent.

use std::collections::BTreeSet;

use super::Input;
use super::diagnostic::Place;
use super::files::File;
use super::node::{Node, Value};
use super::reader::{Section, Shape};
use super::values;
use crate::load::{Pattern, RequestMix, RequestTemplate, Value as Stands, ids};
use crate::words;

pub(super) const REQUEST: Shape = Shape {
    what: "a request",
    keys: &["name", "method", "path", "headers", "body", "body_file", "body_size", "weight"],
    later: &[],
};
/// The keys that say what a body is.
const BODIES: [&str; 3] = ["body", "body_file", "body_size"];
/// Largest body, bytes: as large as a file may be.
const BODY_MAX: u64 = 16 << 20;
const NAME_MAX: usize = 64;
const WEIGHT_MAX: i64 = 1_000_000;
/// Header fields that frame or number a request: the load generator writes them itself.
const OWN_FIELDS: [&str; 7] =
    ["content-length", "transfer-encoding", "connection", "upgrade", "expect", "trailer", ids::HEADER];

/// The mix of requests of `load`; a line for each file it is made of goes to `identity`.
pub(super) fn read(load: &Section<'_>, input: &Input, identity: &mut Vec<String>) -> Option<RequestMix> {
    let sections = load.sections("requests", &REQUEST);
    if sections.is_empty() && load.own("requests").is_none_or(|node| matches!(node.value, Value::List(_))) {
        let help = "write [[load.requests]] with method and path";
        load.mistakes.absent(load.place, "a load needs a request", "no [[load.requests]] here", help);
    }
    let has_users = load.has("keys");
    let templates: Vec<_> =
        sections.iter().map(|section| request(section, has_users, input, identity)).collect();
    RequestMix::new(templates.into_iter().collect::<Option<Vec<_>>>()?).ok()
}

fn request(
    section: &Section<'_>,
    has_users: bool,
    input: &Input,
    identity: &mut Vec<String>,
) -> Option<RequestTemplate> {
    let method = section.text("method").filter(|method| {
        let is_fine = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        if !is_fine {
            let (place, message) = (section.place_of("method"), "a method is one word in capitals");
            section.mistakes.note(place, message, "not a method", "such as GET or POST");
        }
        is_fine
    });
    let path = section.text("path").filter(|path| {
        let is_fine = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        if !is_fine {
            let (place, message) = (section.place_of("path"), "a path cannot be sent as it is");
            let help = "start with `/` and encode other characters, such as %20 for a space";
            section.mistakes.note(place, message, "not a path", help);
        }
        is_fine
    });
    let pattern = |text: &str, place: &Place| pattern(section, text, place, has_users);
    let path = path.and_then(|path| pattern(path, section.place_of("path")));
    let headers = headers(section, &pattern);
    let body = body(section, &pattern, input, identity);
    let weight = section.integer("weight", 1, WEIGHT_MAX);
    Some(RequestTemplate {
        name: section.own("name").map_or(Some(None), |_| name(section).map(Some))?,
        method: method?.to_owned(),
        path: path?,
        headers: headers?,
        body: body?,
        weight: weight? as u32,
    })
}

/// What thresholds and tables call it.
fn name(section: &Section<'_>) -> Option<String> {
    let name = section.text("name")?;
    if !name.is_empty()
        && name.len() <= NAME_MAX
        && name.chars().all(|c| !c.is_control() && !",{}".contains(c))
    {
        return Some(name.to_owned());
    }
    let help = format!("use at most {NAME_MAX} characters, and no comma or brace");
    section.mistakes.note(
        section.place_of("name"),
        "the name of a request stands in thresholds",
        "cannot be one",
        help,
    );
    None
}

/// A text with places for what differs from request to request.
fn pattern(section: &Section<'_>, text: &str, place: &Place, has_users: bool) -> Option<Pattern> {
    let pattern = Pattern::parse(text)
        .map_err(|what| {
            let known = Stands::ALL.map(|value| format!("${{{}}}", value.as_str()));
            let help = format!("places are {}; write $${{ for ${{ itself", words::quoted(&known));
            section.mistakes.note(place, format!("`{what}` stands for nothing"), "no such place", help);
        })
        .ok()?;
    if pattern.has(Stands::User) && !has_users {
        let help = "write [load.keys] with users = 1000";
        section.mistakes.note(place, "`${user}` needs users", "nobody is told from others here", help);
    }
    Some(pattern)
}

/// The body, by the one key that says it: itself, a file as it is, or a size.
fn body(
    section: &Section<'_>,
    pattern: &dyn Fn(&str, &Place) -> Option<Pattern>,
    input: &Input,
    identity: &mut Vec<String>,
) -> Option<Pattern> {
    let said: Vec<_> = BODIES.into_iter().filter_map(|key| Some((key, section.own(key)?))).collect();
    match said.as_slice() {
        [] => section.text("body").map(Pattern::from),
        [("body", node)] => pattern(section.text("body")?, &node.place),
        [("body_file", node)] => {
            let file = File::read(node, "body_file", input, section.mistakes)?;
            identity.push(file.identity());
            Some(file.text.into_bytes().into())
        }
        [(_, node)] => body_of_size(section, node),
        [(first, _), (second, node), ..] => {
            let message = format!("a body is told by `{first}` or by `{second}`");
            section.mistakes.note(&node.place, message, "a second body", "leave out one of them");
            None
        }
    }
}

/// Letters, so many of them.
fn body_of_size(section: &Section<'_>, node: &Node) -> Option<Pattern> {
    let size = values::size(node, "body_size", BODY_MAX, section.mistakes)?;
    Some((b'a'..=b'z').cycle().take(size as usize).collect::<Vec<_>>().into())
}

/// Header fields; a value that would end its line is refused, and so is what frames the request.
fn headers(
    section: &Section<'_>,
    pattern: &dyn Fn(&str, &Place) -> Option<Pattern>,
) -> Option<Vec<(String, Pattern)>> {
    let node = section.node("headers")?;
    let table = section.as_table(node, "headers")?;
    let mut fields = Some(Vec::with_capacity(table.entries.len()));
    let mut seen = BTreeSet::new();
    for (key, node) in &table.entries {
        let is_again = !seen.insert(key.name.to_ascii_lowercase());
        let field = match &node.value {
            _ if is_again => {
                let message = format!("the header field `{}` stands there twice", key.name);
                section.mistakes.note(&key.place, message, "a second time", "capitals make no difference");
                None
            }
            Value::Text(value) => field_name(section, (&key.name, &key.place))
                .zip(field_value(section, &key.name, (value, &node.place)))
                .and_then(|(name, value)| Some((name, pattern(value, &node.place)?))),
            _ => section.wrong_kind(node, &key.name, "a string"),
        };
        fields = fields.zip(field).map(|(mut fields, field)| {
            fields.push(field);
            fields
        });
    }
    fields
}

/// The name of a header field that a scenario may set.
pub(super) fn field_name(section: &Section<'_>, (name, place): (&str, &Place)) -> Option<String> {
    let note = |message: &str, label: &str, help: String| {
        section.mistakes.note(place, format!("`{name}` {message}"), label, help);
    };
    if OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        let help = format!("leave out {}", words::quoted(&OWN_FIELDS));
        note("is written by the load generator", "not yours to set", help);
        return None;
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        let help = "use letters, digits and `-`".into();
        note("is not the name of a header field", "cannot be sent", help);
        return None;
    }
    Some(name.to_owned())
}

fn field_value<'a>(section: &Section<'_>, name: &str, (value, place): (&'a str, &Place)) -> Option<&'a str> {
    if value.bytes().all(|b| b == b'\t' || (b' '..0x7f).contains(&b)) {
        return Some(value);
    }
    let (message, label) =
        (format!("`{name}` has a value that cannot be sent"), "not the value of a header field");
    section.mistakes.note(place, message, label, "use plain ASCII without line ends");
    None
}
