//! What holds of any load, checked against the world's own tasks, and of any page.

use proptest::prelude::*;
use serde_json::{Value, json};
use world::load::LoadCurve;
use world::{Config, MetricKey, Operation, World};

use crate::stage::{LOAD, at, call, pair};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every request comes once and is counted once, whatever happens to the tasks; and the last look of each minute finds the tasks
    /// that the world has.
    #[test]
    fn requests_and_tasks_are_conserved(
        seed in 0_u64..1_000,
        requests in prop::collection::vec(0_u64..2_000, 1..12),
        changes in prop::collection::vec((0_u32..3, 0_u32..9), 1..12),
    ) {
        let curve = LoadCurve::per_minute(requests);
        let mut stage = pair(Config::new(seed), 3, 1).loaded(curve.clone());
        let begins = stage.world.now().as_second();
        for (index, (kind, number)) in (1_usize..).zip(changes) {
            let (web, standby) = (stage.web.clone(), stage.standby.clone());
            match kind {
                0 => stage.world.set_desired_count(&web, number).unwrap(),
                1 => stage.world.set_desired_count(&standby, number).unwrap(),
                _ => {
                    let now = stage.world.now();
                    stage.world.set_capacity_everywhere("FARGATE_SPOT", now, number);
                }
            }
            let end = begins + i64::try_from(index).unwrap() * 60;
            stage.world.advance_to(at(end).parse().unwrap());
            let minute = *stage.world.load_minutes(LOAD).last().unwrap();
            prop_assert_eq!(stage.world.load_minutes(LOAD).len(), index);
            prop_assert_eq!(minute.requests, curve.at(index - 1));
            prop_assert!(minute.excess_requests <= minute.requests);
            prop_assert!(minute.over_limit_requests <= minute.requests);
            let of = |key| {
                let tasks = stage.world.tasks_of(key);
                tasks.iter().filter(|it| it.serves()).count()
            };
            prop_assert_eq!(usize::try_from(minute.ready()).unwrap(), of(&web) + of(&standby));
            if minute.ready_looks == 0 {
                prop_assert_eq!(minute.over_limit_requests, minute.requests);
            }
        }
    }

    /// Pages of any size, one after the other, hold what one answer holds.
    #[test]
    fn pages_add_up(minutes in prop::collection::btree_set(0_i64..60, 0..40), size in 1_usize..30) {
        let mut world = World::new(Config::new(1));
        let from = world.config().start.as_second();
        world.advance_secs(3_600);
        let key = MetricKey::new("N", "m", &[]);
        for minute in &minutes {
            world.put_metric_at(&key, at(from + minute * 60).parse().unwrap(), false, &[minute * 1_000]);
        }
        let query = |id: &str, period: u32| json!({
            "Id": id,
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": period, "Stat": "Sum"},
        });
        let mut input = json!({
            "MetricDataQueries": [query("a", 60), query("b", 300), query("c", 60)],
            "StartTime": at(from), "EndTime": at(from + 3_600),
        });
        let all = collected(&[call(&mut world, Operation::GetMetricData, input.clone())]);
        input["MaxDatapoints"] = json!(size);
        let mut pages = Vec::new();
        loop {
            let answer = call(&mut world, Operation::GetMetricData, input.clone());
            let held: usize = answer["MetricDataResults"].as_array().unwrap().iter()
                .map(|it| it["Values"].as_array().unwrap().len()).sum();
            prop_assert!(held <= size);
            let token = answer["NextToken"].clone();
            pages.push(answer);
            if token.is_null() {
                break;
            }
            prop_assert!(pages.len() < 200);
            input["NextToken"] = token;
        }
        prop_assert_eq!(collected(&pages), all);
    }
}

/// Every point of every result, in the order in which it was told.
fn collected(pages: &[Value]) -> Vec<String> {
    let mut points: Vec<String> = pages
        .iter()
        .flat_map(|it| it["MetricDataResults"].as_array().unwrap())
        .flat_map(|result| {
            let times = result["Timestamps"].as_array().unwrap();
            let values = result["Values"].as_array().unwrap();
            assert_eq!(times.len(), values.len());
            times
                .iter()
                .zip(values)
                .map(|(time, value)| format!("{} {time} {value}", result["Id"]))
        })
        .collect();
    points.shrink_to_fit();
    points
}
