//! Whether Application Auto Scaling scales services.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use calls::RateBucket;
use model::ServiceKey;
use model::snapshot::Gap;

use crate::limits::DESCRIBE_SCALABLE_TARGETS_MAX;
use crate::look::{Look, Pages};

const DESCRIBE_SCALABLE_TARGETS: &str = "application-autoscaling:DescribeScalableTargets";

/// Whether each service is a scalable target, or why that is not known.
pub(crate) type Scaled = BTreeMap<ServiceKey, Result<bool, Gap>>;

/// Finds out which of these services are scalable targets. Every one is in the answer.
pub(crate) async fn read<O>(
    look: &mut Look<'_, O>,
    client: &Client,
    services: &BTreeSet<&ServiceKey>,
) -> Scaled {
    let all: Vec<&ServiceKey> = services.iter().copied().collect();
    let mut scaled = Scaled::new();
    for batch in all.chunks(DESCRIBE_SCALABLE_TARGETS_MAX) {
        read_batch(look, client, batch, &mut scaled).await;
    }
    scaled
}

async fn read_batch<O>(
    look: &mut Look<'_, O>,
    client: &Client,
    batch: &[&ServiceKey],
    scaled: &mut Scaled,
) {
    // The id of an ECS service in Application Auto Scaling: `service/<cluster>/<service>`.
    let ids: BTreeMap<String, &ServiceKey> = batch
        .iter()
        .map(|key| (format!("service/{key}"), *key))
        .collect();
    let about = match batch {
        [one] => one.to_string(),
        _ => "*".to_owned(),
    };
    let mut targets = BTreeSet::new();
    let mut pages = Pages::default();
    let rest = loop {
        let request = client
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .set_resource_ids(Some(ids.keys().cloned().collect()))
            .set_next_token(pages.token())
            .send();
        let page = look
            .call(
                RateBucket::ApplicationAutoScaling,
                DESCRIBE_SCALABLE_TARGETS,
                &about,
                request,
            )
            .await;
        let turned = page.and_then(|page| {
            let found = page.scalable_targets().iter();
            targets.extend(found.map(|target| target.resource_id().to_owned()));
            pages.turn(DESCRIBE_SCALABLE_TARGETS, &about, page.next_token)
        });
        match turned {
            Ok(true) => {}
            Ok(false) => break None,
            Err(gap) => break Some(gap),
        }
    };
    for (id, key) in ids {
        let known = match &rest {
            _ if targets.contains(&id) => Ok(true),
            None => Ok(false),
            Some(gap) => Err(gap.clone()),
        };
        scaled.insert(key.clone(), known);
    }
}
