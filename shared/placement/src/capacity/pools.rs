//! Which pools the group may launch from now: launches that failed, by AWS's own words.
//!
//! A pool is an instance type in a zone on a market. One that had no capacity is left out for 3 minutes, and twice as long each time in a
//! row that it fails again, up to 30 minutes, give or take some seconds that differ from pool to pool, so that not all are tried again at
//! once. A text that names no type, or no zone, speaks of all of them (`*`).
//!
//! Guaranteed: the same failure counts once, whether the event or the group's own list of activities tells it first, and failures within
//! a minute count as one: a group launches several instances at once.
//!
//! Assumed: AWS documents only some of the texts. A text that none of the causes knows is no evidence about a pool; what the group itself
//! does about it is not changed.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ts-as-capacity.html>

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::hold::ClosedPools;
use model::capacity::{Group, GroupTypes, PoolFailure, ProviderMemory};
use model::strategy::Market;
use model::{AvailabilityZone, InstanceType, Seconds};

use super::case::{Look, Member};

/// How long a pool is left out after its first failure.
pub const TTL_MIN: Seconds = Seconds(180);
/// The longest that a pool is left out.
pub const TTL_MAX: Seconds = Seconds(1_800);
/// Failures of a pool that are closer together are one.
pub const SAME_FAILURE: Seconds = Seconds(60);
/// How long a failure is remembered after the pool is tried again: one that follows later is a first one.
pub const MEMORY_TTL: Seconds = Seconds(1_800);
/// How long a failed launch says that launches fail, whatever the cause. A group tries again every few minutes; the number is ours.
pub const FAILING_FOR: Seconds = Seconds(600);
/// How many pools are remembered.
pub const POOLS_MAX: usize = 128;
/// How many pools a hold names of each cause.
pub const NAMED_MAX: usize = 8;
/// The jitter, in thousandths of the time to live, to either side.
const JITTER_PERMILLE: u64 = 150;
/// Stands for every type, or every zone.
const ANY: &str = "*";

/// What made a launch fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaunchCause {
    /// The pool has no capacity now.
    InsufficientCapacity,
    /// The Spot price is above the maximum that the group pays.
    PriceTooLow,
    /// The account's quota is used up.
    Quota,
    /// The zone does not have the type.
    NotOffered,
    /// The zone's subnet has no free address.
    NoFreeAddress,
    /// The group, its launch template or a permission is wrong.
    Configuration,
    /// None of these.
    Other,
}

/// Parts of AWS's texts, in small letters, and what they mean. The first that is found decides.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ts-as-instancelaunchfailure.html>
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
const TEXTS: [(&str, LaunchCause); 26] = [
    ("vcpulimitexceeded", LaunchCause::Quota),
    ("instancelimitexceeded", LaunchCause::Quota),
    ("maxspotinstancecountexceeded", LaunchCause::Quota),
    ("max spot instance count exceeded", LaunchCause::Quota),
    ("vcpu limit", LaunchCause::Quota),
    ("spotmaxpricetoolow", LaunchCause::PriceTooLow),
    ("price-too-low", LaunchCause::PriceTooLow),
    ("spot request price", LaunchCause::PriceTooLow),
    (
        "insufficientfreeaddressesinsubnet",
        LaunchCause::NoFreeAddress,
    ),
    ("not have enough free addresses", LaunchCause::NoFreeAddress),
    (
        "insufficientinstancecapacity",
        LaunchCause::InsufficientCapacity,
    ),
    (
        "insufficienthostcapacity",
        LaunchCause::InsufficientCapacity,
    ),
    ("unfulfillablecapacity", LaunchCause::InsufficientCapacity),
    ("do not have sufficient", LaunchCause::InsufficientCapacity),
    ("no spot capacity", LaunchCause::InsufficientCapacity),
    ("capacity-not-available", LaunchCause::InsufficientCapacity),
    (
        "is not supported in your requested availability zone",
        LaunchCause::NotOffered,
    ),
    ("unsupported:", LaunchCause::NotOffered),
    (
        "the requested configuration is currently not supported",
        LaunchCause::NotOffered,
    ),
    ("launch template", LaunchCause::Configuration),
    ("invalid", LaunchCause::Configuration),
    ("unauthorized", LaunchCause::Configuration),
    ("not authorized", LaunchCause::Configuration),
    ("access denied", LaunchCause::Configuration),
    ("does not exist", LaunchCause::Configuration),
    ("client error on launch", LaunchCause::Configuration),
];

