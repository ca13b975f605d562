//! AWS's words for launches that fail.
//!
//! The texts are as users quote them; AWS documents them only in part.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ts-as-capacity.html>

use model::strategy::Market;

/// Why nothing could be launched in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LaunchFailure {
    /// No pool of the zone has room.
    NoCapacity {
        first_type: String,
        others: Vec<String>,
    },
    /// The account's quota of vCPUs is used up.
    Quota { vcpus_max: u32 },
}

/// The status message of a failed launch.
pub(super) fn message(
    failure: &LaunchFailure,
    market: Market,
    zone: &str,
    is_mixed: bool,
) -> String {
    let reason = match (failure, market) {
        (LaunchFailure::NoCapacity { .. }, Market::Spot) => {
            "UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration. Please adjust your request and \
             try again."
                .to_owned()
        }
        (
            LaunchFailure::NoCapacity { first_type, others },
            Market::OnDemand | Market::Unknown,
        ) => {
            let code = if is_mixed {
                "InsufficientInstanceCapacity - "
            } else {
                ""
            };
            let choosing = if others.is_empty() {
                String::new()
            } else {
                format!(" or choosing {}", others.join(", "))
            };
            format!(
                "{code}We currently do not have sufficient {first_type} capacity in the Availability Zone you requested ({zone}). Our \
                 system will be working on provisioning additional capacity. You can currently get {first_type} capacity by not \
                 specifying an Availability Zone in your request{choosing}."
            )
        }
        (LaunchFailure::Quota { .. }, Market::Spot) => {
            "MaxSpotInstanceCountExceeded - Max spot instance count exceeded.".to_owned()
        }
        (LaunchFailure::Quota { vcpus_max }, Market::OnDemand | Market::Unknown) => format!(
            "VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU limit of {vcpus_max} allows for the \
             instance bucket that the specified instance type belongs to. Please visit \
             http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
        ),
    };
    let market = match (is_mixed || market == Market::Spot, market) {
        (true, Market::Spot) => "Could not launch Spot Instances. ",
        (true, Market::OnDemand | Market::Unknown) => "Could not launch On-Demand Instances. ",
        (false, Market::Spot | Market::OnDemand | Market::Unknown) => "",
    };
    format!("{market}{reason} Launching EC2 instance failed.")
}
