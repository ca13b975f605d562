"""What the tests of `infra/` share: where things are, the template as written and as AWS would see it, and when a test may be skipped."""

import copy
import os
from pathlib import Path

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
EVENTS = ROOT / "events"
ARCHITECTURES = ("arm64", "x86_64")
# The functions by name, each with the prefix of its resources' logical ids.
FUNCTIONS = {"spot-fallback": "SpotFallback", "cluster-scaler": "ClusterScaler", "instance-drain": "InstanceDrain", "service-scaler": "ServiceScaler"}
BUCKET = "ballast-artifacts"


class NoManagedPolicies:
    """The template names no managed policy, so that the translator needs no list of them."""

    def load(self):
        return {}


def skip(why):
    """Skips the test and says why; where every judge is required, the test fails instead."""
    if os.environ.get("CI") or os.environ.get("BALLAST_REQUIRE_JUDGES") == "1":
        pytest.fail(why)
    print(f"skipped: {why}")
    pytest.skip(why)


def read_template():
    return yaml_parse((INFRA / "template.yaml").read_text(encoding="utf-8"))


def translate(**parameters):
    """The template as CloudFormation gets it: packaged, with the serverless transform applied, and with other defaults."""
    template = copy.deepcopy(read_template())
    for name, prefix in FUNCTIONS.items():
        # What `aws cloudformation package` puts in the place of the local path.
        template["Resources"][f"{prefix}Function"]["Properties"]["CodeUri"] = f"s3://{BUCKET}/{name}.zip"
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-west-2")
    return transform(template, {}, NoManagedPolicies())


@pytest.fixture(scope="session")
def template():
    return read_template()


@pytest.fixture(scope="session")
def translated():
    return translate()


@pytest.fixture(scope="session")
def resources(translated):
    return translated["Resources"]
