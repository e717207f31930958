//! Requests that get no answer, by cause, and what is tried before one is given up.

use super::*;

#[test]
fn live_what_is_too_much_in_flight_is_dropped_at_its_time() {
    let mut plan = plan(500.0, 200);
    plan.load.max_in_flight = 10;
    plan.load.connections = 4;
    for mock in &mut plan.mocks {
        mock.behaviour.latency = Latency::Constant(Duration::from_secs(1));
    }
    let (seen, _) = run(&plan);
    assert_eq!((seen.answered(), seen.dropped()), (10, BTreeMap::from([("overflow", 90)])));
    let overflow = |record: &&Record| record.ending == Ending::Dropped(Cause::Overflow);
    assert!(seen.records.iter().filter(overflow).all(|record| record.on_wire.is_none()));
}

#[test]
fn live_answers_that_take_too_long_are_dropped_and_new_connections_made() {
    let mut plan = plan(100.0, 300);
    plan.load.streams[0].timeout = Duration::from_millis(100);
    plan.load.connections = 2;
    // Blue's second target, a third of the requests, never answers in time.
    plan.mocks[1].behaviour.latency = Latency::Constant(Duration::from_secs(30));
    let (seen, _) = run(&plan);
    let dropped = seen.dropped();
    let late: usize = ["response_timeout", "unsent", "censored"].iter().filter_map(|c| dropped.get(c)).sum();
    assert!(dropped["response_timeout"] >= 2, "{dropped:?}");
    assert_eq!(seen.answered() + late, 30, "{dropped:?}");
}

#[test]
fn live_the_gateways_own_answers_are_drops_by_their_name() {
    let mut plan = plan(100.0, 300);
    plan.load.streams[0].requests = RequestMix::new(vec![get("/elsewhere")]).unwrap();
    assert_eq!(run(&plan).0.dropped(), BTreeMap::from([("no_route", 30)]));

    let mut plan = self::plan(100.0, 300);
    plan.gateway.config.add_upstream(Upstream::new("empty")).unwrap();
    plan.steps = vec![to("empty", 0)];
    let (seen, _) = run(&plan);
    let dropped = seen.dropped();
    assert_eq!(dropped.keys().copied().collect::<Vec<_>>(), ["gateway_503_no_target"]);
    assert_eq!(seen.answered() + dropped["gateway_503_no_target"], 30);
}

#[test]
fn live_what_fails_is_sent_again_with_its_id_and_the_books_see_it_twice() {
    // Aim: an attempt that times out is followed by others of the same request, and its target has served it all the same.
    // Method: nobody ever answers in time, so that each request is sent as often as it may.
    let mut plan = plan(50.0, 200);
    plan.load.streams[0].timeout = Duration::from_millis(100);
    plan.load.streams[0].retry = Some(Retry { attempts: 3, budget: 9.0, on: vec![Failure::Timeout] });
    for mock in &mut plan.mocks {
        mock.behaviour.latency = Latency::Constant(Duration::from_secs(30));
    }
    let (seen, _) = run(&plan);
    assert_eq!(seen.answered(), 0);
    assert!((10..=20).contains(&seen.retried.len()), "{:?}", seen.retried);
    let mut attempts: BTreeMap<u64, usize> = BTreeMap::new();
    for request in &seen.retried {
        *attempts.entry(*request).or_default() += 1;
    }
    assert!(attempts.values().all(|&again| again <= 2));
    let served = |request: u64| seen.served.iter().filter(|(served, _)| *served == request).count();
    assert!(attempts.iter().all(|(&request, &again)| served(request) <= again + 1));
    assert!(attempts.keys().any(|&request| served(request) >= 2), "twice in the targets' books");
}

#[test]
fn live_a_gateway_without_targets_is_asked_again_within_the_budget() {
    let mut plan = plan(500.0, 200);
    plan.gateway.config.add_upstream(Upstream::new("empty")).unwrap();
    plan.steps = vec![to("empty", 0)];
    plan.load.streams[0].retry = Some(Retry { attempts: 2, budget: 0.1, on: vec![Failure::Gateway] });
    let (seen, _) = run(&plan);
    let refused = seen.dropped()["gateway_503_no_target"];
    assert_eq!(seen.answered() + refused, 100);
    // The first ten, and a tenth of a hundred.
    assert!((1..=20).contains(&seen.retried.len()), "{} retries", seen.retried.len());
}

#[test]
fn live_a_second_attempt_answers_where_the_first_is_slow() {
    // Aim: the first answer counts, the request ends once, and both targets have served it. Method: blue's second target, a
    // third of the requests, never answers in time; two thirds of the second attempts go to the first.
    let mut plan = plan(100.0, 300);
    plan.load.streams[0].hedge = Some(Duration::from_millis(150));
    plan.load.streams[0].timeout = Duration::from_secs(1);
    plan.mocks[1].behaviour.latency = Latency::Constant(Duration::from_secs(30));
    let (seen, _) = run(&plan);
    assert!(seen.hedged.len() >= 10, "{:?}", seen.hedged);
    let hedged: BTreeSet<_> = seen.hedged.iter().collect();
    assert_eq!(hedged.len(), seen.hedged.len(), "a second attempt, never a third");
    let rescued = seen.records.iter().filter(|record| {
        hedged.contains(&record.index) && record.ending == Ending::Answered(200) && record.target == Some(0)
    });
    assert!(rescued.count() >= 1);
    let twice = |request: &u64| seen.served.iter().filter(|(served, _)| served == request).count() == 2;
    assert!(seen.hedged.iter().any(twice), "in two books");
}
