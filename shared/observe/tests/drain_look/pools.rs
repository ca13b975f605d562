//! Warm pools, whose instances no list of groups shows.

use expect_test::expect;
use model::InstanceId;
use model::capacity::Lifecycle;
use model::drain::{DrainSnapshot, InstancePassedOver, Whereabouts};
use model::snapshot::{GapCause, Scope};
use serde_json::{Value, json};

use crate::scene::{self, group, instance, instance_arn, with};
use crate::show::show;
use crate::support::{Eye, clusters, error, instances, of_group, whole};

/// The scene with instances in the warm pools of `web` and of `other`, which is not opted in.
#[derive(Debug, Clone, Copy, Default)]
struct Pools {
    /// Of `web`: the id, and AWS's word for where it is in its life.
    web: &'static [(&'static str, &'static str)],
    /// So many more in that of `web`, stopped.
    quiet: usize,
    /// Of `other`.
    other: &'static [(&'static str, &'static str)],
    /// The size that is told of the pool of `other`.
    other_size: Option<usize>,
    /// The container instances beside `1` and `2`, from `3` on, all of them DRAINING.
    more: usize,
    /// Whether the cluster is opted in.
    cluster_is_opted_in: bool,
    /// From which page on the pool of a group cannot be read.
    unread: Option<(&'static str, usize)>,
}

impl Pools {
    /// The pool of a group, in the order in which AWS lists it.
    fn of(&self, group: &str) -> Vec<Value> {
        let (named, quiet) = match group {
            "web" => (self.web, self.quiet),
            _ => (self.other, 0),
        };
        let quiet = (0..quiet).map(|it| (format!("i-a{it:016}"), "Warmed:Stopped"));
        let named = named.iter().map(|(id, state)| ((*id).to_owned(), *state));
        let all = named.chain(quiet).map(|(id, state)| {
            let state = json!({"LifecycleState": state, "HealthStatus": "Healthy"});
            with(scene::member(&id, group), &state)
        });
        all.collect()
    }

    fn group(&self, described: Value) -> Value {
        let name = described["AutoScalingGroupName"].as_str().unwrap();
        let size = match (name, self.other_size) {
            ("other", Some(size)) => size,
            _ => self.of(name).len(),
        };
        if size == 0 {
            return described;
        }
        let pool = json!({"MinSize": 1, "PoolState": "Stopped"});
        with(
            described,
            &json!({"WarmPoolConfiguration": pool, "WarmPoolSize": size}),
        )
    }

    fn groups(&self, input: &Value) -> Value {
        let names = scene::lines(input, "AutoScalingGroupNames");
        let is_by_tag = !input["Filters.member.1.Name"].is_null();
        let all = [group(), scene::other()].into_iter().filter(|it| {
            let name = it["AutoScalingGroupName"].as_str().unwrap();
            if names.is_empty() {
                !is_by_tag || name == "web"
            } else {
                names.iter().any(|it| it == name)
            }
        });
        json!({"AutoScalingGroups": all.map(|it| self.group(it)).collect::<Vec<_>>()})
    }

    fn page(&self, input: &Value) -> Value {
        let name = input["AutoScalingGroupName"].as_str().unwrap();
        let from: usize = input["NextToken"]
            .as_str()
            .map_or(0, |it| it.parse().unwrap());
        if let Some((unread, page)) = self.unread
            && unread == name
            && from / 50 >= page
        {
            return error("Throttling", "Rate exceeded");
        }
        assert_eq!(input["MaxRecords"], "50", "{input}");
        let all = self.of(name);
        let to = (from + 50).min(all.len());
        let mut answer = json!({"Instances": all[from..to]});
        if to < all.len() {
            answer["NextToken"] = json!(to.to_string());
        }
        answer
    }

