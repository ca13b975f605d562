//! Finding a judge, and asking it.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;
use world::face::{Face, FaceOptions, serve};
use world::{Config, Operation, World};

/// The workspace's folder.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

/// The folder of the virtual environment's programs, when it has this one.
pub(crate) fn programs_with(program: &str) -> Option<PathBuf> {
    let venv =
        std::env::var_os("BALLAST_VENV").map_or_else(|| workspace().join(".venv"), PathBuf::from);
    let programs = venv.join("bin");
    if programs.join(program).is_file() {
        return Some(programs);
    }
    let why = format!(
        "there is no `{program}` in {}: `make setup` installs it",
        programs.display()
    );
    let required = std::env::var_os("CI").is_some_and(|value| !value.is_empty())
        || std::env::var("BALLAST_REQUIRE_JUDGES").is_ok_and(|value| value == "1");
    assert!(!required, "{why}");
    eprintln!("skipped: {why}");
    None
}

/// A published document beside the project, when it is there.
pub(crate) fn published(folder: &str, file_starts_with: &str) -> Option<String> {
    let shared = std::env::var_os("BALLAST_SHARED")
        .map_or_else(|| workspace().join("../shared"), PathBuf::from);
    let folder = shared.join(folder);
    let found = std::fs::read_dir(&folder).ok().and_then(|entries| {
        entries.filter_map(Result::ok).find(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(file_starts_with)
        })
    });
    let Some(file) = found else {
        eprintln!(
            "skipped: there is no `{file_starts_with}*` in {}",
            folder.display()
        );
        return None;
    };
    Some(std::fs::read_to_string(file.path()).unwrap())
}

/// A world whose calls take no time away from the rate buckets, with an empty cluster `container-demo`.
pub(crate) async fn face() -> Face {
    let mut world = World::new(Config::new(7));
    call(
        &mut world,
        Operation::CreateCluster,
        json!({"clusterName": "container-demo"}),
    );
    serve(world, FaceOptions::default()).await.unwrap()
}

/// Calls an operation that must succeed.
pub(crate) fn call(world: &mut World, operation: Operation, input: Value) -> Value {
    world
        .call(operation, input)
        .unwrap_or_else(|error| panic!("{}: {error}", operation.name()))
}

/// Runs a program of the virtual environment with the environment that the face asks for and with nothing else: no settings of
/// this computer reach it.
pub(crate) async fn ask(face: &Face, programs: &Path, program: &str, arguments: &[&str]) -> Output {
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C.UTF-8")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(face.environment())
        .output()
        .await
        .unwrap()
}

/// Runs a command line in bash, which must succeed, and gives what it prints.
pub(crate) async fn bash(face: &Face, programs: &Path, command: &str) -> String {
    let output = ask(face, programs, "bash", &["-c", command]).await;
    assert!(
        output.status.success(),
        "`{command}` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
