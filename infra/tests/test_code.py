"""What the template says of the code, held against the code: the role's actions, the variables, the metrics."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name
from conftest import ROOT, read_template

FUNCTION = "spot-fallback"


@cache
def packages():
    """The packages of the workspace by name."""
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {package["name"]: package for package in json.loads(metadata.stdout)["packages"]}


def linked(name):
    """The packages of the workspace that a function is linked from: itself and all that it depends on, tests' needs left out."""
    found, waiting = set(), [name]
    while waiting:
        package = waiting.pop()
        if package in found or package not in packages():
            continue
        found.add(package)
        waiting += [dependency["name"] for dependency in packages()[package]["dependencies"] if dependency["kind"] is None]
    return found


def code(package):
    """A package's source without comments, texts and tests."""
    source = Path(packages()[package]["manifest_path"]).parent / "src"
    texts = []
    for path in sorted(source.rglob("*.rs")):
        if path.stem == "tests" or "tests" in path.parent.parts[len(source.parts) :]:
            continue
        text = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
        texts.append(re.split(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*mod \w+ \{", text)[0])
    return "\n".join(texts)


def operations(text, services):
    """The operations of these services that are called: the SDK has one method for each, by the name in snake case."""
    session = botocore.session.get_session()
    called = set(re.findall(r"\.\s*([a-z][a-z0-9_]*)\s*\(", text))
    return {
        f"{service}:{operation}"
        for service in services
        for operation in session.get_service_model(service).operation_names
        if xform_name(operation) in called
    }


def services_of(package):
    """The AWS services whose SDK crates a package uses, by the names that IAM has for them."""
    known = {name.replace("-", ""): name for name in botocore.session.get_session().get_available_services()}
    sdk = re.compile(r"aws-sdk-(\w+)")
    return {known[match[1]] for d in packages()[package]["dependencies"] if d["kind"] is None and (match := sdk.fullmatch(d["name"]))}


def actions_of_code():
    return set().union(*(operations(code(package), services_of(package)) for package in linked(FUNCTION)))


def policies():
    role = read_template()["Resources"]["SpotFallbackRole"]["Properties"]
    return {policy["PolicyName"]: policy["PolicyDocument"]["Statement"] for policy in role["Policies"]}


def actions(*names):
    found = [statement["Action"] for name in names for statement in policies()[name]]
    return [action for actions in found for action in ([actions] if isinstance(actions, str) else actions)]


def test_operations_are_read_from_code_as_it_is_written():
    text = """
        let request = self.ecs.describe_services().cluster("a");
        self.client
            .update_service()
            .send()
        table.put_item (x); services.list(); describe_tasks();
    """
    assert operations(text, {"ecs", "dynamodb"}) == {"ecs:DescribeServices", "ecs:UpdateService", "dynamodb:PutItem"}


def test_the_role_allows_what_the_code_calls_and_nothing_else():
    allowed = actions("observe", "act", "ledger")
    assert len(allowed) == len(set(allowed)), "an action is allowed twice"
    assert set(allowed) == actions_of_code()


def test_only_the_policy_that_acts_writes_to_ecs():
    reads = re.compile(r"[\w-]+:(Describe|List|Get|BatchGet)\w+")
    assert [action for action in actions("observe") if not reads.fullmatch(action)] == []
    assert actions("act") == ["ecs:UpdateService"]


def test_lambda_itself_needs_the_logs_and_the_queue():
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions"""
    assert set(actions("runtime")) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    }
    for statement in policies()["runtime"]:
        assert statement["Resource"] != "*", statement["Sid"]


def test_nothing_happens_without_opt_in():
    (statement,) = policies()["act"]
    assert statement["Effect"] == "Allow"
    assert statement["Condition"]["StringLike"] == {"aws:ResourceTag/ballast:standby-of": "?*"}
    tags = (ROOT / "shared/model/src/policy.rs").read_text(encoding="utf-8")
    assert re.search(r'TAG_STANDBY_OF: Setting = Setting \{\s*name: "ballast:standby-of"', tags)


# The keys that `ecs:UpdateService` has for fields of its request, each with its field:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
KEYS_OF_UPDATE_SERVICE = {
    "ecs:auto-assign-public-ip": "networkConfiguration",
    "ecs:capacity-provider": "capacityProviderStrategy",
    "ecs:enable-ebs-volumes": "volumeConfigurations",
    "ecs:enable-ecs-managed-tags": "enableECSManagedTags",
    "ecs:enable-execute-command": "enableExecuteCommand",
    "ecs:enable-service-connect": "serviceConnectConfiguration",
    "ecs:enable-vpc-lattice": "vpcLatticeConfigurations",
    "ecs:namespace": "serviceConnectConfiguration",
    "ecs:propagate-tags": "propagateTags",
    "ecs:subnet": "networkConfiguration",
    "ecs:task-cpu": "taskDefinition",
    "ecs:task-definition": "taskDefinition",
    "ecs:task-memory": "taskDefinition",
}


def confined_keys():
    (statement,) = policies()["act"]
    condition, confined, otherwise = statement["Condition"]["Null"]["Fn::If"]
    assert (condition, otherwise) == ("Confined", {"Ref": "AWS::NoValue"})
    assert set(confined.values()) == {"true"}
    return set(confined)


def test_the_role_denies_every_field_of_an_update_that_iam_has_a_key_for():
    """The size of a task comes with its task definition, so that its two keys add nothing."""
    assert set(KEYS_OF_UPDATE_SERVICE) - confined_keys() == {"ecs:task-cpu", "ecs:task-memory"}
    assert confined_keys() <= set(KEYS_OF_UPDATE_SERVICE)
    fields = {KEYS_OF_UPDATE_SERVICE[key] for key in confined_keys()}
    assert fields == set(KEYS_OF_UPDATE_SERVICE.values())
    # A key sees a field only if the field must hold what the key reads.
    ecs = botocore.session.get_session().get_service_model("ecs")
    assert "subnets" in ecs.shape_for("AwsVpcConfiguration").required_members
    assert "enabled" in ecs.shape_for("ServiceConnectConfiguration").required_members


def test_the_readme_says_of_every_field_of_an_update_how_it_is_confined():
    """AWS's model of the request has the fields: a new one is in nobody's list until somebody looks at it."""
    text = (ROOT / "infra/README.md").read_text(encoding="utf-8")
    section = text.split("\n### What IAM confines, and what it cannot\n")[1].split("\n## ")[0]
    said = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))
    ecs = botocore.session.get_session().get_service_model("ecs")
    assert set(said) == set(ecs.operation_model("UpdateService").input_shape.members)
    by_count_or_resource = {"cluster", "service", "desiredCount"}
    for field, how in said.items():
        keys = {key for key in confined_keys() if KEYS_OF_UPDATE_SERVICE[key] == field}
        if keys:
            assert set(re.findall(r"`(ecs:[\w-]+)`", how)) == keys, field
        elif field not in by_count_or_resource:
            assert how.startswith("no key"), field


# What the key `ecs:cluster` works for:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
KNOW_THE_CLUSTER = {"ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ListServices", "ecs:ListTasks", "ecs:UpdateService"}
# What has no resource to name, by the same list and its siblings; that of `ecs:ListTasks` is a container instance, which Fargate has not.
WITHOUT_RESOURCE = {
    "application-autoscaling:DescribeScalableTargets",
    "autoscaling:DescribeAutoScalingGroups",
    "ecs:DescribeTaskDefinition",
    "ecs:ListClusters",
    "ecs:ListServices",
    "ecs:ListTasks",
}


def test_every_statement_is_as_narrow_as_aws_lets_it_be():
    for statement in [statement for name in ("observe", "act", "ledger") for statement in policies()[name]]:
        stated = statement["Action"]
        stated = {stated} if isinstance(stated, str) else set(stated)
        assert (statement["Resource"] == "*") == (stated <= WITHOUT_RESOURCE), statement["Sid"]
        condition = json.dumps(statement.get("Condition", {}))
        confined = "HasClusters" in condition and '"ecs:cluster": {"Ref": "ClusterArns"}' in condition
        assert confined == bool(stated & KNOW_THE_CLUSTER), statement["Sid"]


def test_variables_of_the_template_are_those_of_the_code():
    variables = read_template()["Resources"]["SpotFallbackFunction"]["Properties"]["Environment"]["Variables"]
    texts = "\n".join(code(package) for package in linked(FUNCTION))
    assert set(re.findall(r'"(BALLAST_\w+)"', texts)) == set(variables)


def test_ballasts_own_alarms_are_on_metrics_that_the_code_sends():
    alarm = read_template()["Resources"]["SpotFallbackHeartbeatAlarm"]["Properties"]
    texts = "\n".join(code(package) for package in linked(FUNCTION))
    assert f'"{alarm["MetricName"]}"' in texts
    assert f'"{alarm["Namespace"]}"' in texts
    # The value is the function's own name, so that two installations do not hear each other's heartbeat.
    for name in ["SpotFallbackHeartbeatAlarm", "SpotFallbackUnprotectedAlarm"]:
        alarm = read_template()["Resources"][name]["Properties"]
        assert f'"{alarm["MetricName"]}"' in texts
        assert alarm["Dimensions"] == [{"Name": "function", "Value": {"Ref": "SpotFallbackFunction"}}]
    assert '"function"' in texts and '"AWS_LAMBDA_FUNCTION_NAME"' in texts


def test_no_metric_is_asked_for_by_a_name_that_another_installation_may_have():
    body = read_template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    body = body["Fn::Sub"] if isinstance(body, dict) else body
    assert "${SpotFallbackFunction}" in body
    assert FUNCTION not in body


def test_no_log_level_can_be_chosen_that_drops_records_and_metrics():
    """What names no level counts as INFO: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"""
    levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
    template = read_template()
    parameter = template["Parameters"]["LogLevel"]
    assert parameter["AllowedValues"] == levels[: levels.index("INFO") + 1]
    logging = template["Resources"]["SpotFallbackFunction"]["Properties"]["LoggingConfig"]
    assert (logging["LogFormat"], logging["ApplicationLogLevel"]) == ("JSON", {"Ref": "LogLevel"})


def test_the_dashboard_searches_for_metrics_and_dimensions_of_the_code():
    body = read_template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    body = body["Fn::Sub"] if isinstance(body, dict) else body
    searched = re.findall(r"\{(\w+),(\w+),(\w+)\} MetricName=\\\"(\w+)\\\"", body)
    assert len(searched) == body.count("SEARCH(")
    texts = "\n".join(code(package) for package in linked(FUNCTION))
    for namespace, first, second, metric in searched:
        assert (namespace, first) == ("Ballast", "function")
        assert re.search(rf'"{metric}", Some\("{second}"\)', texts), metric


def test_an_announced_write_is_waited_for_as_long_as_its_author_may_live():
    """Longer, and another invocation may write while the first still can; shorter, and a crashed one holds a pair up for nothing."""
    timeout = read_template()["Resources"]["SpotFallbackFunction"]["Properties"]["Timeout"]
    (lag,) = re.findall(r"pub const READ_LAG: Seconds = Seconds\((\d+)\);", code("placement"))
    assert int(lag) == timeout