    fn answer(&self, operation: &str, input: &Value) -> Value {
        let numbers = 1..self.more + 3;
        match operation {
            "DescribeAutoScalingGroups" => self.groups(input),
            "DescribeWarmPool" => self.page(input),
            "DescribeAutoScalingInstances" => {
                let asked = scene::lines(input, "InstanceIds");
                let all = ["web", "other"].into_iter().flat_map(|it| self.of(it));
                let found = all.filter(|it| asked.iter().any(|id| it["InstanceId"] == id.as_str()));
                json!({"AutoScalingInstances": found.collect::<Vec<_>>()})
            }
            "DescribeClusters" => {
                let tags = json!([{"key": "ballast:instance-drain", "value": "act"}]);
                let tags = if self.cluster_is_opted_in {
                    tags
                } else {
                    json!([])
                };
                let fields =
                    json!({"registeredContainerInstancesCount": self.more + 2, "tags": tags});
                json!({"clusters": [with(scene::cluster(), &fields)]})
            }
            "ListContainerInstances" if input["filter"].is_null() => {
                let arns: Vec<String> = numbers.map(|it| instance_arn(&it.to_string())).collect();
                json!({"containerInstanceArns": arns})
            }
            "DescribeContainerInstances" => {
                let asked = input["containerInstances"].as_array().unwrap();
                let found = numbers.map(|number| {
                    let status = if number == 2 { "ACTIVE" } else { "DRAINING" };
                    let of_number = instance(&number.to_string(), 2048, 1900, 0);
                    with(of_number, &json!({"status": status}))
                });
                let found = found.filter(|it| asked.contains(&it["containerInstanceArn"]));
                json!({"containerInstances": found.collect::<Vec<_>>(), "failures": []})
            }
            _ => scene::answer(operation, input),
        }
    }

    async fn eye(self) -> Eye {
        Eye::on(move |operation, input| self.answer(operation, input)).await
    }
}

/// How often each of these operations was asked for.
fn calls<const N: usize>(eye: &Eye, operations: [&str; N]) -> [usize; N] {
    let asked = eye.asked();
    operations.map(|it| asked.iter().filter(|(name, _)| name == it).count())
}

/// How often pools were read, and how often instances were asked about by their ids.
const OF_POOLS: [&str; 2] = ["DescribeWarmPool", "DescribeAutoScalingInstances"];

fn everything() -> Scope {
    clusters(&["demo"])
}

/// What is looked at: whose, and which instance.
fn looked(snapshot: &DrainSnapshot) -> Vec<(String, &str)> {
    let instances = snapshot.groups.iter().flat_map(|(key, group)| {
        let ids = group.instances.keys();
        ids.map(move |id| (key.to_string(), id.as_str()))
    });
    instances.collect()
}

/// So many instances that nobody knows.
fn strange(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|it| format!("i-{it:017}"))
}

const MIXED: &[(&str, &str)] = &[
    ("i-3", "Warmed:Running"),
    ("i-4", "Warmed:Terminating:Wait"),
    ("i-5", "Warmed:Stopped"),
    ("i-6", "Warmed:Terminating:Proceed"),
    ("i-7", "Warmed:Terminating:Wait"),
    ("i-8", "Warmed:Pending"),
];

