"""The template is deployed into ministack, an AWS emulator, and the real binaries answer there.

The emulator is an outside judge of the template alone: it is no judge of how ECS behaves. Events of `aws.*` cannot be put on a
bus, so that the functions are invoked directly, and what the rules let through is asked of `TestEventPattern`.
"""

import base64
import contextlib
import io
import json
import os
import platform
import re
import signal
import socket
import subprocess
import time
import urllib.request
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import BUCKET, EVENTS, FUNCTIONS, INFRA, ROOT, skip, translate
from moto.server import ThreadedMotoServer
from samtranslator.yaml_helper import yaml_parse

REGION = "us-west-2"
# The account of the sample events: the function ignores those of another.
ACCOUNT = "111122223333"
WORKSHOP = "container-demo"
# The cluster, the provider and the group of the workshop on EC2.
ON_EC2 = "container-demo-ec2"
PROVIDER = "EC2"
GROUP = "container-demo-EC2"
STACK = "ballast"
# What is before the functions' names in this installation.
PREFIX = "blue-"
FUNCTION = f"{PREFIX}spot-fallback"
INTERRUPTION = EVENTS / "aws.ecs--ecs-task-state-change--spot-interruption.json"
REGISTERED = EVENTS / "aws.ecs--ecs-container-instance-state-change--registered.json"
SHORTAGE = EVENTS / "aws.ecs--ecs-service-action--placement-failure-fargate-spot.json"
WARNING = EVENTS / "aws.ec2--ec2-spot-instance-interruption-warning--terminate.json"
START_SECS = 60


def ministack_program():
    venv = Path(os.environ.get("BALLAST_MINISTACK_VENV", ROOT / ".venv-ministack"))
    program = venv / "bin" / "ministack"
    if not program.exists():
        skip(f"no ministack at {program}: `make setup` installs it")
    return program


def function_binary(name):
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    binary = Path(os.environ.get("BALLAST_BINARIES", Path(target) / "debug")) / name
    if not binary.exists():
        skip(f"no function at {binary}: `cargo build --workspace --bins` builds it")
    return binary


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_ready(process, port, log):
    deadline = time.monotonic() + START_SECS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2):
            return
        time.sleep(0.1)
    pytest.fail(f"ministack did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    program = ministack_program()
    port = free_port()
    folder = tmp_path_factory.mktemp("ministack")
    log = folder / "log"
    # The functions inherit it, and refuse settings that they do not know.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BALLAST_"))}
    environment |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(folder),
    }
    with log.open("wb") as output:
        process = subprocess.Popen([program], env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        wait_until_ready(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        # Its own session: the functions that it started go with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def client(endpoint):
    def make(service):
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )

    return make


def zipped(binary):
    archive = io.BytesIO()
    entry = zipfile.ZipInfo("bootstrap", date_time=(2026, 1, 1, 0, 0, 0))
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.writestr(entry, binary.read_bytes())
    return archive.getvalue()


def wait_for_stack(cloudformation, name, wanted):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if wanted == "DELETE_COMPLETE" and "does not exist" in str(error):
                return
            raise
        if status == wanted:
            return
        if not status.endswith("_IN_PROGRESS"):
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in events if "FAILED" in e["ResourceStatus"]]
            pytest.fail(f"the stack {name} is {status}: {reasons}")
        time.sleep(0.2)
    pytest.fail(f"the stack {name} did not become {wanted}")


