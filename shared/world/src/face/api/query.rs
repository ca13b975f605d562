//! The Query protocol: a form goes in, XML comes out.
//! <https://docs.aws.amazon.com/AutoScaling/latest/APIReference/query-requests.html>
//!
//! The world's input and output are JSON with the same names, lists as arrays and times as ISO 8601; this file translates both ways. A list is
//! `Name.member.1`, `Name.member.2`, … in a form and `<Name><member>…</member></Name>` in XML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::ApiError;

/// The most fields that a form may have: GetMetricData takes 500 queries with a dozen fields and more each.
const FIELDS_MAX: usize = 10_000;

/// The deepest nesting of names in a form.
const DEPTH_MAX: usize = 12;

/// A form, read: which action of which version, and the input.
#[derive(Debug, PartialEq)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) version: String,
    pub(super) input: Value,
}

/// A field of a form, or the fields below a name.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    below: BTreeMap<String, Node>,
}

impl Form {
    /// Reads a form's body.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let mut root = Node::default();
        let mut form = Self {
            action: String::new(),
            version: String::new(),
            input: Value::Null,
        };
        for (count, (name, text)) in form_urlencoded::parse(body).enumerate() {
            if count >= FIELDS_MAX {
                return Err(malformed(format!("a form has at most {FIELDS_MAX} fields")));
            }
            match name.as_ref() {
                "Action" => form.action = text.into_owned(),
                "Version" => form.version = text.into_owned(),
                _ => root.insert(&name, text.into_owned())?,
            }
        }
        form.input = root.into_object()?;
        Ok(form)
    }
}

impl Node {
    fn insert(&mut self, name: &str, text: String) -> Result<(), ApiError> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth >= DEPTH_MAX {
                return Err(malformed(format!("`{name}` is nested too deeply")));
            }
            node = node.below.entry(part.to_owned()).or_default();
        }
        node.text = Some(text);
        Ok(())
    }

    fn into_object(self) -> Result<Value, ApiError> {
        let mut object = Map::new();
        for (name, node) in self.below {
            let value = node.into_value(&name)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }

    fn into_value(mut self, name: &str) -> Result<Value, ApiError> {
        if let Some(members) = self.below.remove("member") {
            return members.into_list(name);
        }
        if !self.below.is_empty() {
            return self.into_object();
        }
        typed(name, self.text.unwrap_or_default())
    }

    /// Members in the order of their numbers, which need not be without gaps.
    fn into_list(self, name: &str) -> Result<Value, ApiError> {
        let mut numbered = BTreeMap::new();
        for (number, node) in self.below {
            let number: u32 = number.parse().map_err(|_not_a_number| {
                malformed(format!("`{name}.member.{number}` is not numbered"))
            })?;
            numbered.insert(number, node.into_value("")?);
        }
        Ok(Value::Array(numbered.into_values().collect()))
    }
}

/// A form knows texts only: the types come from the operations' documentation.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Operations.html>
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html>
fn typed(name: &str, text: String) -> Result<Value, ApiError> {
    if NUMBERS.contains(&name) {
        return text
            .parse::<i32>()
            .map(Value::from)
            .map_err(|_not_a_number| {
                malformed(format!("`{name}` must be a number, not {text:?}"))
            });
    }
    if FLAGS.contains(&name) {
        return text
            .parse::<bool>()
            .map(Value::from)
            .map_err(|_not_a_bool| {
                malformed(format!("`{name}` must be true or false, not {text:?}"))
            });
    }
    // An empty list is sent as an empty field.
    if LISTS.contains(&name) && text.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    Ok(Value::String(text))
}

/// The fields that hold whole numbers. Other numbers are read from their texts.
const NUMBERS: [&str; 20] = [
    "Cooldown",
    "DatapointsToAlarm",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "DesiredCapacity",
    "EstimatedInstanceWarmup",
    "EvaluationPeriods",
    "HealthCheckGracePeriod",
    "HeartbeatTimeout",
    "MaxDatapoints",
    "MaxRecords",
    "MaxSize",
    "MinAdjustmentMagnitude",
    "MinSize",
    "OnDemandBaseCapacity",
    "OnDemandPercentageAboveBaseCapacity",
    "Period",
    "ScalingAdjustment",
    "SpotInstancePools",
    "StorageResolution",
];

/// The fields that are true or false.
const FLAGS: [&str; 13] = [
    "ActionsEnabled",
    "CapacityRebalance",
    "DisableScaleIn",
    "Enabled",
    "ForceDelete",
    "HonorCooldown",
    "IncludeDeletedGroups",
    "IncludeInstances",
    "NewInstancesProtectedFromScaleIn",
    "PropagateAtLaunch",
    "ProtectedFromScaleIn",
    "ReturnData",
    "ShouldDecrementDesiredCapacity",
];

/// The fields that hold lists.
const LISTS: [&str; 27] = [
    "ActivityIds",
    "AlarmActions",
    "AlarmNames",
    "AlarmTypes",
    "AutoScalingGroupNames",
    "AvailabilityZones",
    "Counts",
    "Dimensions",
    "Filters",
    "InstanceIds",
    "InsufficientDataActions",
    "LifecycleHookNames",
    "LifecycleHookSpecificationList",
    "LoadBalancerNames",
    "MetricData",
    "MetricDataQueries",
    "OKActions",
    "Overrides",
    "PolicyNames",
    "PolicyTypes",
    "ScalingProcesses",
    "ScheduledActionNames",
    "StepAdjustments",
    "Tags",
    "TargetGroupARNs",
    "TerminationPolicies",
    "Values",
];

