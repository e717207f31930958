//! Numbers that say how sure one may be: ranks, intervals by order statistics, differences. Pure arithmetic, no samples
//! kept; what is compared with what is left to `summary`.

mod proportion;
mod quantile;
mod shares;

pub use proportion::proportion;
pub use quantile::{Estimate, difference, rank, ranks};
pub use shares::{GTest, g_test};
