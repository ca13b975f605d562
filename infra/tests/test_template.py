"""The template is sound: `cfn-lint` finds nothing in what AWS would get, and the numbers that depend on each other fit."""

import json
import re

import pytest
from cfnlint.api import lint_all
from conftest import ARCHITECTURES, BUCKET, FUNCTIONS, INFRA, translate
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
                ClusterScalerMode="act",
                ClusterArns="arn:aws:ecs:us-west-2:111122223333:cluster/container-demo",
                ConfineUpdateService="false",
                ReservedConcurrency="3",
                ClusterScalerReservedConcurrency="4",
                InstanceDrainMode="act",
                InstanceDrainReservedConcurrency="3",
                InstanceDrainStopTasks="true",
                ServiceScalerMode="act",
                ServiceScalerReservedConcurrency="4",
                TrackingAlarmNamePrefix="tracking ",
                AutoScalingGroupNames="container-demo-EC2,container-demo-EC2Spot",
                AlarmNamePrefix="capacity ",
                AlarmTopicArn="arn:aws:sns:us-west-2:111122223333:operators",
            )
        )
    )


@pytest.mark.parametrize(
    "path", [*sorted(INFRA.glob("examples/*/template.yaml")), INFRA / "alarms/template.yaml"], ids=lambda path: path.parent.name
)
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


