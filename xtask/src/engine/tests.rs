use super::*;

#[test]
fn the_address_asked_for_wins_then_the_environment() {
    assert_eq!(pick(Some("tcp://a:1"), Some("unix:///b")), "tcp://a:1");
    assert_eq!(pick(None, Some("unix:///b")), "unix:///b");
    assert_eq!(pick(None, None), "unix:///var/run/docker.sock");
}

#[test]
fn an_engine_of_ours_stays_in_its_folder() {
    let arguments = arguments(Path::new("/tmp/engine-1"));
    assert_eq!(
        arguments,
        [
            "--host=unix:///tmp/engine-1/docker.sock",
            "--data-root=/tmp/engine-1/data",
            "--exec-root=/tmp/engine-1/exec",
            "--pidfile=/tmp/engine-1/docker.pid",
            "--containerd-namespace=engine-1",
            "--containerd-plugins-namespace=engine-1-plugins",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
        ]
    );
}

#[test]
fn nobody_answers_at_a_socket_that_is_not_there() {
    let sh = Shell::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = address_in(folder.path());
    assert!(Engine::find(&sh, Some(&address)).is_none());
}