/// Of a pool's instances those on their way out are the group's; of the others it is known where they are, without a question.
#[tokio::test]
async fn everything_shows_what_leaves_a_pool() {
    let pools = Pools {
        web: MIXED,
        more: 2,
        cluster_is_opted_in: true,
        ..Pools::default()
    };
    let eye = pools.eye().await;
    let snapshot = eye.look(&everything()).await;
    assert_eq!(calls(&eye, OF_POOLS), [1, 0]);
    let shown = show(&snapshot);
    let of_interest = |it: &&str| {
        let line = it.trim_start();
        !it.starts_with("  task") && !line.starts_with("service") && !line.starts_with("definition")
    };
    let lines: Vec<&str> = shown.lines().filter(of_interest).collect();
    expect![[r#"
        everything at 2026-03-02T09:00:00Z
        group web
          Act
          2 of 1 to 9, {"types":"listed","choices":[{"instance_type":"t3.small"},{"instance_type":"t3a.small"}]}; Spot
          managed draining
          hook {"name":"ballast-instance-drain","heartbeat_timeout_secs":300,"global_timeout_secs":30000,"default_result":"CONTINUE"}
          i-1 "t3.small" "us-west-2a" {"lifecycle":"terminating","waits_in_hook":true,"is_healthy":true,"terminating_since":"2026-03-02T08:59:00Z"}, 1 in demo, 2 tasks of 0
          i-2 "t3.small" "us-west-2a" {"lifecycle":"in_service","waits_in_hook":false,"is_healthy":true,"terminating_since":null}, 2 in demo, tasks not read of 0
          i-4 "t3.small" "us-west-2a" {"lifecycle":"terminating","waits_in_hook":true,"is_healthy":true,"terminating_since":null}, 4 in demo, 0 tasks of 0
          i-6 "t3.small" "us-west-2a" {"lifecycle":"terminating","waits_in_hook":false,"is_healthy":true,"terminating_since":null}, not registered, 0 tasks of null
          i-7 "t3.small" "us-west-2a" {"lifecycle":"terminating","waits_in_hook":true,"is_healthy":true,"terminating_since":null}, not registered, 0 tasks of null
          in its warm pool ["i-3","i-5","i-8"]
        cluster demo
          Act
          hooks not read
        cluster demo: every instance
          1 "i-1" Draining: 2048 CPU units, 1900 MiB, 2 network interfaces of 2048 CPU units, 1900 MiB, 2 network interfaces left
          2 "i-2" Active: 2048 CPU units, 1900 MiB, 2 network interfaces of 2048 CPU units, 1900 MiB, 2 network interfaces left; tasks not read
          3 "i-3" Draining: 2048 CPU units, 1900 MiB, 2 network interfaces of 2048 CPU units, 1900 MiB, 2 network interfaces left; tasks not read
          4 "i-4" Draining: 2048 CPU units, 1900 MiB, 2 network interfaces of 2048 CPU units, 1900 MiB, 2 network interfaces left
        outside i-3: {"is":"in_group","group":"web","lifecycle":"warmed"}
        searched ["demo"]"#]].assert_eq(&lines.join("\n"));
}

/// Five hundred that are stopped add nothing that is looked at, in ten calls.
#[tokio::test]
async fn a_quiet_pool_adds_nothing_that_is_looked_at() {
    let none = Pools::default().eye().await.look(&everything()).await;
    let quiet = Pools {
        quiet: 500,
        ..Pools::default()
    };
    let eye = quiet.eye().await;
    let mut snapshot = eye.look(&everything()).await;
    assert_eq!(calls(&eye, OF_POOLS), [10, 0]);
    let web = snapshot.groups.get_mut(&of_group("web")).unwrap();
    assert_eq!(std::mem::take(&mut web.in_warm_pool).len(), 500);
    web.group.as_mut().unwrap().has_warm_pool = false;
    assert_eq!(snapshot, none);
}

/// What was read of a pool counts, and what was not is a gap of its group. An instance that may be in it is asked about by its id.
#[tokio::test]
async fn a_pool_that_is_not_read_leaves_a_gap_at_its_group() {
    for (quiet, unread, joined, by_id) in [(0, 0, 2, 1), (100, 1, 5, 0), (100, 0, 2, 1)] {
        let pools = Pools {
            web: MIXED,
            quiet,
            more: 1,
            unread: Some(("web", unread)),
            ..Pools::default()
        };
        let eye = pools.eye().await;
        let snapshot = eye.look(&everything()).await;
        assert_eq!(calls(&eye, OF_POOLS), [unread + 1, by_id]);
        let web = &snapshot.groups[&of_group("web")];
        assert_eq!(web.instances.len(), joined);
        assert_eq!(web.gaps.len(), 1, "{:?}", web.gaps);
        assert_eq!(web.gaps[0].operation, "autoscaling:DescribeWarmPool");
        assert_eq!(web.gaps[0].resource, "web");
        assert_eq!(web.gaps[0].cause, GapCause::Throttled);
        assert_eq!(snapshot.gaps, []);
        let in_pool = Whereabouts::InGroup {
            group: "web".parse().unwrap(),
            lifecycle: Lifecycle::Warmed,
        };
        let place = snapshot.outside.get(&"i-3".parse().unwrap());
        assert_eq!(place, Some(&in_pool));
    }
}

/// An instance that AWS does not name, or whose type is no type, is a gap: what it is, nobody knows.
#[tokio::test]
async fn an_instance_of_a_pool_that_cannot_be_read_leaves_a_gap() {
    let pools = Pools {
        web: &[("", "Warmed:Stopped"), ("i-4", "Warmed:Terminating:Wait")],
        ..Pools::default()
    };
    let snapshot = pools.eye().await.look(&everything()).await;
    let web = &snapshot.groups[&of_group("web")];
    assert_eq!(web.gaps.len(), 1, "{:?}", web.gaps);
    assert!(web.instances.contains_key(&"i-4".parse().unwrap()));
}

/// Of more than twenty pages a look reads some, with each minute the next ones; the groups of the others have a gap.
#[tokio::test]
async fn no_look_at_everything_reads_more_than_twenty_pages() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeAutoScalingGroups" => {
            let all = (0..50).map(|it| {
                let own = json!({
                    "AutoScalingGroupName": format!("web-{it:02}"), "Instances": [],
                    "WarmPoolConfiguration": {"MinSize": 1}, "WarmPoolSize": 3,
                });
                with(group(), &own)
            });
            json!({"AutoScalingGroups": all.collect::<Vec<_>>()})
        }
        "DescribeWarmPool" => json!({"Instances": []}),
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&everything()).await;
    let [read] = calls(&eye, ["DescribeWarmPool"]);
    // The last of the three parts is smaller.
    assert!(read == 20 || read == 10, "{read}");
    let gaps: Vec<&str> = snapshot
        .groups
        .values()
        .flat_map(|it| it.gaps.iter().map(|it| it.detail.as_str()))
        .collect();
    let text = "not sent: the warm pools have 50 pages, of which one look reads 20";
    assert_eq!(gaps, vec![text; 50 - read]);
}

