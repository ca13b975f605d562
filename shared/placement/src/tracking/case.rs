//! One tracked service with its numbers: what the rules ask about.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::snapshot::{Gap, GapCause, Service, Standby};
use model::tracking::readings::Unfollowed;
use model::tracking::{
    Bounds, BoundsInForce, Fleet, Measures, Miscount, Reading, Target, TargetName, TargetNeed,
    TrackingMemory, TrackingNumbers, TrackingPolicy, TrackingSnapshot,
};

use super::levels;
use super::load::{self, Age};
use super::miscount;
use super::pace::{self, History, Need};
use super::serving::{self, Serving};

/// What is known of one target.
pub(crate) struct Tracked {
    pub(crate) name: TargetName,
    /// What its load needs; `None` where no value is new enough.
    pub(crate) need: Option<Need>,
    /// How many of its values are no usable numbers.
    pub(crate) unusable: u32,
    /// Whether CloudWatch did not answer.
    pub(crate) is_unread: bool,
}

/// A tracked service that may be touched.
pub(crate) struct Case<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) policy: &'a TrackingPolicy,
    /// What is remembered, brought up to date; `None` where the ledger did not answer.
    pub(crate) memory: Option<TrackingMemory>,
    pub(crate) now: Timestamp,
    /// The targets that lead to a metric, by name.
    pub(crate) targets: Vec<Tracked>,
    /// The targets that do not.
    pub(crate) unfollowed: Vec<Unfollowed>,
    pub(crate) bounds: BoundsInForce,
    /// Everything that could not be observed about it, each once.
    pub(crate) gaps: Vec<Gap>,
    pub(crate) numbers: TrackingNumbers,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        snapshot: &TrackingSnapshot,
        fleet: &'a Fleet,
        policy: &'a TrackingPolicy,
        mut memory: Option<TrackingMemory>,
        now: Timestamp,
    ) -> Self {
        let zone = TimeZone::get(&policy.time_zone).unwrap_or(TimeZone::UTC);
        let bounds = BoundsInForce::at(policy.bounds, &policy.windows, &zone, now);
        let bounds = measurable(bounds, policy);
        let (mut targets, mut unfollowed) = (Vec::new(), Vec::new());
        let miscount = miscount::find(fleet, memory.as_ref(), now);
        if let Some(memory) = memory.as_mut() {
            serving::note(memory, fleet, now);
            levels::note(memory, fleet, now);
        }
        let serving = Serving {
            warm_up: policy.pace.warm_up,
            empty: memory.as_ref().and_then(|it| it.empty),
            is_of_healthy: false,
            fewer: memory.as_ref().map_or([None; 2], |it| {
                [it.there, it.standby_there].map(|it| it.and_then(|it| it.fell))
            }),
            levels: memory
                .as_ref()
                .map_or([&[]; 2], |it| [&it.levels, &it.standby_levels]),
        };
        for (name, target) in &policy.targets {
            let of_tasks = match target.measures {
                Measures::PerTask => miscount.as_ref(),
                Measures::Total => None,
            };
            let serving = Serving {
                is_of_healthy: *name == TargetName::Requests,
                ..serving
            };
            let tracked = tracked(fleet, policy, (*name, target), serving, of_tasks, now);
            let spoilt = of_tasks
                .filter(|it| miscount::spoils(it, fleet, tracked.need.as_ref(), now))
                .map(miscount::why);
            let why = match fleet.readings.get(name) {
                Some(Reading::Unusable { why }) => Some(why.clone()),
                Some(Reading::Read { .. } | Reading::Unread) | None => spoilt,
            };
            match why {
                Some(why) => unfollowed.push(Unfollowed { target: *name, why }),
                None => targets.push(tracked),
            }
        }
        if let Some(memory) = memory.as_mut() {
            memory.miscount = miscount;
        }
        let numbers = numbers(fleet, &targets, bounds);
        Self {
            fleet,
            policy,
            memory,
            now,
            targets,
            unfollowed,
            bounds,
            gaps: gaps(snapshot, fleet),
            numbers,
        }
    }

    pub(crate) const fn desired(&self) -> u32 {
        self.fleet.primary.desired_count
    }

    /// What the load of each target needs, where that is known.
    pub(crate) fn needs(&self) -> impl Iterator<Item = (TargetName, &Need)> {
        let targets = self.targets.iter();
        targets.filter_map(|it| Some((it.name, it.need.as_ref()?)))
    }

    /// The targets without a value that is new enough.
    pub(crate) fn unknown(&self) -> Vec<TargetName> {
        let targets = self.targets.iter();
        targets
            .filter(|it| it.need.is_none())
            .map(|it| it.name)
            .collect()
    }

    /// The standby, where it was read.
    pub(crate) fn standby(&self) -> Option<&'a Service> {
        standby(self.fleet)
    }
}

/// The standby, where it was read.
pub(crate) fn standby(fleet: &Fleet) -> Option<&Service> {
    match fleet.standby.as_ref()? {
        Standby::Present(service) => Some(service),
        Standby::Missing | Standby::Unknown => None,
    }
}

