//! What workers and nodes share, and what each has of its own.

use std::time::Duration;

use super::*;

#[test]
fn in_kongs_profile_targets_change_at_once_and_services_when_a_worker_looks() {
    // Aim: the switch comes late and not to all at once, a weight comes at once, and a change forgets whose turn it was.
    let config = how_to().config().as_ref().clone();
    let gateway = Gateway::with(config, Options::kong(2, 7));
    let hosts = |gateway: &Gateway| {
        let one = |worker| {
            let matched = gateway.route(worker, &GET).unwrap();
            let attempt = gateway.begin(&matched, &GET, Instant::ZERO, &mut dice()).unwrap();
            let target = attempt.target;
            answered(gateway, attempt);
            target.0 / 2
        };
        [one(0), one(1)]
    };
    gateway.apply(Change::SetHost(ServiceId(0), "green".to_owned()), Instant::ZERO).unwrap();
    assert_eq!(gateway.config().service(ServiceId(0)).unwrap().host, "green", "the Admin API knows at once");
    assert_eq!(hosts(&gateway), [0, 0]);
    let first = gateway.next_timeout().unwrap();
    gateway.handle_timeout(first);
    assert_eq!(hosts(&gateway).iter().sum::<u32>(), 1, "one worker has looked");
    assert!(gateway.news().is_some() && gateway.news().is_none());
    gateway.handle_timeout(gateway.next_timeout().unwrap());
    assert_eq!(hosts(&gateway), [1, 1]);
    assert!(gateway.next_timeout().unwrap() <= first + Duration::from_secs(5));
    let weights =
        [Change::SetWeight(TargetId(2), Weight::new(0)), Change::SetWeight(TargetId(3), Weight::new(1))];
    gateway.apply(Change::All(weights.into()), first).unwrap();
    let attempt = begin(&gateway, &GET).unwrap();
    assert_eq!((attempt.target, attempt.epoch.0), (TargetId(3), 1));
    assert_eq!((attempt.revision.0, attempt.routed.0), (2, 1));
    answered(&gateway, attempt);
}

#[test]
fn a_node_beside_others_learns_everything_when_it_looks_and_goes_by_their_revisions() {
    // Aim: what a node knows is what the first one knew at its last look. Method: a host, a weight and a new Upstream, and then
    // the same once more, which is no news.
    let first = Arc::new(Gateway::new(how_to().config().as_ref().clone()));
    let second = Instant::ZERO + Duration::from_secs(1);
    let options = Options { node: 1, seed: 7, ..Options::default() };
    let node = Gateway::beside(Arc::clone(&first), Duration::from_secs(1), options);
    let changes = [
        Change::SetHost(ServiceId(0), "green".to_owned()),
        Change::SetWeight(TargetId(2), Weight::new(0)),
        Change::CreateUpstream(Upstream::new("other")),
    ];
    for change in changes {
        first.apply(change, Instant::ZERO).unwrap();
    }
    let target = |gateway: &Gateway| {
        let attempt = begin(gateway, &GET).unwrap();
        let (node, target, revision) = (attempt.node, attempt.target, attempt.revision.0);
        answered(gateway, attempt);
        (node, target, revision)
    };
    assert_eq!((target(&first), target(&node)), ((0, TargetId(3), 3), (1, TargetId(0), 0)));
    let look = node.next_timeout().unwrap();
    assert!(look < second);
    node.handle_timeout(look);
    assert_eq!(target(&node), (1, TargetId(3), 3));
    assert!(node.config().find_upstream("other").is_some());
    let news = node.news().unwrap();
    assert_eq!((news.cause, news.revision.0, news.epochs[0].node), (Cause::Look, 3, 1));
    node.handle_timeout(node.next_timeout().unwrap());
    assert!(node.news().is_none() && node.next_timeout().unwrap() > second);
}

#[test]
fn workers_with_balancers_of_their_own_are_exact_each_and_number_their_picks_together() {
    let config = how_to().config().as_ref().clone();
    let options = Options { workers: 2, balancing: Balancing::PerWorker, ..Options::default() };
    let gateway = Gateway::with(config, options);
    let mut counts = [[0; 2]; 2];
    for n in 0..600_usize {
        let worker = usize::from(n % 3 == 0);
        let matched = gateway.route(worker, &GET).unwrap();
        let attempt = gateway.begin(&matched, &GET, Instant::ZERO, &mut dice()).unwrap();
        assert_eq!(attempt.ticket, n as u64);
        counts[worker][attempt.target.index()] += 1;
        answered(&gateway, attempt);
    }
    assert_eq!(counts, [[267, 133], [133, 67]].map(|c| c), "two thirds and one third, for each worker");
}

