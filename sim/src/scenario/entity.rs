//! Services, Routes and Upstreams by the tables of fields that `gateway_core::schema` has: a table of the scenario becomes
//! Kong's JSON, and the entity is read from that. What stands where it should not is noted in our words and left out; rules
//! that only the entity knows are told in Kong's, at the key they are about. Targets are `upstreams`' own.

use gateway_core::config::{Config, ConfigError};
use gateway_core::entity::FieldError;
use gateway_core::schema::{self, Entity, Field, Kind, Stamp};
use serde_json::{Map, Value as Json};

use super::mistakes::Mistakes;
use super::node::{Key, Node, Table, Value};
use super::reader::{self, Section};
use super::values;

type Fields = Map<String, Json>;

/// What an entity's errors call a rule about several fields.
const ENTITY: &str = "@entity";

/// The names of the fields of a table, and `more`: the keys of a section.
pub(super) const fn keys<const N: usize>(
    fields: &[Field],
    more: &'static [&'static str],
) -> [&'static str; N] {
    assert!(fields.len() + more.len() == N, "room for each name");
    let mut names = [""; N];
    let mut i = 0;
    while i < N {
        names[i] = if i < fields.len() { fields[i].name } else { more[i - fields.len()] };
        i += 1;
    }
    names
}

/// The section as Kong's JSON, as far as its values are of their kinds. Keys that are no fields, and those in `apart`, are
/// the caller's.
pub(super) fn json<E: Entity>(section: &Section<'_>, apart: &[&str]) -> Fields {
    let entries = section.entries().iter().filter(|(key, _)| !apart.contains(&key.name.as_str()));
    record(E::FIELDS, entries, section.mistakes)
}

/// Adds the entity that `fields` describe; `kind` is what it is called, with its article. The id is made from its name
/// unless the file has one. Rules that are broken are noted where they are.
pub(super) fn add<E: Entity>(
    section: &Section<'_>,
    kind: &str,
    mut fields: Fields,
    stamp: &Stamp,
    config: &mut Config,
) -> Option<E::Id> {
    let is_left_out =
        |key: &Key| E::FIELDS.iter().any(|field| field.name == key.name) && !fields.contains_key(&key.name);
    let is_whole = !section.entries().iter().any(|(key, _)| is_left_out(key));
    E::prepare(&mut fields);
    let entity: E = match schema::read(&fields, stamp, config) {
        Ok(entity) => entity,
        Err(errors) => {
            // A rule about several fields means nothing while one of them is a mistake of its own.
            let told: Vec<_> = errors.into_iter().filter(|error| is_whole || error.field != ENTITY).collect();
            broken(section, kind, &told);
            return None;
        }
    };
    let uuid = entity.uuid().to_string();
    match config.change(entity.create()) {
        Ok(()) => E::find(config, &uuid).map(|(id, _)| id),
        Err(error) => {
            refused(section, kind, &error);
            None
        }
    }
}

// === From TOML to JSON ===

fn record<'a>(
    fields: &[Field],
    entries: impl Iterator<Item = &'a (Key, Node)>,
    mistakes: &Mistakes,
) -> Fields {
    let read = entries.filter_map(|(key, node)| {
        let field = fields.iter().find(|field| field.name == key.name)?;
        Some((key.name.clone(), value(&field.kind, node, &key.name, mistakes)?))
    });
    read.collect()
}

/// The value of `name` as its kind has it.
fn value(kind: &Kind, node: &Node, name: &str, mistakes: &Mistakes) -> Option<Json> {
    match kind {
        Kind::Text | Kind::Id => values::text(node, name, mistakes).map(Json::from),
        Kind::Word(words) => values::one_of(node, name, words, &[], mistakes).map(Json::from),
        Kind::Integer(least, most) => match (&node.value, millis_per_unit(name)) {
            (Value::Text(_), Some(unit)) => {
                let time = values::duration(node, name, mistakes)?.as_millis() as u64;
                let units = i64::try_from(time / unit).unwrap_or(i64::MAX);
                values::in_range(units, node, name, (*least, *most), mistakes).map(Json::from)
            }
            _ => values::integer(node, name, *least, *most, mistakes).map(Json::from),
        },
        Kind::OneOf(_) => values::integer(node, name, 0, i64::MAX, mistakes).map(Json::from),
        Kind::Number(least, most) => match (&node.value, millis_per_unit(name)) {
            (Value::Text(_), Some(unit)) => {
                let time = values::duration(node, name, mistakes)?;
                Some(Json::from(time.as_secs_f64() * 1000.0 / unit as f64))
            }
            _ => values::number(node, name, *least, *most, mistakes).map(Json::from),
        },
        Kind::Boolean => values::boolean(node, name, mistakes).map(Json::from),
        Kind::List(of) | Kind::Set(of) => {
            let items = values::list(node, name, mistakes)?.iter();
            // Errors name places by number, so a list with a gap in it would tell the wrong ones.
            items.map(|item| value(of, item, name, mistakes)).collect()
        }
        Kind::Map(of) => {
            let entries = values::table(node, name, mistakes)?.entries.iter();
            entries
                .map(|(key, node)| Some((key.name.clone(), value(of, node, &key.name, mistakes)?)))
                .collect()
        }
        Kind::Record(fields) => {
            let table = values::table(node, name, mistakes)?;
            let names: Vec<_> = fields.iter().map(|field| field.name).collect();
            for (key, _) in table.entries.iter().filter(|(key, _)| !names.contains(&key.name.as_str())) {
                reader::unknown(key, &format!("`{name}`"), &names, mistakes);
            }
            Some(record(fields, table.entries.iter(), mistakes).into())
        }
        Kind::Reference(_) => {
            let link = values::table(node, name, mistakes)?.to_toml();
            serde_json::to_value(link).ok()
        }
    }
}