impl LaunchCause {
    /// Every stable name, in the order of the variants.
    pub const NAMES: [&'static str; 7] = [
        "insufficient_capacity",
        "price_too_low",
        "quota",
        "not_offered",
        "no_free_address",
        "configuration",
        "other",
    ];

    /// A stable name, for what is remembered and recorded.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientCapacity => "insufficient_capacity",
            Self::PriceTooLow => "price_too_low",
            Self::Quota => "quota",
            Self::NotOffered => "not_offered",
            Self::NoFreeAddress => "no_free_address",
            Self::Configuration => "configuration",
            Self::Other => "other",
        }
    }

    /// What speaks of the text that Auto Scaling gave for a failed launch.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        TEXTS
            .iter()
            .find(|(part, _)| text.contains(part))
            .map_or(Self::Other, |(_, cause)| *cause)
    }

    /// Whether it says something about a pool, and which part of the pool's name it leaves open.
    const fn reach(self) -> Option<Reach> {
        match self {
            Self::InsufficientCapacity | Self::PriceTooLow | Self::NotOffered => Some(Reach::Pool),
            Self::NoFreeAddress => Some(Reach::Zone),
            Self::Quota => Some(Reach::Market),
            Self::Configuration | Self::Other => None,
        }
    }
}

/// How much a failure speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The type that it names in the zone.
    Pool,
    /// Every type in the zone.
    Zone,
    /// Every type in every zone.
    Market,
}

/// A launch that failed.
struct Failure<'a> {
    at: Timestamp,
    text: &'a str,
    zone: Option<&'a AvailabilityZone>,
    activity: Option<&'a str>,
}

/// Brings what is remembered of the group's pools up to date. `types` are those that it may launch.
pub(crate) fn note<'a>(
    memory: &mut ProviderMemory,
    look: &Look<'_>,
    members: &[Member<'_>],
    types: impl Iterator<Item = &'a InstanceType> + Clone,
) {
    let group = &look.provider.group;
    let now = look.now;
    let mut failures: Vec<Failure<'_>> = failed_activities(group)
        .map(|activity| Failure {
            at: activity.started_at.min(now),
            text: &activity.status_message,
            zone: activity.zone.as_ref(),
            activity: Some(&activity.id),
        })
        .collect();
    let reported = look
        .hints
        .launch_failures
        .iter()
        .filter(|failure| failure.group == group.name)
        .map(|failure| Failure {
            at: failure.at.unwrap_or(now).min(now),
            text: &failure.status_message,
            zone: failure.zone.as_ref(),
            activity: None,
        });
    failures.extend(reported);
    failures.sort_by_key(|failure| (failure.at, failure.activity));
    for failure in failures {
        let cause = LaunchCause::of(failure.text);
        if let Some(reach) = cause.reach() {
            let pool = pool_of(&failure, reach, group, types.clone());
            count(memory, pool, cause, &failure, now);
        }
    }
    memory.pools.retain(|pool, failure| {
        now < MEMORY_TTL.after(failure.until) && !launched(pool, failure, members)
    });
    while memory.pools.len() > POOLS_MAX {
        let first = memory
            .pools
            .iter()
            .min_by_key(|(pool, failure)| (failure.until, *pool))
            .map(|(pool, _)| pool.clone());
        let Some(first) = first else { break };
        memory.pools.remove(&first);
    }
}

/// The launches that failed, by the group's own list.
fn failed_activities(group: &Group) -> impl Iterator<Item = &model::capacity::Activity> {
    group
        .activities
        .iter()
        .filter(|activity| activity.status == "Failed" && activity.description.contains("aunch"))
}

/// What stands before the zone that a launch was to be in. Such a text names other zones too: those to try instead.
const ZONE_MARKS: [&str; 2] = ["you requested (", "your requested Availability Zone ("];

