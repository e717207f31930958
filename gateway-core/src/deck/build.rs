//! From the values of decK files to a configuration: defaults, tags, nesting, ids, links, all mistakes at once.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{DeckError, Loaded};
use crate::config::{Config, ConfigError};
use crate::entity::{FieldError, Route, Service, Target, Upstream};
use crate::schema::{self, Entity, Stamp};

/// Kinds that Kong has and this gateway has not: left out with a warning, at the top and within entities.
const LEFT_OUT: &[&str] = &[
    "acls",
    "basicauth_credentials",
    "ca_certificates",
    "certificates",
    "consumer_groups",
    "consumers",
    "custom_entities",
    "degraphql_routes",
    "filter_chains",
    "hmacauth_credentials",
    "jwt_secrets",
    "key_sets",
    "keyauth_credentials",
    "keys",
    "licenses",
    "mtls_auth_credentials",
    "oauth2_credentials",
    "partials",
    "plugins",
    "rbac_roles",
    "service_packages",
    "snis",
    "vaults",
];
/// Keys about the file itself that change nothing here.
const IGNORED: &[&str] = &["_transform", "_workspace", "_konnect", "_plugin_configs", "_comment", "_ignore"];
const VERSIONS: &[&str] = &["1.1", "2.1", "3.0"];

type Fields = Map<String, Value>;

/// Builds one configuration of all documents.
pub(super) fn build(documents: Vec<Value>, now_ms: u64) -> Result<Loaded, DeckError> {
    let mut builder = Builder {
        config: Config::default(),
        now_ms,
        errors: Vec::new(),
        left_out: BTreeSet::new(),
        waiting: Vec::new(),
        pending_targets: Vec::new(),
    };
    for document in documents {
        builder.document(document);
    }
    // Routes and Targets beside their Services and Upstreams may name those of another file.
    for (path, fields, old) in std::mem::take(&mut builder.waiting) {
        builder.route(&path, fields, old);
    }
    for (path, fields) in std::mem::take(&mut builder.pending_targets) {
        builder.target(&path, fields);
    }
    if !builder.errors.is_empty() {
        return Err(DeckError::Fields(builder.errors));
    }
    let warning = |kind: &String| format!("`{kind}` are left out: this gateway has none");
    let warnings = builder.left_out.iter().map(warning).collect();
    Ok(Loaded { config: builder.config, warnings })
}

struct Builder {
    config: Config,
    now_ms: u64,
    errors: Vec<FieldError>,
    left_out: BTreeSet<String>,
    /// Routes beside Services: where they stand, what they say, whether a regex is guessed.
    waiting: Vec<(String, Fields, bool)>,
    pending_targets: Vec<(String, Fields)>,
}

/// What a file says about all its entities.
struct Info {
    defaults: Fields,
    tags: Vec<Value>,
    /// Whether a path is a regex when it looks like one, as before 3.0.
    guess_regex: bool,
}

impl Builder {
    fn document(&mut self, document: Value) {
        let mut document = match document {
            Value::Null => return,
            Value::Object(fields) => fields,
            _ => return self.wrong("@entity", "expected a record"),
        };
        let info = self.info(&mut document);
        let upstreams = self.list("", "upstreams", &mut document);
        let services = self.list("", "services", &mut document);
        let routes = self.list("", "routes", &mut document);
        let targets = self.list("", "targets", &mut document);
        for (path, fields) in upstreams {
            self.upstream(&path, fields, &info);
        }
        for (path, fields) in services {
            self.service(&path, fields, &info);
        }
        for (path, fields) in routes {
            let fields = info.complete("route", fields);
            self.waiting.push((path, fields, info.guess_regex));
        }
        for (path, fields) in targets {
            self.pending_targets.push((path, info.complete("target", fields)));
        }
        self.leave_out(&mut document);
        for key in document.keys().filter(|key| !IGNORED.contains(&key.as_str())) {
            self.errors.push(FieldError::new(key, "unknown field"));
        }
    }

    /// Takes `_format_version` and `_info` out of the document.
    fn info(&mut self, document: &mut Fields) -> Info {
        let version = document.remove("_format_version");
        let word = version.as_ref().and_then(Value::as_str).filter(|version| VERSIONS.contains(version));
        match (&version, word) {
            (None, _) => self.wrong("_format_version", "required field missing"),
            (Some(Value::Number(_)), _) => {
                self.wrong("_format_version", "expected a string, such as \"3.0\"");
            }
            (Some(_), None) => {
                let message = format!("expected one of: {}", VERSIONS.join(", "));
                self.wrong("_format_version", &message);
            }
            _ => {}
        }
        let mut info = match document.remove("_info") {
            Some(Value::Object(info)) => info,
            _ => Map::new(),
        };
        let defaults = match info.remove("defaults") {
            Some(Value::Object(defaults)) => defaults,
            _ => Map::new(),
        };
        let tags = match info.remove("select_tags") {
            Some(Value::Array(tags)) => tags,
            _ => Vec::new(),
        };
        Info { defaults, tags, guess_regex: word.is_some_and(|version| version != "3.0") }
    }

