//! What can be seen of a pair, and what may be believed of its memory.

use jiff::Timestamp;
use model::capacity::ContainerInstanceStatus;
use model::memory::PairMemory;
use model::plan::Counts;
use model::policy::PairPolicy;
use model::snapshot::{Health, Pair, Service, Standby, Task, TaskStatus};

use model::strategy::Market;

use super::{SECOND, at, count, secs};

fn is_up(task: &Task) -> bool {
    task.last_status == TaskStatus::Running
        && task.desired_running
        && task.health != Health::Unhealthy
}

/// To run, and never RUNNING, for less than the grace.
fn is_early(task: &Task, grace: i128) -> bool {
    let early = [
        TaskStatus::Provisioning,
        TaskStatus::Pending,
        TaskStatus::Activating,
    ];
    let age = task.created_at.map(|it| -at(it));
    task.desired_running && early.contains(&task.last_status) && age.is_some_and(|age| age < grace)
}

/// The names of the providers whose instances Spot may take.
fn spot_of(service: &Service) -> Vec<&str> {
    let shares = service.capacity.iter();
    let spot = shares.filter(|it| it.market == Market::Spot);
    spot.map(|it| it.item.provider.as_str()).collect()
}

/// Whether its instance takes the task with it.
fn is_carried_off(task: &Task, spot: &[&str]) -> bool {
    let provider = task.provider.as_ref().map_or("", |it| it.as_str());
    matches!(
        task.instance_status,
        Some(ContainerInstanceStatus::Draining)
    ) && spot.contains(&provider)
}

/// Of the primary's tasks: when those were told that Spot took and that do not serve, where that is known; when those were made that are to
/// run; and when those of them that were never RUNNING.
fn lives(
    primary: &Service,
    serves: impl Fn(&Task) -> bool,
) -> (Vec<Option<i128>>, Vec<i128>, Vec<i128>) {
    let mut took = Vec::new();
    let (mut made, mut unstarted) = (Vec::new(), Vec::new());
    for task in &primary.tasks {
        let over = task.last_status == TaskStatus::Stopped;
        let told = task.stopping_at.or(task.stopped_at).map(at);
        if task.interrupted && !task.desired_running && !serves(task) {
            took.extend((told.is_some() || !over).then_some(told));
        }
        if task.desired_running {
            made.extend(task.created_at.map(at));
            let never = task.last_status < TaskStatus::Running;
            unstarted.extend(task.created_at.filter(|_| never).map(at));
        }
    }
    (took, made, unstarted)
}

