"""What botocore makes of the world's Auto Scaling groups, instances, metrics and alarms.

Run by `tests/cli/groups.rs`, which prepares the launch template `workers`, and a world in which each call takes twenty seconds:
what takes a while is done a few calls later. Everything else comes from the environment.
"""

import datetime
import unittest

import boto3
import botocore.config
import botocore.exceptions

ONE_ATTEMPT = botocore.config.Config(retries={"total_max_attempts": 1})
UTC = datetime.timezone.utc


def client(service):
    return boto3.client(service, config=ONE_ATTEMPT)


class Groups(unittest.TestCase):
    """One group's life, in the order of the names."""

    NAME = "made-by-boto3"

    def setUp(self):
        self.scaling = client("autoscaling")

    def group(self):
        (group,) = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.NAME])["AutoScalingGroups"]
        return group

    def settled(self, count):
        for _ in range(20):
            group = self.group()
            states = [it["LifecycleState"] for it in group["Instances"]]
            if states == ["InService"] * count:
                return group
        self.fail(f"{count} instances were to be in service, there are {states}")

    def refused(self, code, words, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code)
        self.assertIn(words, error["Message"])

    def test_1_it_is_made(self):
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName=self.NAME,
            MinSize=0,
            MaxSize=6,
            DesiredCapacity=3,
            AvailabilityZones=["us-west-2a", "us-west-2b", "us-west-2c"],
            NewInstancesProtectedFromScaleIn=False,
            MixedInstancesPolicy={
                "LaunchTemplate": {
                    "LaunchTemplateSpecification": {"LaunchTemplateName": "workers", "Version": "$Latest"},
                    "Overrides": [{"InstanceType": "m5.large"}, {"InstanceType": "m5a.large"}],
                },
                "InstancesDistribution": {
                    "OnDemandBaseCapacity": 1,
                    "OnDemandPercentageAboveBaseCapacity": 0,
                    "SpotAllocationStrategy": "capacity-optimized",
                },
            },
            LifecycleHookSpecificationList=[
                {
                    "LifecycleHookName": "drain",
                    "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                    "HeartbeatTimeout": 60,
                    "DefaultResult": "CONTINUE",
                }
            ],
            Tags=[{"Key": "ballast:cluster-scaler", "Value": "act", "PropagateAtLaunch": False}],
        )
        group = self.settled(3)
        self.assertEqual({it["AvailabilityZone"] for it in group["Instances"]}, set(group["AvailabilityZones"]))
        for instance in group["Instances"]:
            self.assertEqual(instance["HealthStatus"], "Healthy")
            self.assertIs(instance["ProtectedFromScaleIn"], False)
            self.assertEqual(instance["LaunchTemplate"]["LaunchTemplateName"], "workers")
        (tag,) = group["Tags"]
        self.assertEqual((tag["Key"], tag["Value"], tag["PropagateAtLaunch"]), ("ballast:cluster-scaler", "act", False))
        distribution = group["MixedInstancesPolicy"]["InstancesDistribution"]
        self.assertEqual(distribution["OnDemandBaseCapacity"], 1)
        found = self.scaling.describe_auto_scaling_groups(Filters=[{"Name": "tag-key", "Values": ["ballast:cluster-scaler"]}])
        self.assertIn(self.NAME, [it["AutoScalingGroupName"] for it in found["AutoScalingGroups"]])
        self.refused(
            "AlreadyExists",
            "already exists",
            self.scaling.create_auto_scaling_group,
            AutoScalingGroupName=self.NAME,
            MinSize=0,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateName": "workers"},
            AvailabilityZones=["us-west-2a"],
        )

    def test_2_its_instances_and_activities_are_read(self):
        ids = [it["InstanceId"] for it in self.group()["Instances"]]
        instances = self.scaling.describe_auto_scaling_instances(InstanceIds=ids)["AutoScalingInstances"]
        self.assertEqual(sorted(it["InstanceId"] for it in instances), sorted(ids))
        self.assertEqual({it["HealthStatus"] for it in instances}, {"HEALTHY"})
        pages = list(
            self.scaling.get_paginator("describe_scaling_activities").paginate(
                AutoScalingGroupName=self.NAME, PaginationConfig={"PageSize": 2}
            )
        )
        self.assertEqual([len(page["Activities"]) for page in pages], [2, 1])
        for activity in (it for page in pages for it in page["Activities"]):
            self.assertEqual((activity["StatusCode"], activity["Progress"]), ("Successful", 100))
            self.assertLess(activity["StartTime"], activity["EndTime"])

    def test_3_bounds_are_kept(self):
        name = {"AutoScalingGroupName": self.NAME}
        call = self.scaling.set_desired_capacity
        self.refused("ValidationError", "above max value 6", call, DesiredCapacity=7, **name)
        self.scaling.update_auto_scaling_group(MinSize=3, **name)
        call = self.scaling.terminate_instance_in_auto_scaling_group
        first = self.group()["Instances"][0]["InstanceId"]
        self.refused(
            "ValidationError",
            "violate group's min size constraint",
            call,
            InstanceId=first,
            ShouldDecrementDesiredCapacity=True,
        )
        self.scaling.update_auto_scaling_group(MinSize=0, **name)
        self.scaling.set_desired_capacity(DesiredCapacity=4, HonorCooldown=False, **name)
        self.settled(4)

    def test_4_an_instance_drains_and_goes(self):
        ids = [it["InstanceId"] for it in self.group()["Instances"]]
        name = {"AutoScalingGroupName": self.NAME}
        self.scaling.set_instance_protection(InstanceIds=ids, ProtectedFromScaleIn=True, **name)
        self.assertTrue(all(it["ProtectedFromScaleIn"] for it in self.group()["Instances"]))
        self.scaling.set_instance_protection(InstanceIds=ids, ProtectedFromScaleIn=False, **name)
        (hook,) = self.scaling.describe_lifecycle_hooks(**name)["LifecycleHooks"]
        self.assertEqual((hook["HeartbeatTimeout"], hook["GlobalTimeout"]), (60, 6000))
        self.scaling.put_lifecycle_hook(LifecycleHookName="drain", HeartbeatTimeout=7200, **name)
        activity = self.scaling.terminate_instance_in_auto_scaling_group(
            InstanceId=ids[0], ShouldDecrementDesiredCapacity=True
        )["Activity"]
        self.assertEqual(activity["StatusCode"], "MidLifecycleAction")
        self.assertIn(ids[0], activity["Description"])
        states = {it["InstanceId"]: it["LifecycleState"] for it in self.group()["Instances"]}
        self.assertEqual(states[ids[0]], "Terminating:Wait")
        action = {"LifecycleHookName": "drain", "InstanceId": ids[0], **name}
        self.scaling.record_lifecycle_action_heartbeat(**action)
        self.scaling.complete_lifecycle_action(LifecycleActionResult="CONTINUE", **action)
        group = self.settled(3)
        self.assertEqual(group["DesiredCapacity"], 3)
        self.refused(
            "ValidationError",
            "No active Lifecycle Action found",
            self.scaling.complete_lifecycle_action,
            LifecycleActionResult="CONTINUE",
            **action,
        )

    def test_5_processes_tags_schedules_and_policies(self):
        name = {"AutoScalingGroupName": self.NAME}
        self.scaling.suspend_processes(ScalingProcesses=["AZRebalance", "Terminate"], **name)
        suspended = self.group()["SuspendedProcesses"]
        self.assertEqual([it["ProcessName"] for it in suspended], ["AZRebalance", "Terminate"])
        self.assertTrue(suspended[0]["SuspensionReason"].startswith("User suspended at "))
        self.scaling.resume_processes(**name)
        self.assertEqual(self.group()["SuspendedProcesses"], [])

        tag = {"ResourceId": self.NAME, "ResourceType": "auto-scaling-group", "Key": "stage"}
        self.scaling.create_or_update_tags(Tags=[{**tag, "Value": "x", "PropagateAtLaunch": True}])
        tags = self.scaling.describe_tags(Filters=[{"Name": "key", "Values": ["stage"]}])["Tags"]
        self.assertEqual(tags, [{**tag, "Value": "x", "PropagateAtLaunch": True}])
        self.scaling.delete_tags(Tags=[tag])
        self.assertEqual(self.scaling.describe_tags(Filters=[{"Name": "key", "Values": ["stage"]}])["Tags"], [])

        at = datetime.datetime(2030, 1, 1, tzinfo=UTC)
        self.scaling.put_scheduled_update_group_action(
            ScheduledActionName="later", StartTime=at, DesiredCapacity=5, **name
        )
        (action,) = self.scaling.describe_scheduled_actions(**name)["ScheduledUpdateGroupActions"]
        self.assertEqual((action["StartTime"], action["DesiredCapacity"]), (at, 5))

        answer = self.scaling.put_scaling_policy(
            PolicyName="reservation",
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={
                "CustomizedMetricSpecification": {
                    "Namespace": "AWS/ECS/ManagedScaling",
                    "MetricName": "CapacityProviderReservation",
                    "Dimensions": [{"Name": "ClusterName", "Value": "shop"}],
                    "Statistic": "Average",
                },
                "TargetValue": 80.0,
            },
            **name,
        )
        self.assertEqual(len(answer["Alarms"]), 2)
        self.scaling.put_scaling_policy(
            PolicyName="steps",
            PolicyType="StepScaling",
            AdjustmentType="ChangeInCapacity",
            StepAdjustments=[{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
            **name,
        )
        policies = self.scaling.describe_policies(**name)["ScalingPolicies"]
        self.assertEqual([it["PolicyType"] for it in policies], ["TargetTrackingScaling", "StepScaling"])
        tracking = policies[0]["TargetTrackingConfiguration"]
        self.assertEqual(tracking["TargetValue"], 80.0)
        self.assertEqual(tracking["CustomizedMetricSpecification"]["Dimensions"][0]["Value"], "shop")
        self.assertEqual(policies[1]["StepAdjustments"][0]["MetricIntervalLowerBound"], 0.0)

    def test_6_it_is_deleted(self):
        call = self.scaling.delete_auto_scaling_group
        name = {"AutoScalingGroupName": self.NAME}
        self.refused("ResourceInUse", "still in the group", call, **name)
        call(ForceDelete=True, **name)
        for _ in range(10):
            groups = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.NAME])["AutoScalingGroups"]
            if not groups:
                return
            self.assertEqual(groups[0]["Status"], "Delete in progress")
        self.fail("the group is still there")

    def test_7_what_is_not_there_is_refused(self):
        self.refused(
            "ValidationError",
            "AutoScalingGroup name not found",
            self.scaling.set_desired_capacity,
            AutoScalingGroupName="nobody",
            DesiredCapacity=1,
        )
        self.refused(
            "ValidationError",
            "AutoScalingGroup name not found",
            self.scaling.describe_warm_pool,
            AutoScalingGroupName="nobody",
        )
        self.refused(
            "InvalidAction",
            "DescribeTrafficSources",
            self.scaling.describe_traffic_sources,
            AutoScalingGroupName="nobody",
        )

    def test_8_a_warm_pool_is_read(self):
        """`tests/cli/groups.rs` has made it: 60 instances beside a group of one."""
        name = {"AutoScalingGroupName": "pooled"}
        (group,) = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["pooled"])["AutoScalingGroups"]
        wanted = {"MinSize": 60, "PoolState": "Stopped"}
        self.assertEqual((group["WarmPoolConfiguration"], group["WarmPoolSize"]), (wanted, 60))
        pages = list(self.scaling.get_paginator("describe_warm_pool").paginate(**name))
        self.assertEqual([len(page["Instances"]) for page in pages], [50, 10])
        self.assertEqual([page["WarmPoolConfiguration"] for page in pages], [wanted, wanted])
        pooled = {it["InstanceId"] for page in pages for it in page["Instances"]}
        self.assertEqual(len(pooled), 60)
        self.assertFalse(pooled & {it["InstanceId"] for it in group["Instances"]})
        for instance in (it for page in pages for it in page["Instances"]):
            self.assertEqual((instance["LifecycleState"], instance["HealthStatus"]), ("Warmed:Stopped", "Healthy"))
        some = sorted(pooled)[:50]
        found = self.scaling.describe_auto_scaling_instances(InstanceIds=some)["AutoScalingInstances"]
        self.assertEqual({it["AutoScalingGroupName"] for it in found}, {"pooled"})
        self.assertEqual(sorted(it["InstanceId"] for it in found), some)
        self.refused("ValidationError", "50", self.scaling.describe_warm_pool, MaxRecords=51, **name)
        none = self.scaling.describe_warm_pool(AutoScalingGroupName="workers")
        self.assertEqual(none["Instances"], [])
        self.assertNotIn("WarmPoolConfiguration", none)


