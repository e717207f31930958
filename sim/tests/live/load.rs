//! Every form of load, as it arrives at targets.

use super::*;

#[test]
fn live_poisson_arrivals_are_sent_too() {
    let mut plan = plan(300.0, 300);
    plan.load.streams[0].arrivals = Arrivals::Poisson;
    assert_eq!(run(&plan).0.answered(), 90);
}

#[test]
fn live_a_ramp_and_a_trace_are_sent_as_they_are() {
    let mut plan = plan(1000.0, 1);
    let stage = |rate, ms| Stage { rate, length: Duration::from_millis(ms) };
    plan.load.streams[0].shape =
        Shape::Rate(Curve::ramp(0.0, &[stage(400.0, 200), stage(400.0, 100), stage(0.0, 100)]));
    assert_eq!(run(&plan).0.answered(), 100);

    let trace = Trace::parse("a.csv", "0.2\n0.1\n0.1\n0.15\n").unwrap();
    plan.load.streams[0].shape = Shape::Trace(trace);
    let (seen, _) = run(&plan);
    let mut intended: Vec<_> = seen.records.iter().map(|record| record.intended).collect();
    intended.sort_unstable();
    assert_eq!((seen.answered(), intended), (4, [100, 100, 150, 200].map(Instant::from_millis).to_vec()));
}

#[test]
fn live_a_mix_of_many_users_is_sent_on_kept_and_on_new_connections() {
    let mut plan = plan(500.0, 300);
    let path = Pattern::parse("/anything/${user}?n=${index}").unwrap();
    let body = Pattern::parse("{\"seed\": ${seed}, \"nonce\": \"${random}\"}").unwrap();
    let post = RequestTemplate { method: "POST".into(), path, body, weight: 3, ..get("/") };
    plan.load.streams[0].requests = RequestMix::new(vec![get("/anything"), post]).unwrap();
    plan.load.streams[0].users = Users::new(20, Some(1.0));
    (plan.load.streams[0].users.header, plan.load.streams[0].users.cookies) = (Some("x-user".into()), true);
    for most in [None, Some(10), Some(1)] {
        plan.load.requests_per_connection = most;
        let (seen, _) = run(&plan);
        assert_eq!((seen.answered(), seen.dropped()), (150, BTreeMap::new()), "{most:?}");
    }
}

#[test]
fn live_a_closed_loop_never_has_more_under_way_than_users_and_its_ledger_balances() {
    let mut plan = plan(1000.0, 1);
    let think = Latency::Constant(Duration::from_millis(2));
    let closed = ClosedLoop { vus: 8, think, duration: Duration::from_millis(300), most: 10_000 };
    plan.load.streams[0].shape = Shape::Closed(closed.clone());
    let (seen, _) = run(&plan);
    assert!(seen.answered() >= 8 && seen.dropped().is_empty());
    let mut moments: Vec<_> =
        seen.records.iter().flat_map(|record| [(record.intended, 1), (record.done, -1)]).collect();
    moments.sort_unstable();
    let mut under_way = 0;
    for (_, change) in moments {
        under_way += change;
        assert!(under_way <= 8);
    }

    plan.load.streams[0].shape = Shape::Closed(ClosedLoop { most: 20, ..closed });
    let mut recorder = Recorder::new(&plan);
    let conditions = live::run(&plan, &AtomicBool::new(false), &mut |batch| {
        for seen in batch {
            recorder.record(seen);
        }
    });
    let measured = recorder.finish(conditions.unwrap());
    assert_eq!(measured.intended, 20);
    assert_eq!(measured.phases.iter().map(|phase| phase.expected().intended).sum::<u64>(), 20);
}

#[test]
fn live_a_user_with_cookies_stays_where_the_first_answer_came_from() {
    let mut plan = plan(1000.0, 1);
    let (id, blue) = plan.gateway.config.upstream_named("blue").unwrap();
    let sticky = Upstream { algorithm: Algorithm::StickySessions, ..blue.clone() };
    plan.gateway.config.change(Change::UpdateUpstream(id, sticky)).unwrap();
    // One after the other, so that each has what the answer before it brought.
    let (think, duration) = (Latency::Constant(Duration::from_millis(1)), Duration::from_secs(20));
    plan.load.streams[0].shape = Shape::Closed(ClosedLoop { vus: 1, think, duration, most: 30 });
    let mut targets = |cookies| {
        plan.load.streams[0].users.cookies = cookies;
        let (seen, _) = run(&plan);
        assert_eq!(seen.answered(), 30);
        seen.records.iter().filter_map(|record| record.target).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((targets(true), targets(false)), (1, 2));
}

#[test]
fn live_streams_share_connections_and_keep_their_own_pace_time_and_requests() {
    // Aim: several loads at once, each as it says, none in the way of another. Method: targets that take 300 ms, for one
    // stream that waits for them, one that does not, and one that sends when it was answered.
    let mut plan = plan(100.0, 400);
    for mock in &mut plan.mocks {
        mock.behaviour.latency = Latency::Constant(Duration::from_millis(300));
    }
    plan.load.connections = 100;
    let patient = plan.load.streams.remove(0);
    let mix = RequestMix::new(vec![RequestTemplate { method: "PUT".into(), ..get("/anything") }]).unwrap();
    let (think, duration) = (Latency::Constant(Duration::ZERO), Duration::from_millis(400));
    plan.load.streams = vec![
        Stream { name: "patient".into(), ..patient.clone() },
        Stream {
            name: "hasty".into(),
            arrivals: Arrivals::Poisson,
            timeout: Duration::from_millis(50),
            ..Stream::constant(50.0, duration, mix)
        },
        Stream {
            name: "users".into(),
            shape: Shape::Closed(ClosedLoop { vus: 3, think, duration, most: 1000 }),
            ..patient
        },
    ];
    let (seen, _) = run(&plan);
    let numbering = Numbering::new(&plan.load, plan.seed);
    let mut ends: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for record in &seen.records {
        let ending = if let Ending::Dropped(cause) = record.ending { cause.as_str() } else { "answered" };
        *ends.entry((numbering.stream(record.index), ending)).or_default() += 1;
    }
    let users = ends.remove(&(2, "answered")).unwrap();
    assert!((3..=6).contains(&users), "each of three once, and again if there was time: {users}");
    assert_eq!(ends, BTreeMap::from([((0, "answered"), 40), ((1, "response_timeout"), 20)]));
    let scheduled: BTreeMap<_, _> =
        Schedule::new(&plan.load, plan.seed).map(|arrival| (arrival.index, arrival.intended)).collect();
    let open = seen.records.iter().filter(|record| numbering.stream(record.index) < 2);
    assert!(open.clone().all(|record| scheduled[&record.index] == record.intended));
    assert_eq!(open.count(), scheduled.len());
}