/// A group that is named itself is looked at with its pool; of instances that are named only these are asked about.
#[tokio::test]
async fn a_group_that_is_named_is_looked_at_with_its_pool() {
    let pools = Pools {
        web: MIXED,
        ..Pools::default()
    };
    let eye = pools.eye().await;
    let snapshot = eye.look(&whole(of_group("web"))).await;
    assert_eq!(calls(&eye, OF_POOLS), [1, 0]);
    let web = &snapshot.groups[&of_group("web")];
    let ids: Vec<&str> = web.instances.keys().map(InstanceId::as_str).collect();
    assert_eq!(ids, ["i-1", "i-2", "i-4", "i-6", "i-7"]);
    assert_eq!(web.in_warm_pool.len(), 3);

    for more in [0, 100] {
        let named = strange(more).chain(["i-4", "i-5"].map(str::to_owned));
        let snapshot = eye.look(&instances(named)).await;
        let want = ["i-4", "i-5"].map(|it| ("group web".to_owned(), it));
        assert_eq!(looked(&snapshot), want);
        let [pools, by_id] = calls(&eye, OF_POOLS);
        assert_eq!((pools, by_id), (0, 1 + more / 50));
    }
}

/// What a look makes of these instances beside a thousand that nobody knows: what is looked at, and why the others are not.
async fn check(
    pools: Pools,
    ids: &[&str],
    want: &[(&str, &str)],
    passed_over: &[(&str, &InstancePassedOver)],
    want_calls: [usize; 2],
) {
    let text = format!("{pools:?}");
    let eye = pools.eye().await;
    let named = strange(1_000).chain(ids.iter().map(|it| (*it).to_owned()));
    let snapshot = eye.look(&instances(named)).await;
    let want: Vec<(String, &str)> = want
        .iter()
        .map(|(of, id)| ((*of).to_owned(), *id))
        .collect();
    assert_eq!(looked(&snapshot), want, "{text}");
    for (id, why) in passed_over {
        assert_eq!(
            snapshot.passed_over.get(&id.parse().unwrap()),
            Some(*why),
            "{text}"
        );
    }
    let count = snapshot.passed_over.len() + want.len();
    assert_eq!(count, 1_000 + ids.len(), "{text}");
    assert_eq!(calls(&eye, OF_POOLS), want_calls, "{text}");
}

