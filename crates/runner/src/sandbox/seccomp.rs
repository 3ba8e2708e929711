//! The system calls a sandbox may not make, as a filter program of the kernel.
//!
//! The namespaces already take their effect from most of them; the filter makes the kernel's
//! less-trodden code unreachable. It is written here and not taken from a library because it is a
//! list and four checks, and because the other ways of getting it into bubblewrap need unsafe code.

const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
/// The low half of the first argument on a little-endian machine; each argument has 8 bytes.
const OFFSET_ARGUMENT: u32 = 16;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;

/// Numbers from here on are the 32-bit-pointer calls of x86-64: the same calls a second time.
const X32: u32 = 0x4000_0000;
/// All the flags of `clone` that make a namespace.
const NEW_NAMESPACES: u32 = 0x7e02_0000;

#[cfg(target_arch = "x86_64")]
const ARCH: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
const ARCH: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCH: Option<u32> = None;

/// Calls that administer the machine, reach around namespaces or open rarely used kernel code.
const DENIED: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Terminal requests that put characters into another program's input.
const DENIED_REQUESTS: [u32; 2] = [0x5412, 0x541c];

/// Socket families that stay: local, the loopback's, and asking the kernel about interfaces.
///
/// Notably absent is the one between a virtual machine and its host, which a network namespace
/// does not confine.
const ALLOWED_FAMILIES: [libc::c_int; 4] = [
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// One step: what to do, where to go on if it holds and if it does not, and its operand.
struct Step(u16, u8, u8, u32);

/// The filter program as bubblewrap reads it; `None` on a machine for which there is none.
pub(super) fn program() -> Option<Vec<u8>> {
    let arch = ARCH.filter(|_| cfg!(target_endian = "little"))?;
    let mut steps = vec![
        Step(LOAD, 0, 0, OFFSET_ARCH),
        Step(IF_EQUAL, 1, 0, arch),
        // The calls of another architecture have other numbers: nothing below would match them.
        give(KILL),
        Step(LOAD, 0, 0, OFFSET_NUMBER),
        Step(IF_AT_LEAST, 0, 1, X32),
        give(errno(libc::ENOSYS)),
    ];
    for number in DENIED {
        steps.push(Step(IF_EQUAL, 0, 1, call(*number)));
        steps.push(give(errno(libc::EPERM)));
    }
    // Its flags are behind a pointer and can't be seen here; libraries fall back to `clone`.
    steps.push(Step(IF_EQUAL, 0, 1, call(libc::SYS_clone3)));
    steps.push(give(errno(libc::ENOSYS)));
    steps.extend([
        Step(IF_EQUAL, 0, 4, call(libc::SYS_clone)),
        Step(LOAD, 0, 0, OFFSET_ARGUMENT),
        Step(IF_ANY_BIT, 0, 1, NEW_NAMESPACES),
        give(errno(libc::EPERM)),
        give(ALLOW),
    ]);
    let [push_input, linux_console] = DENIED_REQUESTS;
    steps.extend([
        Step(IF_EQUAL, 0, 5, call(libc::SYS_ioctl)),
        Step(LOAD, 0, 0, OFFSET_ARGUMENT + 8),
        Step(IF_EQUAL, 1, 0, push_input),
        Step(IF_EQUAL, 0, 1, linux_console),
        give(errno(libc::EPERM)),
        give(ALLOW),
    ]);
    let [local, v4, v6, netlink] = ALLOWED_FAMILIES.map(|family| call(family.into()));
    steps.extend([
        Step(IF_EQUAL, 0, 6, call(libc::SYS_socket)),
        Step(LOAD, 0, 0, OFFSET_ARGUMENT),
        Step(IF_EQUAL, 4, 0, local),
        Step(IF_EQUAL, 3, 0, v4),
        Step(IF_EQUAL, 2, 0, v6),
        Step(IF_EQUAL, 1, 0, netlink),
        give(errno(libc::EAFNOSUPPORT)),
        give(ALLOW),
    ]);
    Some(steps.iter().flat_map(bytes).collect())
}

fn give(verdict: u32) -> Step {
    Step(RETURN, 0, 0, verdict)
}

fn errno(number: libc::c_int) -> u32 {
    ERRNO | call(number.into())
}

fn call(number: libc::c_long) -> u32 {
    u32::try_from(number).expect("system call, error and family numbers are small and not negative")
}

fn bytes(Step(code, holds, fails, operand): &Step) -> [u8; 8] {
    let [c0, c1] = code.to_ne_bytes();
    let [k0, k1, k2, k3] = operand.to_ne_bytes();
    [c0, c1, *holds, *fails, k0, k1, k2, k3]
}

#[cfg(test)]
mod tests;
