//! A station against what queueing theory says of it, in virtual time and from fixed seeds, and against its own promises.

use gateway_core::rng::{Rng, stream};
use proptest::prelude::*;
use rand::Rng as _;

use super::*;

const MS: u64 = 1_000_000;

fn places(discipline: Discipline, capacity: usize, queue: Option<usize>) -> Places {
    Places { capacity: Some(capacity), queue, discipline }
}

/// Everyone who arrives, with when and what they demand, until all have departed; the time each was there, in order of
/// arrival. `watch` sees the station after each event.
fn serve(
    station: &mut Station,
    jobs: &[(Instant, Duration)],
    mut watch: impl FnMut(&Station),
) -> Vec<Option<Duration>> {
    let mut times = vec![None; jobs.len()];
    let mut depart_until = |station: &mut Station, now: Instant| {
        while let Some(Departure { job, at }) = station.depart(now) {
            times[job as usize] = Some(at.since(jobs[job as usize].0));
            watch(station);
        }
    };
    for (number, &(at, demand)) in jobs.iter().enumerate() {
        depart_until(station, at);
        let _ = station.arrive(at, number as u64, demand);
    }
    depart_until(station, Instant::MAX);
    times
}

/// Poisson arrivals at `rate` a second, each demanding what `demand` draws.
fn poisson(rate: f64, count: usize, mut demand: impl FnMut(&mut Rng) -> f64) -> Vec<(Instant, Duration)> {
    let mut rng = stream(7, "station", 0);
    let mut at = 0.0;
    (0..count)
        .map(|_| {
            at += exp1(&mut rng) / rate;
            (Instant::ZERO + Duration::from_secs_f64(at), Duration::from_secs_f64(demand(&mut rng)))
        })
        .collect()
}

