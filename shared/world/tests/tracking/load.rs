//! Who serves the load, and how busy that makes them.

use jiff::Timestamp;
use model::snapshot::Health;
use serde_json::json;
use world::load::{CustomMetric, Fleet, History, LoadCurve};
use world::{Config, MetricKey, Operation, TargetState, World};

use crate::stage::{LOAD, Stage, call, pair, refused, values};

/// The values, to a thousandth.
fn near(found: &[Option<f64>], wanted: &[f64]) {
    let found: Vec<String> = found
        .iter()
        .map(|it| it.map_or("none".to_owned(), |it| format!("{it:.3}")))
        .collect();
    let wanted: Vec<String> = wanted.iter().map(|it| format!("{it:.3}")).collect();
    assert_eq!(found, wanted);
}

fn set_desired(stage: &mut Stage, count: u32) {
    let input = json!({"cluster": "shop", "service": "web", "desiredCount": count});
    call(&mut stage.world, Operation::UpdateService, input);
}

#[test]
fn all_ready_tasks_of_the_pair_share_the_load_evenly() {
    let mut stage = pair(Config::new(1), 4, 2).loaded(LoadCurve::flat(300));
    stage.world.advance_secs(300);
    // 300 requests over six tasks of 100: each is half busy, whichever service it is of.
    let (web, standby) = (stage.web.clone(), stage.standby.clone());
    for (key, tasks) in [(&web, 4.0), (&standby, 2.0)] {
        let average = stage.of_service(key, "CPUUtilization", "Average", 60);
        near(&stage.values(&average, 5)[..3], &[50.0; 3]);
        let count = stage.of_service(key, "CPUUtilization", "SampleCount", 60);
        near(&stage.values(&count, 5)[..3], &[tasks; 3]);
        let sum = stage.of_service(key, "CPUUtilization", "Sum", 60);
        near(&stage.values(&sum, 5)[..3], &[50.0 * tasks; 3]);
        let memory = stage.of_service(key, "MemoryUtilization", "p50", 60);
        near(&stage.values(&memory, 5)[..3], &[40.0; 3]);
    }
    let minute = stage.world.load_minutes(LOAD).last().copied().unwrap();
    assert_eq!(
        (minute.requests, minute.ready_spot, minute.ready_on_demand),
        (300, 4, 2)
    );
    assert_eq!(minute.utilisation_milli_percent, Some(50_000));
    assert_eq!((minute.over_limit_requests, minute.excess_requests), (0, 0));
}

#[test]
fn load_balancers_count_requests_by_target_group_and_balancer() {
    let mut stage = pair(Config::new(1), 3, 1).loaded(LoadCurve::per_minute(vec![200, 0, 400]));
    stage.world.advance_secs(300);
    let count = stage.of_group("RequestCount", true);
    let counts = stage.values(&count, 5);
    assert_eq!(counts[..4], [Some(200.0), None, Some(400.0), Some(200.0)]);
    // By target group alone there is no such metric.
    let count = stage.of_group("RequestCount", false);
    assert_eq!(stage.values(&count, 5), [None; 5]);
    for with_balancer in [false, true] {
        let per_target = stage.of_group("RequestCountPerTarget", with_balancer);
        let each = stage.values(&per_target, 5);
        assert_eq!(each[..4], [Some(50.0), None, Some(100.0), Some(50.0)]);
    }
}

#[test]
fn a_quiet_target_group_is_at_zero_while_its_load_balancer_has_requests() {
    let curve = || LoadCurve::per_minute(vec![200, 0]);
    let mut stage = pair(Config::new(1), 4, 0).loaded(curve());
    stage.world.fleet_mut(LOAD).unwrap().shares_load_balancer = true;
    let past = History::days(curve(), 1);
    assert!(stage.world.seed_history(LOAD, &past));
    let begins = stage.world.now().as_second();
    stage.world.advance_secs(180);
    for (name, busy) in [("RequestCount", 200.0), ("RequestCountPerTarget", 50.0)] {
        let query = stage.of_group(name, true);
        let now = values(&mut stage.world, &query, begins, begins + 120);
        assert_eq!(now, [Some(busy), Some(0.0)], "{name}");
        let before = values(&mut stage.world, &query, begins - 120, begins);
        assert_eq!(before, [Some(busy), Some(0.0)], "{name}");
    }
}

