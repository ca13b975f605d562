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


def patterns(template):
    return {
        name: without_options(chosen(resource["Properties"]["EventPattern"], "HasClusters", False))
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Events::Rule" and "EventPattern" in resource["Properties"]
    }


def test_the_file_holds_the_patterns_of_the_template(template):
    text = json.dumps(patterns(template), indent=2) + "\n"
    if os.environ.get("UPDATE_EXPECT") == "1":
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text, "run `make golden`"


def test_every_rule_pins_the_source(template):
    for name, pattern in patterns(template).items():
        assert pattern["source"] == ["aws.ecs"], name
        assert all(detail_type.startswith("ECS ") for detail_type in pattern["detail-type"]), name


def test_clusters_confine_the_rules(template):
    rules = {
        name: chosen(template["Resources"][name]["Properties"]["EventPattern"], "HasClusters", True)["detail"]
        for name in patterns(template)
    }
    clusters = {"Ref": "ClusterArns"}
    assert rules["SpotInterruptionRule"]["clusterArn"] == clusters
    assert rules["ServiceActionRule"]["$or"] == [{"clusterArn": clusters}, {"clusterArn": [{"exists": False}]}]
    assert set(rules) == {"SpotInterruptionRule", "ServiceActionRule"}
