//! decK files and Kong's declarative files: YAML or JSON text to a [`Config`] and back. Which fields an entity has is
//! `schema`'s; where the text comes from, and what happens to the configuration, is the caller's.
//!
//! Read as decK does: `_format_version` 3.0 and older, Routes within Services and Targets within Upstreams or beside them,
//! `_info` with defaults and tags, `${{ env "DECK_X" }}`. An entity without an id gets one made from its name, so that a
//! file that is read again changes nothing it does not say. What this gateway does not have (plugins, consumers, ...) is
//! left out with a warning.

mod build;
mod template;
mod write;
mod yaml;

pub use write::write;

use serde_json::Value;

use crate::config::Config;
use crate::entity::FieldError;

/// The longest file that is read, in bytes.
pub const FILE_MAX: usize = 16 * 1024 * 1024;

/// A text and what it is called in messages.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// `kong.yaml`.
    pub name: &'a str,
    /// The whole of it.
    pub text: &'a str,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeckError {
    /// It is too long.
    #[error("{0}: a declarative file of more than {FILE_MAX} bytes is not read")]
    TooLong(String),
    /// A variable it names is not set, or may not be named.
    #[error("{0}")]
    Variable(String),
    /// It is not YAML, or goes beyond what is read: nesting, aliases, size.
    #[error("{0}")]
    Yaml(String),
    /// Entities break their rules: `services[0].host: required field missing`.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Fields(Vec<FieldError>),
}

/// A configuration, and what of the files has no part in it.
#[derive(Debug)]
pub struct Loaded {
    /// The entities.
    pub config: Config,
    /// One line for each kind that was left out.
    pub warnings: Vec<String>,
}

/// Reads files as one, as decK does: their lists follow each other. `variable` is asked for the environment.
///
/// # Errors
/// All broken rules at once, or the first reason why a text cannot be read at all.
pub fn read(
    texts: &[Text<'_>],
    variable: &dyn Fn(&str) -> Option<String>,
    now_ms: u64,
) -> Result<Loaded, DeckError> {
    let mut documents = Vec::with_capacity(texts.len());
    for &Text { name, text } in texts {
        if text.len() > FILE_MAX {
            return Err(DeckError::TooLong(name.to_owned()));
        }
        let text = template::fill(name, text, variable).map_err(DeckError::Variable)?;
        if text.len() > FILE_MAX {
            return Err(DeckError::TooLong(name.to_owned()));
        }
        documents.push(yaml::parse(name, &text).map_err(DeckError::Yaml)?);
    }
    build::build(documents, now_ms)
}

/// Reads the body of `POST /config`: YAML or JSON, bare or as the text or value of the key `config`, without variables.
///
/// # Errors
/// As [`read`].
pub fn read_body(text: &str, now_ms: u64) -> Result<Loaded, DeckError> {
    if text.len() > FILE_MAX {
        return Err(DeckError::TooLong("the body".to_owned()));
    }
    let parse = |text: &str| yaml::parse("config", text).map_err(DeckError::Yaml);
    let document = match parse(text)? {
        Value::Object(mut fields) if fields.contains_key("config") => match fields.remove("config") {
            Some(Value::String(text)) => parse(&text)?,
            document => document.unwrap_or_default(),
        },
        document => document,
    };
    build::build(vec![document], now_ms)
}

#[cfg(test)]
mod tests;
