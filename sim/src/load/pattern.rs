//! Text with places for what differs from request to request: `/carts/${user}/items?n=${index}`. Split once, when it is
//! read; each value has one width for a whole run, so that the bytes of a request can be prepared and only overwritten.

use std::fmt;

/// A value that a place stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// `${index}`: which request of the run, as many digits as in its id.
    Index,
    /// `${user}`: which user sends it, as many digits as the last one has.
    User,
    /// `${seed}`: the seed of the run.
    Seed,
    /// `${random}`: 16 hexadecimal digits, drawn from the seed for each request.
    Random,
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Sent as they are.
    Bytes(Vec<u8>),
    /// What stands for something else.
    Place(Value),
}

/// A text and its places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

impl Value {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Index, Self::User, Self::Seed, Self::Random];

    /// Its name within `${}`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::User => "user",
            Self::Seed => "seed",
            Self::Random => "random",
        }
    }
}

impl Pattern {
    /// Splits `text` at its places. `$${` stands for `${` itself.
    ///
    /// # Errors
    /// The place that stands for nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut pattern, mut rest) = (Self::default(), text);
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                pattern.push(&rest.as_bytes()[..at]);
                pattern.push(b"{");
                rest = &rest[at + 2..];
                continue;
            }
            let (name, after) = rest[at + 2..].split_once('}').ok_or("${ without its }")?;
            let value = Value::ALL.into_iter().find(|value| value.as_str() == name);
            pattern.push(&rest.as_bytes()[..at]);
            pattern.pieces.push(Piece::Place(value.ok_or_else(|| format!("${{{name}}}"))?));
            rest = after;
        }
        pattern.push(rest.as_bytes());
        Ok(pattern)
    }

    /// `name=` and the value: a cookie.
    pub fn cookie(name: &str, value: Value) -> Self {
        Self { pieces: vec![Piece::Bytes(format!("{name}=").into_bytes()), Piece::Place(value)] }
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether `value` has a place in it.
    pub fn has(&self, value: Value) -> bool {
        self.pieces.contains(&Piece::Place(value))
    }

    /// Appends `between` and the other one.
    pub fn join(&mut self, between: &str, other: &Self) {
        self.push(between.as_bytes());
        for piece in &other.pieces {
            match piece {
                Piece::Bytes(bytes) => self.push(bytes),
                place @ Piece::Place(_) => self.pieces.push(place.clone()),
            }
        }
    }

    /// Names and values of the cookies in it, where it is what a `Cookie` field says. One whose name differs from request to request
    /// is left out.
    pub fn cookies(&self) -> Vec<(String, Self)> {
        let mut pairs = vec![Self::default()];
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => {
                    for (at, part) in bytes.split(|&byte| byte == b';').enumerate() {
                        let is_next = at > 0;
                        pairs.extend(is_next.then(Self::default));
                        let last = pairs.len() - 1;
                        pairs[last].push(if is_next { part.trim_ascii_start() } else { part });
                    }
                }
                place @ Piece::Place(_) => {
                    let last = pairs.len() - 1;
                    pairs[last].pieces.push(place.clone());
                }
            }
        }
        pairs.into_iter().filter_map(Self::named).collect()
    }

    /// A pair as its name and its value.
    fn named(mut self) -> Option<(String, Self)> {
        let Some(Piece::Bytes(first)) = self.pieces.first_mut() else { return None };
        let equals = first.iter().position(|&byte| byte == b'=')?;
        let name = String::from_utf8(first[..equals].to_vec()).ok()?;
        first.drain(..=equals);
        if first.is_empty() {
            self.pieces.remove(0);
        }
        Some((name, self))
    }

    /// Whether it is the same for all requests.
    pub fn is_fixed(&self) -> bool {
        !self.pieces.iter().any(|piece| matches!(piece, Piece::Place(_)))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    fn push(&mut self, bytes: &[u8]) {
        match self.pieces.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Bytes(bytes.to_vec())),
        }
    }
}

/// Bytes without places.
impl From<Vec<u8>> for Pattern {
    fn from(bytes: Vec<u8>) -> Self {
        Self { pieces: if bytes.is_empty() { vec![] } else { vec![Piece::Bytes(bytes)] } }
    }
}

/// Nothing but a place.
impl From<Value> for Pattern {
    fn from(value: Value) -> Self {
        Self { pieces: vec![Piece::Place(value)] }
    }
}

/// Text without places.
impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        text.as_bytes().to_vec().into()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Piece::Place(value) => write!(f, "${{{}}}", value.as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_its_places() {
        let pattern = Pattern::parse("/a/${user}?n=${index}$${x}$$").unwrap();
        let bytes = |text: &str| Piece::Bytes(text.into());
        let places = [Piece::Place(Value::User), Piece::Place(Value::Index)];
        assert_eq!(
            pattern.pieces(),
            [bytes("/a/"), places[0].clone(), bytes("?n="), places[1].clone(), bytes("${x}$$")]
        );
        assert!(pattern.has(Value::User) && !pattern.has(Value::Seed));
        assert_eq!(Pattern::parse("${seed}${random}").unwrap().to_string(), "${seed}${random}");
        assert!(Pattern::parse("").unwrap().is_empty() && Pattern::from("").is_empty());
        assert_eq!(Pattern::from("${user}").pieces(), [bytes("${user}")], "as it is");
    }

    #[test]
    fn the_cookies_of_a_field_have_names_and_values() {
        let of = |text: &str| {
            let cookies = Pattern::parse(text).unwrap().cookies();
            cookies.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        assert_eq!(of("a=1; b=x${user}y;c=; d=e=f"), ["a: 1", "b: x${user}y", "c: ", "d: e=f"]);
        assert_eq!(of("id=${user}; ${user}=1; x${index}=2; plain; ;"), ["id: ${user}"]);
        let mut joined = Pattern::parse("a=${user}").unwrap();
        joined.join("; ", &Pattern::cookie("b", Value::User));
        assert_eq!(joined, Pattern::parse("a=${user}; b=${user}").unwrap());
    }

    #[test]
    fn a_place_that_stands_for_nothing_is_named() {
        for (text, place) in [("a${idx}", "${idx}"), ("${}", "${}"), ("${index", "${ without its }")] {
            assert_eq!(Pattern::parse(text).unwrap_err(), place);
        }
    }
}
