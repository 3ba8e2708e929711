use super::*;

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let socket = Utf8PathBuf::from_path_buf(folder.path().join("cli.sock")).unwrap();
    (folder, socket)
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn defect_11_the_socket_belongs_to_its_owner_alone() {
    let (folder, path) = folder();
    let listening = Listening::open(&path, [1; 10]).await.unwrap();
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    assert_eq!(names(&folder), ["cli.sock", "cli.sock.lock"]);
    UnixStream::connect(&path).await.unwrap();
    drop(listening);
    assert_eq!(names(&folder), ["cli.sock.lock"]);
}

#[tokio::test]
async fn a_live_socket_is_never_taken() {
    let (_folder, path) = folder();
    let first = Listening::open(&path, [1; 10]).await.unwrap();
    let second = Listening::open(&path, [2; 10]).await;
    assert!(matches!(second, Err(Error::InUse { .. })), "{second:?}");
    UnixStream::connect(&path).await.unwrap();
    drop(first);
    Listening::open(&path, [2; 10]).await.unwrap();
}

#[tokio::test]
async fn a_live_socket_of_a_stranger_is_never_taken() {
    let (_folder, path) = folder();
    let _stranger = UnixListener::bind(&path).unwrap();
    let opened = Listening::open(&path, [1; 10]).await;
    assert!(matches!(opened, Err(Error::InUse { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_dead_socket_is_replaced() {
    let (_folder, path) = folder();
    // Dropping a plain listener leaves its file behind, as a killed host does.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _listening = Listening::open(&path, [1; 10]).await.unwrap();
    UnixStream::connect(&path).await.unwrap();
}

#[tokio::test]
async fn a_file_in_the_way_is_left_alone() {
    let (folder, path) = folder();
    fs::write(&path, "precious").unwrap();
    let opened = Listening::open(&path, [1; 10]).await;
    assert!(matches!(opened, Err(Error::NotSocket { .. })), "{opened:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    assert_eq!(names(&folder), ["cli.sock", "cli.sock.lock"]);
}

#[tokio::test]
async fn a_socket_that_replaced_ours_is_not_removed() {
    let (_folder, path) = folder();
    let listening = Listening::open(&path, [1; 10]).await.unwrap();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(listening);
    UnixStream::connect(&path).await.unwrap();
}
