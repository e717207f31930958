//! Entities as Kong's JSON: which fields each kind has, of which type and with which default, in one table for each kind.
//! The Admin API, decK files and `/schemas` all go by these tables, so they cannot disagree. Rules that the entities know
//! of themselves stay with the entities; what a change may do is `config`'s.

mod beyond;
mod describe;
mod healthchecks;
mod read;
mod route;
mod row;
mod service;
mod target;
mod tuning;
mod upstream;

pub use describe::describe;
pub use read::{complete, infer, merge};
pub use row::Row;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::config::{Change, Config};
use crate::entity::FieldError;
use crate::rng;

/// One field of an entity or of a record within one.
#[derive(Debug)]
pub struct Field {
    /// As Kong writes it.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// What stands there when nothing is said.
    pub default: Default,
    /// Whether null is refused. A field that is required and has a default may be left out.
    pub required: bool,
}

/// What may stand in a field.
#[derive(Debug)]
pub enum Kind {
    /// A string, not empty.
    Text,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// A UUID.
    Id,
    /// A whole number within this range.
    Integer(i64, i64),
    /// One of these numbers.
    OneOf(&'static [i64]),
    /// A number within this range.
    Number(f64, f64),
    /// `true` or `false`.
    Boolean,
    /// Several values, in order.
    List(&'static Kind),
    /// Several different values.
    Set(&'static Kind),
    /// Values by name.
    Map(&'static Kind),
    /// Fields of their own.
    Record(&'static [Field]),
    /// An entity of the kind with this plural, by `id` or `name`.
    Reference(&'static str),
}

/// What stands in a field when nothing is said.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// null.
    Null,
    /// This string.
    Text(&'static str),
    /// This number.
    Integer(i64),
    /// This flag.
    Boolean(bool),
    /// These strings.
    Texts(&'static [&'static str]),
    /// These numbers.
    Integers(&'static [i64]),
    /// What the record's own fields say.
    Record,
}

impl Field {
    /// A field without a default that may be null.
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, default: Default::Null, required: false }
    }

    /// The same, with a default.
    const fn or(self, default: Default) -> Self {
        let Self { name, kind, required, .. } = self;
        // Nothing of `kind` is dropped: it is moved out above.
        Self { name, kind, default, required }
    }

    /// The same, never null.
    const fn required(self) -> Self {
        let Self { name, kind, default, .. } = self;
        Self { name, kind, default, required: true }
    }
}

const ID: Field = Field::new("id", Kind::Id);
const NAME: Field = Field::new("name", Kind::Text);
const TAGS: Field = Field::new("tags", Kind::Set(&Kind::Text));
const CREATED_AT: Field = Field::new("created_at", Kind::Integer(0, i64::MAX));
const UPDATED_AT: Field = Field::new("updated_at", Kind::Integer(0, i64::MAX));
/// Several strings.
const TEXTS: Kind = Kind::List(&Kind::Text);

/// A kind of entity, as JSON.
pub trait Entity: Sized + Clone + 'static {
    /// Its id inside the machine.
    type Id: Copy + Ord;
    /// Its plural, as in paths: `services`.
    const PLURAL: &'static str;
    /// Its fields.
    const FIELDS: &'static [Field];

    /// What is done to fields as they were given, before anything is checked: shorthands are written out (a Service's
    /// `url`), fields that go together brought together.
    fn prepare(_: &mut Map<String, Value>) {}

    /// The entity that `row` describes, and what is wrong with it. `old` is the one in whose place it comes.
    fn from_row(row: Row<'_>, stamp: &Stamp, config: &Config) -> (Self, Vec<FieldError>);

    /// All its fields, those that are not set as null.
    fn to_json(&self, config: &Config) -> Map<String, Value>;

    /// The change that adds it.
    fn create(self) -> Change;

    /// The change that puts it in the place of `id`.
    fn update(self, id: Self::Id) -> Change;

    /// The change that takes `id` out.
    fn delete(id: Self::Id) -> Change;

    /// The entity with this id.
    fn get(config: &Config, id: Self::Id) -> Option<&Self>;

    /// All of them, in order of creation.
    fn all(config: &Config) -> impl Iterator<Item = (Self::Id, &Self)>;

    /// The one with this UUID or name.
    fn find<'a>(config: &'a Config, name_or_uuid: &str) -> Option<(Self::Id, &'a Self)>;

    /// Kong's id.
    fn uuid(&self) -> Uuid;

    /// Free words.
    fn tags(&self) -> &[String];
}

/// How a kind of entity is reached in a configuration, and changed: the same for all but for the names.
macro_rules! reach {
    ($id:ident: $create:ident, $update:ident, $delete:ident, $get:ident, $all:ident, $find:expr) => {
        fn create(self) -> Change {
            Change::$create(self)
        }
        fn update(self, id: $id) -> Change {
            Change::$update(id, self)
        }
        fn delete(id: $id) -> Change {
            Change::$delete(id)
        }
        fn get(config: &Config, id: $id) -> Option<&Self> {
            config.$get(id)
        }
        fn all(config: &Config) -> impl Iterator<Item = ($id, &Self)> {
            config.$all()
        }
        fn find<'a>(config: &'a Config, name_or_uuid: &str) -> Option<($id, &'a Self)> {
            let find: fn(&'a Config, &str) -> Option<($id, &'a Self)> = $find;
            find(config, name_or_uuid)
        }
        fn uuid(&self) -> Uuid {
            self.uuid
        }
        fn tags(&self) -> &[String] {
            &self.tags
        }
    };
}
use reach;

/// What a new entity gets that its description does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// An id that nobody has.
    pub id: Uuid,
}

impl Stamp {
    /// Number `count` of those drawn from `seed`.
    pub fn drawn(seed: u64, count: u64, now_ms: u64) -> Self {
        let draw = |name| rng::draw(seed, rng::fnv1a(name), count);
        let bits = u128::from(draw("high")) << 64 | u128::from(draw("low"));
        Self { now_ms, id: uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid() }
    }
}

/// The entity that `fields` describe, once they are prepared.
///
/// # Errors
/// All that is wrong with them.
pub fn read<E: Entity>(
    fields: &Map<String, Value>,
    stamp: &Stamp,
    config: &Config,
) -> Result<E, Vec<FieldError>> {
    let mut errors = Vec::new();
    let complete = complete(E::FIELDS, fields, &mut errors);
    let (entity, found) = E::from_row(Row::new(&complete), stamp, config);
    for error in found {
        // What is of the wrong type was stood in for, so rules about it mean nothing.
        if errors.iter().all(|known| !is_within(&error.field, &known.field)) {
            errors.push(error);
        }
    }
    if errors.is_empty() { Ok(entity) } else { Err(errors) }
}

/// Whether `field` is `other` or a part of it.
fn is_within(field: &str, other: &str) -> bool {
    field.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The fields of the kind with this plural; `None` when there is no such kind.
pub fn fields_of(plural: &str) -> Option<&'static [Field]> {
    use crate::entity::{Route, Service, Target, Upstream};
    match plural {
        Service::PLURAL => Some(Service::FIELDS),
        Route::PLURAL => Some(Route::FIELDS),
        Upstream::PLURAL => Some(Upstream::FIELDS),
        Target::PLURAL => Some(Target::FIELDS),
        _ => None,
    }
}

/// `tags` as Kong shows them: null when there are none.
fn tags_json(tags: &[String]) -> Value {
    if tags.is_empty() { Value::Null } else { tags.into() }
}

/// Kong's rule for tags: printable ASCII without `,` and `/`, or anything beyond ASCII.
fn tag_errors(tags: &[String]) -> impl Iterator<Item = FieldError> {
    let bad = |tag: &&String| tag.chars().any(|c| c.is_ascii_control() || matches!(c, ',' | '/'));
    tags.iter().filter(bad).map(|tag| {
        let rule = "expected printable ascii (except `,` and `/`) or valid utf-8 sequences";
        FieldError::new("tags", format!("invalid tag '{tag}': {rule}"))
    })
}