#[test]
fn where_no_target_is_healthy_the_registered_ones_count() {
    let mut stage = pair(Config::new(1), 0, 0).loaded(LoadCurve::flat(120));
    let (web, group) = (stage.web.clone(), stage.target_group.clone());
    let begins = stage.world.now().as_second();
    set_desired(&mut stage, 4);
    // How many targets there are at each look, none of which ever answers.
    let mut looks = Vec::new();
    for _ in 0..30 {
        stage.world.advance_secs(20);
        let tasks = stage.world.tasks_of(&web);
        let states = tasks.iter().filter_map(|it| it.targets.get(&group));
        let states: Vec<TargetState> = states.map(|it| it.state).collect();
        assert!(!states.contains(&TargetState::Healthy), "{states:?}");
        let gone = [TargetState::Draining, TargetState::Gone];
        looks.push(states.iter().filter(|it| !gone.contains(it)).count());
        for task in stage.world.live_tasks(&web) {
            stage.world.set_target_answers(&task, false);
        }
    }
    let (count, each) = (
        stage.of_group("RequestCount", true),
        stage.of_group("RequestCountPerTarget", false),
    );
    let minutes = stage.world.load_minutes(LOAD);
    assert!(minutes.iter().all(|it| it.excess_requests == 120));
    let mut told = Vec::new();
    for (from, looks) in (begins..).step_by(60).zip(looks.chunks(3)).take(9) {
        let with_targets = looks.iter().filter(|it| **it > 0).count();
        let targets: usize = looks.iter().sum();
        let received = 40 * with_targets;
        let wanted = (targets > 0).then(|| received * with_targets * 1_000 / targets);
        told.extend(wanted);
        let mut read = |query| values(&mut stage.world, query, from, from + 60)[0];
        let found = read(&each).map(|it| format!("{it:.3}"));
        let wanted = wanted.map(|it| format!("{}.{:03}", it / 1_000, it % 1_000));
        assert_eq!(found, wanted, "{looks:?}");
        let requests = (received > 0).then(|| format!("{received}.0"));
        assert_eq!(read(&count).map(|it| format!("{it:.1}")), requests);
    }
    // The four that never answer and the four that are to replace them.
    assert!(told.contains(&15_000), "{told:?}");
}

#[test]
fn raising_the_primary_helps_when_its_tasks_are_ready_and_starting_ones_only_dilute_the_mean() {
    let mut stage = pair(Config::new(1), 2, 0).loaded(LoadCurve::flat(190));
    stage.world.advance_secs(120);
    set_desired(&mut stage, 4);
    stage.world.advance_secs(480);
    let web = stage.web.clone();
    let average = stage.of_service(&web, "CPUUtilization", "Average", 60);
    let lowest = stage.of_service(&web, "CPUUtilization", "Minimum", 60);
    let highest = stage.of_service(&web, "CPUUtilization", "Maximum", 60);
    let count = stage.of_service(&web, "CPUUtilization", "SampleCount", 60);
    let average = stage.values(&average, 10);
    assert_eq!((average[0], average[1]), (Some(95.0), Some(95.0)));
    assert_eq!(average[8], Some(47.5));
    // While the new tasks run and are not healthy yet, they use little, and the others are as busy as before.
    let (lowest, highest) = (stage.values(&lowest, 10), stage.values(&highest, 10));
    let starting = lowest.iter().position(|it| *it == Some(5.0)).unwrap();
    assert_eq!(highest[starting], Some(95.0));
    assert_eq!(stage.values(&count, 10)[starting], Some(4.0));
    let account = stage.world.load_account(LOAD, Timestamp::UNIX_EPOCH);
    assert_eq!((account.minutes, account.requests), (10, 1_900));
    // Above 80 % until four were ready.
    let above: u64 = stage
        .world
        .load_minutes(LOAD)
        .iter()
        .map(|it| it.over_limit_requests)
        .sum();
    assert_eq!(account.over_limit_requests, above);
    assert!((380..800).contains(&above), "{above}");
    assert_eq!(account.required_task_mins, 30);
}