/// What one of a field's units is in milliseconds, for fields that hold a time: these may be written `"60s"` too.
fn millis_per_unit(name: &str) -> Option<u64> {
    match name {
        "connect_timeout" | "write_timeout" | "read_timeout" => Some(1),
        "interval" | "timeout" | "base_ejection_time" | "max_ejection_time" => Some(1000),
        _ => None,
    }
}

// === What entities say ===

/// Notes each rule that is broken where it is.
fn broken(section: &Section<'_>, kind: &str, errors: &[FieldError]) {
    // A condition is told by what it asks for, when that is told beside it.
    let is_condition = |error: &FieldError| error.message.starts_with("failed conditional validation");
    let is_alone = errors.iter().all(is_condition);
    for error in errors.iter().filter(|error| is_alone || !is_condition(error)) {
        let message = match error.field.as_str() {
            ENTITY => format!("{kind} breaks a rule"),
            field => format!("`{field}` breaks a rule for {kind}"),
        };
        let help = format!("Kong says: {}", error.message);
        let shorthand = || section.own("url").filter(|_| error.field != ENTITY);
        match find(section.table, &error.field).or_else(shorthand) {
            Some(node) => section.mistakes.note(&node.place, message, "not accepted", help),
            None => section.mistakes.absent(section.place, message, "not accepted", help),
        }
    }
}

/// Notes why an entity that breaks no rule of its own cannot be added.
pub(super) fn refused(section: &Section<'_>, kind: &str, error: &ConfigError) {
    match error {
        ConfigError::Schema(errors) => broken(section, kind, errors),
        ConfigError::Unique { field, value } => {
            let label = format!("`{value}` a second time");
            let noun = kind.split_once(' ').map_or(kind, |(_, noun)| noun);
            let message = format!("two {noun}s are called `{value}`");
            section.mistakes.note(section.place_of(field), message, label, "give each a name of its own");
        }
        ConfigError::Missing { .. } | ConfigError::Referenced { .. } => {
            section.mistakes.note(section.place, error.to_string(), "", "");
        }
    }
}

