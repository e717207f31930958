//! What the places of patterns stand for in one request, and patterns as text with that in them.

use std::fmt::Write as _;

use gateway_core::rng;

use super::{Pattern, Piece, RequestIds, Value};

/// Digits of the largest number.
const DIGITS: usize = 20;

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
