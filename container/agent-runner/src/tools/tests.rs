//! Every tool through the one door that agents have.

use std::{fs, sync::Arc};

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use super::*;
use crate::report;

struct Bench {
    dir: tempfile::TempDir,
    io: TurnIo,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let extra = vec![("https_proxy".to_owned(), "http://127.0.0.1:9".to_owned())];
        let tools = Tools::new(workspace, Vec::new(), Arc::new(Children::default()));
        let io = TurnIo::new(|_declared| {}, Arc::new(tools.with_environment(extra)));
        Self { dir, io }
    }

    fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn call(&self, tool: &str, arguments: Value) -> String {
        match self.io.call(tool, &arguments.to_string()).await {
            Ok(text) => text,
            Err(error) => format!("error: {}", report(&error)),
        }
    }

    #[track_caller]
    fn check(&self, tool: &str, arguments: Value, expect: &str) -> impl Future<Output = ()> {
        let (tool, expect) = (tool.to_owned(), expect.to_owned());
        async move { assert_eq!(self.call(&tool, arguments).await, expect, "{tool}") }
    }
}

#[test]
fn each_tool_says_what_it_takes() {
    for (spec, name) in specs().iter().zip(NAMES) {
        assert_eq!(spec.name, *name);
        assert!(!spec.about.is_empty(), "{name}");
        let properties = spec.schema["properties"].as_object().expect(name);
        for required in spec.schema["required"].as_array().expect(name) {
            assert!(
                properties.contains_key(required.as_str().unwrap()),
                "{name}"
            );
        }
        assert_eq!(spec.schema["additionalProperties"], json!(false), "{name}");
    }
    assert_eq!(specs().len(), NAMES.len());
}

