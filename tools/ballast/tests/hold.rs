//! `ballast lab --hold`: the world answers while it is open, and nothing is left behind when it is asked to end.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// How often the process is looked at before the function counts as left behind.
const LOOKS_MAX: u32 = 100_000;

/// Kills the lab when a test fails half-way.
struct Lab(Child);

impl Drop for Lab {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

/// Whether there is such a process and it has not ended: `Z` is one that nobody has asked about since it did.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
fn runs(pid: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit(')').next().unwrap();
    !state.trim_start().starts_with(['Z', 'X'])
}

#[test]
fn an_open_world_answers_and_ends_with_its_function() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hold-binaries");
    std::fs::create_dir_all(&folder).unwrap();
    let pid_file = folder.join("pid");
    let real = Path::new(env!("CARGO_BIN_EXE_ballast")).with_file_name("spot-fallback");
    let script = folder.join("spot-fallback");
    // The real function, whose process id is known.
    let text = format!(
        "#!/bin/sh\necho $$ > '{}'\nexec '{}'\n",
        pid_file.display(),
        real.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();

    let child = Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args([
            "lab",
            "--minutes",
            "5",
            "--hold",
            "--binaries",
            folder.to_str().unwrap(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lab = Lab(child);
    let mut lines = BufReader::new(lab.0.stdout.take().unwrap()).lines();
    let mut exports = Vec::new();
    loop {
        let Some(line) = lines.next() else {
            panic!("the lab ended before it held its world open")
        };
        let line = line.unwrap();
        if let Some((name, value)) = line
            .strip_prefix("export ")
            .and_then(|it| it.split_once('='))
        {
            exports.push((name.to_owned(), value.to_owned()));
        }
        if line.starts_with("aws ecs ") {
            break;
        }
    }

    let status = Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(["status", "--cluster", "container-demo"])
        .envs(exports)
        .output()
        .unwrap();
    assert!(status.status.success());
    assert!(
        String::from_utf8(status.stdout)
            .unwrap()
            .contains("web-standby")
    );

    let function = std::fs::read_to_string(&pid_file).unwrap();
    assert!(runs(function.trim()));
    let asked = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", lab.0.id())])
        .status()
        .unwrap();
    assert!(asked.success());
    assert_eq!(lab.0.wait().unwrap().code(), Some(0));
    assert!(
        (0..LOOKS_MAX).any(|_| !runs(function.trim())),
        "the function was left behind"
    );
}
