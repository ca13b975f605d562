//! What tags come to, and every fault of theirs.

use super::*;

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[track_caller]
fn faults(pairs: &[(&str, &str)], want: &[&str]) {
    let faults = TrackingPolicy::from_tags(&tags(pairs))
        .unwrap()
        .unwrap_err();
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, want);
}

#[test]
fn without_the_tag_there_is_no_policy() {
    let others = tags(&[
        ("ballast:standby", "web-standby"),
        ("ballast:max-tasks", "3"),
    ]);
    assert_eq!(TrackingPolicy::from_tags(&others), None);
}

#[test]
fn defaults_are_those_of_the_table() {
    let policy = TrackingPolicy::from_tags(&tags(&[
        ("ballast:service-scaler", "act"),
        ("ballast:target-cpu-percent", "62.5"),
        ("ballast:max-tasks", "40"),
        ("ballast:standby", "web-standby"),
    ]))
    .unwrap()
    .unwrap();
    assert_eq!(policy.targets[&TargetName::Cpu].value_milli, 62_500);
    assert_eq!(policy.targets.len(), 1);
    assert_eq!((policy.bounds.min_tasks, policy.bounds.max_tasks), (1, 40));
    assert_eq!(policy.pace, Pace::default());
    let pace = policy.pace;
    for (setting, value) in [
        (&TAG_TOLERANCE_PERCENT, i64::from(pace.tolerance_percent)),
        (&TAG_SCALE_IN_WINDOW_SECS, pace.scale_in_window.0),
        (&TAG_TURN_HOLD_SECS, pace.turn_hold.0),
        (&TAG_RAISE_MAX_PERCENT, i64::from(pace.raise_max_percent)),
        (&TAG_START_UP_SECS, pace.start_up.0),
        (&TAG_WARM_UP_SECS, pace.warm_up.0),
        (&TAG_FORECAST_PEAK_SECS, pace.forecast_peak.0),
        (&TAG_FOREIGN_HOLD_SECS, policy.foreign_hold.0),
        (&TAG_MIN_TASKS, i64::from(policy.bounds.min_tasks)),
        (&TAG_METRIC_RESOLUTION_SECS, policy.metric_resolution.0),
    ] {
        assert_eq!(setting.default, value.to_string(), "{}", setting.name);
    }
    assert_eq!(TAG_FORECAST.default, pace.forecast.to_string());
    assert_eq!(TAG_TIME_ZONE.default, policy.time_zone);
}

#[test]
fn every_fault_is_named_at_once() {
    faults(
        &[
            ("ballast:service-scaler", "yes"),
            ("ballast:target-cpu-percent", "0"),
            ("ballast:target-memory-percent", "0.5"),
            ("ballast:target-alarm", "backlog"),
            ("ballast:metric-resolution-secs", "30"),
            ("ballast:min-tasks", "9"),
            ("ballast:max-tasks", "8"),
            ("ballast:time-zone", "Mars/Olympus"),
            ("ballast:holddown", "60"),
        ],
        &[
            "`ballast:holddown` is `60`: no tag of this name is allowed",
            "`ballast:service-scaler` is `yes`: `act` or `advise` is allowed",
            "`ballast:target-cpu-percent` is `0`: a number from 1 to 100, with up to three decimals is allowed",
            "`ballast:target-memory-percent` is `0.5`: a number from 1 to 100, with up to three decimals is allowed",
            "`ballast:target-value` is ``: a number above 0, with up to three decimals is allowed",
            "`ballast:target-measures` is ``: `per-task` or `total` is allowed",
            "`ballast:metric-resolution-secs` is `30`: `20` or `60` is allowed",
            "`ballast:max-tasks` is `8`: a whole number from 1 to 5000, at least `ballast:min-tasks` is allowed",
            "`ballast:time-zone` is `Mars/Olympus`: a name of the IANA time zone database, such as `Europe/Berlin` is allowed",
        ],
    );
}

#[test]
fn what_an_alarms_metric_stands_for_is_said_and_not_guessed() {
    let with = |measures: &[(&str, &str)]| {
        let mut all = tags(&[
            ("ballast:service-scaler", "act"),
            ("ballast:target-alarm", "backlog"),
            ("ballast:target-value", "100"),
            ("ballast:max-tasks", "8"),
        ]);
        all.extend(tags(measures));
        TrackingPolicy::from_tags(&all).unwrap()
    };
    for (text, want) in [("total", Measures::Total), ("per-task", Measures::PerTask)] {
        let policy = with(&[("ballast:target-measures", text)]).unwrap();
        assert_eq!(policy.targets[&TargetName::Alarm].measures, want);
    }
    let faults = with(&[]).unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "`ballast:target-measures` is ``: `per-task` or `total` is allowed"
    );
    assert_eq!(faults.len(), 1);
}