fn of_other() -> InstancePassedOver {
    InstancePassedOver::NotOptedIn {
        group: Some("other".parse().unwrap()),
        cluster: None,
    }
}

/// However many are named: the pools of groups that are opted in are read; those of others only for what would be a cluster's.
#[tokio::test]
async fn of_very_many_instances_those_in_a_pool_are_found() {
    let of_web = Pools {
        web: MIXED,
        other: &[("i-9", "Warmed:Stopped")],
        ..Pools::default()
    };
    let want = [("group web", "i-4"), ("group web", "i-5")];
    check(
        of_web,
        &["i-4", "i-5", "i-9"],
        &want,
        &[("i-9", &InstancePassedOver::NotFound)],
        [1, 0],
    )
    .await;

    // One that is registered in a cluster that is opted in may be in anybody's pool.
    let of_cluster = Pools {
        other: &[("i-3", "Warmed:Running")],
        more: 2,
        cluster_is_opted_in: true,
        ..Pools::default()
    };
    let own = [("cluster demo", "i-4")];
    check(
        of_cluster,
        &["i-3", "i-4"],
        &own,
        &[("i-3", &of_other())],
        [0, 1],
    )
    .await;
    // Where the pools take fewer calls than the instances, these are read.
    let named: Vec<String> = (3..63).map(|it| format!("i-{it}")).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let many = Pools {
        more: 60,
        ..of_cluster
    };
    let mut own: Vec<(&str, &str)> = named[1..].iter().map(|id| ("cluster demo", *id)).collect();
    own.sort_unstable();
    check(many, &named, &own, &[("i-3", &of_other())], [1, 0]).await;
    let large = Pools {
        other_size: Some(101),
        ..many
    };
    check(large, &named, &own, &[("i-3", &of_other())], [0, 2]).await;
    // Without a pool anywhere nothing is asked.
    let none = Pools {
        other: &[],
        more: 1,
        ..of_cluster
    };
    check(none, &["i-3"], &[("cluster demo", "i-3")], &[], [0, 0]).await;
}

/// What may be in a pool that was not read comes again with its event.
#[tokio::test]
async fn of_very_many_instances_those_that_may_be_in_a_pool_are_unread() {
    let pools = Pools {
        web: &[("i-4", "Warmed:Terminating:Wait")],
        other: &[("i-3", "Warmed:Running")],
        more: 60,
        cluster_is_opted_in: true,
        ..Pools::default()
    };
    let unread = |pools: Pools, named: Vec<String>| async move {
        let eye = pools.eye().await;
        let snapshot = eye.look(&instances(named)).await;
        let of_gap = |it: &&InstancePassedOver| {
            let gap = it.gap();
            gap.is_some_and(|it| it.operation == "autoscaling:DescribeWarmPool")
        };
        snapshot.passed_over.values().filter(of_gap).count()
    };
    let named = || {
        let of_cluster = (3..63).map(|it| format!("i-{it}"));
        strange(1_000).chain(of_cluster).collect::<Vec<_>>()
    };
    let of_web = Pools {
        unread: Some(("web", 0)),
        ..pools
    };
    assert_eq!(unread(of_web, named()).await, 1_060);
    // Of a group that is not opted in it matters to what a cluster would look after, and to nothing else.
    let of_other = Pools {
        unread: Some(("other", 0)),
        ..pools
    };
    assert_eq!(unread(of_other, named()).await, 59);
    assert_eq!(unread(pools, named()).await, 0);
}
