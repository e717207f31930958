//! The gateway's own id of a request, as Kong's: 32 hexadecimal digits. A number for each worker and a count, spread so that
//! two never look alike; no dice and no system call.

use bytes::BytesMut;

use crate::rng;

/// Digits of an id.
const LENGTH: usize = 32;
/// Bytes allocated at once: 128 ids.
const ROOM: usize = 128 * LENGTH;

/// The ids of one worker.
#[derive(Debug)]
pub(super) struct Ids {
    worker: u64,
    next: u64,
}

impl Ids {
    /// The ids of worker `number`.
    pub(super) fn new(number: usize) -> Self {
        Self {
            worker: rng::draw(u64::from(std::process::id()), rng::fnv1a("request-id"), number as u64),
            next: 0,
        }
    }

    /// Appends the next id to `out`, which gets room for many at a time.
    pub(super) fn write_next(&mut self, out: &mut BytesMut) {
        if out.capacity() - out.len() < LENGTH {
            out.reserve(ROOM);
        }
        let spread = rng::draw(self.worker, 0, self.next);
        let number = u128::from(spread) << 64 | u128::from(self.worker.wrapping_add(self.next));
        let digits: [u8; LENGTH] =
            std::array::from_fn(|at| b"0123456789abcdef"[(number >> (124 - 4 * at)) as usize & 0xf]);
        out.extend_from_slice(&digits);
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_ids_are_the_same() {
        let mut seen = BTreeSet::new();
        for worker in 0..4 {
            let mut ids = Ids::new(worker);
            for _ in 0..1000 {
                let mut id = BytesMut::new();
                ids.write_next(&mut id);
                assert!(id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit));
                assert!(seen.insert(id));
            }
        }
    }
}
