//! Files that a scenario names. `[gateway] config`: the entities come from decK files instead of sections. What is wrong
//! with them is told at that key, with the name of the file; targets stand there too, for whoever has something to say about
//! them.

use std::cell::RefCell;
use std::path::Path;

use gateway_core::config::Config;
use gateway_core::deck::Text;
use sha2::{Digest as _, Sha256};

use super::deck::read_deck;
use super::diagnostic::Place;
use super::gateway::{Entities, Named, Names};
use super::mistakes::Mistakes;
use super::node::{Node, Value};
use super::reader::Section;
use super::services::PROTOCOLS;
use super::values::text;
use super::{Input, hex};
use crate::words;

/// A file that a scenario is made of.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// As the scenario names it.
    pub(super) name: String,
    pub(super) text: String,
}

impl File {
    /// The file that `node`, the value of `key`, names; paths begin at the scenario's folder.
    pub(super) fn read(node: &Node, key: &str, input: &Input, mistakes: &Mistakes) -> Option<Self> {
        let name = text(node, key, mistakes)?;
        let folder = Path::new(&input.path).parent().unwrap_or(Path::new(""));
        match (input.surroundings.file)(&folder.join(name)) {
            Ok(text) => Some(Self { name: name.to_owned(), text }),
            Err(why) => {
                let help = "paths begin at the scenario's folder";
                mistakes.note(&node.place, why, "not a file that can be read", help);
                None
            }
        }
    }

    /// Its name and the hash of its text, as the resolved scenario has them.
    pub(super) fn identity(&self) -> String {
        format!("{}: sha256 {}", words::plain(&self.name), hex(&Sha256::digest(&self.text)))
    }
}

/// The entities of the files that `node`, the value of `config`, names.
pub(super) fn entities<'a>(section: &Section<'a>, node: &'a Node, input: &Input) -> Entities<'a> {
    let mut entities = Entities::default();
    let Some(files) = files(section, node, input) else {
        entities.targets_are_all = false;
        return entities;
    };
    let asked = RefCell::new(Sha256::new());
    let variable = |name: &str| {
        let value = (input.surroundings.variable)(name)?;
        asked.borrow_mut().update(format!("{name}={value}\n"));
        Some(value)
    };
    let texts: Vec<_> = files.iter().map(|file| Text { name: &file.name, text: &file.text }).collect();
    match read_deck(&texts, &variable, 0) {
        Ok(loaded) => {
            for warning in loaded.warnings {
                section.mistakes.warn(&node.place, warning, "in these files", "");
            }
            fill(&mut entities, section, &node.place, loaded.config);
        }
        Err(mistakes) => {
            entities.targets_are_all = false;
            for mistake in mistakes {
                section.mistakes.note(&node.place, mistake, "in this file", "");
            }
        }
    }
    entities.identity = identity(&files, asked.into_inner());
    entities
}

/// The files with their texts; `None` when one cannot be read.
fn files(section: &Section<'_>, node: &Node, input: &Input) -> Option<Vec<File>> {
    let nodes = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    // Each is read, whatever became of those before it.
    let read: Vec<_> = nodes.iter().map(|node| File::read(node, "config", input, section.mistakes)).collect();
    read.into_iter().collect()
}

/// Takes over what the files hold, as far as a rehearsal can have it.
fn fill<'a>(entities: &mut Entities<'a>, section: &Section<'a>, place: &'a Place, config: Config) {
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    entities.upstreams = Names::known("upstream", config.upstreams().map(|(_, u)| u.name.clone()));
    entities.services = Names::known("service", config.services().map(|(_, s)| named(&s.name)));
    for (_, service) in config.services() {
        let (name, host) = (named(&service.name), &service.host);
        if config.upstream_named(host).is_none() {
            let label = format!("service `{name}` leads to `{host}`, and no upstream is called so");
            let help = "a rehearsal answers for the targets of Upstreams only";
            section.mistakes.absent(place, "a host names nothing that could answer", label, help);
        }
        let word = service.protocol.as_str();
        if !PROTOCOLS.contains(&word) {
            let message = format!("{word} is not served by this gateway; use http");
            section.mistakes.note(place, message, format!("service `{name}`"), "");
        }
    }
    let targets = config.upstreams().flat_map(|(id, upstream)| {
        config.targets_of(id).map(move |(_, target)| Named {
            name: target.target.to_string(),
            upstream: id,
            upstream_name: upstream.name.clone(),
            weight: target.weight.get().into(),
            place,
        })
    });
    entities.targets = targets.collect();
    for (is_there, what) in
        [(config.services().next().is_some(), "a Service"), (config.routes().next().is_some(), "a Route")]
    {
        if !is_there {
            section.mistakes.absent(place, format!("a scenario needs {what}"), "none in these files", "");
        }
    }
    entities.config = config;
}

/// One line for each file, and one for the variables they ask for: with them, the same scenario is the same run.
fn identity(files: &[File], asked: Sha256) -> Vec<String> {
    let mut lines: Vec<_> = files.iter().map(File::identity).collect();
    let asked = asked.finalize();
    if asked != Sha256::digest("") {
        lines.push(format!("their environment variables: sha256 {}", hex(&asked)));
    }
    lines
}
