//! The model engine against queueing theory: whole runs of a scenario through the real gateway, whose response times must be
//! those of the closed form.
//!
//! Method: each system is run under twenty seeds; the mean over the runs must be within four standard errors of theory, the
//! error being that between the runs, since requests of one run know of each other. The first fifth of each run is left out,
//! many times the time in which these systems forget that they were empty.

mod system;

use system::{Estimate, System};

/// A service takes so long on average.
const SERVICE: f64 = 0.010;

/// Exponential service at one server of this load.
fn mm1(rho: f64) -> System {
    System::new(rho / SERVICE, "latency = { exponential = \"10ms\" }\ncapacity = 1")
}

/// Erlang's C: the chance to wait among `c` servers offered `a` erlangs.
fn erlang_c(c: u32, a: f64) -> f64 {
    let b = erlang_b(c, a);
    let rho = a / f64::from(c);
    b / (1.0 - rho * (1.0 - b))
}

/// Erlang's B: the chance to find all `c` servers busy where nobody waits.
fn erlang_b(c: u32, a: f64) -> f64 {
    (1..=c).fold(1.0, |b, k| a * b / (f64::from(k) + a * b))
}

#[test]
fn one_exponential_server_has_exponential_response_times() {
    for rho in [0.5, 0.8] {
        let mean = SERVICE / (1.0 - rho);
        let seen = mm1(rho).run();
        seen.mean().assert_is(mean, "mean");
        for q in [0.5, 0.9, 0.99] {
            seen.quantile(q).assert_is(-mean * f64::ln(1.0 - q), "quantile");
        }
    }
}

#[test]
fn a_full_queue_loses_what_theory_says() {
    // M/M/1/K: one in service and four waiting.
    let (rho, k) = (0.8_f64, 5);
    let seen = mm1(rho).with("queue = 4").run();
    let loss = (1.0 - rho) * rho.powi(k) / (1.0 - rho.powi(k + 1));
    seen.loss().assert_is(loss, "loss");
    let states: Vec<f64> = (0..=k).map(|n| (1.0 - rho) * rho.powi(n) / (1.0 - rho.powi(k + 1))).collect();
    let present: f64 = (0..).zip(&states).map(|(n, p)| f64::from(n) * p).sum();
    seen.mean().assert_is(present / (rho / SERVICE * (1.0 - loss)), "mean of those who were served");
}

#[test]
fn several_servers_share_a_queue() {
    // M/M/4 at 0.8.
    let (c, a) = (4, 3.2_f64);
    let seen = System::new(a / SERVICE, "latency = { exponential = \"10ms\" }\ncapacity = 4").run();
    let wait = erlang_c(c, a);
    let servers = f64::from(c);
    seen.mean().assert_is(SERVICE + wait * SERVICE / (servers - a), "mean");
    for multiple in [1.0, 3.0] {
        let spare = servers - 1.0 - a;
        let beyond = f64::exp(-multiple) * (1.0 + wait * (1.0 - f64::exp(-multiple * spare)) / spare);
        seen.share_beyond(multiple * SERVICE).assert_is(beyond, "share beyond");
    }
}

#[test]
fn nobody_waits_where_there_is_no_queue() {
    // M/M/c/c, and M/D/c/c: the loss knows the mean service only.
    for latency in ["{ exponential = \"10ms\" }", "\"10ms\""] {
        let seen = System::new(3.0 / SERVICE, &format!("latency = {latency}\ncapacity = 4\nqueue = 0")).run();
        seen.loss().assert_is(erlang_b(4, 3.0), "loss");
    }
}

#[test]
fn waiting_grows_with_the_variance_of_service() {
    // Pollaczek and Khinchine: the mean wait is lambda E[S^2] / 2 (1 - rho).
    let rho = 0.7;
    let rate = rho / SERVICE;
    let constant = System::new(rate, "latency = \"10ms\"\ncapacity = 1").run();
    constant.mean().assert_is(SERVICE + rate * SERVICE * SERVICE / 2.0 / (1.0 - rho), "M/D/1");
    // Log-normal: p99 / p50 = 4 is a sigma of ln 4 / z99, the mean p50 exp(sigma^2 / 2), the second moment p50^2 exp(2 sigma^2).
    let (p50, sigma) = (0.008_f64, 4.0_f64.ln() / 2.326_347_874_040_841);
    let (mean, second) = (p50 * (sigma * sigma / 2.0).exp(), p50 * p50 * (2.0 * sigma * sigma).exp());
    let rate = rho / mean;
    let seen = System::new(rate, "latency = { p50 = \"8ms\", p99 = \"32ms\" }\ncapacity = 1").run();
    seen.mean().assert_is(mean + rate * second / 2.0 / (1.0 - rho), "M/G/1, log-normal");
}

