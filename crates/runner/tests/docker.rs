//! The suite over a container engine, and what is true of it alone.
//!
//! The engine is the one at `DOCKER_HOST`, or else at its usual socket. Without one these tests
//! fail: choose `sandbox` alone where there is none.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::sync::Arc;

use anchorhold_core::sandbox::ExitStatus;
use anchorhold_runner::{
    docker::DockerRuntime, error::RuntimeError, runtime::Runtime as _, spec::Root,
};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{CreateContainerOptions, CreateImageOptions, RemoveContainerOptions},
};
use futures_util::StreamExt as _;

mod suite;

use suite::{Bench, install, temp_dir};

const IMAGE: &str = "anchorhold-runner-test";
/// Changes with what is in the image.
const TAG: &str = "1";
fn address() -> String {
    #[expect(clippy::disallowed_methods, reason = "how these tests are configured")]
    let configured = std::env::var("DOCKER_HOST").ok();
    configured.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned())
}

async fn client() -> Docker {
    let address = address();
    let docker = match address.strip_prefix("unix://") {
        Some(path) => Docker::connect_with_unix(path, 60, API_DEFAULT_VERSION),
        None => Docker::connect_with_http(&address, 60, API_DEFAULT_VERSION),
    };
    let missing = "a container engine answers at DOCKER_HOST or /var/run/docker.sock";
    docker
        .expect(missing)
        .negotiate_version()
        .await
        .expect(missing)
}

async fn bench() -> Bench {
    make_image(&client().await).await;
    Bench {
        fresh: Box::new(|| Arc::new(DockerRuntime::new(&address()).unwrap())),
        root: Root::Image(format!("{IMAGE}:{TAG}")),
        dir: temp_dir(),
        install: install(),
    }
}

/// Makes the image from this machine's own programs, so that no registry is needed.
async fn make_image(docker: &Docker) {
    if docker
        .inspect_image(&format!("{IMAGE}:{TAG}"))
        .await
        .is_ok()
    {
        return;
    }
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(IMAGE.to_owned()),
        tag: Some(TAG.to_owned()),
        ..CreateImageOptions::default()
    };
    let body = bollard::body_full(suite::root::archive().into());
    let mut stream = std::pin::pin!(docker.create_image(Some(options), Some(body), None));
    while let Some(progress) = stream.next().await {
        progress.expect("the engine imports the image");
    }
}

suite!(bench() =>
    walls::{
        defect_14_the_walls_stand, mounts_are_what_the_spec_says, nothing_of_the_host_shows,
        the_environment_is_the_specs, arguments_are_never_interpreted, a_missing_source_is_refused,
    },
    limits::{
        a_memory_hog_is_out_of_memory, a_full_tmp_is_an_error_inside, a_fork_bomb_is_bounded,
        a_file_is_bounded, the_processor_is_shared, the_log_is_kept_and_bounded,
    },
    ends::{
        the_exit_code_is_passed_on, a_kill_from_outside_is_noticed,
        what_the_command_leaves_behind_is_gone_too, stop_lets_the_command_finish,
        stop_kills_what_ignores_it, no_grace_is_a_kill, an_unknown_instance_is_gone,
        a_dropped_wait_loses_nothing,
    },
    sharing::{
        start_is_idempotent, installs_do_not_see_each_other, defect_59_the_next_host_adopts,
        an_end_that_no_host_saw_is_known,
    },
);

#[tokio::test]
async fn a_missing_image_is_refused_with_a_remedy() {
    let bench = bench().await;
    let mut spec = bench.spec("true");
    spec.root = Root::Image("anchorhold-no-such-image:1".to_owned());
    match (bench.fresh)().start(&spec).await {
        Err(RuntimeError::Refused { what, .. }) => {
            assert!(what.contains("cargo xtask image"), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_says_so_in_the_log() {
    let bench = bench().await;
    let mut spec = bench.spec("true");
    spec.command = vec!["/no/such/program".to_owned()];
    // The engine's init is there and runs; it is the one that does not find the program.
    assert_eq!(bench.run(&spec).await, ExitStatus::Code(127));
    assert!(
        suite::log(&spec).contains("/no/such/program"),
        "{}",
        suite::log(&spec)
    );
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_unavailable() {
    for address in ["unix:///no/such/socket", "http://127.0.0.1:1"] {
        let runtime = DockerRuntime::new(address).unwrap();
        match runtime.list(install()).await {
            Err(RuntimeError::Unavailable { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    match DockerRuntime::new("ssh://somewhere") {
        Err(RuntimeError::Refused { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_container_of_the_same_name_that_is_not_ours_is_left_alone() {
    let bench = bench().await;
    let docker = client().await;
    let spec = bench.spec("true");
    let options = CreateContainerOptions {
        name: Some(spec.name()),
        ..CreateContainerOptions::default()
    };
    let body = ContainerCreateBody {
        image: Some(format!("{IMAGE}:{TAG}")),
        cmd: Some(vec!["/bin/true".to_owned()]),
        host_config: Some(HostConfig::default()),
        ..ContainerCreateBody::default()
    };
    docker.create_container(Some(options), body).await.unwrap();
    let runtime = (bench.fresh)();
    for result in [
        runtime.start(&spec).await.map(drop),
        runtime.wait(&spec.id()).await.map(drop),
        runtime.stop(&spec.id(), std::time::Duration::ZERO).await,
    ] {
        match result {
            Err(RuntimeError::Refused { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    docker
        .remove_container(&spec.name(), None::<RemoveContainerOptions>)
        .await
        .unwrap();
}

#[tokio::test]
async fn ping_says_what_the_engine_enforces() {
    let info = (bench().await.fresh)().ping().await.unwrap();
    let lines: Vec<String> = info.enforcement.iter().map(ToString::to_string).collect();
    let found = lines
        .iter()
        .filter(|line| line.ends_with(": none"))
        .collect::<Vec<_>>();
    // Which walls a machine lacks differs; those that the suite relies on it must have.
    for wall in ["memory limit", "pids limit", "cpu limit", "seccomp"] {
        assert!(
            !found.iter().any(|line| line.starts_with(wall)),
            "{lines:#?}"
        );
    }
}