@pytest.fixture(scope="module")
def scaling_endpoint():
    """moto, another emulator: ministack has no Application Auto Scaling, and moto's groups of EC2 instances are the better known."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def stack(client, endpoint, scaling_endpoint):
    """The physical ids of the deployed stack by logical id."""
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    template = translate()
    for name, prefix in FUNCTIONS.items():
        s3.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=zipped(function_binary(name)))
        # The emulator runs the binary on this computer: that is where its AWS is.
        template["Resources"][f"{prefix}Function"]["Properties"]["Environment"]["Variables"] |= {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": scaling_endpoint,
            "AWS_ENDPOINT_URL_AUTO_SCALING": scaling_endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    cloudformation = client("cloudformation")
    # More than the 51,200 bytes that a request may hold: `aws cloudformation deploy --s3-bucket` does the same.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template).encode())
    machine = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"{endpoint}/{BUCKET}/template.json",
        Parameters=[
            {"ParameterKey": "Architecture", "ParameterValue": machine},
            {"ParameterKey": "FunctionNamePrefix", "ParameterValue": PREFIX},
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    wait_for_stack(cloudformation, STACK, "CREATE_COMPLETE")
    found = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


@pytest.fixture(scope="module")
def workshop(client):
    """The workshop's stack beside it: what the function finds when it looks."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    zones = (("10.0.0.0/24", f"{REGION}a"), ("10.0.1.0/24", f"{REGION}b"))
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"] for block, zone in zones]
    template = yaml_parse((INFRA / "examples/workshop/template.yaml").read_text(encoding="utf-8"))
    # The emulator makes no number of a parameter, as CloudFormation does.
    template["Resources"]["Web"]["Properties"]["DesiredCount"] = template["Parameters"]["DesiredCount"]["Default"]
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=WORKSHOP,
        TemplateBody=json.dumps(template),
        Parameters=[
            {"ParameterKey": "VpcId", "ParameterValue": vpc},
            {"ParameterKey": "SubnetIds", "ParameterValue": ",".join(subnets)},
        ],
    )
    wait_for_stack(cloudformation, WORKSHOP, "CREATE_COMPLETE")


def test_every_resource_of_the_template_is_there(stack):
    assert set(stack) == set(translate()["Resources"])


def test_rules_have_their_patterns_and_targets(stack, client):
    events, sqs = client("events"), client("sqs")
    wanted = {name: resource for name, resource in translate()["Resources"].items() if resource["Type"] == "AWS::Events::Rule"}

    def queue_arn(target):
        name = target.get("Fn::If", [None, target])[1]["Arn"]["Fn::GetAtt"][0]
        return sqs.get_queue_attributes(QueueUrl=stack[name], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    for rule, pattern in json.loads((INFRA / "patterns.json").read_text(encoding="utf-8")).items():
        deployed = events.describe_rule(Name=stack[rule])
        assert deployed["State"] == "ENABLED"
        assert json.loads(deployed["EventPattern"]) == pattern, rule
        targets = events.list_targets_by_rule(Rule=stack[rule])["Targets"]
        assert sorted(it["Arn"] for it in targets) == sorted(queue_arn(it) for it in wanted[rule]["Properties"]["Targets"]), rule
    schedule = events.describe_rule(Name=stack["ScheduleRule"])
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    targets = events.list_targets_by_rule(Rule=stack["ScheduleRule"])["Targets"]
    assert sorted(target["Arn"].rsplit(":", 1)[1] for target in targets) == sorted(f"{PREFIX}{name}" for name in FUNCTIONS)


def rules_of_the_samples():
    """The table of `events/README.md`: the rule that each sample is for, or none."""
    text = (EVENTS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+\.json)` \| (`[^`]+`|–) \|", text, re.MULTILINE)
    assert len(rows) == len(list(EVENTS.glob("*.json")))
    return {file: None if rule == "–" else rule.strip("`") for file, rule in rows}


def test_the_patterns_let_through_what_the_table_says(client):
    """`TestEventPattern` of the emulator: another reading of the same patterns than the project's own."""
    events = client("events")
    patterns = json.loads((INFRA / "patterns.json").read_text(encoding="utf-8"))
    asked = 0
    for file, rule in rules_of_the_samples().items():
        try:
            event = json.loads((EVENTS / file).read_text(encoding="utf-8-sig"))
        except json.JSONDecodeError:
            continue
        if not isinstance(event, dict) or "source" not in event or "detail-type" not in event:
            continue
        # The call wants a complete envelope; what a sample leaves out says nothing about the rule.
        whole = {"id": "0", "account": "111122223333", "time": "2026-01-01T00:00:00Z", "region": REGION, "resources": [], "detail": {}} | event
        if not isinstance(whole["detail"], dict):
            # The emulator reads a text as the object that it spells.
            continue
        matched = [name for name, pattern in patterns.items() if test_pattern(events, pattern, whole)]
        wanted = [rule] if rule in patterns else []
        assert matched == wanted, file
        asked += 1
    assert asked > 50


def test_pattern(events, pattern, event):
    return events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]


