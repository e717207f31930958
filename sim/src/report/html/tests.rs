//! The page against what could go wrong with one: markup that does not nest, text that becomes markup, anything fetched from
//! elsewhere, charts that a screen reader cannot read, and the states a good run does not show.

use super::page;
use crate::measure::rehearsal::{how_to, measure, play};
use crate::report::sample::{failed, invalid, summary};
use crate::summary::{Facts, FaultSpan, Outcome, Summary, summarise};

/// Elements that were opened and not closed, or closed and not opened, in order.
fn unbalanced(page: &str) -> Vec<String> {
    const VOID: [&str; 2] = ["meta", "!doctype"];
    let body = page.split("<script>").next().unwrap();
    let (mut open, mut wrong) = (Vec::new(), Vec::new());
    for tag in body.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        if tag.starts_with("!--") || tag.ends_with('/') {
            continue;
        }
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap().to_owned();
        if VOID.contains(&name.as_str()) {
            continue;
        }
        if !tag.starts_with('/') {
            open.push(name);
        } else if open.pop().as_deref() != Some(&name) {
            wrong.push(name);
        }
    }
    // The script follows the body's content, so two elements are still open here.
    assert_eq!(open.len(), 2, "{open:?}");
    wrong
}

fn assert_well_formed(page: &str) {
    assert_eq!(unbalanced(page), [""; 0]);
    for outside in ["http://", "https://", "src=", "@import", "<link", "<img"] {
        let found = page.matches(outside).count();
        assert_eq!(found, 0, "{outside} is on the page");
    }
    let charts = page.matches("role=\"img\" aria-labelledby=").count();
    assert_eq!((charts, charts), (page.matches("<title id=").count(), page.matches("<desc id=").count()));
}

/// What is read on the page, a line for each piece of text: without styles, script and markup.
fn read(page: &str) -> String {
    let body = page.split("</style>").last().unwrap().split("<script>").next().unwrap();
    let pieces = body.split('<').filter_map(|tag| Some(tag.split_once('>')?.1.trim()));
    pieces.filter(|text| !text.is_empty()).flat_map(|text| [text, "\n"]).collect()
}

#[test]
fn what_is_read_on_the_pages_of_a_good_a_failed_and_an_untrustworthy_run() {
    insta::assert_snapshot!("page_pass", read(&page(&summary())));
    // What the others have in common with it is not repeated.
    let pass = read(&page(&summary()));
    let own = |other: &Summary| -> String {
        let there: std::collections::BTreeSet<_> = pass.lines().collect();
        let page = read(&page(other));
        page.lines().filter(|line| !there.contains(line)).flat_map(|line| [line, "\n"]).collect()
    };
    insta::assert_snapshot!("page_fail", own(&failed()));
    insta::assert_snapshot!("page_invalid", own(&invalid()));
}

#[test]
fn a_good_run_shows_verdict_panels_and_tables() {
    let page = page(&summary());
    assert_well_formed(&page);
    for there in [
        "Who is serving",
        "Throughput",
        "Response time",
        "Dropped, by cause",
        "Weight share",
        "Weight accuracy",
        "In flight",
        "Generator lag",
        "18,000 intended = 18,000 answered + 0 dropped",
        "none, by any cause",
        "① blue → green",
        "② green → blue",
        "prefers-color-scheme",
        "How to read this",
        "id=\"spectrum\"",
    ] {
        assert!(page.contains(there), "{there}");
    }
    // Both switches are marked in every panel, and both are put under the lens.
    let timeline = page.split("id=\"spectrum\"").next().unwrap();
    assert_eq!(timeline.matches("class=\"mark\"").count(), 2 * 8);
    for lens in ["Every request, one strand", "Every request, one dot"] {
        assert_eq!(page.matches(lens).count(), 2, "{lens}");
    }
    assert!(page.len() < 150_000, "{} bytes", page.len());
}

// Aim: where there are too many requests for a dot each, none is left out. Method: 2,000 requests a second around two switches.
#[test]
fn what_is_too_much_for_dots_is_counted() {
    let plan = how_to(2_000.0, 6, &[(2_000, "green"), (4_000, "blue")]);
    let busy = summarise(&plan, &measure(&plan, &play(&plan)), Facts::default());
    for switch in &busy.switches {
        let lens = switch.lens.as_ref().unwrap();
        let bins = lens.bins.as_ref().unwrap();
        assert!(lens.n > 6_000 && lens.n == bins.n.iter().sum::<u64>(), "{}", lens.n);
        let of = |new: u8| {
            let bins = bins.t_ms.iter().zip(&bins.new).zip(&bins.n);
            let times = bins.filter(move |((t, is_new), _)| (**t >= 0.0) == (new == 1) && **is_new == new);
            times.map(|(_, n)| n).sum::<u64>()
        };
        assert!(
            of(0) + of(1) >= lens.n - 100,
            "before the switch all are of the old version, after it none is"
        );
    }
    let page = page(&busy);
    assert_well_formed(&page);
    assert_eq!(page.matches("Every request, counted").count(), 2);
    assert!(page.len() < 200_000, "{} bytes", page.len());
}

