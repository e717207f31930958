//! Lists a page at a time, and by tags.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::errors::{invalid_option, object};
use super::{Call, Reply};

/// Entries of a page when nothing is said.
const SIZE: usize = 100;
/// Entries of a page at most.
const SIZE_MAX: usize = 1000;

/// The part of a list that a query asks for.
#[derive(Debug)]
pub(super) struct Page {
    size: usize,
    /// The number of the last entry of the page before.
    after: Option<u32>,
    tags: Tags,
    /// What the query said of tags, to say it again in the next one.
    filter: Option<String>,
}

/// Which tags an entity must have.
#[derive(Debug)]
pub(super) enum Tags {
    /// Any.
    Any,
    /// All of these.
    All(Vec<String>),
    /// One of these.
    One(Vec<String>),
}

impl Page {
    /// What the query of `call` asks for. Other keys are ignored.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Reply> {
        let mut page = Self { size: SIZE, after: None, tags: Tags::Any, filter: None };
        for (key, value) in form_urlencoded::parse(call.query.as_bytes()) {
            match key.as_ref() {
                "size" => page.size = size(&value)?,
                "offset" => page.after = Some(offset(&value)?),
                "tags" => {
                    page.tags = Tags::parse(&value)?;
                    page.filter = Some(value.into_owned());
                }
                _ => {}
            }
        }
        Ok(page)
    }

    /// Whether an entity with these tags belongs into the list.
    pub(super) fn takes(&self, tags: &[String]) -> bool {
        match &self.tags {
            Tags::Any => true,
            Tags::All(wanted) => wanted.iter().all(|tag| tags.contains(tag)),
            Tags::One(wanted) => wanted.iter().any(|tag| tags.contains(tag)),
        }
    }

    /// The page of `items`, numbered and in ascending order, of the list at `path`.
    pub(super) fn reply(&self, path: &str, items: impl Iterator<Item = (u32, Value)>) -> Reply {
        let rest = items.skip_while(|(number, _)| self.after.is_some_and(|after| *number <= after));
        let mut numbered: Vec<_> = rest.take(self.size + 1).collect();
        let more = numbered.len() > self.size;
        numbered.truncate(self.size);
        let last = numbered.last().filter(|_| more).map(|(number, _)| STANDARD.encode(number.to_string()));
        let data: Vec<_> = numbered.into_iter().map(|(_, item)| item).collect();
        self.list(path, data, last)
    }

    /// The page of `items`, the newest first; the offset is a number.
    pub(super) fn reply_newest_first(&self, path: &str, items: Vec<(u32, Value)>) -> Reply {
        let start = self.after.map_or(0, |after| after as usize);
        let total = items.len();
        let data: Vec<_> =
            items.into_iter().rev().skip(start).take(self.size).map(|(_, item)| item).collect();
        let end = start + data.len();
        self.list(path, data, (end < total).then(|| end.to_string()))
    }

    fn list(&self, path: &str, data: Vec<Value>, offset: Option<String>) -> Reply {
        let mut body = Map::new();
        body.insert("data".to_owned(), data.into());
        let next = offset.as_ref().map(|offset| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("offset", offset);
            if let Some(filter) = &self.filter {
                query.append_pair("tags", filter);
            }
            if self.size != SIZE {
                query.append_pair("size", &self.size.to_string());
            }
            format!("{path}?{}", query.finish())
        });
        body.insert("next".to_owned(), next.into());
        if let Some(offset) = offset {
            body.insert("offset".to_owned(), offset.into());
        }
        Reply::json(200, &Value::Object(body))
    }
}

impl Tags {
    fn parse(text: &str) -> Result<Self, Reply> {
        let split = |by| text.split(by).map(str::to_owned).collect::<Vec<_>>();
        match (text.contains(','), text.contains('/')) {
            _ if text.is_empty() => Err(invalid_option("tags", "cannot be null")),
            (true, true) => Err(invalid_option("tags", "invalid filter syntax")),
            (_, false) => Ok(Self::All(split(','))),
            (false, true) => Ok(Self::One(split('/'))),
        }
    }
}

fn size(text: &str) -> Result<usize, Reply> {
    let invalid = |message: &str| object(400, 9, "invalid size", message, &json!({ "size": message }));
    let size: usize = text.parse().map_err(|_| invalid("size must be a number"))?;
    if (1..=SIZE_MAX).contains(&size) {
        Ok(size)
    } else {
        Err(invalid(&format!("size must be an integer between 1 and {SIZE_MAX}")))
    }
}

/// A number, or one in base64.
fn offset(text: &str) -> Result<u32, Reply> {
    let decoded = || STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    text.parse().ok().or_else(decoded).ok_or_else(|| {
        let message = format!("'{text}' is not a valid offset: bad base64 encoding");
        object(400, 7, "invalid offset", &message, &json!({ "offset": message }))
    })
}
