//! The names and ARNs that events carry.

use std::str::FromStr;

use model::{CapacityProviderName, ClusterName, InstanceId};

/// The longest name of a cluster, a service or a capacity provider.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>
const NAME_CHARS_MAX: usize = 255;

/// Whether ECS would allow `text` as a name. A name that it would not allow makes a call about ten services fail for all ten.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// A name that ECS would allow, or an id in the same letters; nothing when it is neither.
pub(crate) fn named<T: FromStr>(text: &str) -> Option<T> {
    is_name(text).then(|| text.parse().ok())?
}

/// The id of an EC2 instance; nothing when it is none, such as the id of a server outside EC2, `mi-…`.
pub(crate) fn instance(text: &str) -> Option<InstanceId> {
    text.strip_prefix("i-")
        .filter(|id| !id.is_empty())
        .and_then(|_| named(text))
}

/// What follows `task/` in a task's ARN: `<cluster>/<id>`, or `<id>` alone in the old form.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids>
pub(crate) fn task_path(arn: &str) -> Option<&str> {
    path_of(arn, "task/")
}

/// What follows `container-instance/` in a container instance's ARN, in the same two forms as a task's.
pub(crate) fn container_instance_path(arn: &str) -> Option<&str> {
    path_of(arn, "container-instance/")
}

fn path_of<'a>(arn: &'a str, kind: &str) -> Option<&'a str> {
    ecs_resource(arn)?
        .strip_prefix(kind)
        .filter(|path| !path.is_empty())
}

/// Whether `arn` is a service's.
pub(crate) fn is_service(arn: &str) -> bool {
    ecs_resource(arn).is_some_and(|resource| resource.starts_with("service/"))
}

/// A provider's name from its ARN, or as it is; nothing when it is neither.
pub(crate) fn provider(text: &str) -> Option<CapacityProviderName> {
    CapacityProviderName::from_arn_or_name(text)
        .ok()
        .filter(|name| is_name(name.as_str()))
}

/// The cluster in a task's ARN of the new form.
pub(crate) fn cluster_of_task(arn: &str) -> Option<ClusterName> {
    cluster_of_path(task_path(arn)?)
}

/// The cluster in `<cluster>/<id>`.
pub(crate) fn cluster_of_path(path: &str) -> Option<ClusterName> {
    let (cluster, _id) = path.split_once('/')?;
    named(cluster)
}

/// The part of an ECS ARN behind `arn:partition:ecs:region:account:`.
fn ecs_resource(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    if parts.next()? != "arn" {
        return None;
    }
    let _partition = parts.next()?;
    if parts.next()? != "ecs" {
        return None;
    }
    parts.nth(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_arns_of_both_forms_are_read() {
        let new = "arn:aws:ecs:us-west-2:111122223333:task/container-demo/0b2f";
        let old = "arn:aws-cn:ecs:cn-north-1:111122223333:task/0b2f";
        assert_eq!(task_path(new), Some("container-demo/0b2f"));
        assert_eq!(task_path(old), Some("0b2f"));
        assert_eq!(
            cluster_of_task(new).map(String::from),
            Some("container-demo".to_owned())
        );
        assert_eq!(cluster_of_task(old), None);
    }

    #[test]
    fn other_texts_are_no_task_arns() {
        for text in [
            "",
            "task/x",
            "arn:aws:ecs:us-west-2:111122223333:task/",
            "arn:aws:ecs:us-west-2:111122223333:service/container-demo/web",
            "arn:aws:ec2:us-west-2:111122223333:task/x",
            "arn:aws:ecs",
        ] {
            assert_eq!(task_path(text), None, "{text}");
        }
    }

    #[test]
    fn container_instance_arns_of_both_forms_are_read() {
        let new = "arn:aws:ecs:us-west-2:111122223333:container-instance/container-demo/a59c";
        let old = "arn:aws:ecs:us-west-2:111122223333:container-instance/a59c";
        assert_eq!(container_instance_path(new), Some("container-demo/a59c"));
        assert_eq!(container_instance_path(old), Some("a59c"));
        assert_eq!(task_path(new), None);
        assert_eq!(
            cluster_of_path("container-demo/a59c").map(String::from),
            Some("container-demo".to_owned())
        );
        assert_eq!(cluster_of_path("a59c"), None);
    }

    #[test]
    fn instances_are_those_of_ec2() {
        assert!(instance("i-1234567890abcdef0").is_some());
        assert!(instance("i-f3a8506b").is_some());
        for text in ["", "i-", "mi-1234567890abcdef0", "i-1 2", "1234", "i-é"] {
            assert_eq!(instance(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_what_ecs_allows() {
        for text in ["web", "web-standby", "FARGATE_SPOT", "9", &"a".repeat(255)] {
            assert!(is_name(text), "{text}");
        }
        for text in ["", "a/b", "a b", "a:b", "wéb", "a\n", &"a".repeat(256)] {
            assert!(!is_name(text), "{text}");
        }
    }
}