fn malformed(message: String) -> ApiError {
    ApiError::new("MalformedQueryString", message, 400)
}

/// The XML of an answer.
pub(super) fn answer(action: &str, namespace: &str, result: &Value, request_id: &str) -> String {
    let mut xml = format!("<{action}Response xmlns=\"{namespace}\">");
    element(&mut xml, &format!("{action}Result"), result);
    write_text_element(&mut xml, "ResponseMetadata", |xml| {
        element(xml, "RequestId", &Value::String(request_id.to_owned()));
    });
    close(&mut xml, &format!("{action}Response"));
    xml
}

/// Whose fault an error is.
pub(super) const fn kind_of(error: &ApiError) -> &'static str {
    if error.http_status < 500 {
        "Sender"
    } else {
        "Receiver"
    }
}

/// The XML of an error.
pub(super) fn error(error: &ApiError, namespace: &str, request_id: &str) -> String {
    let kind = kind_of(error);
    let mut xml = format!("<ErrorResponse xmlns=\"{namespace}\">");
    write_text_element(&mut xml, "Error", |xml| {
        for (name, text) in [
            ("Type", kind),
            ("Code", error.code),
            ("Message", error.message.as_str()),
        ] {
            element(xml, name, &Value::String(text.to_owned()));
        }
    });
    element(&mut xml, "RequestId", &Value::String(request_id.to_owned()));
    close(&mut xml, "ErrorResponse");
    xml
}

fn write_text_element(xml: &mut String, name: &str, content: impl FnOnce(&mut String)) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    content(xml);
    close(xml, name);
}

fn close(xml: &mut String, name: &str) {
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

fn element(xml: &mut String, name: &str, value: &Value) {
    // What is not there has no element.
    if value.is_null() {
        return;
    }
    write_text_element(xml, name, |xml| match value {
        Value::Null => {}
        Value::Bool(flag) => {
            // Writing to a string cannot fail.
            let _written = write!(xml, "{flag}");
        }
        Value::Number(number) => {
            let _written = write!(xml, "{number}");
        }
        Value::String(text) => escape(xml, text),
        Value::Array(members) => {
            for member in members {
                element(xml, "member", member);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                element(xml, name, value);
            }
        }
    });
}

fn escape(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\t' | '\n' | '\r' => xml.push(character),
            // XML 1.0 has no way to write the other control characters.
            control if control.is_control() => xml.push('\u{fffd}'),
            other => xml.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_become_the_input() {
        let body = b"Action=DescribeAutoScalingGroups&Version=2011-01-01&AutoScalingGroupNames.member.2=b%20c&AutoScalingGroupNames.member.10=d&AutoScalingGroupNames.member.1=a&MaxRecords=7&IncludeInstances=false&Filters.member.1.Name=tag%3Ax&Filters.member.1.Values.member.1=y&NextToken=z";
        let form = Form::parse(body).unwrap();
        assert_eq!(form.action, "DescribeAutoScalingGroups");
        assert_eq!(form.version, "2011-01-01");
        assert_eq!(
            form.input,
            json!({
                "AutoScalingGroupNames": ["a", "b c", "d"],
                "MaxRecords": 7,
                "IncludeInstances": false,
                "Filters": [{"Name": "tag:x", "Values": ["y"]}],
                "NextToken": "z",
            })
        );
        let empty = Form::parse(b"Action=X&AutoScalingGroupNames=").unwrap();
        assert_eq!(empty.input, json!({"AutoScalingGroupNames": []}));
    }

    #[test]
    fn faulty_forms_are_refused() {
        for (body, words) in [
            (
                "MaxRecords=many".to_owned(),
                "`MaxRecords` must be a number",
            ),
            ("IncludeInstances=1".to_owned(), "true or false"),
            ("A.member.x=1".to_owned(), "`A.member.x` is not numbered"),
            (format!("{}=1", ["a"; 20].join(".")), "too deeply"),
            ("a=1&".repeat(FIELDS_MAX + 1), "at most 10000 fields"),
        ] {
            let error = Form::parse(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, "MalformedQueryString");
            assert!(error.message.contains(words), "{}", error.message);
        }
    }

    #[test]
    fn answers_and_errors_are_xml() {
        let result = json!({
            "AutoScalingGroups": [{"AutoScalingGroupName": "a<&>\"\u{7}", "MinSize": 0, "NewInstancesProtectedFromScaleIn": true, "CreatedTime": "2026-03-02T09:00:00Z", "Instances": [], "Context": null}],
        });
        expect![[r#"<DescribeAutoScalingGroupsResponse xmlns="urn:x"><DescribeAutoScalingGroupsResult><AutoScalingGroups><member><AutoScalingGroupName>a&lt;&amp;&gt;&quot;�</AutoScalingGroupName><CreatedTime>2026-03-02T09:00:00Z</CreatedTime><Instances></Instances><MinSize>0</MinSize><NewInstancesProtectedFromScaleIn>true</NewInstancesProtectedFromScaleIn></member></AutoScalingGroups></DescribeAutoScalingGroupsResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeAutoScalingGroupsResponse>"#]]
            .assert_eq(&answer("DescribeAutoScalingGroups", "urn:x", &result, "r"));
        expect![[r#"<ErrorResponse xmlns="urn:x"><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>r</RequestId></ErrorResponse>"#]]
            .assert_eq(&error(&ApiError::new("Throttling", "Rate exceeded", 400), "urn:x", "r"));
    }
}