/// A value that a schema allows, by its types.
fn example(schema: &Value) -> Value {
    match schema["type"].as_str().unwrap() {
        "string" => json!("x"),
        "integer" => json!(1),
        "boolean" => json!(true),
        "array" if schema["items"]["type"] == "object" => json!([example(&schema["items"])]),
        "array" => json!(["a", "b"]),
        "object" => {
            let properties = schema["properties"].as_object().unwrap();
            let each = properties.iter();
            let each = each.map(|(name, property)| (name.clone(), example(property)));
            Value::Object(each.collect())
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_tool_takes_what_it_says_and_nothing_else() {
    let bench = Bench::new();
    for spec in specs() {
        let mut arguments = json!({});
        for (name, property) in spec.schema["properties"].as_object().unwrap() {
            arguments[name] = example(property);
        }
        let said = bench.call(spec.name, arguments.clone()).await;
        assert!(
            !said.starts_with("error: bad arguments for") || said.contains(": "),
            "{said}"
        );
        assert!(!said.contains("unknown field"), "{said}");
        arguments["other"] = json!(1);
        let said = bench.call(spec.name, arguments).await;
        assert!(
            said.contains("unknown field `other`"),
            "{}: {said}",
            spec.name
        );
    }
}

#[tokio::test]
async fn commands_find_the_way_out_in_their_environment() {
    let bench = Bench::new();
    let echo = json!({ "cmd": "echo $https_proxy" });
    bench
        .check("bash", echo, "http://127.0.0.1:9\nexit status 0")
        .await;
}

#[tokio::test]
async fn files_are_read_in_pieces() {
    let bench = Bench::new();
    bench.put("a.txt", "one\ntwo\nthree\n");
    let all = "1\tone\n2\ttwo\n3\tthree";
    bench.check("read", json!({"path": "a.txt"}), all).await;
    let piece = json!({"path": "a.txt", "offset": 2, "limit": 1});
    let expect = "2\ttwo\n(there are 3 lines; go on with offset 3)";
    bench.check("read", piece, expect).await;
    let beyond = json!({"path": "a.txt", "offset": 9});
    bench
        .check("read", beyond, "(the file has only 3 lines)")
        .await;
    bench.put("empty", "");
    bench
        .check("read", json!({"path": "empty"}), "(the file is empty)")
        .await;
    bench.put("long", "x".repeat(5000));
    let said = bench.call("read", json!({"path": "long"})).await;
    assert_eq!(said.chars().count(), 2 + 2000 + 1);
    bench.put("many", "line\n".repeat(100_000));
    let said = bench.call("read", json!({"path": "many"})).await;
    assert!(said.ends_with("(there are 100000 lines; go on with offset 2001)"));
    bench.put("binary", [0, 1, 2]);
    let expect = "error: bad arguments for read: \"binary\" is no text; it has 3 bytes";
    bench.check("read", json!({"path": "binary"}), expect).await;
    let said = bench.call("read", json!({"path": "none"})).await;
    assert!(said.starts_with("error: can't read \"none\": "), "{said}");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.dir.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let expect = "error: can't read \"pipe\": it is no plain file";
    bench.check("read", json!({"path": "pipe"}), expect).await;
}

#[tokio::test]
async fn files_are_written_and_edited() {
    let bench = Bench::new();
    let new = json!({"path": "new/deep/a.txt", "content": "a b a"});
    let expect = "\"new/deep/a.txt\" has 5 bytes now";
    bench.check("write", new, expect).await;
    let edit = |old: &str, new: &str, all: bool| json!({"path": "new/deep/a.txt", "old": old, "new": new, "all": all});
    for (arguments, expect) in [
        (
            edit("b", "c", false),
            "the text was replaced once in \"new/deep/a.txt\"",
        ),
        (
            edit("a", "d", false),
            "error: bad arguments for edit: \"new/deep/a.txt\" has the old text 2 times: give more \
             of it, or all",
        ),
        (
            edit("a", "d", true),
            "the text was replaced everywhere in \"new/deep/a.txt\"",
        ),
        (
            edit("x", "y", false),
            "error: bad arguments for edit: \"new/deep/a.txt\" does not have the old text",
        ),
        (
            edit("", "y", true),
            "error: bad arguments for edit: the old text is empty",
        ),
    ] {
        bench.check("edit", arguments, expect).await;
    }
    let content = fs::read_to_string(bench.dir.path().join("new/deep/a.txt")).unwrap();
    assert_eq!(content, "d c d");
    let expect = "error: can't write \"new\": it is no plain file";
    bench
        .check("write", json!({"path": "new", "content": ""}), expect)
        .await;
}

#[tokio::test]
async fn files_are_found_by_name_and_by_content() {
    let bench = Bench::new();
    bench.put("src/main.rs", "fn main() {}\n// Main\n");
    bench.put("src/deep/lib.rs", "pub fn lib() {}\n");
    bench.put("notes.md", "main thing\n");
    bench.put(".git/config", "main\n");
    bench.put("image.bin", b"main\0");
    std::os::unix::fs::symlink("/", bench.dir.path().join("root")).unwrap();
    for (tool, arguments, expect) in [
        (
            "glob",
            json!({"pattern": "**/*.rs"}),
            "src/deep/lib.rs\nsrc/main.rs",
        ),
        ("glob", json!({"pattern": "*.rs", "path": "src"}), "main.rs"),
        (
            "glob",
            json!({"pattern": "*.py"}),
            "no file has such a path",
        ),
        ("grep", json!({"pattern": "^main"}), "notes.md:1:main thing"),
        (
            "grep",
            json!({"pattern": "MAIN", "ignore_case": true, "glob": "**/*.rs"}),
            "src/main.rs:1:fn main() {}\nsrc/main.rs:2:// Main",
        ),
        (
            "grep",
            json!({"pattern": "lib", "path": "src/deep"}),
            "src/deep/lib.rs:1:pub fn lib() {}",
        ),
        (
            "grep",
            json!({"pattern": "thing", "path": "notes.md"}),
            "notes.md:1:main thing",
        ),
        ("grep", json!({"pattern": "nowhere"}), "no line matches"),
    ] {
        bench.check(tool, arguments, expect).await;
    }
    let said = bench.call("grep", json!({"pattern": "("})).await;
    assert!(
        said.starts_with("error: bad arguments for grep: regex parse error"),
        "{said}"
    );
    let said = bench.call("glob", json!({"pattern": "[a"})).await;
    assert!(
        said.starts_with("error: bad arguments for glob: "),
        "{said}"
    );
    bench.put("many", "x\n".repeat(300));
    let said = bench
        .call("grep", json!({"pattern": "x", "path": "many"}))
        .await;
    assert_eq!(said.lines().count(), 201);
    assert!(said.ends_with("(there are more)"));
}

#[tokio::test]
async fn without_a_way_out_nothing_is_fetched() {
    let bench = Bench::new();
    let expect = "error: bad arguments for web_fetch: there is no way out of this sandbox";
    let page = json!({"url": "https://example.org/"});
    bench.check("web_fetch", page, expect).await;
}
