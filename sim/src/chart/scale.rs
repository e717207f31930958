//! From values to places: ticks that read well, and labels pushed apart. Pure arithmetic.

/// Round values from 0 to at least `max`, about `count` steps: 0, 200, 400, 600.
pub(super) fn linear_ticks(max: f64, count: usize) -> Vec<f64> {
    let rough = (max / count as f64).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= rough * 0.999_999).unwrap_or(10.0)
            * power;
    let steps = (max / step - 1e-9).ceil().max(1.0) as usize;
    (0..=steps).map(|i| i as f64 * step).collect()
}

/// Round values between `low` and `high`, zero among them when it lies there, about `count` steps: −20, −10, 0, 10.
pub(super) fn signed_ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let steps = linear_ticks(high - low, count);
    let step = steps[1] - steps[0];
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|at| at as f64 * step).collect()
}

/// The unit to read a time axis of so many milliseconds in, in milliseconds, and its name.
pub(super) fn time_unit(end_ms: f64) -> (f64, &'static str) {
    const SECOND: f64 = 1000.0;
    const MINUTE: f64 = 60.0 * SECOND;
    const HOUR: f64 = 60.0 * MINUTE;
    if end_ms > 3.0 * HOUR {
        (HOUR, "h")
    } else if end_ms > 10.0 * MINUTE {
        (MINUTE, "min")
    } else {
        (SECOND, "s")
    }
}

/// 1, 2, 5, 10, ... from at most `low` to at least `high`; both above zero.
pub(super) fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    let all: Vec<f64> =
        (first..=last).flat_map(|power| [1.0, 2.0, 5.0].map(|nice| nice * 10_f64.powi(power))).collect();
    let from = all.iter().rposition(|&tick| tick <= low * 1.000_001).unwrap_or(0);
    let to = all.iter().position(|&tick| tick >= high * 0.999_999).unwrap_or(all.len() - 1);
    all[from..=to.max(from + 1).min(all.len() - 1)].to_vec()
}

/// The same, with so few that they can be read: at most about `most` of them, always the ends.
pub(super) fn thinned(ticks: &[f64], most: usize) -> Vec<f64> {
    if ticks.len() <= most {
        return ticks.to_vec();
    }
    let decades: Vec<f64> = ticks.iter().copied().filter(|tick| tick.log10().fract().abs() < 1e-9).collect();
    if decades.len() >= 2 { decades } else { ticks.to_vec() }
}

/// Moves places apart so that none is nearer than `gap` to another, keeping their order and as near as they can be to where
/// they were; none goes beyond `most`.
pub(super) fn spread(places: &mut [f64], gap: f64, most: f64) {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    for pair in 1..order.len() {
        let least = places[order[pair - 1]] + gap;
        places[order[pair]] = places[order[pair]].max(least);
    }
    let mut limit = most;
    for &at in order.iter().rev() {
        places[at] = places[at].min(limit);
        limit = places[at] - gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_times_are_read_in_long_units() {
        let names = [30e3, 600e3, 601e3, 3.6e6 * 3.0, 3.6e6 * 10.0].map(|end| time_unit(end).1);
        assert_eq!(names, ["s", "s", "min", "min", "h"]);
    }

    #[test]
    fn ticks_are_round_and_reach_the_largest_value() {
        assert_eq!(linear_ticks(600.0, 3), [0.0, 200.0, 400.0, 600.0]);
        assert_eq!(linear_ticks(7.0, 2), [0.0, 5.0, 10.0]);
        assert_eq!(linear_ticks(0.0, 3).len(), 2);
        assert_eq!(signed_ticks(-24.0, 44.0, 7), [-20.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(log_ticks(1.2, 54.9), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(log_ticks(3.0, 3.0), [2.0, 5.0]);
        assert_eq!(thinned(&log_ticks(0.1, 10_000.0), 9), [0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0]);
    }

    #[test]
    fn labels_are_pushed_apart_and_stay_within_bounds() {
        let mut places = [50.0, 52.0, 10.0, 53.0];
        spread(&mut places, 15.0, 90.0);
        assert_eq!(places.map(|place| place as i64), [50, 65, 10, 80]);
        let mut low = [80.0, 85.0];
        spread(&mut low, 15.0, 90.0);
        assert_eq!(low.map(|place| place as i64), [75, 90]);
    }
}
