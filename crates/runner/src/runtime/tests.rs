use super::*;

#[test]
fn exit_statuses_are_read_the_same_way_for_both_runtimes() {
    for (code, out_of_memory, expect) in [
        (Some(0), false, ExitStatus::Code(0)),
        (Some(7), false, ExitStatus::Code(7)),
        (Some(128), false, ExitStatus::Code(128)),
        (Some(137), false, ExitStatus::Signal(9)),
        (Some(143), false, ExitStatus::Signal(15)),
        (Some(255), false, ExitStatus::Code(255)),
        (Some(-1), false, ExitStatus::Code(-1)),
        (Some(i32::MIN), false, ExitStatus::Code(i32::MIN)),
        (None, false, ExitStatus::Unknown),
        (Some(137), true, ExitStatus::OutOfMemory),
        (None, true, ExitStatus::OutOfMemory),
        (Some(0), true, ExitStatus::Code(0)),
        (Some(143), true, ExitStatus::Signal(15)),
    ] {
        assert_eq!(exit_status(code, out_of_memory), expect, "{code:?}");
    }
}
