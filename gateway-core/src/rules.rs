//! Whose rules hold where Kong does something that surprises its users. Each difference is described where it is made.

/// Kong's rules, or better ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// What users expect: round-robin is exact, a change of an Upstream carries over what its targets are owed, retries go
    /// elsewhere and are budgeted, failures count in a row, a failed try is reported for what it was.
    #[default]
    Careful,
    /// Kong's, to the letter: round-robin is a shuffled wheel that a change throws away, retries go wherever the wheel
    /// stands and as often as the Service says, failures are never forgotten.
    Kong,
}
