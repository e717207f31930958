//! `[load]` in all its shapes: what each means, and how it is told.

use super::*;

/// The shipped scenario with other arrivals, and files beside it.
fn arriving(keys: &str) -> Input {
    let file = |path: &Path| match path.to_str().unwrap() {
        "folder/arrivals.csv" => Ok("0.5\n2.25\n30\n".to_owned()),
        path => Err(format!("cannot read {path}")),
    };
    let surroundings = Surroundings { file, ..Surroundings::default() };
    let text = with(RATE_AND_DURATION, &format!("{keys}\n")).replacen("warmup      = \"2s\"", "", 1);
    Input {
        path: "folder/scenario.toml".into(),
        surroundings,
        ..input(&text, &["steps=[]", "thresholds={}"])
    }
}

#[test]
fn every_shape_of_a_load_is_read() {
    const RAMP: &str = "executor = \"ramping-arrival-rate\"\nstages = [{ rate = 100, for = \"10s\" }, { rate = 100, for = \"20s\" }]";
    let trace = "arrivals = \"trace\"\ntrace = \"arrivals.csv\"\n";
    for (keys, load, total) in [
        ("rate = 50\nstop_after = 100", "50 per second, open loop, 2s", 100),
        ("rate = 50\nduration = \"1s\"\nstop_after = 100", "50 per second, open loop, 1s", 50),
        (RAMP, "0 to 100 per second in 2 stages, open loop, 30s", 2500),
        (
            &format!("{RAMP}\nrate = 50\narrivals = \"poisson\"\nstop_after = 1750"),
            "50 to 100 per second in 2 stages, Poisson arrivals, open loop, 20s",
            1750,
        ),
        ("executor = \"constant-vus\"\nvus = 5\nduration = \"9s\"", "5 users, closed loop, 9s", 10_000_000),
        (
            "executor = \"constant-vus\"\nvus = 5\nduration = \"9s\"\nstop_after = 70\nthink = { exponential = \"1s\" }",
            "5 users, closed loop, 9s",
            70,
        ),
        (trace, "3 arrivals of arrivals.csv, open loop, 30s 1ms", 3),
        (&format!("{trace}duration = \"20s\""), "2 arrivals of arrivals.csv, open loop, 20s", 2),
        (&format!("{trace}stop_after = 1"), "1 arrival of arrivals.csv, open loop, 501ms", 1),
    ] {
        let plan = read(&arriving(keys)).unwrap();
        assert_eq!((plan.load.in_words().as_str(), plan.load.total()), (load, total), "{keys}");
    }
    let plan = read(&arriving(trace)).unwrap();
    assert!(plan.source.resolved.contains("# arrivals.csv: sha256 "), "{}", plan.source.resolved);
}

#[test]
fn a_closed_loop_is_named_and_warned_of() {
    let keys = "executor = \"constant-vus\"\nvus = 5\nthink = { exponential = \"1s\" }\nduration = \"9s\"";
    let plan = read(&arriving(keys)).unwrap();
    assert_eq!(describe(&plan), "ok (at most 10,000,000 requests, 0 switches, 9 s)");
    insta::assert_snapshot!("closed", load_of(&dry_run(&plan)));
}

/// What a dry run says of the load.
fn load_of(told: &str) -> String {
    told.lines().skip(2).take_while(|line| !line.starts_with("  gateway")).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_sent_by_whom_is_told_in_words() {
    let text = with("path   = \"/anything\"", "path = \"/anything/${user}\"\nweight = 3").replacen(
        "[[services]]",
        "[[load.requests]]\nmethod = \"POST\"\npath = \"/anything\"\nbody_file = \"arrivals.csv\"\n\
         [[load.requests]]\nmethod = \"PUT\"\npath = \"/anything\"\nbody_size = \"2 KiB\"\n[[services]]",
        1,
    );
    let sets = [
        "load.keys={users=1000,zipf=1.1,header=\"x-user\",cookies=true}",
        "load.keepalive={new_connection_each_time=true}",
        "load.hedge={after=\"50ms\"}",
        "load.retry={attempts=3,budget=0.2,on=[\"connect\",\"reset\"]}",
    ];
    let read = read(&Input {
        sets: sets.map(str::to_owned).to_vec(),
        text,
        ..arriving("rate = 1\nduration = \"1s\"")
    });
    let plan = read.unwrap();
    insta::assert_snapshot!("senders", load_of(&dry_run(&plan)));
    let load = plan.load;
    assert_eq!((load.streams[0].users.count(), load.requests_per_connection), (1000, Some(1)));
    let bodies: Vec<_> = load.templates().map(|(_, kind)| kind.body.to_string().len()).collect();
    assert_eq!(bodies, [0, 12, 2048]);
}

#[test]
fn streams_are_laid_over_the_load() {
    // Aim: what a stream leaves out is the load's, but for what goes with another executor. Method: one of each.
    let mut input = arriving("rate = 60\nduration = \"10s\"\nwarmup = \"1s\"");
    input.text = input.text.replacen(
        "path   = \"/anything\"",
        "path = \"/anything\"\n[[load.streams]]\nname = \"browse\"\n[[load.streams]]\nname = \"checkout\"\nrate = 5\n\
         timeout = \"2s\"\nretry = { attempts = 2, budget = 0.1, on = [\"reset\"] }\n[[load.streams.requests]]\n\
         name = \"pay\"\nmethod = \"POST\"\npath = \"/pay\"\n[[load.streams]]\nname = \"crawl\"\n\
         executor = \"constant-vus\"\nvus = 3\nstop_after = 100",
        1,
    );
    let plan = read(&input).unwrap();
    insta::assert_snapshot!("streams", load_of(&dry_run(&plan)));
    assert_eq!(describe(&plan), "ok (at most 750 requests, 0 switches, 10 s)");
}

#[test]
fn mistakes_in_streams_are_told_once_and_where_they_stand() {
    let base = "rate = 60\nduration = \"10s\"\ntimeout = \"0s\"";
    for (streams, said) in [
        ("", &["`timeout` is zero"][..]),
        ("[[load.streams]]\nrate = 5", &["`timeout` is zero", "a stream needs `name`"]),
        (
            "[[load.streams]]\nname = \"a\"\n[[load.streams]]\nname = \"a\"\nconnections = 3",
            &["`timeout` is zero", "two streams have the same name", "unknown key `connections`"],
        ),
        (
            "[[load.streams]]\nname = \"load\"",
            &["`timeout` is zero", "the name of a stream stands in tables and thresholds"],
        ),
    ] {
        let mut input = arriving(base);
        input.text =
            input.text.replacen("path   = \"/anything\"", &format!("path = \"/anything\"\n{streams}"), 1);
        let mistakes = read(&input).unwrap_err();
        let messages: Vec<_> = mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
        assert_eq!(messages, said, "{streams}");
    }
}