/// The words of AWS's text, such as a type or a zone.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
        .map(|word| word.trim_matches('.'))
}

/// The group's zone that the text says the launch was to be in.
fn zone_named<'g>(text: &str, group: &'g Group) -> Option<&'g AvailabilityZone> {
    let of_group = |word: &str| group.zones.iter().find(|zone| zone.as_str() == word);
    let marked = ZONE_MARKS
        .iter()
        .find_map(|mark| text.split_once(mark).map(|(_, rest)| rest));
    match marked {
        Some(rest) => words(rest).next().and_then(of_group),
        None => words(text).find_map(of_group),
    }
}

/// The pool that a failure speaks of.
fn pool_of<'a>(
    failure: &Failure<'_>,
    reach: Reach,
    group: &Group,
    types: impl Iterator<Item = &'a InstanceType> + Clone,
) -> String {
    let type_named =
        words(failure.text).find_map(|word| types.clone().find(|it| it.as_str() == word));
    let zone_named = failure.zone.or_else(|| zone_named(failure.text, group));
    let instance_type = type_named
        .filter(|_| reach == Reach::Pool)
        .map_or(ANY, InstanceType::as_str);
    let zone = zone_named
        .filter(|_| reach != Reach::Market)
        .map_or(ANY, AvailabilityZone::as_str);
    name(instance_type, zone, group.market)
}

fn name(instance_type: &str, zone: &str, market: Market) -> String {
    format!("{instance_type}/{zone}/{}", market.as_str())
}

fn count(
    memory: &mut ProviderMemory,
    pool: String,
    cause: LaunchCause,
    failure: &Failure<'_>,
    now: Timestamp,
) {
    let before = memory.pools.get(&pool);
    let is_new = before.is_none_or(|before| SAME_FAILURE.after(before.at) < failure.at);
    if !is_new {
        return;
    }
    let times = before.map_or(1, |before| before.times.saturating_add(1));
    let until = time_to_live(&pool, times, failure.at).after(failure.at);
    if before.is_none() && MEMORY_TTL.after(until) <= now {
        return;
    }
    memory.pools.insert(
        pool,
        PoolFailure {
            at: failure.at,
            times,
            until,
            cause: cause.as_str().to_owned(),
            activity: failure.activity.map(str::to_owned),
        },
    );
}

/// How long a pool is left out, in seconds.
fn time_to_live(pool: &str, times: u32, at: Timestamp) -> Seconds {
    let doublings = times.saturating_sub(1).min(10);
    let middle = (TTL_MIN.0 << doublings).min(TTL_MAX.0);
    // FNV-1a, of which only an even spread is asked. <http://www.isthe.com/chongo/tech/comp/fnv/>
    let bytes = pool.bytes().chain(at.as_second().to_be_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let permille =
        i64::try_from(1_000 - JITTER_PERMILLE + (hash >> 16) % (2 * JITTER_PERMILLE + 1));
    Seconds(middle.saturating_mul(permille.unwrap_or(1_000)) / 1_000)
}

/// Whether an instance came out of the pool after it failed.
fn launched(pool: &str, failure: &PoolFailure, members: &[Member<'_>]) -> bool {
    members.iter().any(|member| {
        let instance = member.instance;
        instance.launched_at.is_some_and(|at| failure.at < at)
            && instance
                .instance_type
                .as_ref()
                .is_some_and(|it| speaks_of(pool, it, &instance.zone, None))
    })
}

/// Whether a pool's name stands for the type in the zone, on the market if one is given.
fn speaks_of(
    pool: &str,
    instance_type: &InstanceType,
    zone: &AvailabilityZone,
    market: Option<Market>,
) -> bool {
    let mut parts = pool.split('/');
    let mut is = |wanted: &str| {
        parts
            .next()
            .is_some_and(|part| part == ANY || part == wanted)
    };
    is(instance_type.as_str()) && is(zone.as_str()) && market.is_none_or(|it| is(it.as_str()))
}

/// An instance type in a zone of the group.
pub(crate) type Pool<'a> = (&'a InstanceType, &'a AvailabilityZone);

/// The pools that the group may launch from, less those that a launch failed in within [`FAILING_FOR`]: the types that it lists, else those
/// of its instances, in its zones. A failure that says nothing of a pool, such as a missing permission, speaks of all of them.
pub(crate) fn not_failed_lately(group: &Group, now: Timestamp) -> BTreeSet<Pool<'_>> {
    let types: BTreeSet<&InstanceType> = match &group.types {
        GroupTypes::Listed { choices } => choices.iter().map(|it| &it.instance_type).collect(),
        GroupTypes::InLaunchTemplate | GroupTypes::ByRequirements => {
            let instances = group.instances.values();
            instances
                .filter_map(|it| it.instance_type.as_ref())
                .collect()
        }
    };
    let lately = failed_activities(group).filter(|it| now < FAILING_FOR.after(it.started_at));
    let failed: Vec<String> = lately
        .map(|activity| {
            let failure = Failure {
                at: activity.started_at,
                text: &activity.status_message,
                zone: activity.zone.as_ref(),
                activity: Some(&activity.id),
            };
            let reach = LaunchCause::of(failure.text).reach();
            let types = types.iter().copied();
            pool_of(&failure, reach.unwrap_or(Reach::Market), group, types)
        })
        .collect();
    let pools = types
        .iter()
        .flat_map(|of| group.zones.iter().map(move |zone| (*of, zone)));
    pools
        .filter(|(of, zone)| {
            let has_failed = |pool: &String| speaks_of(pool, of, zone, Some(group.market));
            !failed.iter().any(has_failed)
        })
        .collect()
}

/// The pools that are left out now.
pub(crate) struct Closed<'a> {
    pools: Vec<(&'a str, &'a PoolFailure)>,
    market: Market,
    /// When the first of them is tried again.
    pub(crate) retry_at: Option<Timestamp>,
}