#[test]
fn what_is_above_everything_that_is_ready_is_excess_and_the_cpu_is_capped() {
    let mut stage = pair(Config::new(1), 2, 0).loaded(LoadCurve::flat(500));
    stage.world.advance_secs(240);
    let web = stage.web.clone();
    let average = stage.of_service(&web, "CPUUtilization", "Average", 60);
    assert_eq!(stage.values(&average, 4)[0], Some(100.0));
    let minute = stage.world.load_minutes(LOAD)[0];
    assert_eq!(minute.utilisation_milli_percent, Some(250_000));
    assert_eq!(minute.over_limit_requests, 500);
    assert_eq!(minute.excess_requests, 300);
    assert_eq!(minute.required_tasks(stage.world.fleet(LOAD).unwrap()), 7);
    // A task on an instance may use more than it reserves.
    stage.world.fleet_mut(LOAD).unwrap().cpu_cap_percent = 400;
    stage.world.advance_secs(240);
    assert_eq!(stage.values(&average, 4)[1], Some(250.0));
}

#[test]
fn nothing_runs_nothing_is_told_and_every_request_is_lost() {
    let mut stage = pair(Config::new(1), 2, 0).loaded(LoadCurve::flat(100));
    stage.world.advance_secs(120);
    let now = stage.world.now();
    stage.world.set_capacity_everywhere("FARGATE_SPOT", now, 0);
    stage.world.advance_secs(600);
    let web = stage.web.clone();
    for query in [
        stage.of_service(&web, "CPUUtilization", "Average", 60),
        stage.of_group("RequestCount", true),
    ] {
        let found = stage.values(&query, 12);
        assert_eq!(
            found[0],
            Some(if query["MetricStat"]["Stat"] == "Sum" {
                100.0
            } else {
                50.0
            })
        );
        assert_eq!(found[8..], [None; 4], "{query}");
    }
    let last = stage.world.load_minutes(LOAD).last().copied().unwrap();
    assert_eq!(last.utilisation_milli_percent, None);
    assert_eq!((last.excess_requests, last.over_limit_requests), (100, 100));
    assert_eq!((last.ready(), last.running, last.desired), (0, 0, 2));
}

#[test]
fn a_task_that_fails_its_checks_takes_no_load() {
    let mut stage = pair(Config::new(1), 4, 0).loaded(LoadCurve::flat(120));
    let web = stage.web.clone();
    let task = stage.world.live_tasks(&web).into_iter().next().unwrap();
    stage.world.advance_secs(10);
    stage.world.set_health(&task, Health::Unhealthy);
    stage.world.advance_secs(10);
    let ready = stage
        .world
        .tasks_of(&web)
        .iter()
        .filter(|it| it.serves())
        .count();
    assert_eq!(ready, 3);
    stage.world.advance_secs(40);
    let minute = stage.world.load_minutes(LOAD)[0];
    assert!(minute.ready_looks < 12, "{minute:?}");
    assert!(
        minute.utilisation_milli_percent > Some(30_000),
        "{minute:?}"
    );
}

