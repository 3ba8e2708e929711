use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

const CONFIG: &str = "[channels.c]\ntype = \"cli\"\nbot_token = \"env:NAME\"\n";

struct Place {
    dir: TempDir,
    common: Common,
}

impl Place {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let common = Common {
            config: root.join("channels.toml"),
            data_dir: root.join("data"),
            json: false,
        };
        fs::write(&common.config, CONFIG).unwrap();
        fs::create_dir(&common.data_dir).unwrap();
        let path = common.data_dir.join("anchorhold.db");
        let store = Store::open(path.as_std_path()).await.unwrap();
        store.close().await;
        Self { dir, common }
    }

    fn output(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.dir.path().join("out.toml")).unwrap()
    }

    async fn export(&self) -> anyhow::Result<ExitCode> {
        let export = Export {
            output: Some(self.output()),
        };
        run(&self.common, &export).await
    }
}

#[tokio::test]
async fn a_new_file_is_written_that_only_its_owner_can_read() {
    let place = Place::new().await;
    place.export().await.unwrap();
    let mode = fs::metadata(place.output()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (config, _text) = settings::read(&place.output()).unwrap();
    assert_eq!(config.channels[0].name.as_str(), "c");
    let text = fs::read_to_string(place.output()).unwrap();
    assert!(text.contains("bot_token = \"env:NAME\""), "{text}");
}

#[tokio::test]
async fn a_file_that_is_there_is_never_overwritten() {
    let place = Place::new().await;
    fs::write(place.output(), "mine").unwrap();
    let failure = place.export().await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        format!("can't write {}", place.output())
    );
    assert_eq!(fs::read_to_string(place.output()).unwrap(), "mine");
}

#[tokio::test]
async fn without_a_database_there_is_nothing_to_export_and_none_is_made() {
    let place = Place::new().await;
    let database = place.common.data_dir.join("anchorhold.db");
    fs::remove_file(&database).unwrap();
    let failure = place.export().await.unwrap_err();
    assert!(failure.to_string().starts_with("there is no database at "));
    assert!(!database.exists() && !place.output().exists());
}
