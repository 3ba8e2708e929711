//! The file layer itself, in SQLite's terms: C function pointers, each of which asks
//! [`super::Tag`] and passes on to the file layer that was there before.
#![expect(
    unsafe_code,
    reason = "SQLite calls its file layer through C function pointers; this is a test tool, and \
              nothing shipped depends on it"
)]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    mem::size_of,
    ptr::{null, null_mut},
    sync::Once,
};

use rusqlite::ffi;

use super::{Act, Tag};

/// An open file: SQLite's part, ours, and after it the file of the layer below.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    tag: *mut Tag,
}

static INSTALL: Once = Once::new();

/// The layer below.
fn below() -> *mut ffi::sqlite3_vfs {
    // SAFETY: a lookup by a constant name, which SQLite locks itself.
    unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) }
}

/// Makes this the default file layer of the process; once.
pub(super) fn install() {
    INSTALL.call_once(|| {
        // SAFETY: initialising is thread-safe; `below` then is SQLite's own static value, copied
        // whole. The copy lives as long as the process, as SQLite asks for.
        unsafe {
            ffi::sqlite3_initialize();
            let mut vfs = *below();
            vfs.szOsFile += c_int::try_from(size_of::<File>()).unwrap_or(c_int::MAX);
            vfs.zName = c"anchorhold-sim".as_ptr();
            vfs.pNext = null_mut();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            vfs.xAccess = Some(access);
            vfs.xFullPathname = Some(full_pathname);
            vfs.xSleep = Some(sleep);
            ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1);
        }
    });
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Without memory maps, which would pass us by.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The file of the layer below.
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` asked for both, one after the other.
    unsafe { file.byte_add(size_of::<File>()) }
}

/// Whose file it is.
unsafe fn tag<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Tag> {
    // SAFETY: every file here was made by `open`, and its tag lives until `close`.
    unsafe { (*file.cast::<File>()).tag.as_ref() }
}

unsafe fn judge(file: *mut ffi::sqlite3_file, act: Act) -> Result<(), c_int> {
    // SAFETY: as for `tag`.
    unsafe { tag(file) }.map_or(Ok(()), |tag| tag.judge(act))
}

unsafe fn text<'a>(name: *const c_char) -> &'a str {
    if name.is_null() {
        return "";
    }
    // SAFETY: SQLite's names end with a zero byte.
    unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("")
}

/// Calls a method of the layer below.
macro_rules! pass {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: the layer below has opened this file, so it has all methods of its version.
        unsafe {
            let inner = inner($file);
            match (*(*inner).pMethods).$method {
                Some(method) => method(inner $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `file` has `szOsFile` bytes, which begin with ours.
    unsafe {
        (*file).pMethods = null();
        (*file.cast::<File>()).tag = null_mut();
        let tag = Tag::of(text(name));
        if let Some(tag) = &tag
            && tag.judge(Act::Read).is_err()
        {
            return ffi::SQLITE_CANTOPEN;
        }
        let Some(open) = (*below()).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let inner = inner(file);
        (*inner).pMethods = null();
        let code = open(below(), name, inner, flags, out_flags);
        if code != ffi::SQLITE_OK {
            if !(*inner).pMethods.is_null()
                && let Some(close) = (*(*inner).pMethods).xClose
            {
                close(inner);
            }
            return code;
        }
        if let Some(tag) = tag {
            tag.world.file_opened(&tag.life);
            tag.look_at_name();
            (*file.cast::<File>()).tag = Box::into_raw(Box::new(tag));
        }
        (*file).pMethods = &raw const METHODS;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let code = pass!(file, xClose);
    // SAFETY: the tag was made by `open` and is taken here once.
    unsafe {
        let tag = std::mem::replace(&mut (*file.cast::<File>()).tag, null_mut());
        if !tag.is_null() {
            let tag = Box::from_raw(tag);
            tag.world.file_closed(&tag.life);
        }
    }
    code
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: as for `judge`.
    match unsafe { judge(file, Act::Read) } {
        Ok(()) => pass!(file, xRead, into, len, at),
        Err(code) => code,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let bytes = usize::try_from(len).unwrap_or(0);
    // SAFETY: as for `judge`.
    if let Err(code) = unsafe { judge(file, Act::Write { at, len: bytes }) } {
        return code;
    }
    let code = pass!(file, xWrite, from, len, at);
    // SAFETY: SQLite gives `len` bytes at `from`.
    if code == ffi::SQLITE_OK
        && let Some(tag) = unsafe { tag(file) }
    {
        let content = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) };
        let at = usize::try_from(at).unwrap_or(0);
        tag.world.disk().wrote(&tag.path, at, content);
    }
    code
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    // SAFETY: as for `judge`.
    if let Err(code) = unsafe { judge(file, Act::Truncate { len }) } {
        return code;
    }
    let code = pass!(file, xTruncate, len);
    // SAFETY: as for `tag`.
    if code == ffi::SQLITE_OK
        && let Some(tag) = unsafe { tag(file) }
    {
        let len = usize::try_from(len).unwrap_or(0);
        tag.world.disk().truncated(&tag.path, len);
    }
    code
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: as for `judge`.
    if let Err(code) = unsafe { judge(file, Act::Sync) } {
        return code;
    }
    // SAFETY: as for `tag`.
    match unsafe { tag(file) } {
        // What a simulation's disk holds is kept beside it, so the real one can be spared.
        Some(tag) => {
            if !tag.is_never_durable() {
                tag.world.disk().synced(&tag.path);
            }
            ffi::SQLITE_OK
        }
        None => pass!(file, xSync, flags),
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    pass!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as for `judge`.
    match unsafe { judge(file, Act::Lock) } {
        Ok(()) => pass!(file, xLock, level),
        Err(code) => code,
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    pass!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    op: c_int,
    argument: *mut c_void,
) -> c_int {
    pass!(file, xFileControl, op, argument)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    pass!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // Only to write: a reader of the log never finds it locked.
    if flags == ffi::SQLITE_SHM_LOCK | ffi::SQLITE_SHM_EXCLUSIVE && offset == 0 {
        // SAFETY: as for `judge`.
        if let Err(code) = unsafe { judge(file, Act::LockLog) } {
            return code;
        }
    }
    pass!(file, xShmLock, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as for `pass!`.
    unsafe {
        let inner = inner(file);
        if let Some(barrier) = (*(*inner).pMethods).xShmBarrier {
            barrier(inner);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: as for `tag`.
    let dead = unsafe { tag(file) }.is_some_and(|tag| tag.life.is_dead());
    pass!(file, xShmUnmap, if dead { 0 } else { delete })
}

unsafe extern "C" fn delete(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_dir: c_int,
) -> c_int {
    // SAFETY: as for `text`.
    let tag = Tag::of(unsafe { text(name) });
    if let Some(tag) = &tag
        && tag.judge(Act::Delete).is_err()
    {
        return ffi::SQLITE_IOERR_DELETE;
    }
    // SAFETY: the layer below has this method.
    let code = unsafe {
        match (*below()).xDelete {
            Some(delete) => delete(below(), name, if tag.is_some() { 0 } else { sync_dir }),
            None => ffi::SQLITE_IOERR_DELETE,
        }
    };
    if code == ffi::SQLITE_OK
        && let Some(tag) = &tag
    {
        tag.world.disk().deleted(&tag.path, sync_dir != 0);
    }
    code
}

unsafe extern "C" fn access(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: the layer below has this method.
    unsafe {
        match (*below()).xAccess {
            Some(access) => access(below(), name, flags, out),
            None => ffi::SQLITE_IOERR_ACCESS,
        }
    }
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    len: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: the layer below has this method.
    unsafe {
        match (*below()).xFullPathname {
            Some(full) => full(below(), name, len, out),
            None => ffi::SQLITE_CANTOPEN,
        }
    }
}

/// Waiting for a lock takes no time here: who holds it is not running meanwhile.
unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    micros
}
