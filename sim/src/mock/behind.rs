//! Which mock stands behind each target of the gateway: asked several times for each request.

use gateway_core::id::TargetId;

/// No mock.
const NOBODY: u32 = u32::MAX;

/// The mock behind each target, by the target's number: configurations number their targets from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind(Vec<u32>);

impl Behind {
    /// The mock behind `target`, as an index into the plan's.
    pub fn get(&self, target: TargetId) -> Option<u32> {
        self.0.get(target.index()).copied().filter(|mock| *mock != NOBODY)
    }

    /// All targets that have one, in the order of their numbers, and which.
    pub fn iter(&self) -> impl Iterator<Item = (TargetId, u32)> {
        (0..).map(TargetId).zip(self.0.iter().copied()).filter(|(_, mock)| *mock != NOBODY)
    }
}

impl FromIterator<(TargetId, u32)> for Behind {
    fn from_iter<I: IntoIterator<Item = (TargetId, u32)>>(targets: I) -> Self {
        let mut behind = Vec::new();
        for (target, mock) in targets {
            behind.resize(behind.len().max(target.index() + 1), NOBODY);
            behind[target.index()] = mock;
        }
        Self(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_listed_has_nobody_behind() {
        let behind: Behind = [(TargetId(3), 1), (TargetId(0), 0)].into_iter().collect();
        assert!(behind.iter().eq([(TargetId(0), 0), (TargetId(3), 1)]));
        assert_eq!(
            [0, 1, 3, 4, u32::MAX].map(|id| behind.get(TargetId(id))),
            [Some(0), None, Some(1), None, None]
        );
    }
}