#[test]
fn who_looks_at_an_old_snapshot_is_not_the_one_to_free_it() {
    let gateway = how_to();
    let worker = gateway.view();
    let old = Arc::downgrade(&worker);
    gateway.apply(Change::SetWeight(TargetId(1), Weight::new(1)), Instant::ZERO).unwrap();
    gateway.handle_timeout(Instant::ZERO);
    drop(worker);
    assert!(old.upgrade().is_some());
    gateway.handle_timeout(Instant::ZERO);
    assert!(old.upgrade().is_none());
}

#[test]
fn workers_and_a_writer_together_misroute_nothing() {
    // Aim: with changes of weight under way no pick is lost or made twice, whatever epoch it falls into. Method: two
    // threads pick while a third changes weights 200 times; tickets of each epoch must be 0..n without gaps.
    let gateway = how_to();
    let mut seen: Vec<(u32, u64)> = std::thread::scope(|scope| {
        let worker = || {
            let mut seen = Vec::new();
            for _ in 0..20_000 {
                let attempt = begin(&gateway, &GET).unwrap();
                seen.push((attempt.epoch.0, attempt.ticket));
                answered(&gateway, attempt);
            }
            seen
        };
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        for weight in 1..200 {
            gateway.apply(Change::SetWeight(TargetId(1), Weight::new(weight)), Instant::ZERO).unwrap();
        }
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    seen.sort_unstable();
    let mut expected = 0;
    for pair in seen.windows(2) {
        expected = if pair[0].0 == pair[1].0 { pair[0].1 + 1 } else { 0 };
        assert_eq!(pair[1].1, expected, "epoch {}", pair[1].0);
    }
    assert_eq!(seen[0].1, 0);
    assert!(expected > 0 || seen.len() == 40_000);
    assert_eq!(in_flight(&gateway), 0);
}

#[test]
fn a_worker_that_has_not_learnt_says_which_routing_it_went_by() {
    // Aim: a late worker's pick is held against what it knew, not against the newest change. Method: a host and a weight, before the
    // only worker looks and after.
    let config = how_to().config().as_ref().clone();
    let options = Options { sync_interval: Some(Duration::from_secs(5)), ..Options::default() };
    let gateway = Gateway::with(config, options);
    let to_green = Change::SetHost(ServiceId(0), "green".to_owned());
    let applied = gateway.apply(to_green, Instant::ZERO).unwrap();
    let (number, config) = applied.config;
    assert_eq!((number.0, config.service(ServiceId(0)).unwrap().host.as_str()), (1, "green"));
    gateway.apply(Change::SetWeight(TargetId(3), Weight::new(1)), Instant::ZERO).unwrap();
    let asked = || {
        let attempt = begin(&gateway, &GET).unwrap();
        let said = (attempt.upstream.unwrap().0, attempt.routed.0, attempt.revision.0);
        answered(&gateway, attempt);
        said
    };
    assert_eq!(asked(), (0, 0, 2));
    gateway.handle_timeout(gateway.next_timeout().unwrap());
    assert_eq!(asked(), (1, 1, 2));
}

#[test]
fn a_node_whose_target_has_turned_still_learns_of_every_change() {
    // Aim: health counts a node's own revisions on, and the next change of the first node may have that very number. Method: one turn,
    // one change.
    let first = Arc::new(Gateway::new(how_to().config().as_ref().clone()));
    let options = Options { node: 1, seed: 7, ..Options::default() };
    let node = Gateway::beside(Arc::clone(&first), Duration::from_secs(1), options);
    node.set_health(TargetId(2), false, Instant::ZERO);
    assert_eq!(node.view().revision(), Revision(1));
    first.apply(Change::SetHost(ServiceId(0), "green".to_owned()), Instant::ZERO).unwrap();
    node.handle_timeout(node.next_timeout().unwrap());
    let attempt = begin(&node, &GET).unwrap();
    assert_eq!((attempt.upstream, attempt.routed.0, attempt.revision.0), (Some(UpstreamId(1)), 1, 2));
    answered(&node, attempt);
}