#[test]
fn a_window_is_no_longer_than_values_live() {
    let with = |secs: &str| {
        let policy = TrackingPolicy::from_tags(&tags(&[
            ("ballast:service-scaler", "act"),
            ("ballast:target-cpu-percent", "60"),
            ("ballast:max-tasks", "8"),
            ("ballast:scale-in-window-secs", secs),
        ]));
        policy.unwrap().map(|it| it.pace.scale_in_window)
    };
    assert_eq!(with("9000"), Ok(Seconds(9_000)));
    assert!(with("9001").is_err());
    let allowed = format!("a whole number from 60 to {SCALE_IN_WINDOW_SECS_MAX}");
    assert_eq!(TAG_SCALE_IN_WINDOW_SECS.allowed, allowed);
}

#[test]
fn a_peak_is_the_forecasts() {
    let with = |more: &[(&str, &str)]| {
        let mut all = tags(&[
            ("ballast:service-scaler", "act"),
            ("ballast:target-cpu-percent", "60"),
            ("ballast:max-tasks", "8"),
        ]);
        all.extend(tags(more));
        let policy = TrackingPolicy::from_tags(&all).unwrap();
        policy
            .map(|it| (it.pace.forecast, it.pace.forecast_peak))
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let forecast = ("ballast:forecast", "true");
    let peak = |secs| ("ballast:forecast-peak-secs", secs);
    assert_eq!(with(&[forecast]), Ok((true, Seconds(0))));
    assert_eq!(with(&[forecast, peak("0")]), Ok((true, Seconds(0))));
    assert_eq!(with(&[forecast, peak("3600")]), Ok((true, Seconds(3_600))));
    let allowed = format!(
        "a whole number from 0 to {FORECAST_PEAK_SECS_MAX}, with `ballast:forecast` = `true`"
    );
    assert_eq!(TAG_FORECAST_PEAK_SECS.allowed, allowed);
    assert_eq!(
        with(&[forecast, peak("3601")]),
        Err(vec![format!(
            "`ballast:forecast-peak-secs` is `3601`: {allowed} is allowed"
        )])
    );
    let alone = "`ballast:forecast-peak-secs` is `900`: nothing without `ballast:forecast` = `true` is allowed";
    assert_eq!(with(&[peak("900")]), Err(vec![alone.to_owned()]));
    let off = ("ballast:forecast", "false");
    assert_eq!(with(&[off, peak("900")]), Err(vec![alone.to_owned()]));
}

#[test]
fn a_service_that_asks_for_nothing_is_told_what_it_can_ask_for() {
    faults(
        &[("ballast:service-scaler", "act")],
        &[
            "`ballast:target-cpu-percent` is ``: at least one of `ballast:target-cpu-percent`, `ballast:target-memory-percent`, \
             `ballast:target-requests-per-task-minute` and `ballast:target-alarm` is allowed",
            "`ballast:max-tasks` is ``: a whole number from 1 to 5000, at least `ballast:min-tasks` is allowed",
        ],
    );
}

#[test]
fn a_windows_minimum_is_not_above_the_maximum_that_it_leaves() {
    faults(
        &[
            ("ballast:service-scaler", "act"),
            ("ballast:target-cpu-percent", "60"),
            ("ballast:max-tasks", "8"),
            ("ballast:scheduled-bounds", "daily 08:00-10:00 min=9"),
            ("ballast:target-value", "5"),
        ],
        &[
            "`ballast:target-value` is `5`: nothing without `ballast:target-alarm` is allowed",
            "`ballast:scheduled-bounds` is `daily 08:00-10:00 min=9`: a minimum that is not above the maximum, in each window with \
             what it leaves to `ballast:min-tasks` and `ballast:max-tasks`, is allowed",
        ],
    );
}

#[test]
fn a_metric_that_ends_at_100_percent_can_go_beyond_the_tolerance() {
    let with = |percent: &str, tolerance: &str| {
        TrackingPolicy::from_tags(&tags(&[
            ("ballast:service-scaler", "act"),
            ("ballast:target-cpu-percent", percent),
            ("ballast:tolerance-percent", tolerance),
            ("ballast:max-tasks", "8"),
        ]))
        .unwrap()
    };
    for (percent, tolerance, want) in [
        ("89.285", "12", true),
        ("89.286", "12", false),
        ("99", "0", true),
        ("100", "0", false),
        ("67", "50", false),
        ("66.666", "50", true),
    ] {
        assert_eq!(
            with(percent, tolerance).is_ok(),
            want,
            "{percent} {tolerance}"
        );
    }
    let faults = with("90", "12").unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "`ballast:target-cpu-percent` is `90`: with `ballast:tolerance-percent` at 12 no more than 89.285, so that 100 % lies beyond the \
         tolerance, is allowed"
    );
}

#[test]
fn decimals_are_thousandths() {
    for (text, want) in [
        ("0.5", Some(500)),
        ("12", Some(12_000)),
        ("1.234", Some(1_234)),
        ("1.", None),
        (".5", None),
        ("-1", None),
        ("1e3", None),
        ("NaN", None),
        ("1.2345", None),
    ] {
        assert_eq!(decimal_milli(text), want, "{text}");
    }
}