#[test]
fn twenty_seconds_metrics_have_a_sample_of_each_task_for_each_look() {
    let mut stage = pair(Config::new(1), 3, 0).loaded(LoadCurve::flat(150));
    let monitoring = json!({
        "cluster": "shop", "service": "web",
        "monitoring": {"metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 20}]},
    });
    call(&mut stage.world, Operation::UpdateService, monitoring);
    stage.world.advance_secs(180);
    let web = stage.web.clone();
    let count = stage.of_service(&web, "CPUUtilization", "SampleCount", 20);
    let end = stage.world.now().as_second() / 60 * 60;
    assert_eq!(
        values(&mut stage.world, &count, end - 120, end - 60),
        [Some(3.0); 3]
    );
    let by_minute = stage.of_service(&web, "CPUUtilization", "SampleCount", 60);
    assert_eq!(stage.values(&by_minute, 2)[0], Some(9.0));
    // What is not configured stays by the minute.
    let memory = stage.of_service(&web, "MemoryUtilization", "SampleCount", 20);
    assert_eq!(
        values(&mut stage.world, &memory, end - 120, end - 60),
        [None; 3]
    );
    let wrong = json!({
        "cluster": "shop", "service": "web",
        "monitoring": {"metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 30}]},
    });
    let said = refused(&mut stage.world, Operation::UpdateService, wrong);
    assert!(said.contains("20 or 60 seconds"), "{said}");
}

#[test]
fn a_curve_begins_at_its_time_and_begins_again_after_its_end() {
    let stage = pair(Config::new(1), 1, 0);
    let starts_at: Timestamp = "2026-03-02T09:10:00Z".parse().unwrap();
    let curve = LoadCurve::per_minute(vec![10, 20, 30]);
    let fleet = Fleet::new(stage.web.clone(), curve, starts_at, 100);
    for (time, wanted) in [
        ("2026-03-02T09:09:59Z", 0),
        ("2026-03-02T09:10:00Z", 10),
        ("2026-03-02T09:12:59Z", 30),
        ("2026-03-02T09:13:00Z", 10),
    ] {
        assert_eq!(fleet.requests_at(time.parse().unwrap()), wanted, "{time}");
    }
}

#[test]
fn two_weeks_of_history_are_read_by_the_minute_and_by_five() {
    let mut stage = pair(Config::new(1), 2, 0).loaded(LoadCurve::flat(60));
    let day = LoadCurve::ramp(0, 1_439, 1_440);
    let now = stage.world.now();
    assert!(stage.world.seed_history(LOAD, &History::days(day, 14)));
    assert_eq!(stage.world.now(), now);
    let end = now.as_second();
    let web = stage.web.clone();
    let count = stage.of_group("RequestCount", true);
    let all = values(&mut stage.world, &count, end - 14 * 86_400, end);
    assert_eq!(all.len(), 14 * 1_440);
    // A minute without requests has no count.
    assert_eq!(all.iter().flatten().count(), 14 * 1_439);
    assert_eq!(
        (all[0], all[1], all[1_440 + 700]),
        (None, Some(1.0), Some(700.0))
    );
    // 600 requests at 60 % of 100 each: ten tasks ran.
    let tasks = stage.of_service(&web, "CPUUtilization", "SampleCount", 60);
    let busy = stage.of_service(&web, "CPUUtilization", "Average", 60);
    let at = end - 86_400 + 600 * 60;
    near(&values(&mut stage.world, &tasks, at, at + 60), &[10.0]);
    near(&values(&mut stage.world, &busy, at, at + 60), &[60.0]);
    let mut by_hour = count.clone();
    by_hour["MetricStat"]["Period"] = json!(3_600);
    let at = end.div_euclid(3_600) * 3_600 - 7 * 3_600;
    let hour: f64 = values(&mut stage.world, &count, at, at + 3_600)
        .into_iter()
        .flatten()
        .sum();
    near(&values(&mut stage.world, &by_hour, at, at + 3_600), &[hour]);
    assert!(
        !stage
            .world
            .seed_history("nobody", &History::days(LoadCurve::flat(1), 1))
    );
}

#[test]
fn a_metric_of_ones_own_is_measured_each_minute() {
    let mut world = World::new(Config::new(1));
    let key = |name: &str| MetricKey::new("Shop", name, &[("Queue", "orders")]);
    world.put_custom_metric(CustomMetric::of_values(
        key("Backlog"),
        vec![Some(1_500), None, Some(2_000)],
    ));
    world.put_custom_metric(CustomMetric::measured(key("Services"), |moment| {
        i64::try_from(moment.state.services.len())
            .ok()
            .map(|it| it * 1_000)
    }));
    world.advance_secs(240);
    let minutes = |name: &str| -> Vec<i64> {
        world.state().metrics[&key(name)]
            .minutes()
            .map(|it| it.1.sum_milli)
            .collect()
    };
    // The fourth minute is over, and not published yet.
    assert_eq!(minutes("Backlog"), [1_500, 2_000]);
    assert_eq!(minutes("Services"), [0; 3]);
}

#[test]
fn a_load_that_is_taken_away_is_told_no_more() {
    let mut stage = pair(Config::new(1), 1, 0).loaded(LoadCurve::flat(60));
    stage.world.advance_secs(120);
    assert_eq!(stage.world.load_minutes(LOAD).len(), 2);
    assert!(stage.world.remove_load(LOAD));
    assert!(!stage.world.remove_load(LOAD));
    stage.world.advance_secs(600);
    assert_eq!(stage.world.load_minutes(LOAD), []);
    assert_eq!(
        stage
            .world
            .load_account(LOAD, Timestamp::UNIX_EPOCH)
            .minutes,
        0
    );
    let web = stage.web.clone();
    let query = stage.of_service(&web, "CPUUtilization", "Average", 60);
    assert_eq!(stage.values(&query, 5), [None; 5]);
}
