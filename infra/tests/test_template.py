"""The template is sound: `cfn-lint` finds nothing in what AWS would get, and the numbers that depend on each other fit."""

import json
import re

import pytest
from cfnlint.api import lint_all
from conftest import ARCHITECTURES, INFRA, PACKAGED_CODE, translate
from samtranslator.yaml_helper import yaml_parse


def faults(text):
    """Errors and warnings; advice is left out."""
    return [
        f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}"
        for match in lint_all(text)
        if match.rule.severity in ("error", "warning")
    ]


def check_lint(text):
    assert faults(text) == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_translated_template_is_clean(architecture):
    check_lint(json.dumps(translate(Architecture=architecture)))


def test_the_translated_template_is_clean_with_every_option():
    check_lint(
        json.dumps(
            translate(
                Mode="act",
                ClusterArns="arn:aws:ecs:us-west-2:111122223333:cluster/container-demo",
                ConfineUpdateService="false",
                ReservedConcurrency="3",
                AlarmTopicArn="arn:aws:sns:us-west-2:111122223333:operators",
            )
        )
    )


@pytest.mark.parametrize("path", sorted(INFRA.glob("examples/*/template.yaml")), ids=lambda path: path.parent.name)
def test_the_examples_are_clean(path):
    check_lint(path.read_text(encoding="utf-8"))


