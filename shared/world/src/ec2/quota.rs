//! The quotas of vCPUs.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-quotas.html>

/// The vCPUs of an instance type, by its size: up to `large` 2, `xlarge` 4, and `Nxlarge` 4 times N.
///
/// It is a rule of thumb that holds for x86 types since generation 3; `metal` counts as 96.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/cpu-options-supported-instances-values.html>
pub(crate) fn vcpus_of(instance_type: &str) -> u32 {
    let size = instance_type.rsplit('.').next().unwrap_or_default();
    match size {
        "xlarge" => 4,
        size if size.starts_with("metal") => 96,
        size => size
            .strip_suffix("xlarge")
            .and_then(|it| it.parse::<u32>().ok())
            .map_or(2, |it| it.saturating_mul(4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vcpus_follow_the_size() {
        let sizes = [
            ("t3.small", 2),
            ("m5.large", 2),
            ("m5.xlarge", 4),
            ("c5.9xlarge", 36),
            ("m5.metal", 96),
            ("strange", 2),
        ];
        for (instance_type, vcpus) in sizes {
            assert_eq!(vcpus_of(instance_type), vcpus, "{instance_type}");
        }
    }
}
