use super::*;

#[test]
fn a_host_is_configured_in_full() {
    let setup = Setup {
        max_sandboxes: 8,
        ..Setup::cold(Runtime::Docker)
    };
    assert_eq!(
        setup.config("unix:///run/engine.sock"),
        r#"[host]
runtime = "docker"
docker = "unix:///run/engine.sock"
max_sandboxes = 8

[channels.cli]
type = "cli"

[agents.bench]
provider = "offline"

[agents.bench.limits]
idle = "1s"

[[wirings]]
channel = "cli"
chat = "*"
agent = "bench"
"#
    );
}
