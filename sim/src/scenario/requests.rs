//! `[[load.requests]]`: what is sent.

use std::collections::BTreeSet;

use super::diagnostic::Place;
use super::node::Value;
use super::reader::{Section, Shape};
use crate::load::{RequestMix, RequestTemplate, ids};
use crate::words;

const REQUEST: Shape =
    Shape { what: "a request", keys: &["method", "path", "headers", "body", "weight"], later: &[] };
const WEIGHT_MAX: i64 = 1_000_000;
/// Header fields that frame or number a request: the load generator writes them itself.
const OWN_FIELDS: [&str; 7] =
    ["content-length", "transfer-encoding", "connection", "upgrade", "expect", "trailer", ids::HEADER];

/// The mix of requests of `load`.
pub(super) fn read(load: &Section<'_>) -> Option<RequestMix> {
    let sections = load.sections("requests", &REQUEST);
    if sections.is_empty() && load.own("requests").is_none_or(|node| matches!(node.value, Value::List(_))) {
        let help = "write [[load.requests]] with method and path";
        load.mistakes.absent(load.place, "a load needs a request", "no [[load.requests]] here", help);
    }
    let templates: Vec<_> = sections.iter().map(request).collect();
    RequestMix::new(templates.into_iter().collect::<Option<Vec<_>>>()?).ok()
}

fn request(section: &Section<'_>) -> Option<RequestTemplate> {
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
    let headers = headers(section);
    let body = section.text("body");
    let weight = section.integer("weight", 1, WEIGHT_MAX);
    Some(RequestTemplate {
        method: method?.to_owned(),
        path: path?.to_owned(),
        headers: headers?,
        body: body?.as_bytes().to_vec(),
        weight: weight? as u32,
    })
}

/// Header fields; a value that would end its line is refused, and so is what frames the request.
fn headers(section: &Section<'_>) -> Option<Vec<(String, String)>> {
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
            Value::Text(value) => header(section, (&key.name, &key.place), (value, &node.place)),
            _ => section.wrong_kind(node, &key.name, "a string"),
        };
        fields = fields.zip(field).map(|(mut fields, field)| {
            fields.push(field);
            fields
        });
    }
    fields
}

fn header(
    section: &Section<'_>,
    (name, name_place): (&str, &Place),
    (value, value_place): (&str, &Place),
) -> Option<(String, String)> {
    let note = |place, message: &str, label: &str, help: String| {
        section.mistakes.note(place, format!("`{name}` {message}"), label, help);
    };
    if OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        let help = format!("leave out {}", words::quoted(&OWN_FIELDS));
        note(name_place, "is written by the load generator", "not yours to set", help);
        return None;
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        note(
            name_place,
            "is not the name of a header field",
            "cannot be sent",
            "use letters, digits and `-`".into(),
        );
        return None;
    }
    if !value.bytes().all(|b| b == b'\t' || (b' '..0x7f).contains(&b)) {
        let help = "use plain ASCII without line ends".into();
        note(value_place, "has a value that cannot be sent", "not the value of a header field", help);
        return None;
    }
    Some((name.to_owned(), value.to_owned()))
}