#[test]
fn a_shared_processor_knows_the_mean_service_only() {
    let rho = 0.7;
    for latency in ["{ exponential = \"10ms\" }", "{ uniform = [\"0ms\", \"20ms\"] }"] {
        let mock = format!("latency = {latency}\ncapacity = 1\ndiscipline = \"ps\"");
        System::new(rho / SERVICE, &mock).run().mean().assert_is(SERVICE / (1.0 - rho), "M/G/1 PS");
    }
}

#[test]
fn a_random_split_of_a_poisson_stream_is_poisson() {
    // One third to one target, two thirds to the other: each is M/M/1 at its own load.
    let rate = 1.2 / SERVICE;
    let seen = System::new(rate, "latency = { exponential = \"10ms\" }\ncapacity = 1")
        .targets("random", &[1, 2])
        .run();
    let mean = |share: f64| SERVICE / (1.0 - share * rate * SERVICE);
    seen.mean().assert_is(mean(1.0 / 3.0) / 3.0 + mean(2.0 / 3.0) * 2.0 / 3.0, "mean of both");
}

#[test]
fn a_gateway_that_costs_something_is_a_station() {
    // M/D/c: one server, by Pollaczek and Khinchine; two that share a queue let wait about half as long (M/M/2 at 0.8: 0.44).
    let (rho, cost) = (0.8, "gateway_cost = \"10ms\"");
    let at_once = |servers: u32| {
        System::new(f64::from(servers) * rho / SERVICE, "latency = \"0s\"")
            .model(&format!("{cost}\nworkers = {servers}"))
            .run()
            .mean()
    };
    let wait = rho * SERVICE / (2.0 * (1.0 - rho));
    at_once(1).assert_is(SERVICE + wait, "mean");
    let two = at_once(2).mean - SERVICE;
    assert!(two < 0.6 * wait && two > 0.3 * wait, "{two} against {wait} at one server");
}

#[test]
fn turns_of_a_poisson_stream_come_in_erlang_gaps() {
    // Each of k targets gets every k-th arrival: E_k/M/1, with sigma = (lambda / (lambda + mu (1 - sigma)))^k.
    let (k, rho) = (4, 0.8);
    let (rate, mu) = (4.0 * rho / SERVICE, 1.0 / SERVICE);
    let sigma = (0..1000).fold(0.5_f64, |sigma, _| (rate / (rate + mu * (1.0 - sigma))).powi(k));
    let mean = SERVICE / (1.0 - sigma);
    let seen = System::new(rate, "latency = { exponential = \"10ms\" }\ncapacity = 1")
        .targets("round-robin", &[1; 4])
        .run();
    seen.mean().assert_is(mean, "mean");
    seen.quantile(0.99).assert_is(mean * 100.0_f64.ln(), "p99");
}

/// Mean response times at so many targets of load 0.8, in service times.
fn farm(algorithm: &str, targets: usize) -> Estimate {
    System::new(0.8 * targets as f64 / SERVICE, "latency = { exponential = \"10ms\" }\ncapacity = 1")
        .targets(algorithm, &vec![1; targets])
        .run()
        .mean()
        .scaled(1.0 / SERVICE)
}

#[test]
fn two_choices_come_near_the_mean_field() {
    // Mitzenmacher 2001: sum over i of rho^(2^i - 2), 1.9474 at 0.8, in the limit of many targets; with two different
    // choices among N the mean is higher by about 1 / N.
    let limit: f64 = (1..8).map(|i| 0.8_f64.powi(2_i32.pow(i) - 2)).sum();
    assert!((limit - 1.9474).abs() < 1e-4, "{limit}");
    for targets in [100, 1000] {
        let bias = 1.3 / targets as f64;
        farm("two-choices", targets).assert_is_within(limit, bias, "two choices");
    }
}

#[test]
fn the_shortest_queue_is_between_one_queue_for_all_and_two_choices() {
    let seen = farm("least-connections", 50);
    let pooled = 1.0 + erlang_c(50, 40.0) / 10.0;
    assert!(seen.mean > pooled && seen.mean < 1.5, "{seen:?} against {pooled}");
}