/// The node at `healthchecks.active.healthy.interval` or `paths[1]`, or the nearest one around it that is there.
pub(super) fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Node> {
    let mut steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    let mut node = table.get(steps.next()?)?;
    for step in steps {
        let next = match &node.value {
            Value::Table(table) => table.get(step),
            Value::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        let Some(next) = next else { break };
        node = next;
    }
    Some(node)
}

#[cfg(test)]
mod tests {
    use gateway_core::entity::{Route, Service, Upstream};

    use super::super::{Input, defaults, read, render};
    use super::*;
    use crate::plan::Plan;

    const BLUE_GREEN: &str = include_str!("../../../scenarios/blue_green.toml");

    /// The shipped scenario with more keys in each section.
    fn with(service: &str, route: &str, upstream: &str) -> Input {
        let text = BLUE_GREEN
            .replacen("host = \"blue\"\n", &format!("host = \"blue\"\n{service}\n"), 1)
            .replacen("paths   = [\"/anything\"]\n", &format!("paths = [\"/anything\"]\n{route}\n"), 1)
            .replacen("name    = \"blue\"\n", &format!("name = \"blue\"\n{upstream}\n"), 1);
        Input { path: "scenario.toml".into(), text, ..Input::default() }
    }

    fn told(input: &Input) -> String {
        render(&read(input).err().unwrap_or_default(), input, false)
    }

    fn json_of<E: Entity>(plan: &Plan, name: &str) -> Json {
        let config = &plan.gateway.config;
        E::find(config, name).unwrap().1.to_json(config).into()
    }

    #[test]
    fn every_field_of_an_entity_is_read() {
        let input = with(
            "protocol = \"https\"\nport = 8443\npath = \"/v1\"\nread_timeout = \"1m30s\"\nwrite_timeout = 5\n\
             tls_verify = true\ntags = [\"a\"]",
            "protocols = [\"http\"]\nhosts = [\"*.example.com:8000\"]\nmethods = [\"GET\"]\nregex_priority = 7\n\
             headers = { x-canary = [\"~*on\"] }\npath_handling = \"v1\"\nstrip_path = false",
            "hash_fallback = \"none\"\nslots = 100\nhost_header = \"a.b\"\n\
             healthchecks.active.healthy = { interval = \"500ms\", successes = 2 }\n\
             healthchecks.active.unhealthy.interval = 3\nhealthchecks.threshold = 12.5\n\
             outlier_detection = { base_ejection_time = \"10s\" }",
        );
        assert_eq!(told(&input), "");
        let plan = read(&input).unwrap();
        let service = json_of::<Service>(&plan, "example-service");
        assert_eq!((&service["protocol"], &service["port"]), (&"https".into(), &8443.into()));
        assert_eq!((&service["read_timeout"], &service["write_timeout"]), (&90_000.into(), &5.into()));
        let route = json_of::<Route>(&plan, "example-route");
        assert_eq!(route["headers"]["x-canary"][0], "~*on");
        assert_eq!((&route["regex_priority"], &route["path_handling"]), (&7.into(), &"v1".into()));
        let blue = json_of::<Upstream>(&plan, "blue");
        let active = &blue["healthchecks"]["active"];
        assert_eq!(
            (&active["healthy"]["interval"], &active["unhealthy"]["interval"]),
            (&0.5.into(), &3.into())
        );
        assert_eq!(blue["outlier_detection"]["base_ejection_time"], 10);
        assert_eq!((&blue["slots"], &blue["healthchecks"]["threshold"]), (&100.into(), &12.5.into()));
    }

    #[test]
    fn a_url_stands_for_four_fields() {
        let text = BLUE_GREEN.replacen("host = \"blue\"\n", "url = \"http://green:81/v1\"\n", 1);
        let plan = read(&Input { text, ..Input::default() }).unwrap();
        let service = json_of::<Service>(&plan, "example-service");
        assert_eq!(
            (&service["host"], &service["port"], &service["path"]),
            (&"green".into(), &81.into(), &"/v1".into())
        );
        for (url, said) in [
            ("gren", "a url begins with a protocol"),
            ("http://gren/", "a host names nothing that could answer"),
            ("http://blue:x/", "`port` breaks a rule for a Service"),
        ] {
            let text = BLUE_GREEN.replacen("host = \"blue\"\n", &format!("url = \"{url}\"\n"), 1);
            let found = read(&Input { text, ..Input::default() }).unwrap_err();
            assert_eq!(found.iter().map(|mistake| mistake.message.as_str()).collect::<Vec<_>>(), [said]);
            assert_eq!(found[0].place.span.len(), url.len() + 2, "at the url");
        }
    }

    // Aim: a mistake within a record is told at its own key, in the words that its kind has anywhere else.
    #[test]
    fn mistakes_in_nested_places_are_told_where_they_are() {
        let input = with(
            "read_timeout = \"0s\"",
            "headers = { host = [\"a\"] }\nmethods = [\"GET\", 7]",
            "host_header = \"a:x\"\nhealthchecks.active.healthy = { intervall = 1, successes = 300 }\n\
             healthchecks.active.unhealthy.interval = -1\nhealthchecks.passive.type = \"htp\"",
        );
        insta::assert_snapshot!("nested", told(&input));
    }

    #[test]
    fn keys_and_defaults_agree_with_the_tables() {
        let none = &Map::new();
        for (section, fields) in
            [("services", Service::FIELDS), ("routes", Route::FIELDS), ("upstreams", Upstream::FIELDS)]
        {
            let defaults = defaults();
            let Value::List(entries) = &defaults.get(section).unwrap().value else { panic!("{section}") };
            let Value::Table(table) = &entries[0].value else { panic!("{section} has an entry") };
            let kongs = schema::complete(fields, none, &mut Vec::new());
            for (key, node) in table.entries.iter().filter(|(key, _)| key.name != "targets") {
                let kong = match &kongs[&key.name] {
                    Json::Null => Json::from(Vec::<Json>::new()),
                    value => value.clone(),
                };
                assert_eq!(serde_json::to_value(node.to_toml()).unwrap(), kong, "{section}.{}", key.name);
            }
        }
        assert_eq!(keys::<2>(&Service::FIELDS[..1], &["url"]), ["id", "url"]);
    }
}
