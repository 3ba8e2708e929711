use super::*;

#[test]
fn each_runtime_has_tests_of_its_own() {
    assert_eq!(
        filter(Runtime::Docker),
        "package(=anchorhold-host) & binary(=e2e_docker)"
    );
    assert_eq!(
        filter(Runtime::Sandbox),
        "package(=anchorhold-host) & binary(=e2e_sandbox)"
    );
}