class Metrics(unittest.TestCase):
    """Over the protocol that botocore takes first: RPC v2 CBOR."""

    def setUp(self):
        self.watch = client("cloudwatch")

    def test_data_comes_out_as_it_went_in(self):
        start = datetime.datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        dimensions = [{"Name": "ClusterName", "Value": "shop"}]
        for minute, value in enumerate([12.5, 50, 0.125]):
            at = start + datetime.timedelta(minutes=minute, seconds=7)
            datum = {"MetricName": "m", "Dimensions": dimensions, "Timestamp": at, "Value": value}
            self.watch.put_metric_data(Namespace="Ballast", MetricData=[datum])
        query = {
            "Id": "q",
            "MetricStat": {
                "Metric": {"Namespace": "Ballast", "MetricName": "m", "Dimensions": dimensions},
                "Period": 60,
                "Stat": "Average",
            },
        }
        (result,) = self.watch.get_metric_data(
            MetricDataQueries=[query],
            StartTime=start,
            EndTime=start + datetime.timedelta(minutes=10),
            ScanBy="TimestampAscending",
        )["MetricDataResults"]
        self.assertEqual(result["Values"], [12.5, 50.0, 0.125])
        self.assertEqual(result["Timestamps"], [start + datetime.timedelta(minutes=it) for it in range(3)])
        self.assertEqual(result["StatusCode"], "Complete")

    def test_alarms(self):
        for number in range(3):
            self.watch.put_metric_alarm(
                AlarmName=f"alarm-{number}",
                Namespace="Ballast",
                MetricName="m",
                Dimensions=[{"Name": "ClusterName", "Value": "shop"}],
                Statistic="Maximum",
                Period=60,
                EvaluationPeriods=3,
                DatapointsToAlarm=2,
                Threshold=12.5,
                ComparisonOperator="GreaterThanThreshold",
                TreatMissingData="ignore",
            )
        pages = list(
            self.watch.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix="alarm-", PaginationConfig={"PageSize": 2}
            )
        )
        self.assertEqual([len(page["MetricAlarms"]) for page in pages], [2, 1])
        alarm = pages[0]["MetricAlarms"][0]
        self.assertEqual(alarm["AlarmName"], "alarm-0")
        self.assertEqual((alarm["Threshold"], alarm["TreatMissingData"]), (12.5, "ignore"))
        self.assertEqual(alarm["StateUpdatedTimestamp"].year, 2026)
        self.watch.set_alarm_state(AlarmName="alarm-1", StateValue="ALARM", StateReason="a test")
        (alarm,) = self.watch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        self.assertEqual((alarm["AlarmName"], alarm["StateReason"]), ("alarm-1", "a test"))
        with self.assertRaises(self.watch.exceptions.ResourceNotFound) as caught:
            self.watch.delete_alarms(AlarmNames=["alarm-0", "nobody"])
        self.assertEqual(caught.exception.response["Error"]["Code"], "ResourceNotFound")
        self.watch.delete_alarms(AlarmNames=["alarm-0", "alarm-1", "alarm-2"])
        self.assertEqual(self.watch.describe_alarms(AlarmNamePrefix="alarm-")["MetricAlarms"], [])

    def service(self, id, stat, period=60):
        dimensions = [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}]
        metric = {"Namespace": "Ballast", "MetricName": "cpu", "Dimensions": dimensions}
        return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, "ReturnData": False}

    def test_expressions_and_their_pages(self):
        start = datetime.datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        dimensions = self.service("m", "Sum")["MetricStat"]["Metric"]["Dimensions"]
        for minute, values in enumerate([[10, 30], [20, 60, 70], []]):
            for value in values:
                at = start + datetime.timedelta(minutes=minute)
                datum = {"MetricName": "cpu", "Dimensions": dimensions, "Timestamp": at, "Value": value}
                self.watch.put_metric_data(Namespace="Ballast", MetricData=[datum])
        asked = {"StartTime": start, "EndTime": start + datetime.timedelta(minutes=3), "ScanBy": "TimestampAscending"}
        (mean,) = self.watch.get_metric_data(
            MetricDataQueries=[
                self.service("m1", "Sum"),
                self.service("n1", "SampleCount"),
                {"Id": "mean", "Expression": "m1 / n1", "Label": "per task"},
            ],
            **asked,
        )["MetricDataResults"]
        self.assertEqual((mean["Id"], mean["Label"], mean["Values"]), ("mean", "per task", [20.0, 50.0]))
        self.assertTrue(all(isinstance(it, float) for it in mean["Values"]))
        (filled,) = self.watch.get_metric_data(
            MetricDataQueries=[
                self.service("m1", "p90"),
                self.service("n1", "SampleCount"),
                {"Id": "e1", "Expression": "FILL(IF(n1 > 2, m1, 100 / (n1 - 2)), REPEAT)"},
            ],
            **asked,
        )["MetricDataResults"]
        self.assertEqual(filled["Values"], [70.0, 70.0])
        self.assertEqual(filled["Messages"][0]["Code"], "ArithmeticError")
        pages = list(
            self.watch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[{**self.service("m1", "Sum"), "ReturnData": True}], MaxDatapoints=1, **asked
            )
        )
        self.assertEqual([page["MetricDataResults"][0]["Values"] for page in pages], [[40.0], [150.0]])
        self.assertEqual(
            [page["MetricDataResults"][0]["StatusCode"] for page in pages], ["PartialData", "Complete"]
        )
        for expression, words in [("m1 +", "Unexpected end"), ("SEARCH('x', 'Sum')", "Unknown function 'SEARCH'")]:
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                query = {"Id": "e1", "Expression": expression}
                self.watch.get_metric_data(MetricDataQueries=[self.service("m1", "Sum"), query], **asked)
            error = caught.exception.response["Error"]
            self.assertEqual(error["Code"], "ValidationError")
            self.assertIn(words, error["Message"])

    def test_what_is_no_number_is_refused(self):
        for value, word in [(float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity")]:
            with self.assertRaises(self.watch.exceptions.InvalidParameterValueException) as caught:
                self.watch.put_metric_data(Namespace="Ballast", MetricData=[{"MetricName": "odd", "Value": value}])
            self.assertIn(f"The value {word} for parameter", caught.exception.response["Error"]["Message"])

    def test_composite_alarms_and_alarms_on_expressions(self):
        self.watch.put_metric_alarm(
            AlarmName="math-high",
            Metrics=[
                self.service("m1", "Sum"),
                self.service("n1", "SampleCount"),
                {"Id": "mean", "Expression": "m1 / n1", "ReturnData": True},
            ],
            EvaluationPeriods=2,
            Threshold=80,
            ComparisonOperator="GreaterThanThreshold",
        )
        self.watch.put_composite_alarm(AlarmName="math-any", AlarmRule='ALARM("math-high") OR FALSE')
        (alarm,) = self.watch.describe_alarms(AlarmNames=["math-high"])["MetricAlarms"]
        self.assertEqual([it["Id"] for it in alarm["Metrics"]], ["m1", "n1", "mean"])
        self.assertEqual([it["ReturnData"] for it in alarm["Metrics"]], [False, False, True])
        self.assertEqual(alarm["Metrics"][0]["MetricStat"]["Stat"], "Sum")
        self.assertNotIn("MetricName", alarm)
        self.watch.set_alarm_state(AlarmName="math-high", StateValue="ALARM", StateReason="a test")
        found = self.watch.describe_alarms(AlarmNamePrefix="math-", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        self.assertEqual(len(found["MetricAlarms"]), 1)
        (composite,) = found["CompositeAlarms"]
        self.assertEqual(composite["AlarmRule"], 'ALARM("math-high") OR FALSE')
        self.assertEqual(composite["StateValue"], "ALARM")
        self.assertEqual(composite["StateUpdatedTimestamp"].year, 2026)
        self.assertEqual(self.watch.describe_alarms(AlarmNamePrefix="math-")["CompositeAlarms"], [])
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.watch.delete_alarms(AlarmNames=["math-high"])
        self.assertIn("depending on it: [math-any]", caught.exception.response["Error"]["Message"])
        self.watch.delete_alarms(AlarmNames=["math-high", "math-any"])

    def test_other_operations_are_refused_by_name(self):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.watch.list_dashboards()
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "UnknownOperationException")
        self.assertIn("ListDashboards", error["Message"])


if __name__ == "__main__":
    unittest.main()
