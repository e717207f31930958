//! `[[upstreams]]` and their targets, one by one or many by number.

use gateway_core::entity::{Address, Target, Upstream};
use gateway_core::id::UpstreamId;
use gateway_core::schema::{Entity as _, Stamp};
use gateway_core::weight::Weight;

use super::diagnostic::Place;
use super::entity;
use super::gateway::{Entities, Named};
use super::lints::Subject;
use super::node::Value;
use super::reader::{Section, Shape};
use crate::words;

pub(super) const SHAPE: Shape = Shape {
    what: "an Upstream",
    keys: &entity::keys::<{ Upstream::FIELDS.len() + 1 }>(Upstream::FIELDS, &["targets"]),
    later: &[],
};
pub(super) const TARGET: Shape =
    Shape { what: "a target", keys: &["target", "weight", "tags"], later: &["failover"] };
pub(super) const MANY: Shape =
    Shape { what: "many targets", keys: &["count", "name", "weight", "tags"], later: &[] };
/// Targets that one `{ count, name }` makes.
const COUNT_MAX: i64 = 10_000;
/// Targets of one scenario that `{ count, name }` may make: each is a listener of its own in a live run.
const TARGETS_MAX: usize = 50_000;

/// Reads one and adds it.
pub(super) fn read<'a>(section: &Section<'a>, entities: &mut Entities<'a>) {
    let name = section.required_text("name", "blue").unwrap_or("unnamed");
    let mut fields = entity::json::<Upstream>(section, &[]);
    fields.entry("name").or_insert_with(|| name.into());
    let stamp = Stamp { now_ms: 0, id: Upstream::new(name).uuid };
    let Some(id) = entity::add::<Upstream>(section, "an Upstream", fields, &stamp, &mut entities.config)
    else {
        entities.targets_are_all = false;
        return;
    };
    entities.sections.push((Subject::Upstream(id), section.table, section.place));
    let mut members = Members { id, name, entities };
    let are_all = match section.own("targets").map(|node| (node, &node.value)) {
        None => true,
        // Each is read, whatever became of those before it.
        Some((_, Value::List(items))) => items.iter().fold(true, |are_all, item| {
            let target = section.inline("targets", item, &TARGET);
            target.is_some_and(|target| members.add_one(&target)) && are_all
        }),
        Some((node, Value::Table(_))) => {
            section.inline("targets", node, &MANY).is_some_and(|many| members.add_many(&many))
        }
        Some((node, _)) => section.wrong_kind::<()>(node, "targets", "a list of targets").is_some(),
    };
    entities.targets_are_all &= are_all;
}

/// The Upstream whose targets are being read.
struct Members<'e, 'a> {
    id: UpstreamId,
    name: &'a str,
    entities: &'e mut Entities<'a>,
}

impl<'a> Members<'_, 'a> {
    fn add_one(&mut self, section: &Section<'a>) -> bool {
        let weight = weight(section);
        let Some(target) = section.required_text("target", "httpbin.org:80") else { return false };
        self.add(section, target, section.place_of("target"), weight, section.texts("tags"))
    }

    /// `{ count = 3, name = "blue-{i}:80" }`: blue-1, blue-2, blue-3.
    fn add_many(&mut self, section: &Section<'a>) -> bool {
        let count = section.required("count", "3").and_then(|_| section.integer("count", 1, COUNT_MAX));
        let (name, weight) = (section.required_text("name", "blue-{i}:80"), weight(section));
        let tags = section.texts("tags");
        let (Some(count), Some(name)) = (count, name) else { return false };
        let place = section.place_of("name");
        if !name.contains("{i}") && count > 1 {
            let help = "write \"blue-{i}:80\"; {i} counts from 1";
            section.mistakes.note(place, "many targets need many names", "no `{i}` here", help);
            return false;
        }
        if self.entities.targets.len() + count as usize > TARGETS_MAX {
            let (message, most) = ("a scenario has too many targets", words::count(TARGETS_MAX as u64));
            section.mistakes.note(
                section.place,
                message,
                format!("more than {most} with these"),
                "lower `count`",
            );
            return false;
        }
        // The first that cannot be speaks for all.
        (1..=count)
            .all(|i| self.add(section, &name.replace("{i}", &i.to_string()), place, weight, tags.clone()))
    }

    /// Adds a target, or notes why not; whether it was added.
    fn add(
        &mut self,
        section: &Section<'a>,
        target: &str,
        place: &'a Place,
        weight: Weight,
        tags: Vec<String>,
    ) -> bool {
        let Ok(address) = Address::parse(target) else {
            let (message, help) =
                ("a target is a host name or address with a port", "write \"httpbin.org:80\"");
            section.mistakes.note(place, message, "not a target", help);
            return false;
        };
        let name = address.to_string();
        let entity = Target { tags, ..Target::new(self.id, address, weight) };
        if self.entities.config.add_target(entity).is_err() {
            let label = format!("a second time in `{}`", self.name);
            section.mistakes.note(
                place,
                format!("target `{name}` is listed twice"),
                label,
                "give it one weight",
            );
            return false;
        }
        let (upstream, weight) = (self.id, weight.get().into());
        let upstream_name = self.name.to_owned();
        self.entities.targets.push(Named { name, upstream, upstream_name, weight, place });
        true
    }
}

/// The weight; Kong's default stands in for one that is noted as a mistake.
fn weight(section: &Section<'_>) -> Weight {
    section.integer("weight", 0, u16::MAX.into()).map_or(Weight::DEFAULT, |weight| Weight::new(weight as u16))
}
