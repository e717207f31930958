//! The id that names a request everywhere: in its header, in the targets' books, in reports. `42-06003` is request 6,003 of
//! a run with seed 42.

/// The header that carries it.
pub const HEADER: &str = "x-request-id";
/// Ids are at least so many digits wide after the seed.
const WIDTH_MIN: usize = 5;

/// The ids of one run. All have the same length, so that a request's bytes can be prepared once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestIds {
    prefix: String,
    width: usize,
}

impl RequestIds {
    /// The ids of a run of `count` requests under `seed`.
    pub fn new(seed: u64, count: u64) -> Self {
        let width = count.saturating_sub(1).to_string().len().max(WIDTH_MIN);
        Self { prefix: format!("{seed}-"), width }
    }

    /// The id of request `index`.
    pub fn id(&self, index: u64) -> String {
        format!("{}{index:0width$}", self.prefix, width = self.width)
    }

    /// What comes before the digits: `42-`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many digits there are.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Overwrites `digits` with those of a number, zeros first: of a request, as many as `width`; of a user, as its key has.
    pub fn write_digits(mut number: u64, digits: &mut [u8]) {
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }

    /// The index within an id of this run; `None` for any other text.
    pub fn index(&self, id: &[u8]) -> Option<u64> {
        let digits = id.strip_prefix(self.prefix.as_bytes())?;
        let plain = digits.len() == self.width && digits.iter().all(u8::is_ascii_digit);
        if !plain {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_be_read_back_and_others_cannot() {
        let ids = RequestIds::new(42, 18_000);
        assert_eq!(ids.id(6003), "42-06003");
        assert_eq!(ids.index(b"42-06003"), Some(6003));
        for other in [&b"43-06003"[..], b"42-6003", b"42-0600x", b"", b"42-", b"42-006003"] {
            assert_eq!(ids.index(other), None, "{}", String::from_utf8_lossy(other));
        }
        let mut digits = *b"xxxxx";
        RequestIds::write_digits(6003, &mut digits);
        assert_eq!(&digits, b"06003");
        assert_eq!(RequestIds::new(1, 2_000_000).id(7), "1-0000007");
    }
}
