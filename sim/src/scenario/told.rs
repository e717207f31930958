//! `header` or `cookie`, and `values`: by what requests are told apart.

use gateway_core::entity::compile_header;

use super::reader::Section;
use super::requests::field_name;
use crate::rollout::Field;

/// What it says, if anything does; `yes` is the value where none is said.
pub(super) fn read(section: &Section<'_>) -> Option<(Field, Vec<String>)> {
    let field = field(section)?;
    let values = section.texts("values");
    let values = if values.is_empty() { vec!["yes".to_owned()] } else { values };
    match (&field, values.as_slice()) {
        (Field::Cookie(_), values) => values.iter().for_each(|value| check_value(section, value)),
        (Field::Header(_), [value]) => check_regex(section, value),
        (Field::Header(_), _) => {}
    }
    Some((field, values))
}

/// A single value of a header field that begins with `~*` is a regex, as in Kong; a Route with one that is none would be refused.
fn check_regex(section: &Section<'_>, value: &str) {
    if let Some(Err(why)) = value.strip_prefix("~*").map(compile_header) {
        let help = "write a regex behind `~*`, as in the `headers` of a Route of Kong's";
        section.mistakes.note(section.place_of("values"), format!("`{value}` is no regex"), why, help);
    }
}

/// The header field or the cookie.
fn field(section: &Section<'_>) -> Option<Field> {
    let (header, cookie) = (section.own("header"), section.own("cookie"));
    if let (Some(_), Some(cookie)) = (header, cookie) {
        let message = "requests are told apart by a header field or by a cookie";
        section.mistakes.note(&cookie.place, message, "a second one", "leave out one of the two");
        return None;
    }
    match cookie {
        Some(_) => cookie_name(section, "cookie").map(Field::Cookie),
        None => header.and_then(|_| section.text("header")).map(|name| Field::Header(name.to_owned())),
    }
}

/// The name of a cookie at `key`.
pub(super) fn cookie_name(section: &Section<'_>, key: &str) -> Option<String> {
    let name = section.text(key)?;
    field_name(section, (name, section.place_of(key)))
}

/// A value that no cookie can have would be waited for in vain.
fn check_value(section: &Section<'_>, value: &str) {
    let is_octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    if value.is_empty() || !value.bytes().all(is_octet) {
        let message = format!("`{value}` is not the value of a cookie");
        let help = "use visible ASCII without quotes, commas, semicolons and backslashes";
        section.mistakes.note(section.place_of("values"), message, "no browser sends this", help);
    }
}
