//! How much of an Upstream is available, and whether that is enough to send anything to it. Leaves who is available to
//! whoever adds them up.

use crate::rules::Rules;

/// Weight in rotation, of the whole weight of an Upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    available: u64,
    total: u64,
}

impl Availability {
    /// Whether this is enough, with Kong's `threshold` in percent: more than it must be available. Without any weight
    /// nobody is, whatever the threshold.
    ///
    /// Kong's rule is strict, so 100 can never be met. Under [`Rules::Careful`] 100 says what it seems to: all must be
    /// available. Below 100 both are alike, and 0 is "anybody".
    pub fn suffices(self, threshold: f64, rules: Rules) -> bool {
        let (available, total) = (self.available as f64, self.total as f64);
        if rules == Rules::Careful && threshold >= 100.0 {
            return self.total > 0 && self.available == self.total;
        }
        // Multiplied out, since 7 of 100 divided and times 100 is a little more than 7.
        available * 100.0 > threshold * total
    }
}

impl Availability {
    /// Whether at least `percent` of the weight is available, as Envoy's panic threshold asks.
    pub fn reaches(self, percent: f64) -> bool {
        self.available as f64 * 100.0 >= percent * self.total as f64
    }
}

impl FromIterator<(u64, bool)> for Availability {
    /// Adds up targets: the weight of each, and whether it is in rotation.
    fn from_iter<I: IntoIterator<Item = (u64, bool)>>(targets: I) -> Self {
        targets.into_iter().fold(Self::default(), |sum, (weight, is_available)| Self {
            available: sum.available + if is_available { weight } else { 0 },
            total: sum.total + weight,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(available: &[u16], gone: &[u16]) -> Availability {
        let listed = |weights: &[u16], is_available| {
            weights.iter().map(move |&weight| (u64::from(weight), is_available)).collect::<Vec<_>>()
        };
        listed(available, true).into_iter().chain(listed(gone, false)).collect()
    }

    #[test]
    fn more_than_the_threshold_must_be_available() {
        for (available, gone, threshold, kong, fixed) in [
            (&[100][..], &[100][..], 0.0, true, true),
            (&[], &[100], 0.0, false, false),
            (&[25], &[75], 25.0, false, false),
            (&[25], &[75], 24.9, true, true),
            (&[7], &[93], 7.0, false, false),
            (&[60, 60], &[80], 50.0, true, true),
            (&[100], &[100], 100.0, false, false),
            (&[65_535], &[1], 100.0, false, false),
            (&[100, 50], &[], 100.0, false, true),
            (&[100, 50], &[], 99.5, true, true),
            (&[], &[], 0.0, false, false),
            (&[], &[], 100.0, false, false),
            (&[0], &[0], 0.0, false, false),
            (&[100], &[0], 100.0, false, true),
        ] {
            let availability = of(available, gone);
            for (rules, expected) in [(Rules::Kong, kong), (Rules::Careful, fixed)] {
                assert_eq!(
                    availability.suffices(threshold, rules),
                    expected,
                    "{availability:?} > {threshold}"
                );
            }
        }
    }
}
