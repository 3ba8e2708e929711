use super::*;

fn lines(path: &str, count: usize) -> SourceFile {
    SourceFile::new(path, &"x\n".repeat(count))
}

#[test]
fn long_files_are_found() {
    for (path, limit) in [
        ("crates/core/src/route.rs", 500),
        ("crates/core/src/route/tests.rs", 1_000),
        ("crates/host/tests/e2e_docker.rs", 1_000),
    ] {
        assert_eq!(length(&lines(path, limit)), []);
        let [finding] = &length(&lines(path, limit + 1))[..] else {
            panic!("{path} passed");
        };
        assert_eq!(finding.place, path);
    }
    assert_eq!(length(&lines("README.md", 2_000)), []);
}

#[test]
fn mod_rs_is_found() {
    let finding = name(&lines("crates/core/src/route/mod.rs", 1));
    assert_eq!(finding.len(), 1);
    assert_eq!(name(&lines("crates/core/src/model.rs", 1)), []);
}

#[test]
fn only_the_projects_own_files_are_read() {
    let root = tempfile::tempdir().unwrap();
    for path in [
        "Cargo.toml",
        "crates/core/src/lib.rs",
        "container/Dockerfile",
        "target/debug/out.rs",
        "data/host.json",
        "picture.png",
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "text").unwrap();
    }
    let files = read_all(root.path()).unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "Cargo.toml",
            "container/Dockerfile",
            "crates/core/src/lib.rs"
        ]
    );
}
