use super::*;

fn check(error: Error, expect: &str) {
    let found = match classify("create the container", error) {
        RuntimeError::Unavailable { .. } => "unavailable",
        RuntimeError::Refused { .. } => "refused",
        RuntimeError::Failed { .. } => "failed",
        RuntimeError::Gone { .. } => "gone",
    };
    assert_eq!(found, expect);
}

fn answer(status_code: u16) -> Error {
    Error::DockerResponseServerError {
        status_code,
        message: "said the engine".to_owned(),
    }
}

#[test]
fn engine_errors_are_sorted_by_what_to_do() {
    check(Error::RequestTimeoutError, "unavailable");
    check(
        std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(),
        "unavailable",
    );
    check(Error::SocketNotFoundError("/x".to_owned()), "unavailable");
    check(answer(503), "unavailable");
    check(answer(400), "refused");
    check(answer(500), "failed");
    check(Error::APIVersionParseError {}, "failed");
}
