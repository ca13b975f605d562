//! Random reports that a task could not be placed, and random services on groups of instances.

use jiff::Timestamp;
use model::ServiceKey;
use model::capacity::ContainerInstanceStatus;
use model::snapshot::{NotPlaced, Service};
use model::strategy::Market;
use model::trigger::PlacementFailure;
use proptest::collection::vec;
use proptest::option::of as maybe;
use proptest::prelude::*;
use proptest::sample::select;

use crate::random::time;
use crate::scene::{key, share};

/// A report: the service, the time, and what it is about.
pub(crate) type Report = (ServiceKey, Option<Timestamp>, AboutWhat);

/// The services and times of the reports about one thing.
pub(crate) fn of(reports: &[Report], what: AboutWhat) -> Vec<(ServiceKey, Option<Timestamp>)> {
    let of = reports.iter().filter(|it| it.2 == what);
    of.map(|(it, at, _)| (it.clone(), *at)).collect()
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AboutWhat {
    Spot,
    Room,
    Agent,
}

/// Reports: the service, the time, and what they are about.
pub(crate) fn reports() -> impl Strategy<Value = Vec<Report>> {
    let services = vec![
        "container-demo/web",
        "container-demo/web",
        "container-demo/api",
        "other/web",
    ];
    let about = select(vec![AboutWhat::Spot, AboutWhat::Room, AboutWhat::Agent]);
    let report = (select(services), maybe(time()), about);
    vec(report.prop_map(|(it, at, what)| (key(it), at, what)), 0..4)
}

pub(crate) fn failure(service: &ServiceKey, what: AboutWhat) -> PlacementFailure {
    PlacementFailure {
        service: service.clone(),
        providers: vec!["FARGATE_SPOT".parse().unwrap()],
        reason: match what {
            AboutWhat::Spot => "RESOURCE:FARGATE",
            AboutWhat::Room => "RESOURCE:MEMORY",
            AboutWhat::Agent => "AGENT",
        }
        .to_owned(),
    }
}

/// A service on groups of instances: which of its tasks are on instances that drain, and what its log says.
pub(crate) fn on_instances() -> impl Strategy<Value = (Vec<(bool, bool)>, Vec<NotPlaced>)> {
    let draining = vec((any::<bool>(), any::<bool>()), 1..8);
    let text = select(vec![
        "",
        "The closest matching container-instance 1 has insufficient memory available.",
        "The closest matching container-instance 1 is missing an attribute required by your task.",
        "The closest matching container-instance 1 encountered error 'AGENT'.",
    ]);
    // Some shortages go on and on, with a report every minute or two.
    let often = (
        select(vec![0_i64, 100, 179, 180, 181]),
        1_i64..5,
        select(vec![60_i64, 120, 180, 181]),
    );
    let often = often.prop_map(|(last, number, apart)| {
        let of = |it: i64| NotPlaced {
            at: crate::scene::ago(last + it * apart),
            text: String::new(),
        };
        (0..number).rev().map(of).collect::<Vec<_>>()
    });
    let odd = vec((time(), text), 0..4).prop_map(|lines| {
        let mut lines: Vec<NotPlaced> = lines
            .into_iter()
            .map(|(at, text)| NotPlaced {
                at,
                text: text.to_owned(),
            })
            .collect();
        lines.sort_unstable();
        lines
    });
    (
        draining,
        prop_oneof![1 => Just(Vec::new()), 2 => odd, 1 => often],
    )
}

/// Puts the tasks of a primary on instances of a Spot and of an on-demand group, in turn as `draining` says: the group, the instance.
pub(crate) fn settle_on_instances(
    primary: &mut Service,
    draining: &[(bool, bool)],
    lines: Vec<NotPlaced>,
) {
    primary.capacity = vec![
        share("EC2=1/1", Market::OnDemand),
        share("EC2Spot=0/4", Market::Spot),
    ];
    for (task, (on_spot, drains)) in primary.tasks.iter_mut().zip(draining.iter().cycle()) {
        let provider = if *on_spot { "EC2Spot" } else { "EC2" };
        task.provider = Some(provider.parse().unwrap());
        task.instance_status = Some(if *drains {
            ContainerInstanceStatus::Draining
        } else {
            ContainerInstanceStatus::Active
        });
    }
    primary.not_placed = lines;
}
