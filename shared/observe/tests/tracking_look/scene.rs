//! Services by the number, each with metrics of whole minutes.

use serde_json::{Value, json};

/// The time of the endpoint: 2026-03-02T09:00:00Z.
pub(crate) const NOW: i64 = 1_772_442_000;

const ACCOUNT: &str = "arn:aws:ecs:us-west-2:111122223333";
pub(crate) const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/web/0123456789abcdef";

/// So many services, `web-0` and so on, all with the same tags.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) services: usize,
    pub(crate) tags: Vec<(String, String)>,
    /// Whether each has a standby, `web-0-standby` and so on.
    pub(crate) is_paired: bool,
}

impl Scene {
    /// Services that are tracked by their CPU.
    pub(crate) fn tracked(services: usize) -> Self {
        Self {
            services,
            tags: Vec::new(),
            is_paired: false,
        }
        .tag("ballast:service-scaler", "act")
        .tag("ballast:target-cpu-percent", "60")
        .tag("ballast:max-tasks", "20")
        .tag("ballast:scale-in-window-secs", "900")
    }

    pub(crate) fn tag(mut self, name: &str, value: &str) -> Self {
        self.tags.retain(|(it, _)| it != name);
        self.tags.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without the target that [`Self::tracked`] has.
    pub(crate) fn without_cpu(mut self) -> Self {
        self.tags
            .retain(|(it, _)| it != "ballast:target-cpu-percent");
        self
    }

    pub(crate) fn paired(mut self) -> Self {
        self.is_paired = true;
        self
    }

    /// An answer to an operation.
    pub(crate) fn answer(&self, operation: &str, input: &Value) -> Value {
        match operation {
            "ListClusters" => json!({"clusterArns": [format!("{ACCOUNT}:cluster/demo")]}),
            "ListServices" => self.list(input),
            "DescribeServices" => {
                let names = input["services"].as_array().unwrap().iter();
                let services = names.map(|it| self.service(it.as_str().unwrap()));
                json!({"services": services.collect::<Vec<_>>(), "failures": []})
            }
            "DescribeScalableTargets" => json!({"ScalableTargets": []}),
            "GetMetricData" => metrics(input, |query, at| Some(value(query, at))),
            other => panic!("{other}: {input}"),
        }
    }

    fn names(&self) -> Vec<String> {
        let primaries = (0..self.services).map(|it| format!("web-{it}"));
        let standbys = (0..self.services).map(|it| format!("web-{it}-standby"));
        let standbys = standbys.take(if self.is_paired { self.services } else { 0 });
        primaries.chain(standbys).collect()
    }

    fn list(&self, input: &Value) -> Value {
        let first: usize = input["nextToken"]
            .as_str()
            .map_or(0, |it| it.parse().unwrap());
        let page = usize::try_from(input["maxResults"].as_u64().unwrap()).unwrap();
        let names = self.names();
        let arns = names.iter().skip(first).take(page);
        let arns: Vec<String> = arns
            .map(|it| format!("{ACCOUNT}:service/demo/{it}"))
            .collect();
        let mut answer = json!({"serviceArns": arns});
        if first + page < names.len() {
            answer["nextToken"] = json!((first + page).to_string());
        }
        answer
    }

    /// A service as ECS describes it.
    pub(crate) fn service(&self, name: &str) -> Value {
        let mut tags = Vec::new();
        match name.strip_suffix("-standby") {
            Some(primary) => tags.push(json!({"key": "ballast:standby-of", "value": primary})),
            None => {
                let own = self.tags.iter();
                tags.extend(own.map(|(name, value)| json!({"key": name, "value": value})));
                if self.is_paired {
                    let standby = format!("{name}-standby");
                    tags.push(json!({"key": "ballast:standby", "value": standby}));
                }
            }
        }
        json!({
            "serviceName": name, "status": "ACTIVE", "desiredCount": 4, "runningCount": 4, "pendingCount": 0,
            "taskDefinition": format!("{ACCOUNT}:task-definition/web:1"),
            "schedulingStrategy": "REPLICA",
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 1}],
            "loadBalancers": [{"targetGroupArn": TARGET_GROUP, "containerName": "web", "containerPort": 80}],
            "deployments": [{
                "id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED",
                "taskDefinition": format!("{ACCOUNT}:task-definition/web:1"),
            }],
            "tags": tags,
        })
    }
}

/// GetMetricData's answer where each query that is returned has the value that `of` gives at each period, newest first, as it is where
/// nobody asks for another order.
pub(crate) fn metrics(input: &Value, of: impl Fn(&Value, i64) -> Option<f64>) -> Value {
    let queries = input["MetricDataQueries"].as_array().unwrap();
    let results = queries.iter().filter(|it| it["ReturnData"] != json!(false));
    let results = results.map(|query| result(query, &points(query, input, &of)));
    json!({"MetricDataResults": results.collect::<Vec<_>>(), "Messages": []})
}

/// The times and values of a query, newest first.
pub(crate) fn points(
    query: &Value,
    input: &Value,
    of: impl Fn(&Value, i64) -> Option<f64>,
) -> Vec<(i64, f64)> {
    let period = query["MetricStat"]["Period"].as_i64().unwrap_or(60);
    let (start, end) = (secs(&input["StartTime"]), secs(&input["EndTime"]));
    assert_eq!(
        (start % period, end % period),
        (0, 0),
        "whole periods: {input}"
    );
    let times = (0..)
        .map(|it| end - (it + 1) * period)
        .take_while(|it| *it >= start);
    // Nothing is known of periods that have not ended.
    let times = times.filter(|it| it + period <= NOW);
    times.filter_map(|it| Some((it, of(query, it)?))).collect()
}

/// The result of a query, with all of its values.
pub(crate) fn result(query: &Value, points: &[(i64, f64)]) -> Value {
    json!({
        "Id": query["Id"], "Label": "any", "StatusCode": "Complete",
        "Timestamps": points.iter().map(|(at, _)| json!({"$time": at})).collect::<Vec<_>>(),
        "Values": points.iter().map(|(_, value)| float(*value)).collect::<Vec<_>>(),
    })
}

/// A number, also one that JSON does not have.
pub(crate) fn float(value: f64) -> Value {
    if value.is_finite() {
        json!(value)
    } else {
        json!({"$float": value.to_string()})
    }
}

/// A time of an input, in seconds.
pub(crate) fn secs(time: &Value) -> i64 {
    time.as_i64().unwrap_or_else(|| {
        let secs = time.as_f64().unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole seconds of this century"
        )]
        let secs = secs as i64;
        secs
    })
}

/// 4 tasks, each 1 % busier than a minute before, from 0.5 % on the full hour; the standby's 1 task half as much.
#[expect(
    clippy::float_arithmetic,
    reason = "CloudWatch speaks in floating point"
)]
pub(crate) fn value(query: &Value, at: i64) -> f64 {
    let minute = f64::from(u32::try_from((at / 60) % 60).unwrap());
    let of_standby = query.to_string().contains("-standby");
    match query["MetricStat"]["Stat"].as_str() {
        Some("SampleCount") if of_standby => 1.0,
        Some("SampleCount") => 4.0,
        Some("Sum") => 1_000.0 + minute,
        _ => (0.5 + minute) * if of_standby { 0.5 } else { 1.0 },
    }
}
