//! Randomness that nobody hands in: what the standard library asks the kernel for to seed its hash
//! maps, from which tokio seeds the order of its `select!`, too.
//!
//! The kernel's answer would be another one in each run. Here it is the same on each thread, and as
//! a simulation has a thread of its own, it is the same in each run of a seed.
#![expect(
    unsafe_code,
    reason = "the C library's function has to be stood in for under its own name; this is a test \
              tool, and nothing shipped depends on it"
)]

use std::ffi::{c_uint, c_void};

/// The kernel's `getrandom`, without its randomness.
///
/// # Safety
///
/// As the C library's: `into` has room for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(into: *mut c_void, len: usize, _flags: c_uint) -> isize {
    // SAFETY: the caller gives so much room.
    unsafe { std::ptr::write_bytes(into.cast::<u8>(), 0x5a, len) };
    isize::try_from(len).unwrap_or(-1)
}

/// Does the stand-in stand in? Two maps on two fresh threads then hash alike.
pub fn is_sealed() -> bool {
    use std::hash::{BuildHasher, RandomState};

    let hash = || RandomState::new().hash_one(1);
    let on_a_thread = || std::thread::spawn(hash).join().ok();
    let (first, second) = (on_a_thread(), on_a_thread());
    first.is_some() && first == second
}
