//! Which runtimes a host works with.

use camino::Utf8PathBuf;
use tempfile::TempDir;

use super::*;
use crate::settings;

#[test]
fn having_none_is_said_with_what_to_do() {
    let failure = NoRuntime {
        engine: "unix:///var/run/docker.sock".to_owned(),
        why: "bwrap was not found".to_owned(),
    };
    assert_eq!(
        failure.to_string(),
        "nothing here can wall an agent in: no container engine answers at \
         unix:///var/run/docker.sock, and the sandbox runtime does not work (bwrap was not \
         found); install bubblewrap (apt-get install bubblewrap), or start an engine, or name its \
         address in [host] docker"
    );
}

/// What is chosen where no engine answers; `remembered` is what an earlier host wrote down.
async fn check(host: &str, remembered: Option<&str>, expect: (&[RuntimeKind], RuntimeKind)) {
    let dir = TempDir::new().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    let dirs = Dirs::open(&root.join("data")).unwrap();
    let path = root.join("channels.toml");
    fs::write(&path, format!("[host]\n{host}\n")).unwrap();
    let (config, _text) = settings::read(&path).unwrap();
    let marker = dirs.root().join("runtime");
    if let Some(text) = remembered {
        fs::write(&marker, text).unwrap();
    }
    let engine = format!("unix://{root}/nobody.sock");
    let Ok(chosen) = choose(&config, &engine, &dirs).await else {
        // Without bubblewrap there is nothing to choose from: the sandbox is never said to work.
        assert_eq!(expect.1, RuntimeKind::Sandbox, "{host}");
        assert_eq!(
            fs::read_to_string(&marker).ok().as_deref(),
            remembered,
            "{host}"
        );
        return;
    };
    let kinds: Vec<_> = chosen.all.iter().map(|runtime| runtime.kind()).collect();
    let docker_first: Vec<_> = kinds
        .iter()
        .filter(|kind| expect.0.contains(kind))
        .collect();
    assert_eq!(kinds.len(), docker_first.len(), "{host}: {kinds:?}");
    assert_eq!(chosen.default, expect.1, "{host}");
    assert_eq!(
        fs::read_to_string(&marker).unwrap(),
        expect.1.to_string(),
        "{host}"
    );
}

#[tokio::test]
async fn an_engine_that_was_used_is_waited_for_and_another_is_not() {
    use RuntimeKind::{Docker, Sandbox};
    check("", None, (&[Sandbox], Sandbox)).await;
    check("runtime = \"sandbox\"", None, (&[Sandbox], Sandbox)).await;
    // Named or used before: it is there, and its sandboxes are looked for when it answers.
    check("runtime = \"docker\"", None, (&[Docker, Sandbox], Docker)).await;
    check("", Some("docker"), (&[Docker, Sandbox], Docker)).await;
    check("", Some("docker\n"), (&[Docker, Sandbox], Docker)).await;
    check("", Some("sandbox"), (&[Sandbox], Sandbox)).await;
    check("", Some("something else"), (&[Sandbox], Sandbox)).await;
    // One that is only used no more is still asked for what it has.
    check(
        "runtime = \"sandbox\"",
        Some("docker"),
        (&[Docker, Sandbox], Sandbox),
    )
    .await;
}

#[test]
fn both_runtimes_are_candidates_whether_they_work_or_not() {
    let dir = TempDir::new().unwrap();
    let dirs = Dirs::open(&Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap()).unwrap();
    let kinds = |engine: &str| -> Vec<_> {
        let all = candidates(engine, &dirs);
        all.iter().map(|runtime| runtime.kind()).collect()
    };
    assert_eq!(
        kinds("unix:///nobody.sock"),
        [RuntimeKind::Docker, RuntimeKind::Sandbox]
    );
    assert_eq!(kinds("no address"), [RuntimeKind::Sandbox]);
}
