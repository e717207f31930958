//! What the places of patterns stand for in one request, and patterns as text with that in them.

use std::fmt::Write as _;

use gateway_core::rng;

use super::{Pattern, Piece, RequestIds, Users, Value};

/// Digits of the largest number.
const DIGITS: usize = 20;

/// Those of a random value.
const RANDOM_DIGITS: usize = 16;

/// What stands for places.
#[derive(Clone, Debug)]
pub struct Values {
    /// Which request of the run.
    pub index: u64,
    /// Who sends it.
    pub user: u64,
    seed: u64,
    /// The ids of the run.
    pub ids: RequestIds,
}

impl Values {
    /// Those of the first request, of the first user, in a run with this seed.
    pub fn new(seed: u64, ids: RequestIds) -> Self {
        Self { index: 0, user: 0, seed, ids }
    }

    /// Appends the pattern to `text`; users' numbers have so many digits.
    pub fn fill(&self, pattern: &Pattern, user_width: usize, text: &mut String) {
        for piece in pattern.pieces() {
            match piece {
                Piece::Bytes(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
                Piece::Place(value) => self.write(*value, user_width, text),
            }
        }
    }

    /// Whether the pattern may be this text, capitals aside, in some request of `users`.
    pub fn may_be(&self, pattern: &Pattern, users: &Users, text: &str) -> bool {
        let seed = self.seed.to_string();
        let mut rest = text.as_bytes();
        let mut fits = |piece: &Piece| {
            let width = match piece {
                Piece::Bytes(bytes) => bytes.len(),
                Piece::Place(Value::Index) => self.ids.width(),
                Piece::Place(Value::User) => users.width(),
                Piece::Place(Value::Seed) => seed.len(),
                Piece::Place(Value::Random) => RANDOM_DIGITS,
            };
            let Some((own, after)) = rest.split_at_checked(width) else { return false };
            rest = after;
            match piece {
                Piece::Bytes(bytes) => own.eq_ignore_ascii_case(bytes),
                Piece::Place(Value::Index) => number(own).is_some(),
                Piece::Place(Value::User) => number(own).is_some_and(|number| number < users.count()),
                Piece::Place(Value::Seed) => own == seed.as_bytes(),
                Piece::Place(Value::Random) => own.iter().all(u8::is_ascii_hexdigit),
            }
        };
        pattern.pieces().iter().all(&mut fits) && rest.is_empty()
    }

    fn write(&self, value: Value, user_width: usize, text: &mut String) {
        let random = const { rng::fnv1a("load/random") };
        let mut digits = |number: u64, width: usize| {
            let mut all = [0; DIGITS];
            let digits = &mut all[..width.min(DIGITS)];
            RequestIds::write_digits(number, digits);
            text.extend(digits.iter().map(|&digit| char::from(digit)));
        };
        match value {
            Value::Index => digits(self.index, self.ids.width()),
            Value::User => digits(self.user, user_width),
            // A string takes everything.
            Value::Seed => drop(write!(text, "{}", self.seed)),
            Value::Random => drop(write!(text, "{:016x}", rng::draw(self.seed, random, self.index))),
        }
    }
}

/// The number that these digits are.
fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_filled_and_may_be_what_it_is_filled_with_and_little_else() {
        let users = Users::new(200, None);
        let mut values = Values::new(42, RequestIds::new(42, 1000));
        (values.index, values.user) = (7, 31);
        let pattern = Pattern::parse("U-${user}/${index}/${seed}/${random}").unwrap();
        let mut text = String::new();
        values.fill(&pattern, users.width(), &mut text);
        assert!(text.starts_with("U-031/00007/42/") && text.len() == 31, "{text}");
        assert!(
            values.may_be(&pattern, &users, &text) && values.may_be(&pattern, &users, &text.to_lowercase())
        );
        assert!(!values.may_be(&pattern, &users, &format!("{text}0")));
        let user = Pattern::from(Value::User);
        let may_be = |text: &str| values.may_be(&user, &users, text);
        assert_eq!(
            ["199", "200", "31", "0031", "x31", ""].map(may_be),
            [true, false, false, false, false, false]
        );
        assert!(values.may_be(&"yes".into(), &users, "Yes") && !values.may_be(&"yes".into(), &users, "no"));
    }
}
