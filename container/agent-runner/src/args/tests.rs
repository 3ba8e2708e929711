use anchorhold_core::sandbox::Generation;

use crate::{args::Args, provider::Harness, report};

fn check(line: &str, expect: Result<Args, &str>) {
    let found = Args::parse(line.split_whitespace().map(str::to_owned));
    let found = found.map_err(|error| report(&error));
    assert_eq!(found, expect.map_err(str::to_owned), "{line}");
}

#[test]
fn the_command_line() {
    check(
        "--generation 7",
        Ok(Args {
            generation: Generation(7),
            in_dir: "/anchorhold/in".into(),
            out_dir: "/anchorhold/out".into(),
            workspace: "/workspace".into(),
            harness: Harness {
                home: "/anchorhold/out/harness".into(),
                ..Harness::default()
            },
        }),
    );
    check(
        "--in /i --out /o --workspace /w --generation 1 --harness {\"command\":[\"x\"]}",
        Ok(Args {
            generation: Generation(1),
            in_dir: "/i".into(),
            out_dir: "/o".into(),
            workspace: "/w".into(),
            harness: Harness {
                command: vec!["x".to_owned()],
                home: "/o/harness".into(),
                ..Harness::default()
            },
        }),
    );
    check("", Err("--generation N is missing"));
    check("--generation", Err("--generation needs a value"));
    check(
        "--generation 0",
        Err("--generation \"0\" is no number from 1 on"),
    );
    check(
        "--generation -1",
        Err("--generation \"-1\" is no number from 1 on"),
    );
    check("--generation 1 --in", Err("--in needs a value"));
    check(
        "--generation 1 --harness {\"shell\":1}",
        Err(
            "--harness is not what it should be: unknown field `shell`, expected `command` or \
             `environment` at line 1 column 8",
        ),
    );
    check("--help", Err("unknown argument \"--help\""));
}
