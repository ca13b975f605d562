"""`patterns.json` holds the event patterns of the template, for the readers that know no YAML: the tests in Rust, the world, the lab."""

import json
import os

from conftest import INFRA

FILE = INFRA / "patterns.json"


def without_options(value):
    """The pattern of an installation that names no clusters: what depends on the option is not there."""
    if isinstance(value, dict):
        fields = {name: without_options(field) for name, field in value.items()}
        return {name: field for name, field in fields.items() if field != {"Ref": "AWS::NoValue"}}
    if isinstance(value, list):
        return [without_options(item) for item in value]
    return value


def chosen(value, condition, holds):
    """The value with each `Fn::If` of this condition decided."""
    if isinstance(value, dict):
        if set(value) == {"Fn::If"} and value["Fn::If"][0] == condition:
            return chosen(value["Fn::If"][1 if holds else 2], condition, holds)
        return {name: chosen(field, condition, holds) for name, field in value.items()}
    if isinstance(value, list):
        return [chosen(item, condition, holds) for item in value]
    return value


def with_defaults(value, parameters):
    """The value with each reference to a parameter that has a text for its default as that text."""
    if isinstance(value, dict):
        if set(value) == {"Ref"} and parameters.get(value["Ref"], {}).get("Type") == "String":
            return parameters[value["Ref"]]["Default"]
        return {name: with_defaults(field, parameters) for name, field in value.items()}
    if isinstance(value, list):
        return [with_defaults(item, parameters) for item in value]
    return value


def without_conditions(pattern):
    """The pattern of an installation that sets no parameter."""
    for condition in ("HasClusters", "HasAutoScalingGroups", "HasAlarmNamePrefix"):
        pattern = chosen(pattern, condition, False)
    return pattern


def patterns(template):
    return {
        name: with_defaults(without_options(without_conditions(resource["Properties"]["EventPattern"])), template["Parameters"])
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Events::Rule" and "EventPattern" in resource["Properties"]
    }


def test_the_file_holds_the_patterns_of_the_template(template):
    text = json.dumps(patterns(template), indent=2) + "\n"
    if os.environ.get("UPDATE_EXPECT") == "1":
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text, "run `make golden`"


def test_every_rule_pins_the_source(template):
    detail_types = {
        "aws.ecs": "ECS ",
        "aws.ec2": "EC2 ",
        "aws.health": "AWS Health Event",
        "aws.autoscaling": "EC2 Instance",
        "aws.cloudwatch": "CloudWatch Alarm State Change",
    }
    for name, pattern in patterns(template).items():
        (source,) = pattern["source"]
        assert all(it.startswith(detail_types[source]) for it in pattern["detail-type"]), name


def with_parameters(template, *conditions):
    """The details of every pattern where these conditions hold."""
    found = {}
    for name in patterns(template):
        pattern = template["Resources"][name]["Properties"]["EventPattern"]
        for condition in conditions:
            pattern = chosen(pattern, condition, True)
        found[name] = without_options(without_conditions(pattern)).get("detail", {})
    return found


def test_clusters_confine_the_rules(template):
    """Events of EC2, AWS Health and Auto Scaling name no cluster; an alarm may watch none. The functions know their clusters."""
    rules = with_parameters(template, "HasClusters")
    clusters = {"Ref": "ClusterArns"}
    assert rules["SpotInterruptionRule"]["clusterArn"] == clusters
    assert rules["ContainerInstanceRule"]["clusterArn"] == clusters
    assert rules["ServiceActionRule"]["$or"] == [{"clusterArn": clusters}, {"clusterArn": [{"exists": False}]}]
    confined = {name for name, detail in rules.items() if "ClusterArns" in json.dumps(detail)}
    of_ec2 = {"InstanceWarningRule", "InstanceStateRule", "MaintenanceRule"}
    assert set(rules) - confined == {"AutoScalingRule", "CapacityAlarmRule", "LifecycleActionRule", "ServiceAlarmRule"} | of_ec2


def test_groups_and_a_prefix_confine_the_other_rules(template):
    rules = with_parameters(template, "HasAutoScalingGroups", "HasAlarmNamePrefix")
    for rule in ("AutoScalingRule", "LifecycleActionRule"):
        assert rules[rule] == {"AutoScalingGroupName": {"Ref": "AutoScalingGroupNames"}}
    with_prefix, by_metric = rules["CapacityAlarmRule"]["$or"]
    assert with_prefix == {"alarmName": [{"prefix": {"Ref": "AlarmNamePrefix"}}]}
    of_services, _ = template["Resources"]["ServiceAlarmRule"]["Properties"]["EventPattern"]["detail"]["$or"]
    assert of_services == {"alarmName": [{"prefix": {"Ref": "TrackingAlarmNamePrefix"}}]}
    # The same metrics with a prefix and without one.
    assert by_metric == patterns(template)["CapacityAlarmRule"]["detail"]


def test_a_rules_targets_are_the_functions_that_its_events_concern(template):
    """Which queue a rule sends to, in an installation with every function."""
    targets = {}
    for name in patterns(template):
        wanted = template["Resources"][name]["Properties"]["Targets"]
        for condition in ("HasClusterScaler", "HasInstanceDrain", "HasServiceScaler"):
            wanted = chosen(wanted, condition, True)
        targets[name] = [target["Arn"]["Fn::GetAtt"][0] for target in wanted]
    assert targets == {
        "SpotInterruptionRule": ["SpotFallbackQueue"],
        "ServiceActionRule": ["SpotFallbackQueue", "ClusterScalerQueue"],
        "ContainerInstanceRule": ["ClusterScalerQueue", "InstanceDrainQueue"],
        "AutoScalingRule": ["ClusterScalerQueue"],
        "CapacityAlarmRule": ["ClusterScalerQueue"],
        "InstanceWarningRule": ["InstanceDrainQueue"],
        "InstanceStateRule": ["InstanceDrainQueue"],
        "MaintenanceRule": ["InstanceDrainQueue"],
        "LifecycleActionRule": ["InstanceDrainQueue"],
        "ServiceAlarmRule": ["ServiceScalerQueue"],
    }
    # At most five: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
    assert max(len(queues) for queues in targets.values()) <= 5
