//! What is known of each request of the schedule, four bits each: ended, answered, in a target's book once, twice. At
//! the end they say who was lost and who was served twice; no other trace of a single request is kept.

/// The books of a run.
#[derive(Debug)]
pub(super) struct Books {
    ended: Bits,
    answered: Bits,
    served: Bits,
    served_again: Bits,
    ends: u64,
}

/// What the books say of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// It came to its end.
    pub(super) ended: bool,
    /// The client has an answer that no target's book knows.
    pub(super) lost: bool,
    /// It is in the targets' books more than once.
    pub(super) duplicate: bool,
}

impl Books {
    /// Books for requests `0..count`.
    pub(super) fn new(count: u64) -> Self {
        let bits = || Bits(vec![0; count.div_ceil(64) as usize].into());
        Self { ended: bits(), answered: bits(), served: bits(), served_again: bits(), ends: 0 }
    }

    /// A request ended.
    ///
    /// # Panics
    /// When it had ended before: each intended request has one end.
    pub(super) fn end(&mut self, request: u64, answered: bool) {
        assert!(!self.ended.set(request), "request {request} ended twice");
        if answered {
            self.answered.set(request);
        }
        self.ends += 1;
    }

    /// Whether a request has ended.
    pub(super) fn has_ended(&self, request: u64) -> bool {
        self.ended.get(request)
    }

    /// How many have ended.
    pub(super) fn ends(&self) -> u64 {
        self.ends
    }

    /// A target wrote a request into its book.
    pub(super) fn serve(&mut self, request: u64) {
        if self.served.set(request) {
            self.served_again.set(request);
        }
    }

    /// What is known of a request.
    pub(super) fn entry(&self, request: u64) -> Entry {
        Entry {
            ended: self.ended.get(request),
            lost: self.answered.get(request) && !self.served.get(request),
            duplicate: self.served_again.get(request),
        }
    }
}

#[derive(Debug)]
struct Bits(Box<[u64]>);

impl Bits {
    fn get(&self, at: u64) -> bool {
        self.0[(at / 64) as usize] >> (at % 64) & 1 == 1
    }

    /// Sets a bit; whether it was set before.
    fn set(&mut self, at: u64) -> bool {
        let before = self.get(at);
        self.0[(at / 64) as usize] |= 1 << (at % 64);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_and_duplicate_are_told_from_the_books() {
        let mut books = Books::new(130);
        for (request, answered, served) in [(0, true, 1), (1, true, 0), (64, false, 2), (129, false, 0)] {
            (0..served).for_each(|_| books.serve(request));
            books.end(request, answered);
        }
        let of = |request| (books.entry(request).lost, books.entry(request).duplicate);
        assert_eq!([0, 1, 64, 129].map(of), [(false, false), (true, false), (false, true), (false, false)]);
        assert_eq!((books.ends(), books.entry(2).ended), (4, false));
    }

    #[test]
    #[should_panic(expected = "request 7 ended twice")]
    fn a_second_end_of_a_request_is_a_bug() {
        let mut books = Books::new(8);
        books.end(7, true);
        books.end(7, false);
    }
}
