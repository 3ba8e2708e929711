use super::*;

fn state(status: ContainerStateStatusEnum, code: Option<i64>, oom: Option<bool>) -> ContainerState {
    ContainerState {
        status: Some(status),
        exit_code: code,
        oom_killed: oom,
        ..ContainerState::default()
    }
}

#[test]
fn the_end_of_a_container_is_read_from_its_state() {
    use ContainerStateStatusEnum::{CREATED, EXITED};
    for (state, expect) in [
        (state(EXITED, Some(3), None), ExitStatus::Code(3)),
        (
            state(EXITED, Some(137), Some(true)),
            ExitStatus::OutOfMemory,
        ),
        (state(EXITED, Some(137), Some(false)), ExitStatus::Signal(9)),
        (state(EXITED, None, None), ExitStatus::Unknown),
        (state(EXITED, Some(i64::MAX), None), ExitStatus::Unknown),
        (state(CREATED, Some(0), None), ExitStatus::Unknown),
        (ContainerState::default(), ExitStatus::Unknown),
    ] {
        assert_eq!(ended_as(&state), expect, "{state:?}");
    }
}

#[test]
fn a_container_without_our_labels_is_not_ours() {
    assert_eq!(status(&ContainerSummary::default()), None);
    let labels = HashMap::from([(LABEL_INSTALL.to_owned(), "not a uuid".to_owned())]);
    assert_eq!(identity(Some(&labels)), None);
}

#[test]
fn a_state_that_is_not_told_counts_as_running() {
    let uuid = "01936f9e-0000-7000-8000-000000000001".to_owned();
    let labels = HashMap::from([
        (LABEL_INSTALL.to_owned(), uuid.clone()),
        (LABEL_SESSION.to_owned(), uuid),
        (LABEL_GENERATION.to_owned(), "4".to_owned()),
    ]);
    let mut found = ContainerSummary {
        labels: Some(labels),
        ..ContainerSummary::default()
    };
    assert!(status(&found).unwrap().running);
    found.state = Some(ContainerSummaryStateEnum::EXITED);
    assert!(!status(&found).unwrap().running);
}
