use super::*;

#[test]
fn metadata_is_read() {
    let workspace = Workspace::parse(
        r#"{
            "workspace_root": "/src",
            "target_directory": "/out",
            "packages": [{
                "name": "anchorhold-host",
                "dependencies": [
                    {"name": "anchorhold-core", "kind": null, "req": "*"},
                    {"name": "insta", "kind": "dev", "req": "*"}
                ],
                "features": {"default": []}
            }],
            "version": 1
        }"#,
    )
    .unwrap();
    assert_eq!(workspace.root, PathBuf::from("/src"));
    assert_eq!(workspace.target, PathBuf::from("/out"));
    let [package] = workspace.packages.as_slice() else {
        panic!("one package: {:?}", workspace.packages);
    };
    let kinds: Vec<_> = package
        .dependencies
        .iter()
        .map(|dependency| (dependency.name.as_str(), dependency.kind.as_deref()))
        .collect();
    assert_eq!(kinds, [("anchorhold-core", None), ("insta", Some("dev"))]);
}

#[test]
fn other_text_is_an_error() {
    assert!(Workspace::parse("{}").is_err());
}
