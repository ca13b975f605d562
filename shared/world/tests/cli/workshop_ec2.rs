//! The workshop's chapters on EC2, with its own commands, read from the document when the test runs.
//!
//! Its stack is made with CDK; here the groups are there already, and a shell function answers the two questions to CloudFormation
//! with their names. Everything else is the AWS CLI against the world.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::strategy::Market;
use world::face::Face;
use world::{GroupSpec, LaunchSpec, TaskDefinition};

use crate::aws_cli::{code_blocks, rows};
use crate::judge::{bash, face, programs_with, published};

/// The names of the groups, as the stack's outputs; and the Region, which the workshop's shell knows.
const PRELUDE: &str = r#"
export AWS_REGION=us-west-2
aws() {
    if [ "$1" = cloudformation ]; then
        case "$*" in *EC2SpotASGName*) echo spot-group ;; *) echo small-group ;; esac
    else
        command aws "$@"
    fi
}
"#;

const SERVICE: &str = "ecsdemo-capacityproviders-ec2";

struct Workshop {
    face: Face,
    programs: PathBuf,
    document: String,
}

impl Workshop {
    /// The workshop's first block that has these words, and in which the others do not occur.
    fn block(&self, with: &[&str], without: &[&str]) -> &str {
        let fits = |block: &&str| {
            with.iter().all(|it| block.contains(it)) && !without.iter().any(|it| block.contains(it))
        };
        code_blocks(&self.document)
            .find(fits)
            .unwrap_or_else(|| panic!("the workshop has no block with {with:?}"))
    }

    async fn run(&self, script: &str) -> String {
        bash(&self.face, &self.programs, script).await
    }

    fn wait(&self, secs: u32) {
        self.face.with_world(|world| world.advance_secs(secs));
    }

    async fn scale_to(&self, desired: u32) {
        let command = format!(
            "aws ecs update-service --cluster container-demo --service {SERVICE} --desired-count {desired} --output json"
        );
        self.run(&command).await;
    }

    /// For each provider, the running tasks of its container instances, the fewest first: the workshop's own table.
    async fn instances(&self) -> BTreeMap<String, Vec<u32>> {
        let command = self.block(&["aws ecs describe-container-instances"], &[]);
        let table = self.run(command).await;
        let mut all: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for row in rows(&table, "DescribeContainerInstances") {
            assert!(row["InstanceId"].starts_with("i-"), "{table}");
            let tasks = row["RunningTasks"].parse().unwrap();
            all.entry(family(&row["CapacityProvider"]))
                .or_default()
                .push(tasks);
        }
        for counts in all.values_mut() {
            counts.sort_unstable();
        }
        all
    }

    /// How many tasks each provider runs: the workshop's own table.
    async fn tasks(&self) -> BTreeMap<String, u32> {
        let command = self.block(&["aws ecs describe-tasks"], &[]);
        let table = self.run(command).await;
        let mut all = BTreeMap::new();
        for row in rows(&table, "DescribeTasks") {
            assert_eq!(row["LastStatus"], "RUNNING", "{table}");
            *all.entry(family(&row["CapacityProvider"])).or_insert(0) += 1;
        }
        all
    }
}

/// The workshop's providers have the time of their making in their names.
fn family(provider: &str) -> String {
    let family = if provider.starts_with("EC2Spot") {
        "EC2Spot"
    } else {
        "EC2"
    };
    let made_at = provider.strip_prefix(family).unwrap();
    assert!(made_at.parse::<u64>().is_ok(), "{provider}");
    family.to_owned()
}

async fn workshop() -> Option<Workshop> {
    let programs = programs_with("aws")?;
    let document = published("seeds", "000")?;
    let face = face().await;
    face.with_world(|world| {
        world.declare_launch_template("small", "t3.small", Market::OnDemand);
        let small = LaunchSpec::template("small");
        world.declare_auto_scaling_group(GroupSpec::new("small-group", small, 0, 0, 10));
        // The types are the document's own.
        let quoted = document.split("\"instanceType\": \"").skip(1);
        let mut types: Vec<&str> = quoted.filter_map(|it| it.split('"').next()).collect();
        types.remove(0);
        assert_eq!(types.len(), 10, "the template's type and ten overrides");
        let large = LaunchSpec::spot("large", &types);
        world.declare_auto_scaling_group(GroupSpec::new("spot-group", large, 0, 0, 10));
        for group in ["small-group", "spot-group"] {
            world.join_cluster(group, &"container-demo".parse().unwrap());
        }
        let definition = TaskDefinition::on_instances(SERVICE, 256, 512);
        world.add_task_definition_of(definition).unwrap();
    });
    Some(Workshop {
        face,
        programs,
        document,
    })
}

