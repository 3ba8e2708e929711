use super::*;

#[test]
fn debootstrap_is_told_components_and_packages() {
    let archive = Archive {
        uri: "http://mirror.example/debian".to_owned(),
        suite: "bookworm".to_owned(),
        components: vec!["main".to_owned(), "contrib".to_owned()],
    };
    assert_eq!(
        debootstrap(&archive, "git  jq"),
        [
            "debootstrap",
            "--variant=minbase",
            "--components=main,contrib",
            "--include=git,jq",
        ]
    );
}