/// Exponential with mean 1, by inversion.
fn exp1(rng: &mut Rng) -> f64 {
    -(1.0 - (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64).ln()
}

fn exponential(mean: f64) -> impl FnMut(&mut Rng) -> f64 {
    move |rng| mean * exp1(rng)
}

/// The mean time in the station of a long run, and its standard error by a hundred batches, which are long enough to know
/// nothing of each other. The first tenth is left out.
fn mean_time(places: Places, jobs: &[(Instant, Duration)]) -> (f64, f64) {
    let times: Vec<_> = serve(&mut Station::new(places), jobs, |_| {});
    let times: Vec<_> =
        times[jobs.len() / 10..].iter().map(|time| time.map_or(0.0, |time| time.as_secs_f64())).collect();
    let batches: Vec<_> = times
        .chunks_exact(times.len() / 100)
        .map(|batch| batch.iter().sum::<f64>() / batch.len() as f64)
        .collect();
    let n = batches.len() as f64;
    let mean = batches.iter().sum::<f64>() / n;
    let variance = batches.iter().map(|batch| (batch - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[track_caller]
fn assert_mean(places: Places, jobs: &[(Instant, Duration)], expected: f64) {
    let (mean, error) = mean_time(places, jobs);
    assert!((mean - expected).abs() < 4.0 * error, "{mean} +- {error}, expected {expected}");
    assert!(error < 0.05 * expected, "the run is long enough to tell: {error}");
}

#[test]
fn the_mean_of_m_m_1_is_that_of_theory() {
    // 70 a second, each demanding 10 ms on average: 1 / (100 - 70).
    let jobs = poisson(70.0, 200_000, exponential(0.01));
    assert_mean(places(Discipline::Fifo, 1, None), &jobs, 1.0 / 30.0);
}

#[test]
fn the_mean_of_m_m_3_is_that_of_erlang() {
    // Offered load a = 2.4 on 3 servers: the share that waits is Erlang's C, and it waits 1 / (3 mu - lambda).
    let (lambda, mu, a) = (240.0, 100.0, 2.4_f64);
    let last = a.powi(3) / 6.0 * 3.0 / (3.0 - a);
    let share = last / (1.0 + a + a * a / 2.0 + last);
    let jobs = poisson(lambda, 200_000, exponential(1.0 / mu));
    assert_mean(places(Discipline::Fifo, 3, None), &jobs, 1.0 / mu + share / (3.0 * mu - lambda));
}

#[test]
fn processor_sharing_knows_the_mean_demand_only() {
    // Insensitivity: E[S] / (1 - rho), whatever the distribution.
    let ps = places(Discipline::Ps, 1, None);
    let expected = 0.01 / (1.0 - 0.7);
    assert_mean(ps, &poisson(70.0, 200_000, exponential(0.01)), expected);
    assert_mean(ps, &poisson(70.0, 200_000, |_| 0.01), expected);
    // One in ten demands nine times as much as all others: the mean is the same.
    let mut long = exponential(0.05);
    let mut short = exponential(0.05 / 9.0);
    let two = move |rng: &mut Rng| {
        if exp1(rng) < -(0.9_f64.ln()) { long(rng) } else { short(rng) }
    };
    assert_mean(ps, &poisson(70.0, 400_000, two), expected);
}

#[test]
fn a_full_queue_refuses_and_counts() {
    let jobs = [(Instant::from_millis(1), Duration::from_millis(5)); 10];
    let mut station = Station::new(places(Discipline::Fifo, 1, Some(2)));
    let times = serve(&mut station, &jobs, |_| {});
    let ms: Vec<_> = times.iter().flatten().map(Duration::as_millis).collect();
    assert_eq!((ms, times[3..].iter().flatten().count()), (vec![5, 10, 15], 0));
    assert_eq!(station.counts(), Counts { arrived: 10, refused: 7, begun: 3, departed: 3 });
}

#[test]
fn shares_of_a_processor_are_exact() {
    // Two at once take twice as long; the one that comes later has the processor alone at the end.
    let jobs =
        [(Instant::ZERO, Duration::from_millis(10)), (Instant::from_millis(5), Duration::from_millis(10))];
    let times = serve(&mut Station::new(places(Discipline::Ps, 1, None)), &jobs, |_| {});
    assert_eq!(times, [Some(Duration::from_millis(15)), Some(Duration::from_millis(15))]);
    let three = [(Instant::ZERO, Duration::from_nanos(10)); 3];
    let times = serve(&mut Station::new(places(Discipline::Ps, 2, None)), &three, |_| {});
    assert_eq!(times, [Some(Duration::from_nanos(15)); 3]);
}

/// Jobs so far apart that demand so much, nanoseconds each.
fn jobs(gaps: &[(u64, u64)]) -> Vec<(Instant, Duration)> {
    let mut at = Instant::ZERO;
    let job = |&(gap, demand)| {
        at = at + Duration::from_nanos(gap);
        (at, Duration::from_nanos(demand))
    };
    gaps.iter().map(job).collect()
}

proptest! {
    #[test]
    fn who_knows_beforehand_knows_the_same(
        gaps in prop::collection::vec((0..3 * MS, 0..4 * MS), 1..80), capacity in prop::option::of(1_usize..4),
        queue in prop::option::of(0_usize..5),
    ) {
        let jobs = jobs(&gaps);
        let places = Places { capacity, queue, discipline: Discipline::Fifo };
        let times = serve(&mut Station::new(places), &jobs, |_| {});
        let mut ahead = Ahead::new(places).unwrap();
        let known = jobs.iter().map(|(at, demand)| ahead.arrive(*at, *demand).ok().map(|end| end.since(*at)));
        prop_assert_eq!(times, known.collect::<Vec<_>>());
        let sharing = Places { discipline: Discipline::Ps, ..places };
        prop_assert!(Ahead::new(sharing).is_none());
    }

    #[test]
    fn no_work_is_lost_and_nobody_idles(
        gaps in prop::collection::vec((0..3 * MS, 0..4 * MS), 1..80), capacity in 1_usize..4,
        queue in prop::option::of(0_usize..5),
    ) {
        let jobs = jobs(&gaps);
        let mut fifo = Station::new(places(Discipline::Fifo, capacity, queue));
        let times = serve(&mut fifo, &jobs, |station| assert!(station.present().0 <= capacity));
        let counts = fifo.counts();
        prop_assert_eq!(counts.departed + counts.refused, jobs.len() as u64);
        prop_assert_eq!(times.iter().flatten().count() as u64, counts.departed);
        prop_assert!(times.iter().zip(&jobs).all(|(time, (_, demand))| time.is_none_or(|time| time >= *demand)));

        // One server has the same work to do in any order, so both end at the same moment, but for the roundings.
        let end = |discipline| {
            let mut station = Station::new(places(discipline, 1, None));
            let times = serve(&mut station, &jobs, |_| {});
            times.iter().zip(&jobs).map(|(time, (at, _))| *at + time.unwrap()).max().unwrap().as_nanos()
        };
        let (fifo, ps) = (end(Discipline::Fifo), end(Discipline::Ps));
        prop_assert!(ps >= fifo && ps - fifo <= 2 * jobs.len() as u64, "{fifo} {ps}");
    }
}