fn tracked(
    fleet: &Fleet,
    policy: &TrackingPolicy,
    (name, target): (TargetName, &Target),
    serving: Serving<'_>,
    miscount: Option<&Miscount>,
    now: Timestamp,
) -> Tracked {
    let (recent, season): (&[_], &[_]) = match fleet.readings.get(&name) {
        Some(Reading::Read { recent, season }) => (recent, season),
        Some(Reading::Unusable { .. } | Reading::Unread) | None => (&[], &[]),
    };
    let is_unread = match fleet.readings.get(&name) {
        Some(Reading::Unread) | None => true,
        Some(Reading::Read { .. } | Reading::Unusable { .. }) => false,
    };
    let recent_loads = load::of_target(
        fleet,
        target,
        recent,
        &fleet.task_counts,
        Age::Recent,
        serving,
        now,
    );
    let season_loads = load::of_target(
        fleet,
        target,
        season,
        &fleet.season_task_counts,
        Age::DaysAgo,
        Serving::default(),
        now,
    );
    let history = History {
        recent: recent_loads.as_loads(),
        season: season_loads.as_loads(),
        tasks_min: match target.measures {
            Measures::PerTask => 1,
            Measures::Total => 0,
        },
        peaks_from: miscount.map(miscount::counted_from),
    };
    let unusable = recent.iter().map(|it| it.unusable);
    let need = pace::need(&history, &policy.pace, now);
    Tracked {
        name,
        need: need.map(|it| it.with_uncounted(recent_loads.uncounted())),
        unusable: unusable.fold(0, u32::saturating_add),
        is_unread,
    }
}

/// A metric of each task has no value while none runs, and would never raise again what a schedule had set to 0: such a service keeps one
/// task, while it may have any.
fn measurable(bounds: BoundsInForce, policy: &TrackingPolicy) -> BoundsInForce {
    let needs_task = |it: &Target| match it.measures {
        Measures::PerTask => true,
        Measures::Total => false,
    };
    let Bounds {
        min_tasks,
        max_tasks,
    } = bounds.bounds;
    let least = u32::from(policy.targets.values().any(needs_task)).min(max_tasks);
    let bounds_kept = Bounds {
        min_tasks: min_tasks.max(least),
        max_tasks,
    };
    BoundsInForce {
        bounds: bounds_kept,
        ..bounds
    }
}

fn numbers(fleet: &Fleet, targets: &[Tracked], bounds: BoundsInForce) -> TrackingNumbers {
    let primary = &fleet.primary;
    let targets = targets.iter().map(|it| TargetNeed {
        target: it.name,
        measured_at: it.need.as_ref().map(|need| need.measured_at),
        load_milli_tasks: it.need.as_ref().map(|need| need.load_milli_tasks),
        load_of_all_milli_tasks: it.need.as_ref().and_then(Need::load_of_all),
        needed: it.need.as_ref().map(|need| need.needed),
        needed_max: it.need.as_ref().and_then(Need::window_max),
        forecast: it.need.as_ref().and_then(|need| Some(need.forecast?.0)),
        forecast_from: it.need.as_ref().and_then(|need| Some(need.forecast?.1)),
    });
    TrackingNumbers {
        desired: primary.desired_count,
        running: primary.running_count,
        pending: primary.pending_count,
        standby_running: standby(fleet).map_or(0, |it| it.running_count),
        targets: targets.collect(),
        bounds: Some(bounds),
    }
}

/// Everything that could not be observed about the service, each once: its own gaps, and those that concern more than one service.
fn gaps(snapshot: &TrackingSnapshot, fleet: &Fleet) -> Vec<Gap> {
    let key = &fleet.primary.key;
    let standby = standby(fleet).map(|it| it.key.to_string());
    let concerns = |gap: &&Gap| {
        let resource = gap.resource.as_str();
        resource == "*"
            || resource == key.cluster.as_str()
            || resource == key.to_string()
            || Some(resource) == standby.as_deref()
    };
    let of_all = snapshot.gaps.iter().filter(concerns);
    let named: BTreeSet<&Gap> = of_all.chain(&fleet.gaps).collect();
    let mut gaps: Vec<Gap> = named.into_iter().cloned().collect();
    let mut not_known = |operation: &str, detail: &str| {
        if !gaps.iter().any(|it| it.operation == operation) {
            gaps.push(Gap {
                operation: operation.to_owned(),
                resource: key.to_string(),
                cause: GapCause::Other,
                detail: detail.to_owned(),
            });
        }
    };
    if fleet.primary.scaled_by_application_auto_scaling.is_none() {
        not_known(
            "application-autoscaling:DescribeScalableTargets",
            "it is not known whether Application Auto Scaling scales the service",
        );
    }
    if fleet.standby == Some(Standby::Unknown) {
        not_known("ecs:DescribeServices", "the standby was not read");
    }
    gaps
}
