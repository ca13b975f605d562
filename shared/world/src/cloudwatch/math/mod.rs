//! Metric math: expressions over metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>
//!
//! # Modelled
//! Numbers, ids, arrays `[m1, m2]`, `+ - * /`, comparisons, `AND`, `OR`, and the functions of [`functions`]. In arithmetic between
//! series a value that only one of them has meets a 0; a division by zero drops the point, and the answer says so.
//!
//! # Assumed
//! Series of different periods meet where their times are the same. Values are exact to a billionth.
//!
//! # Absent
//! `^`, all other functions, Metrics Insights, and search expressions.

mod eval;
mod functions;
mod parse;
mod value;

pub(crate) use eval::{Env, evaluate};
pub(crate) use parse::{Expr, parse};
pub(crate) use value::{Line, MILLI, Value, div_round};

/// The functions that are known.
pub(crate) const FUNCTIONS: [&str; 16] = [
    "ABS",
    "AVG",
    "CEIL",
    "DATAPOINT_COUNT",
    "DIFF",
    "FILL",
    "FLOOR",
    "IF",
    "MAX",
    "METRICS",
    "METRIC_COUNT",
    "MIN",
    "PERIOD",
    "RATE",
    "SUM",
    "TIME_SERIES",
];