test_pattern.__test__ = False


@pytest.mark.parametrize(("name", "prefix"), FUNCTIONS.items())
def test_the_queue_feeds_the_function(stack, client, name, prefix):
    mappings = client("lambda").list_event_source_mappings(FunctionName=f"{PREFIX}{name}")["EventSourceMappings"]
    assert len(mappings) == 1
    mapping = mappings[0]
    assert mapping["EventSourceArn"].endswith(stack[f"{prefix}Queue"].rsplit("/", 1)[1])
    assert mapping["BatchSize"] == 1000
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    attributes = client("sqs").get_queue_attributes(QueueUrl=stack[f"{prefix}Queue"], AttributeNames=["All"])["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(stack[f"{prefix}DeadLetterQueue"].rsplit("/", 1)[1])
    # A warning is worth two minutes: what failed of instance-drain comes back sooner, and more often.
    visibility, tries = ("35", 10) if name == "instance-drain" else ("190", 3)
    assert (attributes["VisibilityTimeout"], attributes["MessageRetentionPeriod"]) == (visibility, "900")
    assert int(redrive["maxReceiveCount"]) == tries


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_is_as_written(stack, client, name):
    function = client("lambda").get_function_configuration(FunctionName=f"{PREFIX}{name}")
    memory_mib = {"spot-fallback": 256, "cluster-scaler": 512, "instance-drain": 512, "service-scaler": 256}[name]
    assert (function["Runtime"], function["MemorySize"], function["Timeout"]) == ("provided.al2023", memory_mib, 30)
    variables = function["Environment"]["Variables"]
    assert variables["BALLAST_MODE"] == "observe"
    assert variables["BALLAST_LEDGER_TABLE"] == stack["LedgerTable"]
    assert "BALLAST_CLUSTERS" not in variables


def test_the_table_and_the_alarms_are_as_written(stack, client):
    table = client("dynamodb").describe_table(TableName=stack["LedgerTable"])["Table"]
    assert table["KeySchema"] == [{"AttributeName": "pair", "KeyType": "HASH"}]
    alarms = {alarm["AlarmName"] for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert {name for logical, name in stack.items() if logical.endswith("Alarm")} <= alarms


@pytest.fixture(scope="module")
def moto(scaling_endpoint):
    """Clients of moto's, by service."""
    return lambda service: boto3.client(
        service, endpoint_url=scaling_endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.fixture(scope="module")
def group(client, moto):
    """A group of moto's, opted in, under a capacity provider of ministack's: an empty one that the cluster's strategy places tasks on."""
    autoscaling = moto("autoscaling")
    autoscaling.create_launch_configuration(LaunchConfigurationName=GROUP, ImageId="ami-0123456789abcdef0", InstanceType="t3.small")
    tags = {"ballast:cluster-scaler": "act", "ballast:target-capacity-percent": "80", "ballast:instance-drain": "act"}
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchConfigurationName=GROUP,
        MinSize=0,
        MaxSize=10,
        DesiredCapacity=0,
        AvailabilityZones=[f"{REGION}a"],
        Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": False} for key, value in tags.items()],
    )
    (made,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
    ecs = client("ecs")
    ecs.create_cluster(clusterName=ON_EC2)
    ecs.create_capacity_provider(
        name=PROVIDER,
        autoScalingGroupProvider={
            "autoScalingGroupArn": made["AutoScalingGroupARN"],
            "managedScaling": {"status": "DISABLED"},
            "managedTerminationProtection": "DISABLED",
        },
    )
    strategy = [{"capacityProvider": PROVIDER, "base": 1, "weight": 1}]
    ecs.put_cluster_capacity_providers(cluster=ON_EC2, capacityProviders=[PROVIDER], defaultCapacityProviderStrategy=strategy)
    return lambda: autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]


def desired_counts(client):
    services = client("ecs").describe_services(cluster=WORKSHOP, services=["web", "web-standby"])["services"]
    return {service["serviceName"]: service["desiredCount"] for service in services}


def invoke(client, event):
    answer = client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps(event))
    record = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, record
    assert record["function"] == "spot-fallback", record
    assert record["gaps"] == [] and record["failures"] == [], record
    # The ledger that the stack made is read.
    assert record["ledger"]["recalled"] == 1, record
    return record


def test_the_real_binary_answers_the_interruption(stack, workshop, client):
    assert desired_counts(client) == {"web": 10, "web-standby": 0}
    record = invoke(client, json.loads(INTERRUPTION.read_text(encoding="utf-8")))
    assert record["mode"] == "observe"
    assert record["triggers"]["kinds"] == {"task_interrupted": 1}
    assert record["triggers"]["services"] == [f"{WORKSHOP}/web"]
    # The emulator knows nothing of the interruption: the event is a hint, and what is observed is a service at its desired count.
    assert record["plan"]["steps"] == []
    (hold,) = record["plan"]["holds"]
    assert f"{WORKSHOP}/web" in json.dumps(hold), record
    assert desired_counts(client) == {"web": 10, "web-standby": 0}


def scheduled():
    return {
        "version": "0",
        "id": "0",
        "account": ACCOUNT,
        "region": REGION,
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": [],
        "detail": {},
    }


def lines_of(client, name, event):
    """What one invocation of the real binary writes: its record and its metrics, each a line of JSON."""
    answer = client("lambda").invoke(FunctionName=f"{PREFIX}{name}", Payload=json.dumps(event), LogType="Tail")
    record = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, record
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    return record, [json.loads(line) for line in lines if line.startswith("{") and '"_aws"' in line]


@pytest.mark.parametrize(("name", "prefix"), FUNCTIONS.items())
def test_the_heartbeat_is_the_one_that_this_installations_alarm_listens_to(stack, workshop, client, name, prefix):
    """The metrics that the real binary writes for a look of the schedule, held against the deployed alarm."""
    record, documents = lines_of(client, name, scheduled())
    assert record["function"] == name and record["triggers"]["is_sweep"], record
    heartbeats = [document for document in documents if "SweepCompleted" in document]
    assert len(heartbeats) == 1, documents
    (alarm,) = client("cloudwatch").describe_alarms(AlarmNames=[stack[f"{prefix}HeartbeatAlarm"]])["MetricAlarms"]
    (directive,) = heartbeats[0]["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == (alarm["Namespace"], [["function"]])
    assert alarm["MetricName"] == "SweepCompleted"
    assert {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]} == {"function": f"{PREFIX}{name}"}
    assert heartbeats[0]["function"] == f"{PREFIX}{name}"


def test_the_real_binary_sizes_a_group_once_it_may_act(stack, group, client):
    """The warm floor: an idle provider of a strategy holds two instances at a target of 80 %."""
    event = json.loads(REGISTERED.read_text(encoding="utf-8"))
    event["detail"]["clusterArn"] = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{ON_EC2}"
    record, documents = lines_of(client, "cluster-scaler", event)
    assert record["failures"] == [] and record["gaps"] == [], record
    assert record["triggers"]["kinds"] == {"instance_changed": 1} and record["triggers"]["clusters"] == [ON_EC2], record
    (step,) = record["plan"]["steps"]
    assert f"`{ON_EC2}/{PROVIDER}` scale_out: set the desired capacity of `{GROUP}` from 0 to 2" in step["text"], record
    assert record["outcomes_by_result"] == {"not_written": 1} and group()["DesiredCapacity"] == 0, record
    (numbers,) = [it for it in documents if "CapacityProviderReservation" in it]
    (directive,) = numbers["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Ballast", [["ClusterName", "CapacityProviderName"]])
    assert (numbers["ClusterName"], numbers["CapacityProviderName"]) == (ON_EC2, PROVIDER)
    assert (numbers["CapacityProviderReservation"], numbers["InstancesNeeded"], numbers["InstancesRunning"]) == (200, 1, 0)

    functions = client("lambda")
    name = f"{PREFIX}cluster-scaler"
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables | {"BALLAST_MODE": "act"}})
    record, _ = lines_of(client, "cluster-scaler", event)
    assert record["outcomes_by_result"] == {"done": 1} and group()["DesiredCapacity"] == 2, record
    assert remembered(client, stack)[f"capacity-provider:{ON_EC2}/{PROVIDER}"]
    # A plan that worked leaves nothing to do.
    record, _ = lines_of(client, "cluster-scaler", event)
    assert record["plan"]["steps"] == [] and group()["DesiredCapacity"] == 2, record