/// What can be seen of a pair.
pub(super) struct Facts<'a> {
    pub(super) pair: &'a Pair,
    pub(super) policy: &'a PairPolicy,
    pub(super) standby: &'a Service,
    pub(super) counts: Counts,
    pub(super) cap: u32,
    pub(super) target: u32,
    /// Standby tasks that bring ready tasks to the desired count.
    pub(super) need: u32,
    /// When the interrupted tasks that still serve will have ended.
    deadlines: Vec<i128>,
    /// Missing and not serving any more.
    pub(super) gone: u32,
    /// On instances of Spot that drain, serving, and with nothing on its way in their place.
    pub(super) unreplaced: u32,
    /// When the interrupted tasks that still serve were told.
    leave: Vec<i128>,
    /// Tasks that Spot took and that serve no more: when they were told, where that is known.
    took: Vec<Option<i128>>,
    /// When each task that is to run was made.
    made: Vec<i128>,
    /// When each task that is to run and was never RUNNING was made.
    unstarted: Vec<i128>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(pair: &'a Pair) -> Option<Self> {
        let (Ok(policy), Standby::Present(standby)) = (&pair.policy, &pair.standby) else {
            return None;
        };
        let primary = &pair.primary;
        let notice = primary
            .stop_timeout
            .map_or(30 * SECOND, secs)
            .min(120 * SECOND);
        let ends = |task: &Task| {
            let up = task.last_status == TaskStatus::Running && task.health != Health::Unhealthy;
            let leaves = task.interrupted && !task.desired_running;
            let told = task.stopping_at.filter(|_| up && leaves)?;
            let end = at(told).saturating_add(notice).min(at(Timestamp::MAX));
            (end > 0).then_some(end)
        };
        let spot = spot_of(primary);
        let ready = count(primary, |task| is_up(task) && !is_carried_off(task, &spot));
        let carried_off = count(primary, |task| is_up(task) && is_carried_off(task, &spot));
        let starting = count(primary, |task| {
            is_early(task, secs(policy.start_grace)) && !is_carried_off(task, &spot)
        });
        let (ready, starting) = if primary.all_to_run_read {
            (ready, starting)
        } else {
            // ECS's own numbers, less what was seen to run and not to serve.
            let seen_running = count(primary, |it| it.last_status == TaskStatus::Running);
            let others = primary.running_count.saturating_sub(seen_running - ready);
            (ready.max(others), starting.max(primary.pending_count))
        };
        let (took, made, unstarted) = lives(primary, |task| ends(task).is_some());
        let leaving = primary.tasks.iter().filter(|it| ends(it).is_some());
        let leave = leaving.filter_map(|it| it.stopping_at.map(at)).collect();
        let deadlines: Vec<i128> = primary.tasks.iter().filter_map(ends).collect();
        let desired = primary.desired_count;
        let leaving = u32::try_from(deadlines.len()).unwrap() + carried_off;
        let deficit = desired.saturating_sub(ready + starting);
        let cap = policy.standby_max.map_or(desired, |max| max.min(desired));
        // Of those that leave, some may have a replacement on its way already.
        let unreplaced = leaving - leaving.min(starting);
        let gone = deficit - deficit.min(unreplaced);
        Some(Self {
            pair,
            policy,
            standby,
            counts: Counts {
                desired,
                ready,
                starting,
                leaving,
                deficit,
                standby_desired: standby.desired_count,
                standby_ready: count(standby, is_up),
            },
            cap,
            target: deficit.min(cap),
            need: desired.saturating_sub(ready).min(cap),
            deadlines,
            gone,
            unreplaced: carried_off.min(deficit - gone),
            leave,
            took,
            made,
            unstarted,
        })
    }

    /// How many tasks Spot took in so many nanoseconds before `then`, less those made in their place.
    pub(super) fn taken(&self, within: i128, then: i128) -> u32 {
        let told = self.took.iter().map(|told| told.unwrap_or(then));
        let told: Vec<i128> = told.filter(|it| then - it < within).collect();
        let first = told.iter().min().copied();
        let leave = self.leave.iter().min();
        // Each task that still serves has the first claim on what was made since.
        let mut claims = self.leave.len();
        let mut left = told.len();
        let mut made = self.made.clone();
        made.sort_unstable();
        for made in &made {
            if claims > 0 && leave <= Some(made) {
                claims -= 1;
            } else if first <= Some(*made) {
                left = left.saturating_sub(1);
            }
        }
        u32::try_from(left).unwrap()
    }

    /// How many tasks have not started by `then`, though they had the grace and the settle time; and how many of these have been missing
    /// for less than the settle time.
    pub(super) fn late(&self, then: i128) -> (u32, u32) {
        let (grace, settle) = (secs(self.policy.start_grace), secs(self.policy.settle));
        let old = |it: &&i128| then - **it >= grace && then - **it >= settle;
        let late = self.unstarted.iter().filter(old);
        let lately = late.clone().filter(|it| then - **it < grace + settle);
        (
            u32::try_from(late.count()).unwrap(),
            u32::try_from(lately.count()).unwrap(),
        )
    }

    /// The moments at which a task that has not started will be late.
    pub(super) fn will_be_late(&self) -> impl Iterator<Item = i128> {
        let grace = secs(self.policy.start_grace.max(self.policy.settle));
        self.unstarted.iter().map(move |it| it + grace)
    }

    /// The smallest measured start-up that at least nine tenths of the measured ones do not exceed, in seconds.
    pub(super) fn start_up(&self) -> i64 {
        let tasks = self.pair.primary.tasks.iter().chain(&self.standby.tasks);
        let mut took: Vec<i128> = tasks
            .filter_map(|it| Some(at(it.started_at?) - at(it.created_at?)))
            .filter(|took| *took >= 0)
            .collect();
        took.sort_unstable();
        let number = took.len();
        let enough =
            |it: &&i128| took.iter().filter(|other| other <= it).count() * 10 >= number * 9;
        let whole = |it: i128| (it + SECOND - 1) / SECOND;
        took.iter()
            .find(enough)
            .map_or(self.policy.start_up_default.0, |it| {
                i64::try_from(whole(*it).clamp(5, 600)).unwrap()
            })
    }

    pub(super) fn first_deadline(&self) -> Option<i128> {
        self.deadlines.iter().min().copied()
    }

    pub(super) fn latest_moment(&self, interval: i128) -> Option<i128> {
        let lead = i128::from(self.start_up()) * SECOND + interval + secs(self.policy.margin);
        Some((self.first_deadline()? - lead).max(at(Timestamp::MIN)))
    }
}

/// What may still be believed of a memory.
pub(super) struct Past {
    /// When this look counts as made: what is remembered does not go back in time.
    pub(super) looked: i128,
    /// How long the pair has been watched: the first look.
    pub(super) since: i128,
    /// "At least so many have been missing since."
    pub(super) missing: Vec<(u32, i128)>,
    pub(super) needed: Vec<(u32, i128)>,
    pub(super) shortage: Option<i128>,
    /// "So many leave with their instances, and none of them was replaced since."
    pub(super) stalled: Option<(u32, i128)>,
}

impl Past {
    pub(super) fn of(memory: &PairMemory, interval: i128) -> Self {
        let watch = memory.watched;
        let unbroken =
            watch.filter(|it| at(it.until) <= 30 * SECOND && -at(it.until) <= 3 * interval);
        let levels = |levels: &[model::memory::Level]| -> Vec<(u32, i128)> {
            let believed = levels.iter().filter(|_| unbroken.is_some());
            believed.map(|it| (it.tasks, at(it.at))).collect()
        };
        Self {
            looked: unbroken.map_or(0, |it| at(it.until).max(0)),
            since: unbroken.map_or(0, |it| at(it.since)),
            missing: levels(&memory.deficits),
            needed: levels(&memory.needs),
            shortage: memory.spot_shortage_at.map(at),
            stalled: memory
                .not_replaced
                .filter(|_| unbroken.is_some())
                .map(|it| (it.tasks, at(it.at))),
        }
    }
}
