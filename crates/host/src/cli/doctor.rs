//! `anchorhold doctor`: what works on this machine, and what is really enforced.

use std::{process::ExitCode, time::Duration};

use anchorhold_core::entity::RuntimeChoice;
use anchorhold_runner::runtime::{Runtime, RuntimeKind};
use anchorhold_store::Store;
use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    app::{World, candidates, docker_was_used, find_runner},
    cli::{Common, Environment},
    config::{Config, DOCKER_ENGINE},
    control::{Request, ask},
    dirs::Dirs,
    output,
    report::report,
    settings,
};

/// How long a runtime may take to answer.
const PING_LIMIT: Duration = Duration::from_secs(10);

/// How one check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    /// It works, but an operator may want to know.
    Note,
    Bad,
}

/// One check.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    verdict: Verdict,
    detail: String,
}

/// Checks everything and says so; fails if something is bad.
pub async fn run(
    common: &Common,
    runner: Option<Utf8PathBuf>,
    environment: &Environment,
    world: &World,
) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    let config = check_config(common, &mut findings);
    let dirs = Dirs::look(&common.data_dir)?;
    check_runner(&find_runner(runner.as_deref()), &mut findings);
    check_host(&dirs, &mut findings).await;
    check_database(&dirs, &mut findings).await;
    let docker_host = environment.docker_host.as_deref();
    let engine = config.as_ref().map_or_else(
        || docker_host.unwrap_or(DOCKER_ENGINE).to_owned(),
        |config| config.host.engine(docker_host).to_owned(),
    );
    check_runtimes(config.as_ref(), &engine, &dirs, &mut findings).await;
    findings.push(Finding {
        what: "clock".to_owned(),
        verdict: Verdict::Note,
        detail: format!("it is {} (UTC)", world.clock.now()),
    });
    print(common, &findings)?;
    let bad = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    Ok(if bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(common: &Common, findings: &[Finding]) -> anyhow::Result<()> {
    for finding in findings {
        if common.json {
            output::json(finding)?;
            continue;
        }
        let mark = match finding.verdict {
            Verdict::Good => "ok  ",
            Verdict::Note => "note",
            Verdict::Bad => "BAD ",
        };
        output::data(&format!("{mark} {}: {}", finding.what, finding.detail));
    }
    Ok(())
}

fn check_config(common: &Common, findings: &mut Vec<Finding>) -> Option<Config> {
    let what = "configuration".to_owned();
    match settings::read(&common.config) {
        Ok((config, _)) => {
            let detail = format!("{} has nothing wrong", common.config);
            findings.push(Finding {
                what,
                verdict: Verdict::Good,
                detail,
            });
            Some(config)
        }
        Err(failure) => {
            let detail = report(&failure).to_string();
            findings.push(Finding {
                what,
                verdict: Verdict::Bad,
                detail,
            });
            None
        }
    }
}

fn check_runner(path: &Utf8Path, findings: &mut Vec<Finding>) {
    let (verdict, detail) = match std::fs::read(path) {
        Err(failure) => (Verdict::Bad, format!("{path}: {failure}")),
        Ok(bytes) if is_static(&bytes) => (Verdict::Good, format!("{path} is one static binary")),
        Ok(_) => (
            Verdict::Note,
            format!(
                "{path} needs the C library of its image; `cargo xtask up` builds a static one"
            ),
        ),
    };
    findings.push(Finding {
        what: "agent-runner".to_owned(),
        verdict,
        detail,
    });
}

/// A dynamically linked program names the loader that the kernel is to start.
fn is_static(elf: &[u8]) -> bool {
    let head = elf.get(..elf.len().min(4096)).unwrap_or_default();
    !head.windows(3).any(|bytes| bytes == b"/ld") && elf.starts_with(b"\x7fELF")
}

async fn check_host(dirs: &Dirs, findings: &mut Vec<Finding>) {
    let (host, doorbell) = match ask(&dirs.control(), Request::Status).await {
        Some(status) => (
            format!("runs with pid {} on {}", status.pid, dirs.root()),
            status.doorbell,
        ),
        None => (
            format!("none runs on {}", dirs.root()),
            "not tried: a running host and its sandboxes try it".to_owned(),
        ),
    };
    for (what, detail) in [("host", host), ("doorbell", doorbell)] {
        findings.push(Finding {
            what: what.to_owned(),
            verdict: Verdict::Note,
            detail,
        });
    }
}

async fn check_database(dirs: &Dirs, findings: &mut Vec<Finding>) {
    if !dirs.database().is_file() {
        return;
    }
    let health = match Store::open_reading(dirs.database().as_std_path()).await {
        Ok(store) => store.health().await,
        Err(failure) => Err(failure),
    };
    let (verdict, detail) = match health {
        Ok(health) if health.problems.is_empty() => (
            Verdict::Good,
            format!(
                "schema {}, SQLite {}, journal {}",
                health.schema_version, health.sqlite_version, health.journal_mode
            ),
        ),
        Ok(health) => (Verdict::Bad, health.problems.join("; ")),
        Err(failure) => (Verdict::Bad, report(&failure).to_string()),
    };
    findings.push(Finding {
        what: "database".to_owned(),
        verdict,
        detail,
    });
}

/// Both runtimes; what does not work is bad only where it is needed.
async fn check_runtimes(
    config: Option<&Config>,
    engine: &str,
    dirs: &Dirs,
    findings: &mut Vec<Finding>,
) {
    let mut works = Vec::new();
    for runtime in candidates(engine, dirs) {
        let kind = runtime.kind();
        match timeout(PING_LIMIT, runtime.ping()).await {
            Ok(Ok(info)) => {
                works.push(kind);
                let detail = format!("{} ({})", info.version, info.api);
                findings.push(Finding {
                    what: format!("runtime {kind}"),
                    verdict: Verdict::Good,
                    detail,
                });
                findings.extend(info.enforcement.iter().map(|wall| Finding {
                    what: format!("runtime {kind}, {}", wall.what),
                    verdict: if wall.how == "none" {
                        Verdict::Note
                    } else {
                        Verdict::Good
                    },
                    detail: wall.how.clone(),
                }));
            }
            Ok(Err(failure)) => {
                findings.push(absent(config, &*runtime, report(&failure).to_string()));
            }
            Err(_elapsed) => {
                findings.push(absent(config, &*runtime, "it does not answer".to_owned()));
            }
        }
    }
    let in_force = match config.map_or(RuntimeChoice::Auto, |config| config.host.runtime) {
        RuntimeChoice::Docker => Some(RuntimeKind::Docker),
        RuntimeChoice::Sandbox => Some(RuntimeKind::Sandbox),
        RuntimeChoice::Auto if docker_was_used(dirs) => Some(RuntimeKind::Docker),
        RuntimeChoice::Auto => works.iter().copied().min(),
    };
    let (verdict, detail) = match in_force {
        Some(kind) if works.contains(&kind) => {
            (Verdict::Good, format!("agents that name none get {kind}"))
        }
        Some(kind) => (
            Verdict::Bad,
            format!("{kind} is asked for and does not work"),
        ),
        None => (Verdict::Bad, "nothing here can wall an agent in".to_owned()),
    };
    findings.push(Finding {
        what: "runtime in force".to_owned(),
        verdict,
        detail,
    });
}

fn absent(config: Option<&Config>, runtime: &dyn Runtime, detail: String) -> Finding {
    let choice = match runtime.kind() {
        RuntimeKind::Docker => RuntimeChoice::Docker,
        RuntimeKind::Sandbox => RuntimeChoice::Sandbox,
    };
    let needed = config.is_some_and(|config| {
        config.host.runtime == choice || config.agents.iter().any(|agent| agent.runtime == choice)
    });
    Finding {
        what: format!("runtime {}", runtime.kind()),
        verdict: if needed { Verdict::Bad } else { Verdict::Note },
        detail,
    }
}