def warning(instance=None):
    """EC2's warning of an interruption, a moment ago: the sample's instance, or another."""
    event = json.loads(WARNING.read_text(encoding="utf-8"))
    event["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if instance is not None:
        event["detail"]["instance-id"] = instance
    return event


def test_the_real_binary_leaves_a_warned_instance_of_somebody_else_alone(stack, workshop, client):
    event = warning()
    before = remembered(client, stack)
    record, _ = lines_of(client, "instance-drain", event)
    assert record["function"] == "instance-drain" and record["failures"] == [] and record["gaps"] == [], record
    assert record["triggers"]["kinds"] == {"instance_noticed": 1}, record
    assert record["plan"]["steps"] == [], record
    (hold,) = record["plan"]["holds"]
    assert hold["reason"]["reason"] == "not_found" and event["detail"]["instance-id"] in hold["text"], record
    assert remembered(client, stack) == before


def test_the_real_binary_remembers_a_warning_of_an_instance_that_is_not_registered_yet(stack, group, client):
    """After the test that lets cluster-scaler raise the group: the instances are moto's, and none registers in a cluster."""
    instance = group()["Instances"][0]["InstanceId"]
    record, _ = lines_of(client, "instance-drain", warning(instance))
    assert record["failures"] == [] and record["gaps"] == [] and record["plan"]["steps"] == [], record
    holds = {hold["reason"]["reason"]: hold for hold in record["plan"]["holds"]}
    assert instance in holds["not_registered"]["text"] and "spot_interruption" in json.dumps(holds["not_registered"]), record
    assert GROUP in json.dumps(record["plan"]["holds"]), record
    item = remembered(client, stack)[f"instance-drain:group/{GROUP}"]
    assert instance in json.dumps(item)
    # The schedule's look knows of it by that alone: no API tells of a warning.
    record, documents = lines_of(client, "instance-drain", scheduled())
    assert record["plan"]["holds_by_reason"]["not_registered"] == 1, record
    (numbers,) = [it for it in documents if "InstancesLeaving" in it]
    assert (numbers["AutoScalingGroupName"], numbers["InstancesLeaving"], numbers["InstancesDrainingNow"]) == (GROUP, 1, 0)


def test_the_queue_of_warnings_reaches_the_real_binary(stack, group, client):
    """What `InstanceWarningRule` would put on the queue; the other instance of the group."""
    sqs, instance = client("sqs"), group()["Instances"][1]["InstanceId"]
    key = f"instance-drain:group/{GROUP}"
    sqs.send_message(QueueUrl=stack["InstanceDrainQueue"], MessageBody=json.dumps(warning(instance)))
    deadline = time.monotonic() + 60
    while instance not in json.dumps(remembered(client, stack).get(key)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert instance in json.dumps(remembered(client, stack)[key])
    dead_letters = sqs.get_queue_attributes(QueueUrl=stack["InstanceDrainDeadLetterQueue"], AttributeNames=["ApproximateNumberOfMessages"])
    assert dead_letters["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_the_real_binary_drains_a_warned_instance_once_it_may_act(stack, group, client, moto, scaling_endpoint):
    """Against moto's ECS, for ministack has no container instances: the group's first instance registers there, and is warned."""
    ecs, instance = moto("ecs"), group()["Instances"][0]["InstanceId"]
    ecs.create_cluster(clusterName=ON_EC2)
    document = json.dumps({"instanceId": instance})
    registered = ecs.register_container_instance(cluster=ON_EC2, instanceIdentityDocument=document)["containerInstance"]["containerInstanceArn"]

    def status():
        (seen,) = ecs.describe_container_instances(cluster=ON_EC2, containerInstances=[registered])["containerInstances"]
        return seen["status"]

    def configure(**more):
        functions, name = client("lambda"), f"{PREFIX}instance-drain"
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables | more})

    event = warning(instance)
    configure(AWS_ENDPOINT_URL_ECS=scaling_endpoint)
    record, _ = lines_of(client, "instance-drain", event)
    (step,) = record["plan"]["steps"]
    assert f"leaving: set `{instance}` to DRAINING" in step["text"], record
    assert record["outcomes_by_result"] == {"not_written": 1} and status() == "ACTIVE", record
    configure(BALLAST_MODE="act")
    record, _ = lines_of(client, "instance-drain", event)
    assert record["outcomes_by_result"] == {"done": 1} and status() == "DRAINING", record
    # A plan that worked leaves nothing to do. The instance is empty.
    record, _ = lines_of(client, "instance-drain", event)
    assert record["plan"]["steps"] == [] and record["plan"]["holds_by_reason"]["drained"] == 1, record


def test_the_real_binary_understands_an_alarms_own_call(stack, workshop, client):
    event = json.loads((EVENTS / "aws.cloudwatch--unknown--alarm-direct-reservation.json").read_text(encoding="utf-8"))
    record, _ = lines_of(client, "cluster-scaler", event)
    assert record["triggers"]["kinds"] == {"alarm_changed": 1}, record
    # On Fargate alone there is nothing to size.
    assert record["triggers"]["clusters"] == [WORKSHOP] and record["plan"]["steps"] == record["plan"]["holds"] == [], record
    assert record["failures"] == [], record


def remembered(client, stack):
    """The items of the ledger by key."""
    return {item["pair"]["S"]: item for item in client("dynamodb").scan(TableName=stack["LedgerTable"])["Items"]}


def test_the_real_binary_covers_a_deficit_once_it_may_act(stack, workshop, client):
    ecs = client("ecs")
    for task in ecs.list_tasks(cluster=WORKSHOP, serviceName="web")["taskArns"][:3]:
        ecs.stop_task(cluster=WORKSHOP, task=task)
    event = json.loads(SHORTAGE.read_text(encoding="utf-8"))
    event["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    record = invoke(client, event)
    assert record["outcomes_by_result"] == {"not_written": 1}, record
    assert desired_counts(client)["web-standby"] == 0

    functions = client("lambda")
    variables = functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables | {"BALLAST_MODE": "act"}})
    record = invoke(client, event)
    assert record["mode"] == "act"
    assert record["outcomes_by_result"] == {"done": 1}, record
    assert desired_counts(client) == {"web": 10, "web-standby": 3}
    # And what it wrote is remembered.
    assert f"{WORKSHOP}/web" in remembered(client, stack)


