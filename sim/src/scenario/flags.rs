//! Mocks by flags: what a key of `[[mocks]]` would mean, where `{ a = "b" }` is written `a=b`.

use super::behaviour;
use super::diagnostic::{Diagnostic, Place};
use super::latency;
use super::mistakes::Mistakes;
use super::mocks::{self, SHAPE};
use super::node::{Key, Node, Table, Value};
use super::reader::{EMPTY, Section};
use crate::mock::{Errors, Latency, Respond};

/// The latency that a flag gives: `5ms`, `p50=4ms,p99=20ms`.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn latency_of(flag: &str) -> Result<Latency, String> {
    of_flag("latency", flag, word, latency::latency)
}

/// The answer form that a flag gives: `anything`, `echo`, `bytes=1024`.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn respond_of(flag: &str) -> Result<Respond, String> {
    of_flag("respond", flag, word, mocks::respond)
}

/// The version that a flag gives.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn version_of(flag: &str) -> Result<String, String> {
    of_flag("version", flag, word, mocks::version)
}

/// The errors that a flag gives: `0.04`, `share=0.04,status=503`.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn errors_of(flag: &str) -> Result<Errors, String> {
    of_flag("errors", flag, number, behaviour::errors)
}

/// The capacity that a flag gives.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn capacity_of(flag: &str) -> Result<usize, String> {
    of_flag("capacity", flag, number, behaviour::capacity)
}

/// The waiting places that a flag gives.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn queue_of(flag: &str) -> Result<usize, String> {
    of_flag("queue", flag, number, behaviour::queue)
}

fn word(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A number where it is one.
fn number(text: &str) -> Value {
    let float = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float);
    text.parse().ok().map(Value::Integer).or_else(float).unwrap_or_else(|| word(text))
}

/// What `key` would mean in a scenario; `bare` reads a flag without a `=`.
fn of_flag<T>(
    key: &str,
    flag: &str,
    bare: fn(&str) -> Value,
    read: impl Fn(&Section<'_>, &Node) -> Option<T>,
) -> Result<T, String> {
    let place = Place::set(0, 0..flag.len());
    let node = |value| Node { value, place: place.clone() };
    let named = |name: &str| Key { name: name.trim().to_owned(), place: place.clone() };
    let pairs = flag.split(',').map(|part| part.split_once('=').unwrap_or((part, "")));
    let value = if flag.contains('=') {
        let entries = pairs.map(|(name, value)| (named(name), node(number(value.trim())))).collect();
        Value::Table(Table { entries })
    } else {
        bare(flag)
    };
    let table = Table { entries: vec![(named(key), node(value))] };
    let mistakes = Mistakes::default();
    let read = {
        let section = Section::whole(&table, &EMPTY, &place, &SHAPE, &mistakes);
        section.own(key).and_then(|node| read(&section, node))
    };
    let told: Vec<_> = mistakes.in_order().0.iter().map(Diagnostic::to_string).collect();
    read.filter(|_| told.is_empty()).ok_or_else(|| told.join("; "))
}