/// Chapter one: a provider over the group of `t3.small`, and its service goes from one task to ten and back. Gives the provider's name.
async fn first_chapter(workshop: &Workshop) -> String {
    let create = workshop.block(
        &["aws ecs create-capacity-provider", "$asg_name"],
        &["spot"],
    );
    let put = workshop.block(
        &["put-cluster-capacity-providers", "$capacity_provider_name"],
        &["spot"],
    );
    let script = format!("{PRELUDE}{create}{put}\necho \"name $capacity_provider_name\"");
    let said = workshop.run(&script).await;
    let name = said.lines().find_map(|it| it.strip_prefix("name "));
    let name = name.unwrap().to_owned();
    workshop.wait(600);
    let command = format!(
        "aws ecs create-service --cluster container-demo --service-name {SERVICE} --task-definition {SERVICE} --desired-count 1"
    );
    workshop.run(&command).await;
    workshop.wait(60);
    assert_eq!(workshop.instances().await["EC2"], [0, 1]);
    workshop.scale_to(10).await;
    workshop.wait(600);
    assert_eq!(workshop.tasks().await["EC2"], 10);
    let counts = workshop.instances().await.remove("EC2").unwrap();
    assert_eq!((counts.len(), counts.iter().sum::<u32>()), (5, 10));
    workshop.scale_to(1).await;
    workshop.wait(3_600);
    assert_eq!(workshop.instances().await["EC2"], [0, 1]);
    name
}

#[tokio::test]
async fn the_workshops_own_commands_show_its_tables() {
    let Some(workshop) = workshop().await else {
        return;
    };
    let name = first_chapter(&workshop).await;

    let create = workshop.block(&["aws ecs create-capacity-provider", "$spot_asg_name"], &[]);
    let put = workshop.block(
        &[
            "put-cluster-capacity-providers",
            "$spot_capacity_provider_name",
        ],
        &[],
    );
    let redeploy = format!(
        "aws ecs update-service --cluster container-demo --service {SERVICE} --force-new-deployment --capacity-provider-strategy \
         capacityProvider=$capacity_provider_name,weight=1,base=1 capacityProvider=$spot_capacity_provider_name,weight=4,base=0"
    );
    let script = format!("{PRELUDE}capacity_provider_name={name}\n{create}{put}{redeploy}");
    workshop.run(&script).await;
    workshop.wait(500);
    let before = workshop.instances().await;
    assert_eq!(before["EC2"], [0, 1]);
    assert_eq!(before["EC2Spot"], [0, 0]);

    workshop.scale_to(40).await;
    workshop.wait(420);
    let tasks = workshop.tasks().await;
    assert_eq!((tasks["EC2"], tasks["EC2Spot"]), (9, 31));
    let after = workshop.instances().await;
    assert_eq!(after["EC2"], [0, 3, 3, 3]);
    let spot = &after["EC2Spot"];
    assert_eq!((spot.len(), spot.iter().sum::<u32>()), (5, 31));
    assert_eq!(spot.iter().filter(|it| **it > 0).count(), 4);

    // Two filters that operators use, and a drain by hand.
    let one = "aws ecs list-container-instances --cluster container-demo --status ACTIVE \
         --filter \"attribute:ecs.instance-type == t3.small and runningTasksCount == 0\" --query 'containerInstanceArns[]' --output text";
    let empty = workshop.run(one).await;
    assert_eq!(empty.lines().count(), 1, "{empty}");
    let drain = format!(
        "aws ecs update-container-instances-state --cluster container-demo --status DRAINING --container-instances {} \
         --query 'containerInstances[].status' --output text",
        empty.trim()
    );
    assert_eq!(workshop.run(&drain).await, "DRAINING\n");
}
