//! Numbers that say how sure one may be: ranks, intervals by order statistics, differences, tests. Pure arithmetic, no samples
//! kept; what is compared with what is left to `summary` and to the judges of `rollout`.

mod pairs;
mod proportion;
mod quantile;
mod ratio;
mod shares;
mod shift;
mod verdict;

pub use pairs::{CONFIDENCE, Paired, mean, p_value, paired, pairs_needed};
pub use proportion::proportion;
pub use quantile::{Estimate, difference, rank, ranks};
pub use ratio::RatioTest;
pub use shares::{GTest, g_test};
pub use shift::shift;
pub use verdict::{ALPHA, effect, holm};