def test_the_workshops_groups_are_such_that_ballast_can_size_them():
    """Opted in by tags that the code knows, nobody else sizes them, and the shapes are those of the workshop."""
    template = yaml_parse((INFRA / "examples/workshop-ec2/template.yaml").read_text(encoding="utf-8"))
    resources = {name: resource["Properties"] for name, resource in template["Resources"].items()}
    policies = [(INFRA.parent / f"shared/model/src/{folder}/policy.rs").read_text(encoding="utf-8") for folder in ("capacity", "drain")]
    known = {name for policy in policies for name in re.findall(r'name: "(ballast:[\w-]+)"', policy)}
    default_hook = re.search(r'LIFECYCLE_HOOK_DEFAULT: &str = "([\w-]+)"', policies[1])[1]
    for name in ("OnDemandGroup", "SpotGroup"):
        group = resources[name]
        tags = {tag["Key"]: tag["Value"] for tag in group["Tags"] if tag["Key"].startswith("ballast:")}
        assert set(tags) <= known and tags["ballast:cluster-scaler"] == {"Ref": "Consent"}
        assert tags["ballast:target-capacity-percent"] == {"Ref": "TargetCapacityPercent"}
        assert tags["ballast:instance-drain"] == {"Ref": "Consent"}
        # Only Spot is interrupted: an agent on demand drains nothing.
        assert tags.get("ballast:agent-drains") == ("true" if name == "SpotGroup" else None)
        # instance-drain completes the hook of that name; two minutes and a half outlast a lost event.
        assert "LifecycleHookSpecificationList" not in group
        (hook,) = [it for it in template["Resources"].values() if it["Properties"].get("AutoScalingGroupName") == {"Ref": name}]
        assert (hook["Type"], hook["Condition"]) == ("AWS::AutoScaling::LifecycleHook", "HasHooks")
        hook = hook["Properties"]
        assert (hook["LifecycleHookName"], hook["DefaultResult"]) == (default_hook, "CONTINUE")
        assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING" and hook["HeartbeatTimeout"] >= 150
        # An update of the stack must not write what cluster-scaler writes.
        assert "DesiredCapacity" not in group
        assert (group["MinSize"], group["MaxSize"]) == ("0", {"Ref": "MaxSize"})
    defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    assert (defaults["TargetCapacityPercent"], defaults["MaxSize"], defaults["Consent"]) == (80, 10, "act")
    # Nobody completes a hook while instance-drain does not act, as it does not when it is installed.
    assert defaults["WithLifecycleHooks"] == "false"
    consent, asked = template["Conditions"]["HasHooks"]["Fn::And"]
    assert consent == {"Fn::Equals": [{"Ref": "Consent"}, "act"]}
    assert asked == {"Fn::Equals": [{"Ref": "WithLifecycleHooks"}, "true"]}
    for name in ("OnDemandProvider", "SpotProvider"):
        provider = resources[name]["AutoScalingGroupProvider"]
        assert provider["ManagedScaling"] == {"Status": "DISABLED"}
        assert provider["ManagedTerminationProtection"] == provider["ManagedDraining"] == "DISABLED"
    strategy = resources["CapacityProviders"]["DefaultCapacityProviderStrategy"]
    assert [(it["CapacityProvider"]["Ref"], it["Base"], it["Weight"]) for it in strategy] == [("OnDemandProvider", 1, 1), ("SpotProvider", 0, 4)]
    # The type of the launch template is said where the code looks for it.
    on_demand = {tag["Key"]: tag["Value"] for tag in resources["OnDemandGroup"]["Tags"]}
    assert on_demand["ballast:instance-types"] == resources["LaunchTemplate"]["LaunchTemplateData"]["InstanceType"] == "t3.small"
    mixed = resources["SpotGroup"]["MixedInstancesPolicy"]
    types = [it["InstanceType"] for it in mixed["LaunchTemplate"]["Overrides"]]
    assert len(set(types)) == 10 and all(it.endswith(".large") for it in types)
    distribution = mixed["InstancesDistribution"]
    assert (distribution["OnDemandBaseCapacity"], distribution["OnDemandPercentageAboveBaseCapacity"]) == (0, 0)
    assert distribution["SpotAllocationStrategy"] == "capacity-optimized"
    user_data = resources["LaunchTemplate"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    assert "ECS_CLUSTER=${Cluster}" in user_data and "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true" in user_data
    definition = resources["TaskDefinition"]
    assert (definition["Cpu"], definition["Memory"], definition["NetworkMode"]) == ("256", "512", "bridge")


def test_aliases_are_not_used():
    """CloudFormation reads no YAML aliases: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html"""
    for path in [INFRA / "template.yaml", INFRA / "alarms/template.yaml", *INFRA.glob("examples/*/template.yaml")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r":\s+[&*][A-Za-z]", text), path


@pytest.fixture(params=FUNCTIONS.items(), ids=lambda it: it[0])
def function(request):
    """A function's name, and the prefix of its resources' logical ids."""
    return request.param


def test_the_function_is_what_is_shipped(template, resources, function):
    name, prefix = function
    shipped = resources[f"{prefix}Function"]["Properties"]
    assert shipped["Runtime"] == "provided.al2023"
    assert shipped["Handler"] == "bootstrap"
    assert shipped["Code"] == {"S3Bucket": BUCKET, "S3Key": f"{name}.zip"}
    assert shipped["Architectures"] == [{"Ref": "Architecture"}]
    assert shipped["FunctionName"] == {"Fn::Sub": f"${{FunctionNamePrefix}}{name}"}
    assert template["Parameters"]["Architecture"]["AllowedValues"] == list(ARCHITECTURES)
    code = template["Resources"][f"{prefix}Function"]["Properties"]["CodeUri"]
    assert (INFRA / code).resolve() == (INFRA.parent / "target/lambda" / name).resolve()
    # It writes nothing before somebody says so.
    mode = shipped["Environment"]["Variables"]["BALLAST_MODE"]["Ref"]
    assert template["Parameters"][mode]["Default"] == "observe"


def test_no_two_functions_share_a_mode_a_concurrency_or_a_rate(resources):
    def own(read):
        return {json.dumps(read(resources[f"{prefix}Function"]["Properties"])) for prefix in FUNCTIONS.values()}

    assert len(own(lambda it: it["Environment"]["Variables"]["BALLAST_MODE"])) == len(FUNCTIONS)
    assert len(own(lambda it: it["Environment"]["Variables"]["BALLAST_ECS_RATE_SHARE_PERCENT"])) == len(FUNCTIONS)
    assert len(own(lambda it: it["ReservedConcurrentExecutions"])) == len(FUNCTIONS)
    assert own(lambda it: it["Environment"]["Variables"]["BALLAST_LEDGER_TABLE"]) == {'{"Ref": "LedgerTable"}'}


def test_all_functions_together_take_no_more_than_the_rate_of_the_account(template):
    shares = [name for name in template["Parameters"] if name.endswith("EcsRateSharePercent")]
    assert len(shares) == len(FUNCTIONS)
    assert sum(template["Parameters"][name]["Default"] for name in shares) <= 100


def test_a_message_is_neither_seen_twice_nor_lost_before_its_last_try(resources, function):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: six timeouts and the batching window."""
    _, prefix = function
    queue = resources[f"{prefix}Queue"]["Properties"]
    mapping = resources[f"{prefix}EventSourceMapping"]["Properties"]
    timeout_secs = resources[f"{prefix}Function"]["Properties"]["Timeout"]
    visibility_secs = queue["VisibilityTimeout"]
    if prefix == "InstanceDrain":
        # A warning gives two minutes, and only its event tells of it: two more tries end within them.
        assert timeout_secs < visibility_secs and 2 * visibility_secs + timeout_secs <= 120
    else:
        assert visibility_secs >= 6 * timeout_secs + mapping["MaximumBatchingWindowInSeconds"]
    tries = queue["RedrivePolicy"]["maxReceiveCount"]
    assert tries * visibility_secs <= queue["MessageRetentionPeriod"], "a message would expire instead of becoming a dead letter"
    dead_letters = resources[f"{prefix}DeadLetterQueue"]["Properties"]
    assert dead_letters["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert mapping["FunctionName"] == {"Ref": f"{prefix}Function"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # A batch over 10 needs a window: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
    assert mapping["BatchSize"] == 1000 and mapping["MaximumBatchingWindowInSeconds"] >= 1


def targets(rule):
    """A rule's targets in an installation with every function."""
    return [target["Fn::If"][1] if "Fn::If" in target else target for target in rule["Properties"]["Targets"]]


def test_an_event_that_the_schedule_finds_too_is_not_kept_and_one_that_nothing_else_tells_is(resources):
    """AWS Health announces maintenance weeks ahead, and no look finds it. EventBridge tries for a day and 185 times at most.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
    """
    retries = {}
    for name, rule in resources.items():
        if rule["Type"] == "AWS::Events::Rule" and name != "ScheduleRule":
            retries[name] = [(it["RetryPolicy"]["MaximumEventAgeInSeconds"], it["RetryPolicy"]["MaximumRetryAttempts"]) for it in targets(rule)]
    assert retries.pop("MaintenanceRule") == [(86400, 185)]
    assert {age for rule in retries.values() for age, _ in rule} == {300, 900}


def test_queues_are_encrypted_and_only_their_rules_may_send(resources, function):
    _, prefix = function
    rules = {name: rule for name, rule in resources.items() if rule["Type"] == "AWS::Events::Rule" and name != "ScheduleRule"}
    queue = {"Fn::GetAtt": [f"{prefix}Queue", "Arn"]}
    # Whatever a rule sends to is one of these, so that no rule is without permission.
    senders = {name for name, rule in rules.items() for target in targets(rule) if target["Arn"] == queue}
    assert senders
    for name in senders:
        (target,) = [target for target in targets(rules[name]) if target["Arn"] == queue]
        assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": [f"{prefix}DeadLetterQueue", "Arn"]}
    for name in (f"{prefix}Queue", f"{prefix}DeadLetterQueue"):
        assert resources[name]["Properties"]["SqsManagedSseEnabled"] is True
        policy = resources[f"{name}Policy"]["Properties"]
        assert policy["Queues"] == [{"Ref": name}]
        allow, deny = policy["PolicyDocument"]["Statement"]
        assert allow["Principal"] == {"Service": "events.amazonaws.com"}
        assert allow["Resource"] == deny["Resource"] == {"Fn::GetAtt": [name, "Arn"]}
        sources = allow["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert {source["Fn::GetAtt"][0] for source in sources} == senders
        assert deny["Effect"] == "Deny" and deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_schedule_is_the_one_the_functions_count_with(resources):
    rule = resources["ScheduleRule"]
    assert rule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    assert [target["Arn"]["Fn::GetAtt"][0] for target in targets(rule)] == [f"{prefix}Function" for prefix in FUNCTIONS.values()]
    for target in targets(rule):
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 120
    for prefix in FUNCTIONS.values():
        variables = resources[f"{prefix}Function"]["Properties"]["Environment"]["Variables"]
        assert variables["BALLAST_SCHEDULE_INTERVAL_SECS"] == "60"
    permissions = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::Permission"]
    of_events = [it for it in permissions if it["Principal"] == "events.amazonaws.com"]
    assert {it["FunctionName"]["Ref"] for it in of_events} == {f"{prefix}Function" for prefix in FUNCTIONS.values()}
    assert all(it["SourceArn"] == {"Fn::GetAtt": ["ScheduleRule", "Arn"]} for it in of_events)
    invoke = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::EventInvokeConfig"]
    assert {it["FunctionName"]["Ref"] for it in invoke} == {f"{prefix}Function" for prefix in FUNCTIONS.values()}
    assert all(it["MaximumEventAgeInSeconds"] <= 120 for it in invoke)


def test_alarms_of_this_account_may_call_the_scalers_and_nobody_elses(resources):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html"""
    permissions = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::Permission"]
    of_alarms = [it for it in permissions if it["Principal"] != "events.amazonaws.com"]
    assert [it["FunctionName"]["Ref"] for it in of_alarms] == ["ClusterScalerFunction", "ServiceScalerFunction"]
    for permission in of_alarms:
        assert permission["Principal"] == "lambda.alarms.cloudwatch.amazonaws.com"
        assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
        assert permission["SourceArn"]["Fn::Sub"].endswith(":${AWS::AccountId}:alarm:*")


def test_one_failed_look_of_the_schedule_leaves_no_dead_letter(resources, function):
    """The next minute is the retry. What would keep a lost look is nowhere: not at the rule, not at the function, not in the role."""
    _, prefix = function
    invokes = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::EventInvokeConfig"]
    (invoke,) = [it for it in invokes if it["FunctionName"]["Ref"] == f"{prefix}Function"]
    assert invoke["MaximumRetryAttempts"] == 0
    assert invoke.get("DestinationConfig", {}) == {}
    assert "DeadLetterConfig" not in resources[f"{prefix}Function"]["Properties"]
    for target in targets(resources["ScheduleRule"]):
        assert "DeadLetterConfig" not in target
    assert "sqs:SendMessage" not in json.dumps(resources[f"{prefix}Role"])
    # What it leaves are alarms: one error is none, and five minutes without a completed look are one.
    errors = resources[f"{prefix}ErrorsAlarm"]["Properties"]
    assert errors["DatapointsToAlarm"] > 1
    heartbeat = resources[f"{prefix}HeartbeatAlarm"]["Properties"]
    assert heartbeat["Period"] * heartbeat["DatapointsToAlarm"] >= 300


def needs(value):
    """What a part of the template refers to by logical id."""
    if isinstance(value, list):
        return set().union(*(needs(item) for item in value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for name, field in value.items():
        if name == "Ref":
            found.add(field)
        elif name == "Fn::GetAtt":
            found.add(field[0] if isinstance(field, list) else field.split(".")[0])
        elif name == "Fn::Sub":
            found |= {it.split(".")[0] for it in re.findall(r"\$\{(\w[\w.]*)\}", field if isinstance(field, str) else field[0])}
        else:
            found |= needs(field)
    return found


def simplified(value, falls):
    """A part of the template in an installation in which these conditions do not hold."""
    if isinstance(value, list):
        return [simplified(item, falls) for item in value]
    if isinstance(value, dict):
        if set(value) == {"Fn::If"} and value["Fn::If"][0] in falls:
            return simplified(value["Fn::If"][2], falls)
        return {name: simplified(field, falls) for name, field in value.items()}
    return value


@pytest.mark.parametrize(
    ("left_out", "falls"),
    [
        (["ClusterScaler"], {"HasClusterScaler"}),
        (["InstanceDrain"], {"HasInstanceDrain"}),
        (["ClusterScaler", "InstanceDrain"], {"HasClusterScaler", "HasInstanceDrain", "HasInstances"}),
        (["ServiceScaler"], {"HasServiceScaler"}),
    ],
    ids=lambda value: "-".join(sorted(value)),
)
def test_a_function_can_be_left_out(translated, left_out, falls):
    """What remains needs nothing that goes; CloudFormation would refuse it. And nothing of the function's remains."""
    resources = translated["Resources"]
    gone = {name for name, resource in resources.items() if resource.get("Condition") in falls}
    assert {name for name in resources if name.startswith(tuple(left_out))} <= gone
    for name, resource in resources.items():
        if name not in gone:
            assert not needs(simplified(resource, falls)) & gone, name
    for name, output in translated["Outputs"].items():
        assert (output.get("Condition") in falls) == bool(needs(output) & gone), name


def test_each_option_is_a_parameter(translated):
    conditions = translated["Conditions"]
    for function in ("ClusterScaler", "InstanceDrain", "ServiceScaler"):
        condition, parameter = f"Has{function}", f"With{function}"
        assert conditions[condition] == {"Fn::Equals": [{"Ref": parameter}, "true"]}
    assert conditions["HasInstances"] == {"Fn::Or": [{"Condition": "HasClusterScaler"}, {"Condition": "HasInstanceDrain"}]}


def test_everything_goes_when_the_stack_goes(resources):
    for name, resource in resources.items():
        assert resource.get("DeletionPolicy", "Delete") == "Delete", name
        assert resource.get("UpdateReplacePolicy", "Delete") == "Delete", name


def test_the_dashboards_are_json_and_show_every_alarm(resources):
    for prefix in FUNCTIONS.values():
        dashboard = "Dashboard" if prefix == "SpotFallback" else f"{prefix}Dashboard"
        body = resources[dashboard]["Properties"]["DashboardBody"]["Fn::Sub"]
        widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
        assert {widget["type"] for widget in widgets} == {"alarm", "metric", "log"}
        taken = [(w["x"], w["y"]) for w in widgets]
        assert len(taken) == len(set(taken)), "two widgets in one place"
        shown = set(re.findall(r"\$\{(\w+Alarm)\.Arn\}", body))
        alarms = {name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
        assert shown == {name for name in alarms if name.startswith(prefix)}


def test_the_dashboard_of_cluster_scaler_shows_every_number_of_a_provider(resources):
    """The names are the code's: `PROVIDER_METRICS` in `shared/model/src/capacity/duty.rs`."""
    body = resources["ClusterScalerDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    code = (INFRA.parent / "shared/model/src/capacity/duty.rs").read_text(encoding="utf-8")
    names = set(re.findall(r'name: "(\w+)"', code))
    assert len(names) == 6
    dimensions = re.findall(r'\("(\w+)", key\.', code)
    for name in names:
        assert f"{{Ballast,{','.join(dimensions)}}} MetricName=\\\"{name}\\\"" in body, name


def test_the_dashboard_of_instance_drain_shows_every_number_of_a_group(resources):
    """The names are the code's: `DEPARTURE_METRICS` in `shared/model/src/drain/duty.rs`."""
    body = resources["InstanceDrainDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    code = (INFRA.parent / "shared/model/src/drain/duty.rs").read_text(encoding="utf-8")
    names = set(re.findall(r'name: "(\w+)"', code))
    assert len(names) == 7
    dimensions = re.findall(r'=> \("(\w+)", ', code)
    assert dimensions == ["AutoScalingGroupName", "ClusterName"]
    for name in names:
        for dimension in dimensions:
            assert f"{{Ballast,{dimension}}} MetricName=\\\"{name}\\\"" in body, name


def test_the_dashboard_of_service_scaler_shows_every_number_of_a_service(resources):
    """The names are the code's: `TRACKING_METRICS` in `shared/model/src/tracking/duty.rs`."""
    body = resources["ServiceScalerDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    code = (INFRA.parent / "shared/model/src/tracking/duty.rs").read_text(encoding="utf-8")
    names = set(re.findall(r'name: "(\w+)"', code))
    assert len(names) == 6
    dimensions = re.findall(r'\("(\w+)", key\.', code)
    for name in names:
        assert f"{{Ballast,{','.join(dimensions)}}} MetricName=\\\"{name}\\\"" in body, name


ALARMS = yaml_parse((INFRA / "alarms/template.yaml").read_text(encoding="utf-8"))


def test_alarms_of_tracked_services_wake_the_function_and_nobody_else():
    """By their name, which the rule passes on, or by their action; and silence, which says nothing about a load, does neither."""
    prefix = ALARMS["Parameters"]["NamePrefix"]["Default"]
    rule = yaml_parse((INFRA / "template.yaml").read_text(encoding="utf-8"))["Parameters"]["TrackingAlarmNamePrefix"]
    assert prefix == rule["Default"]
    alarms = {name: it["Properties"] for name, it in ALARMS["Resources"].items()}
    assert len(alarms) == 6
    for name, alarm in alarms.items():
        text, variables = alarm["AlarmName"]["Fn::Sub"]
        assert text.startswith("${NamePrefix}${Stem}-"), name
        assert variables == {"Stem": {"Fn::If": ["HasStem", {"Ref": "AlarmNameStem"}, {"Fn::Sub": "${ClusterName}-${ServiceName}"}]}}, name
        assert alarm["TreatMissingData"] == "missing", name
        assert alarm["AlarmActions"] == {"Fn::If": ["HasFunction", [{"Ref": "FunctionArn"}], {"Ref": "AWS::NoValue"}]}, name
        assert "OKActions" not in alarm and "InsufficientDataActions" not in alarm, name
        assert ALARMS["Resources"][name]["Condition"].startswith("Has"), name


def most(parameter):
    """How long the value of a parameter may be, by its pattern."""
    return int(re.search(r"\{\d+,(\d+)\}\$$", ALARMS["Parameters"][parameter]["AllowedPattern"])[1])


def test_no_alarm_with_a_stem_has_a_longer_name_than_aws_allows():
    """255 characters: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    suffixes = [it["Properties"]["AlarmName"]["Fn::Sub"][0].removeprefix("${NamePrefix}${Stem}") for it in ALARMS["Resources"].values()]
    assert len(set(suffixes)) == 6 and all(re.fullmatch(r"-[a-z-]+", it) for it in suffixes)
    assert most("NamePrefix") + most("AlarmNameStem") + max(map(len, suffixes)) <= 255
    # Without a stem it may be: cluster and service have names of up to 255 characters each.
    assert most("ClusterName") + 1 + most("ServiceName") > most("AlarmNameStem")


def accepted(parameters, name, values):
    return [it for it in values if re.fullmatch(parameters[name]["AllowedPattern"], it)]


def test_no_threshold_is_one_that_the_target_and_the_tolerance_cannot_come_to():
    """The function refuses a target that 100 % cannot go beyond by the tolerance, 89.285 at the default: no threshold is 100 or more."""
    tags = (INFRA.parent / "shared/model/src/tracking/tags.rs").read_text(encoding="utf-8")
    tolerance = int(re.search(r'"ballast:tolerance-percent",.*?default: "(\d+)"', tags, re.DOTALL)[1])
    greatest = 100_000 * 100 // (100 + tolerance)
    while greatest * (100 + tolerance) >= 100_000 * 100:
        greatest -= 1
    thresholds = ["", "0", "0.5", "1", "67.2", "78.4", f"{greatest * (100 + tolerance) / 100_000:.3f}", "100", "100.0", "167.2", "67,2", "-5"]
    for name in ("CpuAlarmThresholdPercent", "MemoryAlarmThresholdPercent"):
        assert accepted(ALARMS["Parameters"], name, thresholds) == ["", "1", "67.2", "78.4", thresholds[6]], name
    example = yaml_parse((INFRA / "examples/workshop/template.yaml").read_text(encoding="utf-8"))["Parameters"]
    targets = ["", "0", "1", "60", "79.5", "80.25", "88.999", "89", "89.0", "89.286", "90", "99", "100", "600"]
    taken = accepted(example, "TargetCpuPercent", targets)
    assert taken == ["", "1", "60", "79.5", "80.25", "88.999", "89"]
    assert all(float(it) * 1_000 <= greatest for it in taken if it)


def test_nothing_fills_the_newest_minute_of_what_is_watched():
    """It is not published yet: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html"""
    texts = [INFRA / "alarms/template.yaml", INFRA / "template.yaml", *(INFRA.parent / "events").glob("*.json")]
    for path in texts:
        assert "FILL(" not in path.read_text(encoding="utf-8"), path.name


def test_an_alarm_with_metric_math_returns_one_series():
    """What it returns is what is tracked through it."""
    of_math = {name: it["Properties"]["Metrics"] for name, it in ALARMS["Resources"].items() if "Metrics" in it["Properties"]}
    assert set(of_math) == {"PairCpuAlarm", "PairMemoryAlarm", "BacklogAlarm"}
    for name, metrics in of_math.items():
        returned = [it for it in metrics if it.get("ReturnData", True)]
        assert [set(it) for it in returned] == [{"Id", "Label", "Expression"}], name
        ids = {it["Id"] for it in metrics if it is not returned[0]}
        assert ids == set(re.findall(r"\b[a-z]+\b", returned[0]["Expression"])), name


def watched(alarm):
    """The metrics of an alarm, with their services, statistics and periods; and what it is compared with."""
    single = {it: alarm[it] for it in ("Namespace", "MetricName", "Dimensions", "Statistic", "Period") if it in alarm}
    return alarm.get("Metrics", single), alarm["Threshold"]


@pytest.mark.parametrize(("target", "metric"), [("Cpu", "CPUUtilization"), ("Memory", "MemoryUtilization")])
def test_with_a_standby_the_alarm_is_on_both_services(target, metric):
    """While Spot is short no task of the primary runs, so that it has no value: an alarm on it alone would wake nobody."""
    resources, conditions = ALARMS["Resources"], ALARMS["Conditions"]
    one, pair = resources[f"{target}Alarm"], resources[f"Pair{target}Alarm"]
    has, has_standby = {"Condition": f"Has{target}"}, {"Condition": "HasStandby"}
    assert conditions[one["Condition"]] == {"Fn::And": [has, {"Fn::Not": [has_standby]}]}
    assert conditions[pair["Condition"]] == {"Fn::And": [has, has_standby]}
    of_one, threshold = watched(one["Properties"])
    assert (of_one["MetricName"], threshold) == (metric, {"Ref": f"{target}AlarmThresholdPercent"})
    of_pair, of_both = watched(pair["Properties"])
    assert of_both == threshold
    stats = {it["Id"]: it["MetricStat"] for it in of_pair if "MetricStat" in it}
    found = {
        name: (it["Metric"]["Namespace"], it["Metric"]["MetricName"], it["Metric"]["Dimensions"][1]["Value"]["Ref"], it["Stat"], it["Period"]["Ref"])
        for name, it in stats.items()
    }
    assert found == {
        "primary": ("AWS/ECS", metric, "ServiceName", "Average", "PeriodSecs"),
        "primarytasks": ("AWS/ECS", metric, "ServiceName", "SampleCount", "PeriodSecs"),
        "standby": ("AWS/ECS", metric, "StandbyName", "Average", "PeriodSecs"),
        "standbytasks": ("AWS/ECS", metric, "StandbyName", "SampleCount", "PeriodSecs"),
    }
    of_cpu = resources["PairCpuAlarm"]["Properties"]["Metrics"][0]["Expression"]
    assert of_pair[0]["Expression"] == of_cpu == "(primary * primarytasks + standby * standbytasks) / (primarytasks + standbytasks)"


def test_alarms_notify_the_topic_and_treat_silence_as_meant(resources):
    alarms = {name: r["Properties"] for name, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"]["Fn::If"][0] == "HasAlarmTopic", name
        missing = "breaching" if name.endswith("HeartbeatAlarm") else "notBreaching"
        assert alarm["TreatMissingData"] == missing, name


def test_one_failed_try_of_an_event_rings_no_alarm_and_two_do(resources, function):
    """A message in flight counts in the age: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"""
    _, prefix = function
    queue = resources[f"{prefix}Queue"]["Properties"]
    visibility_secs = queue["VisibilityTimeout"]
    timeout_secs = resources[f"{prefix}Function"]["Properties"]["Timeout"]
    alarm = resources[f"{prefix}EventAgeAlarm"]["Properties"]
    assert alarm["Threshold"] > visibility_secs + timeout_secs
    assert alarm["Threshold"] + alarm["EvaluationPeriods"] * alarm["Period"] < queue["RedrivePolicy"]["maxReceiveCount"] * visibility_secs


def test_one_message_that_cannot_be_read_does_not_ring_the_alarm_for_age(resources):
    """It rings the dead letters'. One that was received three times in vain leaves the metric, at its next try at the latest.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    queue, alarm = (resources[f"InstanceDrain{kind}"]["Properties"] for kind in ("Queue", "EventAgeAlarm"))
    assert queue["RedrivePolicy"]["maxReceiveCount"] > 4
    assert alarm["Threshold"] > 4 * queue["VisibilityTimeout"]
    # What a warning is worth: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
    assert alarm["Threshold"] > 120 and "came too late" in alarm["AlarmDescription"]
    words = {150: "two and a half minutes", 240: "four minutes"}
    for prefix in FUNCTIONS.values():
        alarm = resources[f"{prefix}EventAgeAlarm"]["Properties"]
        for path in (INFRA / "README.md", INFRA.parent / "docs/runbook.md"):
            (row,) = re.findall(rf"^\| `{prefix}EventAgeAlarm` \|.*$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert words[alarm["Threshold"]] in row and words[alarm["Threshold"]] in alarm["AlarmDescription"], row


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
    assert len(alarms) == len(known) * len(FUNCTIONS)
    assert {alarm["Period"] for alarm in alarms} == {60}


def test_the_ledger_is_the_table_of_the_code(resources):
    table = resources["LedgerTable"]["Properties"]
    assert table["KeySchema"] == [{"AttributeName": "pair", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def rows(path, heading):
    """The first column of the table under a heading."""
    section = path.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    # A blank line ends a table: what follows is text to whoever reads the page.
    (table,) = [it for it in re.split(r"\n[ \t]*\n", section) if it.lstrip().startswith("|")]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def test_the_readme_lists_the_parameters_with_their_defaults(template):
    assert rows(INFRA / "README.md", "Parameters") == list(template["Parameters"])
    text = (INFRA / "README.md").read_text(encoding="utf-8")
    for name, parameter in template["Parameters"].items():
        default = f"`{parameter['Default']}`" if parameter["Default"] != "" else "none"
        assert f"| `{name}` | {default} |" in text, name


def test_the_alarms_readme_lists_their_parameters_with_their_defaults():
    text = (INFRA / "alarms/README.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| `(\w+)` \| ([^|]*?) ?\|", text, re.MULTILINE)
    defaults = {name: parameter.get("Default") for name, parameter in ALARMS["Parameters"].items()}
    shown = {name: {None: "", "": "none"}.get(default, f"`{default}`") for name, default in defaults.items()}
    assert found == [(name, shown[name]) for name in ALARMS["Parameters"]]


def test_the_readme_lists_what_wakes_the_functions_and_the_alarms(resources):
    kinds = {"What wakes the functions": "AWS::Events::Rule", "Alarms": "AWS::CloudWatch::Alarm"}
    for heading, kind in kinds.items():
        assert sorted(rows(INFRA / "README.md", heading)) == sorted(name for name, r in resources.items() if r["Type"] == kind)


def test_the_runbook_has_a_line_for_each_alarm(resources):
    runbook = (INFRA.parent / "docs/runbook.md").read_text(encoding="utf-8")
    for name, resource in resources.items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            assert f"`{name}`" in runbook, name
