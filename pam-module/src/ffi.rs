//! libpam's side: the six entry points (pam(3), "Linux-PAM module"), and the [`Pam`] trait on a real handle. The only
//! file with unsafe code.

#![allow(unsafe_code)]
// The entry points are found by name, not by path.
#![allow(unreachable_pub)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Once;

use pam_sys::raw;
use pam_sys::types::{PamHandle, PamItemType};

use crate::broker::Broker;
use crate::pam::{Account, Code, Item, OwnSession, Pam, Severity};
use crate::{close, open};

/// The name of our PAM data: the session that the handle has opened, a boxed [`OwnSession`].
const SESSION_DATA: &CStr = c"usher.own-session";

unsafe extern "C" {
    /// pam_syslog(3), Linux-PAM's libpam.
    fn pam_syslog(handle: *const PamHandle, priority: c_int, format: *const c_char, ...);
    /// pam_modutil.h: getpwnam(3) with storage that belongs to the handle.
    fn pam_modutil_getpwnam(handle: *mut PamHandle, name: *const c_char) -> *mut libc::passwd;
    /// secure_getenv(3).
    fn secure_getenv(name: *const c_char) -> *const c_char;
}

/// Opens a session, pam_sm_open_session(3).
///
/// # Safety
/// For libpam to call: `handle` is its live handle, `argv` holds `argc` strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_open_session(
    handle: *mut PamHandle,
    _flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    guarded(handle, |pam| {
        // SAFETY: libpam's arguments, passed on as they came.
        let words = unsafe { arguments(argc, argv) };
        open::open(pam, &words, &Broker::default())
    })
}

/// Closes the session, pam_sm_close_session(3).
///
/// # Safety
/// For libpam to call: `handle` is its live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_close_session(
    handle: *mut PamHandle,
    _flags: c_int,
    _argc: c_int,
    _argv: *const *const c_char,
) -> c_int {
    guarded(handle, |pam| close::close(pam, &Broker::default()))
}

/// The entry points of the other stacks: a session module has nothing to say there.
macro_rules! ignore {
    ($($name:ident),+) => { $(
        /// Not for this module: PAM_IGNORE.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(_: *mut PamHandle, _: c_int, _: c_int, _: *const *const c_char) -> c_int {
            Code::IGNORE.0
        }
    )+ };
}
ignore!(pam_sm_authenticate, pam_sm_setcred, pam_sm_acct_mgmt, pam_sm_chauthtok);

/// Runs a hook. A panic ends here, with a line in the log: it must not take sshd with it, nor keep anyone from
/// logging in.
fn guarded(handle: *mut PamHandle, hook: impl FnOnce(&mut Handle) -> Code) -> c_int {
    if handle.is_null() {
        return Code::SERVICE_ERR.0;
    }
    // The default hook writes to stderr, which is the application's. The hook is this shared object's own: it
    // links its own copy of the standard library.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        if !cfg!(test) {
            std::panic::set_hook(Box::new(|_| {}));
        }
    });
    let mut pam = Handle(handle);
    let code = catch_unwind(AssertUnwindSafe(|| hook(&mut pam))).unwrap_or_else(|payload| {
        let what = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("unknown");
        let what = crate::text::printable(what, 300);
        pam.log(Severity::Error, &format!("internal error, please report it: {what}; the login continues"));
        // The payload's own drop could panic again.
        std::mem::forget(payload);
        Code::SUCCESS
    });
    code.0
}

/// # Safety
/// `argv` holds `argc` strings.
unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<String> {
    let count = if argv.is_null() { 0 } else { usize::try_from(argc).unwrap_or(0) };
    (0..count)
        .map(|index| {
            // SAFETY: the caller's promise: within the array, and a string.
            unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy().into_owned()
        })
        .collect()
}

/// The handle that libpam gave to the entry point, for the time of that call.
struct Handle(*mut PamHandle);

impl Pam for Handle {
    fn user(&mut self) -> Result<CString, Code> {
        let mut user = ptr::null();
        // SAFETY: the handle is live during the entry point's call; a null prompt means libpam's own.
        let code = unsafe { raw::pam_get_user(self.0, &raw mut user, ptr::null()) };
        // SAFETY: pam_get_user(3): on success a string that lives as long as the handle, copied here.
        if code == 0 { Ok(unsafe { copy(user) }.unwrap_or_default()) } else { Err(Code(code)) }
    }

    fn account(&mut self, name: &CStr) -> Option<Account> {
        // SAFETY: the handle is live; pam_modutil_getpwnam keeps the result with the handle, until pam_end.
        let entry = unsafe { pam_modutil_getpwnam(self.0, name.as_ptr()).as_ref() }?;
        // SAFETY: getpwnam(3): the fields are strings (or, from careless NSS modules, null), copied here.
        let field = |text| unsafe { copy(text) }.unwrap_or_default().into_bytes();
        Some(Account {
            name: field(entry.pw_name),
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            home: field(entry.pw_dir),
            shell: field(entry.pw_shell),
        })
    }

