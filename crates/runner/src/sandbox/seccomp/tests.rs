use super::*;

/// Runs the program the way the kernel does and gives its verdict.
fn run(program: &[u8], number: libc::c_long, arguments: [u32; 2]) -> u32 {
    let mut at = 0;
    let mut held = 0;
    loop {
        let step = &program[at * 8..at * 8 + 8];
        let code = u16::from_ne_bytes([step[0], step[1]]);
        let operand = u32::from_ne_bytes([step[4], step[5], step[6], step[7]]);
        let holds = match code {
            LOAD => {
                held = match operand {
                    OFFSET_NUMBER => call(number),
                    OFFSET_ARCH => ARCH.unwrap(),
                    OFFSET_ARGUMENT => arguments[0],
                    _ => arguments[1],
                };
                at += 1;
                continue;
            }
            IF_EQUAL => held == operand,
            IF_AT_LEAST => held >= operand,
            IF_ANY_BIT => held & operand != 0,
            RETURN => return operand,
            other => panic!("step {other:#x}"),
        };
        at += 1 + usize::from(if holds { step[2] } else { step[3] });
    }
}

#[test]
fn each_call_gets_its_verdict() {
    let program = program().expect("there is a filter for the machines that run the tests");
    let eperm = errno(libc::EPERM);
    for (number, arguments, expect) in [
        (libc::SYS_read, [0, 0], ALLOW),
        (libc::SYS_execve, [0, 0], ALLOW),
        (libc::SYS_mount, [0, 0], eperm),
        (libc::SYS_vhangup, [0, 0], eperm),
        (libc::SYS_clone3, [0, 0], errno(libc::ENOSYS)),
        (libc::SYS_clone, [0x0120_0011, 0], ALLOW),
        (libc::SYS_clone, [0x1000_0011, 0], eperm),
        (libc::SYS_clone, [0x0002_0000, 0], eperm),
        (libc::SYS_ioctl, [0, 0x5401], ALLOW),
        (libc::SYS_ioctl, [0, 0x5412], eperm),
        (libc::SYS_ioctl, [0, 0x541c], eperm),
        (libc::SYS_socket, [1, 0], ALLOW),
        (libc::SYS_socket, [2, 0], ALLOW),
        (libc::SYS_socket, [10, 0], ALLOW),
        (libc::SYS_socket, [16, 0], ALLOW),
        (libc::SYS_socket, [40, 0], errno(libc::EAFNOSUPPORT)),
        (libc::SYS_read + 0x4000_0000, [0, 0], errno(libc::ENOSYS)),
    ] {
        assert_eq!(
            run(&program, number, arguments),
            expect,
            "{number} {arguments:?}"
        );
    }
}
