//! The bounds of what a look at tracked services asks CloudWatch for, each with its source, and our own bounds.

use model::Seconds;

/// The most queries of one GetMetricData.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub(crate) const GET_METRIC_DATA_QUERIES_MAX: usize = 500;
/// The most datapoints of one page of GetMetricData, which is also what it gives where nothing is said.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub(crate) const GET_METRIC_DATA_POINTS_MAX: i64 = 100_800;
/// The most pages of one GetMetricData. Its questions are cut so that one page holds their answers; CloudWatch may give less.
pub(crate) const GET_METRIC_DATA_PAGES_MAX: u32 = 20;
/// The most alarm names of one DescribeAlarms, and its largest page.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
pub(crate) const DESCRIBE_ALARMS_MAX: usize = 100;
/// [`DESCRIBE_ALARMS_MAX`], as the size of a page.
pub(crate) const DESCRIBE_ALARMS_PAGE: i32 = 100;
/// How long CloudWatch keeps datapoints of less than a minute.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub(crate) const RECENT_MAX: Seconds = Seconds(10_800);
/// How much more than the scale-in window is read: what a late datapoint and a gap at the window's beginning need. The longest window that
/// a tag may ask for and this together are [`RECENT_MAX`].
pub(crate) const RECENT_MARGIN: Seconds = Seconds(1_800);
/// How many periods are read of a metric whose periods are long, and of the tasks that it is for each of.
pub(crate) const LONG_PERIODS: i64 = 4;
/// The length of the periods of Application Load Balancers' metrics, of ECS's unless a service asks for others, and of CloudWatch where
/// an expression says nothing.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
pub(crate) const MINUTE: Seconds = Seconds(60);
/// How long ago a period must have ended whose value may be made by `FILL`: CloudWatch fills it until the metric is published, and the most
/// recent minute never is (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>). Metrics of AWS's services
/// take up to about three minutes; what is new enough to follow is longer.
pub(crate) const FILLED_LATELY: Seconds = Seconds(180);