impl<'a> Closed<'a> {
    pub(crate) fn new(memory: &'a ProviderMemory, market: Market, now: Timestamp) -> Self {
        let closed = || {
            memory
                .pools
                .iter()
                .filter(|(_, failure)| now < failure.until)
        };
        Self {
            pools: closed()
                .map(|(pool, failure)| (pool.as_str(), failure))
                .collect(),
            market,
            retry_at: closed().map(|(_, failure)| failure.until).min(),
        }
    }

    /// Their names, by what made their launches fail.
    pub(crate) fn by_cause(&self) -> Vec<ClosedPools> {
        let mut causes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (pool, failure) in &self.pools {
            causes.entry(&failure.cause).or_default().push(pool);
        }
        let closed = causes.into_iter().map(|(cause, pools)| ClosedPools {
            cause: cause.to_owned(),
            count: u32::try_from(pools.len()).unwrap_or(u32::MAX),
            pools: pools
                .into_iter()
                .take(NAMED_MAX)
                .map(str::to_owned)
                .collect(),
        });
        closed.collect()
    }

    /// Whether nothing is to be launched of the type in the zone.
    pub(crate) fn holds(&self, instance_type: &InstanceType, zone: &AvailabilityZone) -> bool {
        self.pools
            .iter()
            .any(|(pool, _)| speaks_of(pool, instance_type, zone, Some(self.market)))
    }
}

/// The group's latest launch failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaunchesFail {
    pub(crate) cause: LaunchCause,
    /// AWS's own words, on one line.
    pub(crate) text: String,
    /// When the first one failed since one did not.
    pub(crate) since: Timestamp,
}

/// Whether the group's latest launch failed, for whatever cause, and not long ago.
pub(crate) fn launches_fail(
    group: &Group,
    members: &[Member<'_>],
    now: Timestamp,
) -> Option<LaunchesFail> {
    let launched_at = members
        .iter()
        .filter_map(|it| it.instance.launched_at)
        .max();
    let failed =
        || failed_activities(group).filter(|it| launched_at.is_none_or(|at| at < it.started_at));
    let latest = failed().max_by_key(|it| (it.started_at, &it.id))?;
    let since = failed().map(|it| it.started_at).min()?;
    (now < FAILING_FOR.after(latest.started_at)).then(|| LaunchesFail {
        cause: LaunchCause::of(&latest.status_message),
        text: latest
            .status_message
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        since,
    })
}