    /// The entries of the list `key`, each with where it stands.
    fn list(&mut self, prefix: &str, key: &str, fields: &mut Fields) -> Vec<(String, Fields)> {
        let items = match fields.remove(key) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.wrong(&format!("{prefix}{key}"), "expected an array");
                return Vec::new();
            }
        };
        let mut list = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            let path = format!("{prefix}{key}[{i}]");
            match item {
                Value::Object(fields) => list.push((path, fields)),
                _ => self.wrong(&path, "expected a record"),
            }
        }
        list
    }

    /// Notes and drops what this gateway has none of.
    fn leave_out(&mut self, fields: &mut Fields) {
        for kind in LEFT_OUT {
            let is_some =
                fields.remove(*kind).is_some_and(|value| value.as_array().is_none_or(|v| !v.is_empty()));
            if is_some {
                self.left_out.insert((*kind).to_owned());
            }
        }
    }

    fn service(&mut self, path: &str, mut fields: Fields, info: &Info) {
        let routes = self.list(&format!("{path}."), "routes", &mut fields);
        let uuid = self.add::<Service>(path, info.complete("service", fields));
        for (path, mut fields) in routes {
            let link = json!({ "id": uuid.unwrap_or_default() });
            fields.insert("service".to_owned(), link);
            self.route(&path, info.complete("route", fields), info.guess_regex);
        }
    }

    fn upstream(&mut self, path: &str, mut fields: Fields, info: &Info) {
        let targets = self.list(&format!("{path}."), "targets", &mut fields);
        let uuid = self.add::<Upstream>(path, info.complete("upstream", fields));
        for (path, mut fields) in targets {
            fields.insert("upstream".to_owned(), json!({ "id": uuid.unwrap_or_default() }));
            self.target(&path, info.complete("target", fields));
        }
    }

    fn route(&mut self, path: &str, mut fields: Fields, guess_regex: bool) {
        if guess_regex && let Some(Value::Array(paths)) = fields.get_mut("paths") {
            for path in paths {
                if let Some(text) = path.as_str().filter(|text| looks_like_regex(text)) {
                    *path = format!("~{text}").into();
                }
            }
        }
        self.add::<Route>(path, fields);
    }

    fn target(&mut self, path: &str, fields: Fields) {
        self.add::<Target>(path, fields);
    }

    /// Adds one entity; its id, unless it breaks a rule.
    fn add<E: Entity>(&mut self, path: &str, mut fields: Fields) -> Option<Uuid> {
        self.leave_out(&mut fields);
        E::prepare(&mut fields);
        let stamp = Stamp { now_ms: self.now_ms, id: derived::<E>(path, &fields) };
        let entity: E = match schema::read(&fields, &stamp, &self.config) {
            Ok(entity) => entity,
            Err(errors) => {
                // A link to an entity that breaks a rule is not a mistake of its own.
                let own =
                    errors.into_iter().filter(|error| !error.message.contains(&Uuid::nil().to_string()));
                self.errors.extend(own.map(|error| within(path, &error)));
                return None;
            }
        };
        let uuid = entity.uuid();
        match self.config.change(entity.create()) {
            Ok(()) => Some(uuid),
            Err(ConfigError::Schema(errors)) => {
                self.errors.extend(errors.iter().map(|error| within(path, error)));
                None
            }
            Err(ConfigError::Unique { field, value }) => {
                let message = format!(
                    "uniqueness violation: '{}' entity with {field} set to '{value}' already declared",
                    E::PLURAL
                );
                self.errors.push(FieldError::new(&format!("{path}.{field}"), message));
                None
            }
            Err(error) => {
                self.errors.push(FieldError::new(path, error.to_string()));
                None
            }
        }
    }

    fn wrong(&mut self, field: &str, message: &str) {
        self.errors.push(FieldError::new(field, message));
    }
}

impl Info {
    /// `fields` over the file's defaults for its kind, with the file's tags.
    fn complete(&self, kind: &str, fields: Fields) -> Fields {
        let mut complete = match self.defaults.get(kind) {
            Some(Value::Object(defaults)) => defaults.clone(),
            _ => Map::new(),
        };
        lay_over(&mut complete, fields);
        if !self.tags.is_empty() {
            let tags = complete.entry("tags").or_insert(Value::Null);
            if tags.is_null() {
                *tags = Vec::<Value>::new().into();
            }
            if let Value::Array(tags) = tags {
                tags.extend(self.tags.iter().cloned());
            }
        }
        complete
    }
}

/// Lays `over` over `under`, records field by field.
fn lay_over(under: &mut Fields, over: Fields) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => lay_over(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Kong's guess before 3.0: whatever is not a plain path.
fn looks_like_regex(path: &str) -> bool {
    !path.starts_with('~')
        && path
            .bytes()
            .any(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'.' | b'-' | b'_' | b'~' | b'/' | b'%'))
}

/// The id of an entity that says none: made from its name, or from where it stands when it has no name.
fn derived<E: Entity>(path: &str, fields: &Fields) -> Uuid {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let owner = fields.get("upstream").map(ToString::to_string).unwrap_or_default();
    let name = text("name").or_else(|| text("target")).unwrap_or(path);
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}:{owner}{name}", E::PLURAL).as_bytes())
}

fn within(path: &str, error: &FieldError) -> FieldError {
    FieldError::new(&format!("{path}.{}", error.field), error.message.clone())
}
