use super::*;

#[test]
fn the_status_is_read_whatever_is_there() {
    let started = r#"{ "child-pid": 42, "net-namespace": 4026532183 }"#;
    for (text, init, exit_code) in [
        (String::new(), None, None),
        (started.to_owned(), Some(42), None),
        (
            format!("{started}\n{{ \"exit-code\": 7 }}\n"),
            Some(42),
            Some(7),
        ),
        (format!("{started}\n{{ \"exit-co"), Some(42), None),
        ("garbage".to_owned(), None, None),
        (r#"{ "child-pid": "x" }"#.to_owned(), None, None),
    ] {
        assert_eq!(parse_status(&text), Status { init, exit_code }, "{text}");
    }
}

#[test]
fn a_record_is_read_back_and_only_in_its_own_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = Utf8PathBuf::from_path_buf(dir.path().join(name)).unwrap();
        Folder(path)
    };
    let record = Record {
        name: "one".to_owned(),
        boot: "b".to_owned(),
        log: "/var/log/x".into(),
        cgroups: vec!["/sys/fs/cgroup/x".into()],
        monitor: Some(ProcessRef { pid: 3, started: 4 }),
        init: None,
        ended: Some(ExitStatus::Code(3)),
    };
    let one = folder("one");
    assert_eq!(one.read().unwrap(), None);
    one.create().unwrap();
    one.write(&record).unwrap();
    assert_eq!(one.read().unwrap().as_ref(), Some(&record));
    let two = folder("two");
    two.create().unwrap();
    two.write(&record).unwrap();
    assert_eq!(two.read().unwrap(), None);
    fs::write(one.file(RECORD), "{").unwrap();
    assert_eq!(one.read().unwrap(), None);
}
