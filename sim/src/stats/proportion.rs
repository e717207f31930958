//! Shares of counts, and how far off they may be: Wilson's interval (1927), which stays within 0 and 1 and says something even
//! when nothing was seen.

use super::Estimate;

/// The normal quantile of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// The share of `hits` in `n` with its 95 % interval; `None` when there are none to share.
pub fn proportion(hits: u64, n: u64) -> Option<Estimate> {
    if n == 0 {
        return None;
    }
    let (hits, n) = (hits.min(n) as f64, n as f64);
    let value = hits / n;
    let middle = (hits + Z * Z / 2.0) / (n + Z * Z);
    let half = Z / (n + Z * Z) * (hits * (1.0 - value) + Z * Z / 4.0).sqrt();
    Some(Estimate { value, low: (middle - half).clamp(0.0, value), high: (middle + half).clamp(value, 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Newcombe (1998), Statistics in Medicine 17, table I, Wilson's method: 81 of 263 and 15 of 148, and none of 20.
    #[test]
    fn published_intervals_come_out() {
        for (hits, n, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
        {
            let seen = proportion(hits, n).unwrap();
            assert!((seen.low - low).abs() < 5e-5 && (seen.high - high).abs() < 5e-5, "{seen:?}");
        }
        assert_eq!(proportion(0, 0), None);
    }
}
