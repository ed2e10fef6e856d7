//! libpam itself. Every unsafe block is one call, or the conversation that libpam calls back.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::{self, NonNull};

use pam_sys::raw;
use pam_sys::types::{
    PamConversation, PamFlag, PamHandle, PamItemType, PamMessage, PamMessageStyle, PamResponse, PamReturnCode,
};

use crate::error::Code;
use crate::transaction::{Credentials, Item};

/// A `pam_handle_t` that pam_start(3) made and [`Handle::end`] gives back. The pointer makes it `!Send` and `!Sync`.
#[derive(Debug)]
pub(crate) struct Handle(NonNull<PamHandle>);

impl Handle {
    pub(crate) fn start(service: &CStr, user: &CStr) -> Result<Self, Code> {
        let conversation = PamConversation { conv: Some(converse), data_ptr: ptr::null_mut() };
        let mut handle: *const PamHandle = ptr::null();
        // SAFETY: pam_start(3) reads the two strings and the structure during the call and copies them; it writes one
        // pointer. `converse` keeps pam_conv(3)'s contract, see there.
        let code = unsafe {
            raw::pam_start(service.as_ptr(), user.as_ptr(), &raw const conversation, &raw mut handle)
        };
        match NonNull::new(handle.cast_mut()) {
            Some(handle) if code == 0 => Ok(Self(handle)),
            _ => Err(Code::new(if code == 0 { PamReturnCode::SYSTEM_ERR as c_int } else { code })),
        }
    }

    pub(crate) fn set_item(&mut self, item: Item, value: &CStr) -> Code {
        let item = match item {
            Item::Tty => PamItemType::TTY,
            Item::RemoteHost => PamItemType::RHOST,
            Item::RemoteUser => PamItemType::RUSER,
            Item::XDisplay => PamItemType::XDISPLAY,
        };
        // SAFETY: the handle is live (type invariant). All four items are strings, which pam_set_item(3) copies.
        Code::new(unsafe { raw::pam_set_item(self.0.as_ptr(), item as c_int, value.as_ptr().cast()) })
    }

    pub(crate) fn putenv(&mut self, name_value: &CStr) -> Code {
        // SAFETY: the handle is live (type invariant); pam_putenv(3) copies the string.
        Code::new(unsafe { raw::pam_putenv(self.0.as_ptr(), name_value.as_ptr()) })
    }

    pub(crate) fn acct_mgmt(&mut self) -> Code {
        // SAFETY: the handle is live (type invariant).
        Code::new(unsafe { raw::pam_acct_mgmt(self.0.as_ptr(), PamFlag::SILENT as c_int) })
    }

    pub(crate) fn setcred(&mut self, what: Credentials) -> Code {
        let what = match what {
            Credentials::Establish => PamFlag::ESTABLISH_CRED,
            Credentials::Delete => PamFlag::DELETE_CRED,
        };
        // SAFETY: the handle is live (type invariant).
        Code::new(unsafe { raw::pam_setcred(self.0.as_ptr(), what as c_int | PamFlag::SILENT as c_int) })
    }

    pub(crate) fn open_session(&mut self) -> Code {
        // SAFETY: the handle is live (type invariant).
        Code::new(unsafe { raw::pam_open_session(self.0.as_ptr(), PamFlag::SILENT as c_int) })
    }

    pub(crate) fn close_session(&mut self) -> Code {
        // SAFETY: the handle is live (type invariant).
        Code::new(unsafe { raw::pam_close_session(self.0.as_ptr(), PamFlag::SILENT as c_int) })
    }

    pub(crate) fn getenvlist(&mut self) -> Option<Vec<CString>> {
        // SAFETY: the handle is live (type invariant).
        let list = NonNull::new(unsafe { raw::pam_getenvlist(self.0.as_ptr()) }.cast_mut())?;
        let mut entries = Vec::new();
        for index in 0.. {
            // SAFETY: pam_getenvlist(3) returns an array ended by a null pointer, and the loop stops there.
            let entry = unsafe { *list.as_ptr().add(index) };
            if entry.is_null() {
                break;
            }
            // SAFETY: every entry before the end is a string.
            entries.push(unsafe { CStr::from_ptr(entry) }.to_owned());
            // SAFETY: pam_getenvlist(3): the strings were allocated with malloc and belong to the caller; this one has
            // been copied and is not looked at again.
            unsafe { libc::free(entry.cast_mut().cast()) };
        }
        // SAFETY: the same holds for the array.
        unsafe { libc::free(list.as_ptr().cast()) };
        Some(entries)
    }

    pub(crate) fn describe(&mut self, code: Code) -> String {
        // SAFETY: the handle is live (type invariant).
        let text = unsafe { raw::pam_strerror(self.0.as_ptr(), code.get()) };
        if text.is_null() {
            return "unknown error".to_owned();
        }
        // SAFETY: pam_strerror(3) returns a string that lives as long as libpam; it is copied.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }

    /// Gives the handle back. To be called once, last: [`crate::Transaction`] does it in its drop.
    pub(crate) fn end(&mut self, last: Code) {
        // SAFETY: the handle is live (type invariant), and nobody uses it after this: the owner is being dropped.
        unsafe { raw::pam_end(self.0.as_ptr(), last.get()) };
    }
}

/// The conversation (pam_conv(3)) of a program that nobody sits in front of: texts are taken and dropped, a question
/// fails.
extern "C" fn converse(
    count: c_int,
    messages: *mut *mut PamMessage,
    responses: *mut *mut PamResponse,
    _data: *mut c_void,
) -> c_int {
    let failed = PamReturnCode::CONV_ERR as c_int;
    let Ok(length @ 1..=32) = usize::try_from(count) else { return failed };
    if messages.is_null() || responses.is_null() {
        return failed;
    }
    for index in 0..length {
        // SAFETY: pam_conv(3): `messages` is an array of `count` pointers to messages (Linux-PAM's reading of it).
        let style = unsafe { (**messages.add(index)).msg_style };
        if style != PamMessageStyle::ERROR_MSG as c_int && style != PamMessageStyle::TEXT_INFO as c_int {
            return failed;
        }
    }
    // SAFETY: calloc(3) may be called with anything; the zeroed memory is an array of empty responses.
    let empty = unsafe { libc::calloc(length, size_of::<PamResponse>()) };
    if empty.is_null() {
        return PamReturnCode::BUF_ERR as c_int;
    }
    // SAFETY: pam_conv(3): `responses` takes one pointer, to an array that the caller frees.
    unsafe { *responses = empty.cast() };
    PamReturnCode::SUCCESS as c_int
}
