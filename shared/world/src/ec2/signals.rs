//! Rebalance recommendations: Spot says that an instance is at elevated risk, before it takes it, or without ever taking it.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html>

use model::strategy::Market;
use serde_json::json;

use super::Ec2Due;
use crate::state::MachineState;
use crate::world::{Happening, World};

impl World {
    /// Recommends to replace a Spot instance, which need not be interrupted for it. A group with Capacity Rebalancing acts on it;
    /// ECS and the agent do not.
    ///
    /// Returns whether there is such an instance that is Spot and runs.
    pub fn recommend_rebalance(&mut self, id: &str) -> bool {
        let instance = self.state.instances.get(id);
        let is_there = instance
            .is_some_and(|it| it.market == Market::Spot && it.state == MachineState::Running);
        if is_there {
            let text = format!("Spot recommends to replace instance {id}");
            self.timeline.note(self.now, text);
            self.send_recommendation(id);
        }
        is_there
    }

    pub(super) fn send_recommendation(&mut self, id: &str) {
        let now = self.now;
        if let Some(instance) = self.state.instances.get_mut(id) {
            instance.rebalance_recommended_at.get_or_insert(now);
        }
        let arn = self.ec2_instance_arn(id);
        self.send(
            "aws.ec2",
            "EC2 Instance Rebalance Recommendation",
            &[arn],
            json!({ "instance-id": id }),
            id,
            now.as_millisecond().unsigned_abs(),
        );
        self.group_hears_recommendation(id);
    }

    /// For how long an instance that is taken back is only recommended for rebalancing; `None` is not at all.
    pub(super) fn recommendation_before(&self, id: &str) -> Option<i64> {
        let signals = self.config.ec2.signals;
        let per_mille = signals.recommendations_per_mille;
        let range = signals.recommendation_before;
        self.dice
            .happens(per_mille, "recommended", id, 0)
            .then(|| self.dice.millis(range, "recommended before", id, 0))
    }

    /// A Spot instance runs: perhaps it will be recommended for rebalancing, without a reason.
    pub(super) fn plan_false_recommendation(&mut self, id: &str) {
        let signals = self.config.ec2.signals;
        let per_mille = signals.false_recommendations_per_mille;
        let instance = self.state.instances.get(id);
        if instance.is_none_or(|it| it.market != Market::Spot)
            || !self.dice.happens(per_mille, "falsely recommended", id, 0)
        {
            return;
        }
        let range = signals.false_recommendation_after;
        let millis = self.dice.millis(range, "falsely recommended after", id, 0);
        let id = id.to_owned();
        self.plan_in(millis, Happening::Ec2(Ec2Due::Recommend { id }));
    }
}
