//! Which user sandboxes run as.

use anchorhold_runner::spec::SandboxUser;
use rustix::process::{getgid, getuid};

/// Who sandboxes of a host that is root run as: nobody else's user on a Debian machine.
const SANDBOX_ID: u32 = 65_532;

/// Who sandboxes run as, and to whom the host gives what they write, where it has to.
pub(super) fn sandbox_user() -> (SandboxUser, Option<(u32, u32)>) {
    if getuid().is_root() {
        let user = SandboxUser {
            uid: SANDBOX_ID,
            gid: SANDBOX_ID,
        };
        return (user, Some((SANDBOX_ID, SANDBOX_ID)));
    }
    (
        SandboxUser {
            uid: getuid().as_raw(),
            gid: getgid().as_raw(),
        },
        None,
    )
}
