use anchorhold_sessiondb::ModelOptions;

use super::*;

#[test]
fn a_command_is_told_where_its_model_is() {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let acp = Acp::new(Harness {
        command: vec!["agent".to_owned(), "--url={base_url}/v1".to_owned()],
        environment: [
            set("CONFIG", "{\"model\":\"{model}\"}"),
            set("KEY", "{key}"),
        ]
        .into(),
        home: "/out/harness".into(),
        ..Harness::default()
    });
    let model = Model {
        id: "m-1".to_owned(),
        options: ModelOptions::default(),
    };
    let launch = acp.launch(&model, 4711);
    assert_eq!(
        launch.command,
        ["agent", "--url=http://127.0.0.1:4711/model/v1"]
    );
    for expect in [
        set("CONFIG", "{\"model\":\"m-1\"}"),
        set("KEY", KEY),
        set("XDG_DATA_HOME", "/out/harness/data"),
    ] {
        assert!(launch.environment.contains(&expect), "{expect:?}");
    }
}