def test_the_template_as_written_is_clean():
    check_lint((INFRA / "template.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        ("a property that does not exist", lambda r: r["SpotFallbackFunction"]["Properties"].update(Timeouts=30)),
        ("a reference to nothing", lambda r: r["ScheduleRule"]["Properties"]["Targets"][0].update(Arn={"Ref": "Nothing"})),
        ("a retention that SQS does not have", lambda r: r["SpotFallbackQueue"]["Properties"].update(MessageRetentionPeriod=5)),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_the_linter_sees_planted_faults(name, break_it):
    broken = translate()
    break_it(broken["Resources"])
    assert faults(json.dumps(broken)), name


def test_the_workshops_services_are_a_pair_that_ballast_can_look_after():
    """What the README asks of a pair: one task definition, one target group, on-demand capacity, and all the time that a warning gives."""
    template = yaml_parse((INFRA / "examples/workshop/template.yaml").read_text(encoding="utf-8"))
    resources = template["Resources"]
    primary, standby = (resources[name]["Properties"] for name in ("Web", "WebStandby"))
    assert standby["CapacityProviderStrategy"] == [{"CapacityProvider": "FARGATE", "Weight": 1}]
    alike = ("Cluster", "TaskDefinition", "NetworkConfiguration", "LoadBalancers")
    assert {name: primary[name] for name in alike} == {name: standby[name] for name in alike}
    condition, (target,), otherwise = primary["LoadBalancers"]["Fn::If"]
    assert (condition, otherwise) == ("HasTargetGroup", {"Ref": "AWS::NoValue"})
    (container,) = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert (target["ContainerName"], target["TargetGroupArn"]) == (container["Name"], {"Ref": "TargetGroupArn"})
    assert target["ContainerPort"] in [mapping["ContainerPort"] for mapping in container["PortMappings"]]
    # Two minutes from the warning to SIGKILL, and no more than 120 s on Fargate:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    assert container["StopTimeout"] == 120


def test_aliases_are_not_used():
    """CloudFormation reads no YAML aliases: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html"""
    for path in [INFRA / "template.yaml", *INFRA.glob("examples/*/template.yaml")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r":\s+[&*][A-Za-z]", text), path


def test_the_function_is_what_is_shipped(template, resources):
    function = resources["SpotFallbackFunction"]["Properties"]
    assert function["Runtime"] == "provided.al2023"
    assert function["Handler"] == "bootstrap"
    assert function["Code"] == {"S3Bucket": "ballast-artifacts", "S3Key": PACKAGED_CODE.rsplit("/", 1)[1]}
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    assert template["Parameters"]["Architecture"]["AllowedValues"] == list(ARCHITECTURES)
    assert template["Parameters"]["Mode"]["Default"] == "observe"
    code = template["Resources"]["SpotFallbackFunction"]["Properties"]["CodeUri"]
    assert (INFRA / code).resolve() == (INFRA.parent / "target/lambda/spot-fallback").resolve()


def test_a_message_is_neither_seen_twice_nor_lost_before_its_last_try(resources):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: six timeouts and the batching window."""
    queue = resources["SpotFallbackQueue"]["Properties"]
    mapping = resources["SpotFallbackEventSourceMapping"]["Properties"]
    timeout_secs = resources["SpotFallbackFunction"]["Properties"]["Timeout"]
    visibility_secs = queue["VisibilityTimeout"]
    assert visibility_secs >= 6 * timeout_secs + mapping["MaximumBatchingWindowInSeconds"]
    tries = queue["RedrivePolicy"]["maxReceiveCount"]
    assert tries * visibility_secs <= queue["MessageRetentionPeriod"], "a message would expire instead of becoming a dead letter"
    dead_letters = resources["SpotFallbackDeadLetterQueue"]["Properties"]
    assert dead_letters["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # A batch over 10 needs a window: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
    assert mapping["BatchSize"] == 1000 and mapping["MaximumBatchingWindowInSeconds"] >= 1


def test_queues_are_encrypted_and_only_their_rules_may_send(resources):
    senders = {name for name, resource in resources.items() if resource["Type"] == "AWS::Events::Rule"} - {"ScheduleRule"}
    for queue in ("SpotFallbackQueue", "SpotFallbackDeadLetterQueue"):
        assert resources[queue]["Properties"]["SqsManagedSseEnabled"] is True
        policy = resources[f"{queue}Policy"]["Properties"]
        assert policy["Queues"] == [{"Ref": queue}]
        allow, deny = policy["PolicyDocument"]["Statement"]
        assert allow["Principal"] == {"Service": "events.amazonaws.com"}
        sources = allow["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert {source["Fn::GetAtt"][0] for source in sources} == senders
        assert deny["Effect"] == "Deny" and deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        # Whatever a rule sends to is one of these, so that no rule is without permission.
        for rule in senders:
            for target in resources[rule]["Properties"]["Targets"]:
                assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["SpotFallbackDeadLetterQueue", "Arn"]}
                assert target["Arn"] == {"Fn::GetAtt": ["SpotFallbackQueue", "Arn"]}


def test_the_schedule_is_the_one_the_function_counts_with(resources):
    rule = resources["ScheduleRule"]["Properties"]
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    variables = resources["SpotFallbackFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["BALLAST_SCHEDULE_INTERVAL_SECS"] == "60"
    for target in rule["Targets"]:
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 120
    permission = resources["ScheduleRulePermission"]["Properties"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["ScheduleRule", "Arn"]}
    invoke = [r for r in resources.values() if r["Type"] == "AWS::Lambda::EventInvokeConfig"]
    assert len(invoke) == 1 and invoke[0]["Properties"]["MaximumEventAgeInSeconds"] <= 120


def test_one_failed_look_of_the_schedule_leaves_no_dead_letter(resources):
    """The next minute is the retry. What would keep a lost look is nowhere: not at the rule, not at the function, not in the role."""
    (invoke,) = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::EventInvokeConfig"]
    assert invoke["MaximumRetryAttempts"] == 0
    assert invoke.get("DestinationConfig", {}) == {}
    assert "DeadLetterConfig" not in resources["SpotFallbackFunction"]["Properties"]
    for target in resources["ScheduleRule"]["Properties"]["Targets"]:
        assert "DeadLetterConfig" not in target
    assert "sqs:SendMessage" not in json.dumps(resources["SpotFallbackRole"])
    # What it leaves are alarms: one error is none, and five minutes without a completed look are one.
    errors = resources["SpotFallbackErrorsAlarm"]["Properties"]
    assert errors["DatapointsToAlarm"] > 1
    heartbeat = resources["SpotFallbackHeartbeatAlarm"]["Properties"]
    assert heartbeat["Period"] * heartbeat["DatapointsToAlarm"] >= 300


def test_everything_goes_when_the_stack_goes(resources):
    for name, resource in resources.items():
        assert resource.get("DeletionPolicy", "Delete") == "Delete", name
        assert resource.get("UpdateReplacePolicy", "Delete") == "Delete", name


def test_the_dashboard_is_json_and_shows_every_alarm(resources):
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    assert {widget["type"] for widget in widgets} == {"alarm", "metric", "log"}
    shown = set(re.findall(r"\$\{(\w+Alarm)\.Arn\}", body))
    assert shown == {name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}


def test_alarms_notify_the_topic_and_treat_silence_as_meant(resources):
    alarms = {name: r["Properties"] for name, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"]["Fn::If"][0] == "HasAlarmTopic", name
        missing = "breaching" if name == "SpotFallbackHeartbeatAlarm" else "notBreaching"
        assert alarm["TreatMissingData"] == missing, name


def test_one_failed_try_of_an_event_rings_no_alarm_and_two_do(resources):
    """A message in flight counts in the age: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"""
    queue = resources["SpotFallbackQueue"]["Properties"]
    visibility_secs = queue["VisibilityTimeout"]
    timeout_secs = resources["SpotFallbackFunction"]["Properties"]["Timeout"]
    alarm = resources["SpotFallbackEventAgeAlarm"]["Properties"]
    assert alarm["Threshold"] > visibility_secs + timeout_secs
    assert alarm["Threshold"] + alarm["EvaluationPeriods"] * alarm["Period"] < queue["RedrivePolicy"]["maxReceiveCount"] * visibility_secs


def test_alarms_count_minutes_of_metrics_that_aws_has(resources):
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html and the list of SQS; Ballast's own is held elsewhere."""
    known = {
        ("AWS/Lambda", "Errors", "Sum", "FunctionName"),
        ("AWS/Lambda", "Throttles", "Sum", "FunctionName"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", "QueueName"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", "QueueName"),
        ("Ballast", "SweepCompleted", "Sum", "function"),
        ("Ballast", "Unprotected", "Maximum", "function"),
    }
    alarms = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    asked = {(a["Namespace"], a["MetricName"], a["Statistic"], d["Name"]) for a in alarms for d in a["Dimensions"]}
    assert asked == known
    assert {alarm["Period"] for alarm in alarms} == {60}


def test_the_ledger_is_the_table_of_the_code(resources):
    table = resources["LedgerTable"]["Properties"]
    assert table["KeySchema"] == [{"AttributeName": "pair", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def rows(path, heading):
    """The first column of the table under a heading."""
    section = path.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_the_readme_lists_the_parameters_with_their_defaults(template):
    assert rows(INFRA / "README.md", "Parameters") == list(template["Parameters"])
    text = (INFRA / "README.md").read_text(encoding="utf-8")
    for name, parameter in template["Parameters"].items():
        default = f"`{parameter['Default']}`" if parameter["Default"] != "" else "none"
        assert f"| `{name}` | {default} |" in text, name


def test_the_readme_lists_what_wakes_the_function_and_the_alarms(resources):
    kinds = {"What wakes the function": "AWS::Events::Rule", "Alarms": "AWS::CloudWatch::Alarm"}
    for heading, kind in kinds.items():
        assert sorted(rows(INFRA / "README.md", heading)) == sorted(name for name, r in resources.items() if r["Type"] == kind)


def test_the_runbook_has_a_line_for_each_alarm(resources):
    runbook = (INFRA.parent / "docs/runbook.md").read_text(encoding="utf-8")
    for name, resource in resources.items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            assert f"`{name}`" in runbook, name
