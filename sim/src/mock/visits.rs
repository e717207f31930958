//! Which requests some target has seen before: one bit for each, so that whoever is sent a second time draws anew.

/// Requests seen so far, by all targets of a run.
#[derive(Clone, Debug, Default)]
pub struct Visits(Vec<u64>);

impl Visits {
    /// Whether nobody has seen `request` before; it is seen now.
    pub fn is_new(&mut self, request: u64) -> bool {
        let (word, bit) = ((request / 64) as usize, 1 << (request % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_visit_is_new() {
        let mut visits = Visits::default();
        assert_eq!(
            [3, 200, 3, 4, 200].map(|request| visits.is_new(request)),
            [true, true, false, true, false]
        );
    }
}