    fn item(&self, item: Item) -> Option<Vec<u8>> {
        let item = match item {
            Item::Service => PamItemType::SERVICE,
            Item::Tty => PamItemType::TTY,
            Item::RemoteHost => PamItemType::RHOST,
            Item::RemoteUser => PamItemType::RUSER,
            Item::XDisplay => PamItemType::XDISPLAY,
        };
        let mut value = ptr::null();
        // SAFETY: the handle is live; pam_get_item(3) writes one pointer.
        let code = unsafe { raw::pam_get_item(self.0, item as c_int, &raw mut value) };
        // SAFETY: pam_get_item(3): these five items are strings or null, valid until changed; copied here.
        if code == 0 { unsafe { copy(value.cast()) }.map(CString::into_bytes) } else { None }
    }

    fn env(&self, name: &CStr) -> Option<Vec<u8>> {
        // SAFETY: the handle is live; pam_getenv(3) returns a string of the handle's or null, copied at once.
        unsafe { copy(raw::pam_getenv(self.0, name.as_ptr())) }.map(CString::into_bytes)
    }

    fn process_env(&self, name: &CStr) -> Option<Vec<u8>> {
        // SAFETY: secure_getenv(3) returns a string or null, valid until the environment changes; copied at once.
        unsafe { copy(secure_getenv(name.as_ptr())) }.map(CString::into_bytes)
    }

    fn put_env(&mut self, name: &str, value: &str) -> Result<(), Code> {
        let text = CString::new(format!("{name}={value}")).map_err(|_| Code::SERVICE_ERR)?;
        // SAFETY: the handle is live; pam_putenv(3) copies the string.
        succeeded(unsafe { raw::pam_putenv(self.0, text.as_ptr()) })
    }

    fn session(&self) -> Option<OwnSession> {
        let mut data = ptr::null();
        // SAFETY: the handle is live; pam_get_data(3) writes one pointer.
        let code = unsafe { raw::pam_get_data(self.0, SESSION_DATA.as_ptr(), &raw mut data) };
        if code != 0 {
            return None;
        }
        // SAFETY: data of that name is a box of `set_session`'s, or null, and libpam frees none while a hook runs that has
        // not asked for it; copied here.
        unsafe { data.cast::<OwnSession>().as_ref() }.cloned()
    }

    fn set_session(&mut self, session: Option<OwnSession>) -> Result<(), Code> {
        let data = session.map_or(ptr::null_mut(), |session| Box::into_raw(Box::new(session)));
        // SAFETY: the handle is live. libpam owns `data` from here on and gives it to `end_session` once: when it is
        // replaced, or at pam_end.
        let code =
            unsafe { raw::pam_set_data(self.0, SESSION_DATA.as_ptr(), data.cast(), Some(end_session)) };
        if code != 0 {
            // pam_set_data(3): on failure nothing was stored.
            end_session(self.0, data.cast(), Code::SUCCESS.0);
        }
        succeeded(code)
    }

    fn log(&self, severity: Severity, line: &str) {
        let priority = match severity {
            Severity::Error => libc::LOG_ERR,
            Severity::Warning => libc::LOG_WARNING,
            Severity::Debug => libc::LOG_DEBUG,
        };
        let line = CString::new(line.replace('\0', "?")).unwrap_or_default();
        // SAFETY: the handle is live; the format takes exactly one string, and gets one.
        unsafe { pam_syslog(self.0, priority, c"%s".as_ptr(), line.as_ptr()) };
    }
}

/// Frees what is known of a session, and closes it if the login was given up without. In a forked copy of the process, and
/// with PAM_DATA_SILENT, it is memory and nothing else.
extern "C" fn end_session(handle: *mut PamHandle, data: *mut c_void, status: c_int) {
    if data.is_null() {
        return;
    }
    // SAFETY: only `set_session` stores data under our name, from `Box::into_raw`, and libpam calls this once.
    let session = unsafe { Box::from_raw(data.cast::<OwnSession>()) };
    if close::is_given_up(&session, status) {
        guarded(handle, |pam| close::give_up(pam, &session, &Broker::default()));
    }
}

/// A copy of a C string; nothing for null.
///
/// # Safety
/// `text` is null or a string.
unsafe fn copy(text: *const c_char) -> Option<CString> {
    // SAFETY: the caller's promise.
    if text.is_null() { None } else { Some(unsafe { CStr::from_ptr(text) }.to_owned()) }
}

fn succeeded(code: c_int) -> Result<(), Code> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}
