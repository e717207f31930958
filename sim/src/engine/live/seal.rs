//! What a mock target says of the body it sends: its length and its checksum, in a header field, so that whoever gets another
//! body than was sent can tell. CRC-32 finds what goes wrong by accident, at less than a nanosecond a byte.

use crc32fast::Hasher;

/// The header field.
pub(super) const BODY: &str = "x-sim-body";

/// Length and checksum of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    length: u64,
    checksum: u32,
}

/// The seal of a body of which more and more is seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Sealing {
    length: u64,
    hasher: Hasher,
}

impl Seal {
    /// Of the whole of `body`.
    pub(super) fn of(body: &[u8]) -> Self {
        Self { length: body.len() as u64, checksum: crc32fast::hash(body) }
    }

    /// `5-3610a686`
    pub(super) fn written(self) -> String {
        format!("{}-{:08x}", self.length, self.checksum)
    }

    /// What a header field says; `None` when it is no seal.
    pub(super) fn read(field: &[u8]) -> Option<Self> {
        let (length, checksum) = std::str::from_utf8(field).ok()?.split_once('-')?;
        Some(Self { length: length.parse().ok()?, checksum: u32::from_str_radix(checksum, 16).ok()? })
    }
}

impl Sealing {
    /// More of the body.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    /// Of all that was seen.
    pub(super) fn seal(&self) -> Seal {
        Seal { length: self.length, checksum: self.hasher.clone().finalize() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_the_same_in_pieces_and_comes_back_as_it_was_written() {
        let mut sealing = Sealing::default();
        for piece in [&b"he"[..], b"", b"llo"] {
            sealing.add(piece);
        }
        assert_eq!(sealing.seal(), Seal::of(b"hello"));
        assert_eq!(Seal::of(b"hello").written(), "5-3610a686");
        assert_eq!(Seal::read(b"5-3610a686"), Some(Seal::of(b"hello")));
        assert_eq!([&b""[..], b"5", b"x-1", b"5-x"].map(Seal::read), [None; 4]);
        assert_ne!(Seal::of(b"hellp"), Seal::of(b"hello"));
    }
}
