use anchorhold_channel::{
    SecretSource,
    fake::{FakeClock, FakeEntropy},
};
use anchorhold_core::ids::ChannelName;

use super::*;

fn context(data_dir: &str) -> FactoryContext {
    FactoryContext {
        name: ChannelName::parse("cli").unwrap(),
        data_dir: data_dir.into(),
        clock: FakeClock::new(),
        entropy: FakeEntropy::new(),
        secrets: Arc::new(SecretSource {
            env: Box::new(|_name| None),
            file: Box::new(|_path| Err(std::io::ErrorKind::NotFound.into())),
        }),
    }
}

fn check(data_dir: &str, table: &str, expect: Result<&str, &[&str]>) {
    let found = read(&context(data_dir), table.parse().unwrap());
    let found = found.map_err(|problems| {
        let problems = problems.iter().map(ToString::to_string);
        problems.collect::<Vec<_>>()
    });
    let expect = expect
        .map(Utf8PathBuf::from)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect());
    assert_eq!(found, expect, "{table}");
}

#[test]
fn the_socket_is_where_the_table_says() {
    check("/data", "", Ok("/data/cli.sock"));
    check("/data", "socket = 'mine.sock'", Ok("/data/mine.sock"));
    check("/data", "socket = '/run/x.sock'", Ok("/run/x.sock"));
    assert_eq!(default_socket("/data".into(), "cli"), "/data/cli.sock");
}

#[test]
fn what_is_wrong_is_said() {
    let long: &[&str] = &["socket: the path is too long: a socket's has at most 107 bytes"];
    check(&format!("/{}", "d".repeat(99)), "", Err(long));
    check(
        &format!("/{}", "d".repeat(94)),
        "",
        Ok(&format!("/{}/cli.sock", "d".repeat(94))),
    );
    check(
        "/data",
        "socket = 1",
        Err(&["socket: has to be a path, not this whole number"]),
    );
    check(
        "/data",
        "socket = '/'",
        Err(&["socket: has to end in a file name"]),
    );
    check(
        "/data",
        "sokcet = 'x'",
        Err(&["sokcet: is not a key here, did you mean `socket`?"]),
    );
}
