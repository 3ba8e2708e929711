use std::os::unix::process::ExitStatusExt;

use super::*;

#[test]
fn the_host_is_told_its_files_and_the_runner() {
    let system = System {
        host: "/b/anchorhold".into(),
        runner: "/b/agent-runner".into(),
        config: "/w/channels.toml".into(),
        data_dir: "/w/data".into(),
    };
    let expected = [
        "run",
        "--config",
        "/w/channels.toml",
        "--data-dir",
        "/w/data",
        "--runner",
        "/b/agent-runner",
    ];
    assert_eq!(system.arguments(), expected.map(Path::new));
}

#[test]
fn the_exit_code_is_the_chats() {
    let code = |raw| format!("{:?}", exit_code(ExitStatus::from_raw(raw)));
    let expected = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(code(0), expected(0));
    assert_eq!(code(3 << 8), expected(3));
    let killed = 9;
    assert_eq!(code(killed), expected(1));
}
