//! A pair of services with a load on it, and how the tests read its metrics.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::ServiceKey;
use serde_json::{Value, json};
use world::load::{Fleet, LoadCurve};
use world::{Category, Config, Delivered, Operation, ServiceSpec, TargetGroup, World, line};

pub(crate) const LOAD: &str = "shop";

/// Long enough for tasks to run and to be healthy.
pub(crate) const SETTLE_SECS: u32 = 300;

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) web: ServiceKey,
    pub(crate) standby: ServiceKey,
    pub(crate) target_group: String,
}

/// A primary on Spot and its standby on demand, behind one target group, with so many tasks each.
pub(crate) fn pair(config: Config, primary: u32, standby: u32) -> Stage {
    let mut world = World::new(config);
    let cluster = "shop".parse().unwrap();
    let providers = json!({
        "clusterName": "shop", "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
    });
    call(&mut world, Operation::CreateCluster, providers);
    let group = TargetGroup::new("shop")
        .with_deregistration_delay_secs(0)
        .healthy_after(2);
    let target_group = world.declare_target_group(group);
    let key =
        |name: &str| ServiceKey::new(model::ClusterName::clone(&cluster), name.parse().unwrap());
    let (web, spare) = (key("web"), key("web-standby"));
    for (key, provider, count) in [
        (&web, "FARGATE_SPOT", primary),
        (&spare, "FARGATE", standby),
    ] {
        let spec = ServiceSpec::new(key.clone(), "web:1", count)
            .on(vec![line(provider, 0, 1).unwrap()])
            .behind(&target_group);
        world.create(spec).unwrap();
    }
    Stage {
        world,
        web,
        standby: spare,
        target_group,
    }
}

impl Stage {
    /// Lets the tasks come up, and puts a load on the pair from the next full minute on: 100 requests a minute make a task busy.
    pub(crate) fn loaded(mut self, curve: LoadCurve) -> Self {
        self.world.advance_secs(SETTLE_SECS);
        let minute = self.world.now().as_second() / 60 + 1;
        let starts_at = Timestamp::from_second(minute * 60).unwrap();
        self.world.advance_to(starts_at);
        let fleet = Fleet::new(self.web.clone(), curve, starts_at, 100)
            .with(self.standby.clone())
            .behind(&self.target_group, "shop");
        self.world.put_load(LOAD, fleet);
        self
    }

    /// A service's metric, as a query of GetMetricData.
    pub(crate) fn of_service(
        &self,
        key: &ServiceKey,
        name: &str,
        stat: &str,
        period: u32,
    ) -> Value {
        let dimensions = json!([
            {"Name": "ClusterName", "Value": key.cluster.as_str()},
            {"Name": "ServiceName", "Value": key.service.as_str()},
        ]);
        query("AWS/ECS", name, dimensions, stat, period)
    }

    /// A metric of the target group, with or without its load balancer.
    pub(crate) fn of_group(&self, name: &str, with_balancer: bool) -> Value {
        let group = self.target_group.rsplit(':').next().unwrap();
        let mut dimensions = vec![json!({"Name": "TargetGroup", "Value": group})];
        if with_balancer {
            dimensions.push(json!({"Name": "LoadBalancer", "Value": "app/shop/0123456789abcdef"}));
        }
        query(
            "AWS/ApplicationELB",
            name,
            Value::Array(dimensions),
            "Sum",
            60,
        )
    }

    /// The values of the last minutes, oldest first; a minute without one is `None`.
    pub(crate) fn values(&mut self, query: &Value, minutes: i64) -> Vec<Option<f64>> {
        let end = self.world.now().as_second() / 60 * 60;
        values(&mut self.world, query, end - minutes * 60, end)
    }
}

pub(crate) fn query(
    namespace: &str,
    name: &str,
    dimensions: Value,
    stat: &str,
    period: u32,
) -> Value {
    json!({
        "Id": "q",
        "MetricStat": {
            "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions},
            "Period": period, "Stat": stat,
        },
    })
}

pub(crate) fn at(secs: i64) -> String {
    Timestamp::from_second(secs).unwrap().to_string()
}

/// The values of one query, by its periods.
pub(crate) fn values(world: &mut World, query: &Value, from: i64, to: i64) -> Vec<Option<f64>> {
    let input = json!({"MetricDataQueries": [query], "StartTime": at(from), "EndTime": at(to)});
    let answer = call(world, Operation::GetMetricData, input);
    let result = &answer["MetricDataResults"][0];
    let period = query["MetricStat"]["Period"].as_i64().unwrap_or(60);
    let times = result["Timestamps"].as_array().unwrap();
    let found: BTreeMap<&str, &Value> = times
        .iter()
        .map(|it| it.as_str().unwrap())
        .zip(result["Values"].as_array().unwrap())
        .collect();
    (from..to)
        .step_by(usize::try_from(period).unwrap())
        .map(|time| found.get(at(time).as_str())?.as_f64())
        .collect()
}

/// A world whose alarms may be changed as often as a test likes.
pub(crate) fn unhurried(seed: u64) -> Config {
    let mut config = Config::new(seed);
    config.rates.insert(Category::AlarmModify, (1_000, 1_000));
    config
}

pub(crate) fn call(world: &mut World, operation: Operation, input: Value) -> Value {
    world
        .call(operation, input)
        .unwrap_or_else(|error| panic!("{}: {error}", operation.name()))
}

/// The code and the words of an error.
pub(crate) fn refused(world: &mut World, operation: Operation, input: Value) -> String {
    world.call(operation, input).unwrap_err().to_string()
}

/// The details of the events of this type, in the order of their arrival.
pub(crate) fn details(events: &[Delivered], detail_type: &str) -> Vec<Value> {
    events
        .iter()
        .filter(|it| it.envelope["detail-type"] == detail_type)
        .map(|it| it.envelope["detail"].clone())
        .collect()
}
