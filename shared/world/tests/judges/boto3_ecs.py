"""What botocore makes of the world's answers.

Run by `tests/cli/boto3.rs`, which prepares the cluster `container-demo`: services `web-00` (10 tasks, scaled by
Application Auto Scaling) to `web-22`, on FARGATE 1/1 and FARGATE_SPOT 0/4, and the groups `group-0` (on-demand) to
`group-2` (Spot). Everything else comes from the environment.
"""

import collections
import datetime
import unittest

import boto3
import botocore.config
import botocore.exceptions

CLUSTER = "container-demo"

# One attempt: what is judged is the answer, not botocore's patience.
ONE_ATTEMPT = botocore.config.Config(retries={"total_max_attempts": 1})


def client(service):
    return boto3.client(service, config=ONE_ATTEMPT)


class Services(unittest.TestCase):
    def setUp(self):
        self.ecs = client("ecs")

    def test_pages_of_services(self):
        pages = list(self.ecs.get_paginator("list_services").paginate(cluster=CLUSTER))
        self.assertEqual([len(page["serviceArns"]) for page in pages], [10, 10, 3])
        names = [arn.rsplit("/", 1)[1] for page in pages for arn in page["serviceArns"]]
        self.assertEqual(sorted(names), [f"web-{number:02}" for number in range(23)])

    def test_a_service_has_its_counts_strategy_times_and_tags(self):
        answer = self.ecs.describe_services(cluster=CLUSTER, services=["web-00"], include=["TAGS"])
        (service,) = answer["services"]
        self.assertEqual(answer["failures"], [])
        counts = [service[name] for name in ("desiredCount", "runningCount", "pendingCount")]
        self.assertEqual(counts, [10, 10, 0])
        self.assertEqual(
            [(it["capacityProvider"], it["base"], it["weight"]) for it in service["capacityProviderStrategy"]],
            [("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 4)],
        )
        self.assertIsInstance(service["createdAt"], datetime.datetime)
        self.assertEqual(service["createdAt"].astimezone(datetime.timezone.utc).year, 2026)
        self.assertEqual(service["tags"], [{"key": "ballast:standby", "value": "x"}])
        (deployment,) = service["deployments"]
        self.assertEqual((deployment["status"], deployment["rolloutState"]), ("PRIMARY", "COMPLETED"))
        self.assertIsInstance(service["events"][0]["createdAt"], datetime.datetime)

    def test_services_that_are_not_there_are_failures(self):
        answer = self.ecs.describe_services(cluster=CLUSTER, services=["web-01", "nobody"])
        self.assertEqual([it["serviceName"] for it in answer["services"]], ["web-01"])
        (failure,) = answer["failures"]
        self.assertEqual(failure["reason"], "MISSING")
        self.assertTrue(failure["arn"].endswith("nobody"), failure)

    def test_more_than_ten_services_at_once_are_refused(self):
        names = [f"web-{number:02}" for number in range(11)]
        with self.assertRaises(self.ecs.exceptions.InvalidParameterException):
            self.ecs.describe_services(cluster=CLUSTER, services=names)

    def test_errors_are_botocore_exceptions(self):
        with self.assertRaises(self.ecs.exceptions.ClusterNotFoundException):
            self.ecs.describe_services(cluster="nowhere", services=["web-00"])
        with self.assertRaises(self.ecs.exceptions.ClusterNotFoundException):
            self.ecs.list_tasks(cluster="nowhere")
        with self.assertRaises(self.ecs.exceptions.ServiceNotFoundException) as caught:
            self.ecs.update_service(cluster=CLUSTER, service="nobody", desiredCount=1)
        metadata = caught.exception.response["ResponseMetadata"]
        self.assertEqual(metadata["HTTPStatusCode"], 400)
        self.assertTrue(metadata["RequestId"])

    def test_a_strategy_changes_only_with_a_forced_deployment(self):
        strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
        arguments = {"cluster": CLUSTER, "service": "web-02", "capacityProviderStrategy": strategy}
        with self.assertRaises(self.ecs.exceptions.InvalidParameterException):
            self.ecs.update_service(**arguments)
        service = self.ecs.update_service(**arguments, forceNewDeployment=True)["service"]
        self.assertEqual(service["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE")

    def test_writes_are_throttled(self):
        # The documented bucket of service modifications: 50 at once, 5 more in each second. It is empty afterwards, and unittest
        # runs this test after all others that write, by its name.
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            for _ in range(200):
                self.ecs.update_service(cluster=CLUSTER, service="web-03", desiredCount=0)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "ThrottlingException")
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 400)


class Tasks(unittest.TestCase):
    def setUp(self):
        self.ecs = client("ecs")

    def arns(self, **filters):
        pages = self.ecs.get_paginator("list_tasks").paginate(
            cluster=CLUSTER, PaginationConfig={"PageSize": 4}, **filters
        )
        return [arn for page in pages for arn in page["taskArns"]]

    def test_the_split_is_three_and_seven(self):
        arns = self.arns(serviceName="web-00")
        self.assertEqual(len(set(arns)), 10)
        tasks = self.ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"]
        counts = collections.Counter(task["capacityProviderName"] for task in tasks)
        self.assertEqual(counts, {"FARGATE": 3, "FARGATE_SPOT": 7})
        for task in tasks:
            self.assertEqual((task["lastStatus"], task["desiredStatus"]), ("RUNNING", "RUNNING"))
            self.assertEqual(task["group"], "service:web-00")
            self.assertLess(task["createdAt"], task["startedAt"])
            self.assertNotIn("stoppedAt", task)

    def test_filters(self):
        self.assertEqual(self.arns(serviceName="web-01"), [])
        # ECS never lists by the desired status PENDING.
        self.assertEqual(self.arns(serviceName="web-00", desiredStatus="PENDING"), [])
        with self.assertRaises(self.ecs.exceptions.ServiceNotFoundException):
            self.arns(serviceName="nobody")

    def test_tasks_that_are_not_there_are_failures(self):
        known = self.arns(serviceName="web-00")[0]
        unknown = known.rsplit("/", 1)[0] + "/" + "0" * 32
        answer = self.ecs.describe_tasks(cluster=CLUSTER, tasks=[known, unknown])
        self.assertEqual([task["taskArn"] for task in answer["tasks"]], [known])
        self.assertEqual([it["reason"] for it in answer["failures"]], ["MISSING"])

    def test_more_than_a_hundred_tasks_at_once_are_refused(self):
        known = self.arns(serviceName="web-00")[0]
        with self.assertRaises(self.ecs.exceptions.InvalidParameterException):
            self.ecs.describe_tasks(cluster=CLUSTER, tasks=[known] * 101)


class Around(unittest.TestCase):
    def test_clusters(self):
        ecs = client("ecs")
        (cluster,) = ecs.describe_clusters(clusters=[CLUSTER])["clusters"]
        self.assertEqual(cluster["status"], "ACTIVE")
        self.assertEqual(cluster["capacityProviders"], ["FARGATE", "FARGATE_SPOT"])
        self.assertEqual(ecs.list_clusters()["clusterArns"], [cluster["clusterArn"]])

    def test_capacity_providers_lead_to_their_groups(self):
        providers = client("ecs").describe_capacity_providers(capacityProviders=["EC2-1", "FARGATE_SPOT"])
        arns = {
            it["name"]: it.get("autoScalingGroupProvider", {}).get("autoScalingGroupArn")
            for it in providers["capacityProviders"]
        }
        self.assertEqual(set(arns), {"EC2-1", "FARGATE_SPOT"})
        self.assertIn("group-1", arns["EC2-1"])
        self.assertIsNone(arns["FARGATE_SPOT"])

    def test_scalable_targets(self):
        scaling = client("application-autoscaling")
        (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        self.assertEqual(target["ResourceId"], f"service/{CLUSTER}/web-00")
        self.assertEqual((target["MinCapacity"], target["MaxCapacity"]), (1, 20))
        self.assertIsInstance(target["CreationTime"], datetime.datetime)
        none = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[f"service/{CLUSTER}/web-01"])
        self.assertEqual(none["ScalableTargets"], [])
        with self.assertRaises(scaling.exceptions.ValidationException):
            scaling.describe_scalable_targets(ServiceNamespace="dynamodb")

    def test_auto_scaling_groups(self):
        scaling = client("autoscaling")
        pages = scaling.get_paginator("describe_auto_scaling_groups").paginate(PaginationConfig={"PageSize": 2})
        groups = [group for page in pages for group in page["AutoScalingGroups"]]
        self.assertEqual([it["AutoScalingGroupName"] for it in groups], ["group-0", "group-1", "group-2"])
        on_demand = [
            it["MixedInstancesPolicy"]["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"]
            for it in groups
        ]
        self.assertEqual(on_demand, [100, 0, 0])
        self.assertIsInstance(groups[0]["CreatedTime"], datetime.datetime)
        self.assertEqual(groups[0]["Instances"], [])
        answer = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["group-1", "group-9"])
        self.assertEqual([it["AutoScalingGroupName"] for it in answer["AutoScalingGroups"]], ["group-1"])

    def test_the_caller(self):
        caller = client("sts").get_caller_identity()
        self.assertEqual(caller["Account"], "111122223333")

    def test_other_operations_are_refused_by_name(self):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            client("ecs").list_task_definitions()
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "UnknownOperationException")
        self.assertIn("ListTaskDefinitions", error["Message"])


if __name__ == "__main__":
    unittest.main()
