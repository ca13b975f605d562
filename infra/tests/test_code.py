"""What the template says of the code, held against the code: the roles' actions, the variables, the metrics."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from conftest import FUNCTIONS, ROOT, read_template

# In the crates that all functions are linked from, the folder that holds what only this function does.
FOLDERS = {"cluster-scaler": "capacity", "instance-drain": "drain", "service-scaler": "tracking"}


@pytest.fixture(params=FUNCTIONS)
def function(request):
    """A function's name."""
    return request.param


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


def files(package):
    """A package's source files by path below `src`, without comments and tests."""
    source = Path(packages()[package]["manifest_path"]).parent / "src"
    texts = {}
    for path in sorted(source.rglob("*.rs")):
        if path.stem == "tests" or "tests" in path.parent.parts[len(source.parts) :]:
            continue
        text = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
        texts[path.relative_to(source)] = re.split(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*mod \w+ \{", text)[0]
    return texts


def module(path):
    """The module that a source file is: `capacity/mod.rs` is `("capacity",)`, `lib.rs` is `()`."""
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts


def unfolded(tree):
    """The paths of a `use` statement, one for each item."""
    head, brace, rest = tree.partition("{")
    if not brace:
        return [head.strip()]
    found, depth, item = [], 0, ""
    for char in rest.rstrip().removesuffix("}") + ",":
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            found += [head.strip() + it for it in unfolded(item) if it]
            item = ""
        else:
            item += char
    return found


def items(text):
    """A source file's functions by name, and under no name what is outside of them: types with their methods, constants."""
    functions = {it[2]: it[0] for it in re.finditer(r"^(pub(?:\([^)]*\))? )?(?:async )?fn (\w+).*?^}$", text, re.MULTILINE | re.DOTALL)}
    rest = text
    for function in functions.values():
        rest = rest.replace(function, "")
    return functions | {None: rest}


class Modules:
    """A package's source files, and what each part of them names."""

    def __init__(self, texts):
        self.paths = {module(path): path for path in texts}
        self.items = {name: items(texts[path]) for name, path in self.paths.items()}
        self.imports = {}
        for here, parts in self.items.items():
            # What is declared, or handed on to others, is not used by that.
            uses = re.findall(r"(?:^|\n)\s*use ([^;]+);", parts[None])
            self.imports[here] = {}
            for used in (it for use in uses for it in unfolded(use)):
                path, _, alias = used.partition(" as ")
                names = re.sub(r"\s", "", path).removesuffix("::self").split("::")
                self.imports[here][alias.strip() or names[-1]] = self.absolute(here, names)

    def absolute(self, here, names):
        first, *rest = names
        base = {"crate": (), "self": here, "super": here[:-1]}.get(first)
        return (*here, first, *rest) if base is None else (*base, *rest)

    def named(self, here, text):
        """The parts, each a module and a function or none, that a text of a module names."""
        found = {(here, name) for name in re.findall(r"(?<![\w.:])([a-z_]\w*)(?:::<[^>]*>)?\s*\(", text) if name in self.items[here]}
        words = [it.split("::") for it in re.findall(r"\b(?:\w+::)*\w+", text)]
        for first, *rest in words:
            known = self.imports[here].get(first)
            if known is None and not rest:
                continue
            whole = (*known, *rest) if known is not None else self.absolute(here, [first, *rest])
            lengths = [length for length in range(len(whole), 0, -1) if whole[:length] in self.items]
            if lengths and len(whole) > lengths[0]:
                name = whole[: lengths[0]]
                function = whole[lengths[0]]
                found.add((name, function if function in self.items[name] else None))
        return found


def reached(package, function):
    """The texts of a package that a function reaches, where several functions are linked from it.

    A function with a module of its own begins with that, another one with the crate's root. From there on every function that something
    reached names is reached, and every type with all its methods; but not the type that is another function's own.
    """
    texts = files(package)
    folders = {path.parts[0] for path in texts} & set(FOLDERS.values())
    if not folders:
        return texts
    modules, own = Modules(texts), FOLDERS.get(function)
    start = [name for name in modules.items if own and name[:1] == (own,)] or [()]
    waiting = [(name, part) for name in start for part in modules.items[name]]
    found = {}
    while waiting:
        name, part = waiting.pop()
        if (name, part) in found:
            continue
        text = modules.items[name][part]
        found[name, part] = text
        if part is None and name in {(folder,) for folder in folders - {own}}:
            continue
        waiting += modules.named(name, text)
    return found


def code(package):
    """A package's whole source."""
    return "\n".join(files(package).values())


@cache
def methods(service):
    """A service's operations by the SDK's names for them."""
    return {xform_name(operation): operation for operation in botocore.session.get_session().get_service_model(service).operation_names}


@cache
def known_services():
    return {name.replace("-", ""): name for name in botocore.session.get_session().get_available_services()}


def operations(text, services):
    """The operations of these services that are called: the SDK has one method for each, by the name in snake case.

    Application Auto Scaling and EC2 Auto Scaling share names. Such an operation is that of the service whose client the text names.
    """
    called = set(re.findall(r"\.\s*([a-z][a-z0-9_]*)\s*\(", text))
    found = [(service, operation) for service in services for name, operation in methods(service).items() if name in called]
    shared = {operation for _, operation in found if len([it for it in found if it[1] == operation]) > 1}
    named = {service for service in services if re.search(rf"\b{service.replace('-', '_')}\b", text)}
    return {f"{service}:{operation}" for service, operation in found if operation not in shared or service in named}


def services_of(package):
    """The AWS services whose SDK crates a package uses, by the names that IAM has for them."""
    known = known_services()
    sdk = re.compile(r"aws-sdk-(\w+)")
    return {known[match[1]] for d in packages()[package]["dependencies"] if d["kind"] is None and (match := sdk.fullmatch(d["name"]))}


def actions_of_code(function):
    return {
        operation
        for package in linked(function)
        for text in reached(package, function).values()
        for operation in operations(text, services_of(package))
    }


def resource(function, kind):
    """The properties of a function's own resource."""
    return read_template()["Resources"][f"{FUNCTIONS[function]}{kind}"]["Properties"]


def policies(function):
    """A role's statements by policy, in an installation with every option."""
    found = {policy["PolicyName"]: policy["PolicyDocument"]["Statement"] for policy in resource(function, "Role")["Policies"]}
    return {name: [it["Fn::If"][1] if "Fn::If" in it else it for it in statements] for name, statements in found.items()}


def optional(function):
    """A role's statements that only an option brings, by the condition that holds then."""
    statements = [it for policy in resource(function, "Role")["Policies"] for it in policy["PolicyDocument"]["Statement"]]
    found = [it["Fn::If"] for it in statements if "Fn::If" in it]
    assert all(otherwise == {"Ref": "AWS::NoValue"} for _, _, otherwise in found)
    return {condition: statement for condition, statement, _ in found}


def actions(function, *names):
    found = [statement["Action"] for name in names for statement in policies(function)[name]]
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
    both = {"application-autoscaling", "autoscaling"}
    text = "look.observer.autoscaling.describe_scaling_activities();"
    assert operations(text, both) == {"autoscaling:DescribeScalingActivities"}


def test_the_role_allows_what_the_code_calls_and_nothing_else(function):
    allowed = actions(function, "observe", "act", "ledger")
    assert len(allowed) == len(set(allowed)), "an action is allowed twice"
    assert set(allowed) == actions_of_code(function)


def test_no_code_that_calls_aws_is_beyond_every_function():
    """What one function reaches and the other does not is told apart by folders: together they reach all."""
    of_both = set().union(*(actions_of_code(function) for function in FUNCTIONS))
    of_all = {package for function in FUNCTIONS for package in linked(function)}
    texts = [(text, services_of(package)) for package in of_all for text in files(package).values()]
    assert of_both == set().union(*(operations(text, services) for text, services in texts))


WRITES = {
    "spot-fallback": {"ecs:UpdateService"},
    "cluster-scaler": {
        "autoscaling:SetDesiredCapacity",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        "ecs:UpdateContainerInstancesState",
    },
    "instance-drain": {
        "autoscaling:CompleteLifecycleAction",
        "autoscaling:RecordLifecycleActionHeartbeat",
        "ecs:StopTask",
        "ecs:UpdateContainerInstancesState",
    },
    "service-scaler": {"ecs:UpdateService"},
}


def test_only_the_policy_that_acts_writes(function):
    reads = re.compile(r"[\w-]+:(Describe|List|Get|BatchGet)\w+")
    assert [action for action in actions(function, "observe") if not reads.fullmatch(action)] == []
    assert set(actions(function, "act")) == WRITES[function]


def test_no_two_functions_may_write_the_same():
    """One writer for each resource. Two drain container instances: one for scale-in, the other those that go away anyway.

    Two set desired counts, and no service can be within the reach of both: one writes standbys, the other nothing that is one.
    """
    written = [action for function in FUNCTIONS for action in actions(function, "act")]
    shared = {"ecs:UpdateContainerInstancesState", "ecs:UpdateService"}
    assert {action for action in written if written.count(action) > 1} == shared
    (standbys,), (tracked,) = policies("spot-fallback")["act"], policies("service-scaler")["act"]
    assert standbys["Condition"]["StringLike"] == {"aws:ResourceTag/ballast:standby-of": "?*"}
    _, confined, otherwise = tracked["Condition"]["Null"]["Fn::If"]
    assert confined["aws:ResourceTag/ballast:standby-of"] == otherwise["aws:ResourceTag/ballast:standby-of"] == "true"


def test_lambda_itself_needs_the_logs_and_the_queue(function):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions"""
    assert set(actions(function, "runtime")) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    }
    for statement in policies(function)["runtime"]:
        assert FUNCTIONS[function] in statement["Resource"]["Fn::GetAtt"][0], statement["Sid"]


def test_nothing_happens_without_opt_in():
    (statement,) = policies("spot-fallback")["act"]
    assert statement["Effect"] == "Allow"
    assert statement["Condition"]["StringLike"] == {"aws:ResourceTag/ballast:standby-of": "?*"}
    tags = (ROOT / "shared/model/src/policy.rs").read_text(encoding="utf-8")
    assert re.search(r'TAG_STANDBY_OF: Setting = Setting \{\s*name: "ballast:standby-of"', tags)


def test_no_service_is_tracked_without_opt_in():
    (statement,) = policies("service-scaler")["act"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "ecs:UpdateService")
    assert statement["Condition"]["StringEquals"] == {"aws:ResourceTag/ballast:service-scaler": "act"}
    tags = (ROOT / "shared/model/src/tracking/tags.rs").read_text(encoding="utf-8")
    assert re.search(r'TAG_SERVICE_SCALER: Setting = Setting \{\s*name: "ballast:service-scaler"', tags)


def test_both_that_update_services_are_confined_to_the_same_fields():
    (tracked,) = policies("service-scaler")["act"]
    condition, confined, otherwise = tracked["Condition"]["Null"]["Fn::If"]
    standby_of = {"aws:ResourceTag/ballast:standby-of": "true"}
    assert (condition, otherwise) == ("Confined", standby_of)
    assert confined == standby_of | dict.fromkeys(confined_keys(), "true")


def test_no_group_is_sized_without_opt_in():
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html: the key and the resource type."""
    groups, instances = policies("cluster-scaler")["act"]
    assert all(action.startswith("autoscaling:") for action in groups["Action"])
    assert groups["Condition"] == {"StringEquals": {"autoscaling:ResourceTag/ballast:cluster-scaler": "act"}}
    assert groups["Resource"]["Fn::Sub"].endswith(":autoScalingGroup:*:autoScalingGroupName/*")
    tags = (ROOT / "shared/model/src/capacity/policy.rs").read_text(encoding="utf-8")
    assert re.search(r'TAG_CLUSTER_SCALER: Setting = Setting \{\s*name: "ballast:cluster-scaler"', tags)
    assert '"act" => Consent::Act' in tags
    # A container instance has no tag of its group's. The README says so.
    assert instances["Action"] == "ecs:UpdateContainerInstancesState"
    assert "StringEquals" not in json.dumps(instances)


def test_no_lifecycle_action_is_finished_without_opt_in():
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html: the key and the resource type."""
    actions_of_groups, instances, tasks = policies("instance-drain")["act"]
    assert all(action.startswith("autoscaling:") for action in actions_of_groups["Action"])
    assert actions_of_groups["Condition"] == {"StringEquals": {"autoscaling:ResourceTag/ballast:instance-drain": "act"}}
    assert actions_of_groups["Resource"]["Fn::Sub"].endswith(":autoScalingGroup:*:autoScalingGroupName/*")
    tags = (ROOT / "shared/model/src/drain/policy.rs").read_text(encoding="utf-8")
    assert re.search(r'TAG_INSTANCE_DRAIN: Setting = Setting \{\s*name: "ballast:instance-drain"', tags)
    # Neither a container instance nor a task has a tag of its group's. The README says so.
    assert (instances["Action"], tasks["Action"]) == ("ecs:UpdateContainerInstancesState", "ecs:StopTask")


def test_no_task_can_be_stopped_without_an_option_of_its_own():
    """No task is stopped by default, and IAM says so too; nothing else of a role hangs on an option."""
    assert [set(optional(function)) for function in FUNCTIONS] == [set(), set(), {"MayStopTasks"}, set()]
    assert optional("instance-drain")["MayStopTasks"]["Action"] == "ecs:StopTask"
    template = read_template()
    assert template["Conditions"]["MayStopTasks"] == {"Fn::Equals": [{"Ref": "InstanceDrainStopTasks"}, "true"]}
    assert template["Parameters"]["InstanceDrainStopTasks"]["Default"] == "false"
    tags = (ROOT / "shared/model/src/drain/policy.rs").read_text(encoding="utf-8")
    assert re.search(r'TAG_STOP_TASKS: Setting = Setting \{\s*name: "ballast:stop-tasks",\s*[^}]*default: "false"', tags)


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
    (statement,) = policies("spot-fallback")["act"]
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
KNOW_THE_CLUSTER = {
    "ecs:DescribeContainerInstances",
    "ecs:DescribeServices",
    "ecs:DescribeTasks",
    "ecs:GetTaskProtection",
    "ecs:ListServices",
    "ecs:ListTasks",
    "ecs:StopTask",
    "ecs:UpdateContainerInstancesState",
    "ecs:UpdateService",
}
# What names the cluster itself as its resource.
OF_A_CLUSTER = {"ecs:DescribeClusters", "ecs:ListContainerInstances"}
# What has no resource to name, by the same list and its siblings; that of `ecs:ListTasks` is a container instance, which Fargate has not.
WITHOUT_RESOURCE = {
    "application-autoscaling:DescribeScalableTargets",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeLifecycleHooks",
    "autoscaling:DescribePolicies",
    "autoscaling:DescribeScalingActivities",
    "autoscaling:DescribeScheduledActions",
    "autoscaling:DescribeWarmPool",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ecs:DescribeTaskDefinition",
    "ecs:ListClusters",
    "ecs:ListServices",
    "ecs:ListTasks",
}


def test_every_statement_is_as_narrow_as_aws_lets_it_be(function):
    for statement in [statement for name in ("observe", "act", "ledger") for statement in policies(function)[name]]:
        stated = statement["Action"]
        stated = {stated} if isinstance(stated, str) else set(stated)
        assert (statement["Resource"] == "*") == (stated <= WITHOUT_RESOURCE), statement["Sid"]
        condition = json.dumps(statement.get("Condition", {}))
        confined = "HasClusters" in condition and '"ecs:cluster": {"Ref": "ClusterArns"}' in condition
        assert confined == bool(stated & KNOW_THE_CLUSTER), statement["Sid"]
        named = '"Fn::If": ["HasClusters", {"Ref": "ClusterArns"}' in json.dumps(statement["Resource"])
        assert named == bool(stated & OF_A_CLUSTER), statement["Sid"]


def test_variables_of_the_template_are_those_of_the_code(function):
    variables = resource(function, "Function")["Environment"]["Variables"]
    texts = "\n".join(code(package) for package in linked(function))
    assert set(re.findall(r'"(BALLAST_\w+)"', texts)) == set(variables)


def test_ballasts_own_alarms_are_on_metrics_that_the_code_sends(function):
    texts = "\n".join(code(package) for package in linked(function))
    # The value is the function's own name, so that two installations do not hear each other's heartbeat.
    for kind in ("HeartbeatAlarm", "UnprotectedAlarm"):
        alarm = resource(function, kind)
        assert f'"{alarm["MetricName"]}"' in texts
        assert f'"{alarm["Namespace"]}"' in texts
        assert alarm["Dimensions"] == [{"Name": "function", "Value": {"Ref": f"{FUNCTIONS[function]}Function"}}]
    assert '"function"' in texts and '"AWS_LAMBDA_FUNCTION_NAME"' in texts


DASHBOARDS = {name: "Dashboard" if name == "spot-fallback" else f"{prefix}Dashboard" for name, prefix in FUNCTIONS.items()}


def dashboard(function):
    body = read_template()["Resources"][DASHBOARDS[function]]["Properties"]["DashboardBody"]
    return body["Fn::Sub"] if isinstance(body, dict) else body


def test_no_metric_is_asked_for_by_a_name_that_another_installation_may_have(function):
    body = dashboard(function)
    assert f"${{{FUNCTIONS[function]}Function}}" in body
    assert function not in body


def test_no_log_level_can_be_chosen_that_drops_records_and_metrics(function):
    """What names no level counts as INFO: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"""
    levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
    parameter = read_template()["Parameters"]["LogLevel"]
    assert parameter["AllowedValues"] == levels[: levels.index("INFO") + 1]
    logging = resource(function, "Function")["LoggingConfig"]
    assert (logging["LogFormat"], logging["ApplicationLogLevel"]) == ("JSON", {"Ref": "LogLevel"})


def test_the_dashboards_search_for_metrics_and_dimensions_of_the_code(function):
    body = dashboard(function)
    searched = re.findall(r"\{(\w+),([\w,]+)\} MetricName=\\\"(\w+)\\\"", body)
    assert len(searched) == body.count("SEARCH(")
    texts = "\n".join(code(package) for package in linked(function))
    # The numbers of a function's own subjects; which they are is held elsewhere.
    own = {
        "cluster-scaler": {"ClusterName,CapacityProviderName"},
        "instance-drain": {"AutoScalingGroupName", "ClusterName"},
        "service-scaler": {"ClusterName,ServiceName"},
    }
    for namespace, dimensions, metric in searched:
        assert namespace == "Ballast"
        first, _, second = dimensions.partition(",")
        if first == "function":
            assert re.search(rf'"{metric}", Some\("{second}"\)', texts), metric
        else:
            assert dimensions in own[function] and f'"{metric}"' in texts, metric


def test_an_announced_write_is_waited_for_as_long_as_its_author_may_live(function):
    """Longer, and another invocation may write while the first still can; shorter, and a crashed one holds a subject up for nothing."""
    timeout = resource(function, "Function")["Timeout"]
    (lag,) = re.findall(r"pub const READ_LAG: Seconds = Seconds\((\d+)\);", code("placement"))
    assert int(lag) == timeout
    assert "pub const READ_LAG: Seconds = crate::fallback::foreign::READ_LAG;" in files("placement")[Path("capacity/foreign.rs")]
