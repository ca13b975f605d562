//! Task scale-in protection: neither a scale-in nor a deployment nor a drain stops a protected task.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html>

use jiff::Timestamp;

use crate::pool::later;
use crate::world::{Happening, World};

/// For how long a task is protected where the caller does not say, in minutes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html>
pub const PROTECTION_MINUTES_DEFAULT: u32 = 120;

impl World {
    /// Protects a task of a service for so many minutes, or ends its protection. Returns whether there is such a live task.
    pub fn protect_task(&mut self, task_id: &str, minutes: Option<u32>) -> bool {
        let until: Option<Timestamp> =
            minutes.map(|it| later(self.now, i64::from(it).saturating_mul(60_000)));
        let Some(task) = self.state.tasks.get_mut(task_id) else {
            return false;
        };
        if !task.is_live() {
            return false;
        }
        let Some(service) = task.service.clone() else {
            return false;
        };
        task.protected_until = until;
        if let Some(until) = until {
            let id = task_id.to_owned();
            self.plan(until, Happening::ProtectionEnds { id });
        } else {
            self.look_soon(&service);
        }
        true
    }

    /// A protection may be over: the scheduler does what it held back.
    pub(crate) fn protection_ends(&mut self, id: &str) {
        let task = self.state.tasks.get(id);
        let ended = task.filter(|it| !it.is_protected(self.now));
        if let Some(service) = ended.and_then(|it| it.service.clone()) {
            self.look_soon(&service);
        }
    }
}