#[test]
fn names_from_outside_stay_text() {
    let mut summary = summary();
    let evil = "<script>alert('x')</script>\"&";
    summary.scenario.name = evil.to_owned();
    summary.scenario.text = evil.to_owned();
    summary.targets[0].name = format!("{evil}:80");
    summary.switches[0].to = evil.to_owned();
    summary.verdict.sentence = evil.to_owned();
    summary.verdict.thresholds[0].metric = evil.to_owned();
    let page = page(&summary);
    assert_well_formed(&page);
    assert_eq!(page.matches("<script>").count(), 1, "only our own");
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
}

#[test]
fn every_state_has_its_word_and_is_well_formed() {
    let with = |change: &dyn Fn(&mut Summary)| {
        let mut summary = summary();
        change(&mut summary);
        let page = page(&summary);
        assert_well_formed(&page);
        page
    };
    let failed = with(&|summary| {
        summary.verdict.result = Outcome::Fail;
        summary.verdict.thresholds[0].ok = false;
        summary.requests.dropped = 7;
        summary.requests.answered -= 7;
        summary.requests.dropped_by_cause.insert("refused".into(), 7);
        let mut bins = vec![0; summary.series.t_ms.len()];
        bins[3] = 7;
        summary.series.dropped.insert("refused".into(), bins);
        summary.samples.insert("refused".into(), vec!["42-00001".into()]);
    });
    for there in ["badge fail", "FAIL", "7 of 18,000", "42-00001", "class=\"no\""] {
        assert!(failed.contains(there), "{there}");
    }
    let invalid = with(&|summary| summary.verdict.result = Outcome::Invalid);
    assert!(invalid.contains("badge warn") && invalid.contains("facts struck"));
    let (lag, throughput) =
        (invalid.find("<b>Generator lag").unwrap(), invalid.find("<b>Throughput").unwrap());
    assert!(lag < throughput, "what makes a run invalid is looked at first");
    let aborted = with(&|summary| {
        summary.verdict.aborted = true;
        summary.verdict.aborted_at_ms = Some(15_000.0);
        summary.requests.dropped = 9_000;
        summary.requests.answered -= 9_000;
        summary.requests.dropped_by_cause.insert("unsent".into(), 9_000);
    });
    assert!(aborted.contains("ABORTED") && aborted.contains("9,000 not sent"));
    assert!(!aborted.contains("9,000 dropped</text>"), "nobody has dropped what was never sent");
    let nothing = with(&|summary| {
        summary.requests = crate::summary::Ledger::default();
    });
    assert!(!nothing.contains("id=\"timeline\""), "no charts of nothing");
    let still = with(&|summary| summary.switches.clear());
    assert!(still.contains("Nothing was switched.") && !still.contains("id=\"switch\""));
}

#[test]
fn many_targets_are_grouped_and_one_is_enough() {
    let mut many = summary();
    let template = many.targets[0].clone();
    for number in 0..300 {
        many.targets
            .push(crate::summary::TargetRow { name: format!("blue-{number}:80"), ..template.clone() });
        for rows in [&mut many.series.answered, &mut many.series.picks] {
            let bins = rows[0].len();
            rows.push(vec![1; bins]);
        }
        let bins = many.series.in_flight[0].len();
        many.series.in_flight.push(vec![0.1; bins]);
    }
    let page_of_many = page(&many);
    assert_well_formed(&page_of_many);
    assert!(page_of_many.contains("297 others"), "five apart, the rest as one");
    let mut one = summary();
    one.targets.truncate(1);
    assert_well_formed(&page(&one));
}

#[test]
fn faults_have_a_band_each_as_far_as_there_is_room() {
    assert!(!page(&summary()).contains("What went wrong"), "nothing did");
    let fault = |n: u32| FaultSpan {
        from_ms: f64::from(n) * 3000.0,
        until_ms: (n > 0).then(|| f64::from(n) * 3000.0 + 500.0),
        kind: format!("errors {n}"),
        targets: vec!["<blue-1>".to_owned(), "blue-2".to_owned()],
    };
    let page = page(&Summary { faults: (0..8).map(fault).collect(), ..summary() });
    assert_well_formed(&page);
    let panel = page.split("What went wrong").nth(1).unwrap().split("</figure>").next().unwrap();
    assert!(
        panel.contains("errors 0 at &lt;blue-1&gt; and blue-2 from 0.0 to 30.0 s, errors 1 at"),
        "{panel}"
    );
    assert_eq!(panel.matches("2 targets").count(), 6);
    assert!(panel.contains("2 more under Events"), "{panel}");
}

#[test]
fn a_page_is_small_however_long_the_run() {
    let size = |minutes: u64| {
        let plan = how_to(30.0, 60 * minutes, &[(200_000, "green"), (400_000, "blue")]);
        page(&summarise(&plan, &measure(&plan, &play(&plan)), Facts::default())).len()
    };
    let [ten, hour] = [10, 60].map(size);
    assert!(ten <= 150_000, "{ten} bytes");
    assert!(hour as f64 <= 1.05 * ten as f64, "{hour} bytes of an hour, {ten} of ten minutes");
}
