//! `ballast status`: what runs in a cluster, and what is missing.

use calls::Deadline;
use model::snapshot::Scope;

use crate::aws::Aws;
use crate::cli::{Output, StatusArgs};
use crate::error::CliError;
use crate::output::Screen;
use crate::progress::spinner;
use crate::status::{Status, instances, pairs, tasks};

/// How long the whole look may take.
const LOOK_SECS_MAX: u64 = 60;

/// Runs the command.
pub(crate) async fn run(args: &StatusArgs, screen: &Screen) -> Result<(), CliError> {
    let waiting = spinner(&format!("looking at `{}`", args.cluster));
    let status = look(args).await;
    waiting.finish_and_clear();
    let status = status?;
    match args.output {
        Output::Table => screen.print(&status.tables(*screen)),
        Output::Json => screen.print_json(&status),
    }
}

async fn look(args: &StatusArgs) -> Result<Status, CliError> {
    let aws = Aws::connect(&args.endpoint)?;
    let deadline = Deadline::after(std::time::Duration::from_secs(LOOK_SECS_MAX));
    let cluster = tasks::describe_cluster(&aws, &args.cluster, deadline).await?;
    let tasks = tasks::look(&aws, &args.cluster, deadline).await?;
    let scope = Scope::Clusters(vec![args.cluster.clone()]);
    let snapshot = aws
        .observer()
        .look(&scope, deadline)
        .await
        .map_err(CliError::Blind)?;
    let container_instances = if cluster.container_instances > 0 {
        instances::look(&aws, &args.cluster, deadline).await?
    } else {
        Vec::new()
    };
    Ok(Status {
        cluster: args.cluster.clone(),
        taken_at: snapshot.taken_at,
        capacity_providers: cluster.capacity_providers,
        default_strategy: cluster.default_strategy,
        tasks,
        services: pairs::rows(&snapshot),
        container_instances,
        gaps: snapshot.gaps,
    })
}