def test_the_queue_reaches_the_real_binary(stack, workshop, client):
    """What a rule would put on the queue. After the test above, which lets the function act."""
    ecs, sqs = client("ecs"), client("sqs")
    before = desired_counts(client)["web-standby"]
    task = ecs.list_tasks(cluster=WORKSHOP, serviceName="web")["taskArns"][0]
    ecs.stop_task(cluster=WORKSHOP, task=task)
    event = json.loads(SHORTAGE.read_text(encoding="utf-8")) | {"time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    sqs.send_message(QueueUrl=stack["SpotFallbackQueue"], MessageBody=json.dumps(event))
    deadline = time.monotonic() + 60
    while desired_counts(client)["web-standby"] == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert desired_counts(client) == {"web": 10, "web-standby": before + 1}
    dead_letters = sqs.get_queue_attributes(QueueUrl=stack["SpotFallbackDeadLetterQueue"], AttributeNames=["ApproximateNumberOfMessages"])
    assert dead_letters["Attributes"]["ApproximateNumberOfMessages"] == "0"


def measured(client, service, percent, tasks):
    """What ECS would publish of a service in the last ten minutes: each minute a sample of every task."""
    minute = int(time.time()) // 60 * 60
    dimensions = [{"Name": "ClusterName", "Value": WORKSHOP}, {"Name": "ServiceName", "Value": service}]
    for back in range(1, 11):
        at = datetime.fromtimestamp(minute - 60 * back, UTC)
        datum = {"MetricName": "CPUUtilization", "Dimensions": dimensions, "Timestamp": at, "Unit": "Percent", "Value": percent}
        client("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=[datum] * tasks)


def test_the_real_binary_tracks_a_service_once_it_may_act(stack, workshop, client):
    """The real SDK asks the emulator's CloudWatch, by CBOR. After all tests that count on ten tasks."""
    ecs = client("ecs")
    (web,) = ecs.describe_services(cluster=WORKSHOP, services=["web"])["services"]
    tags = {"ballast:service-scaler": "act", "ballast:target-cpu-percent": "50", "ballast:max-tasks": "40"}
    ecs.tag_resource(resourceArn=web["serviceArn"], tags=[{"key": key, "value": value} for key, value in tags.items()])
    measured(client, "web", 80.0, 10)
    event = json.loads((EVENTS / "aws.cloudwatch--cloudwatch-alarm-state-change--service-cpu.json").read_text(encoding="utf-8"))
    event["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    record, documents = lines_of(client, "service-scaler", scheduled())
    assert record["failures"] == [] and record["gaps"] == [], record
    (step,) = record["plan"]["steps"]
    # 10 tasks at 80 % are 16 at 50 %.
    assert f"`{WORKSHOP}/web` scale_out: set the desired count of `{WORKSHOP}/web` from 10 to 16" in step["text"], record
    assert record["outcomes_by_result"] == {"not_written": 1} and desired_counts(client)["web"] == 10, record
    (numbers,) = [it for it in documents if "TasksNeeded" in it]
    (directive,) = numbers["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Ballast", [["ClusterName", "ServiceName"]])
    assert (numbers["ClusterName"], numbers["ServiceName"], numbers["TasksNeeded"]) == (WORKSHOP, "web", 16)

    functions, name = client("lambda"), f"{PREFIX}service-scaler"
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables | {"BALLAST_MODE": "act"}})
    record, _ = lines_of(client, "service-scaler", event)
    assert record["triggers"]["kinds"] == {"alarm_changed": 1}, record
    assert record["outcomes_by_result"] == {"done": 1} and desired_counts(client)["web"] == 16, record
    assert remembered(client, stack)[f"service-scaler:{WORKSHOP}/web"]
    # A plan that worked leaves nothing to do.
    record, _ = lines_of(client, "service-scaler", event)
    assert record["plan"]["steps"] == [] and desired_counts(client)["web"] == 16, record


def test_nothing_is_left_when_the_stacks_are_deleted(stack, workshop, client):
    """Last in this file: it takes away what the others look at."""
    cloudformation = client("cloudformation")
    cloudformation.delete_stack(StackName=WORKSHOP)
    wait_for_stack(cloudformation, WORKSHOP, "DELETE_COMPLETE")
    active = client("ecs").describe_clusters(clusters=[WORKSHOP])["clusters"]
    assert [cluster["status"] for cluster in active if cluster["status"] != "INACTIVE"] == []
    cloudformation.delete_stack(StackName=STACK)
    wait_for_stack(cloudformation, STACK, "DELETE_COMPLETE")
    assert client("events").list_rules()["Rules"] == []
    assert client("lambda").list_functions()["Functions"] == []
    assert client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    assert client("dynamodb").list_tables()["TableNames"] == []
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert client("cloudwatch").list_dashboards().get("DashboardEntries", []) == []
    assert client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"] == []
    assert [role["RoleName"] for role in client("iam").list_roles()["Roles"] if role["RoleName"].startswith(STACK)] == []
