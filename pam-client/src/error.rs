//! What libpam says when it does not say PAM_SUCCESS.

use std::ffi::c_int;
use std::fmt;

/// A return code of libpam (`_pam_types.h`, "The Linux-PAM return values").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(c_int);

impl Code {
    /// PAM_SUCCESS.
    pub const SUCCESS: Self = Self(0);
    /// PAM_BUF_ERR: no memory.
    pub const BUF_ERR: Self = Self(5);
    /// PAM_BAD_ITEM: the value cannot be passed to libpam.
    pub const BAD_ITEM: Self = Self(29);

    pub(crate) const fn new(code: c_int) -> Self {
        Self(code)
    }

    /// The number, as in `_pam_types.h`.
    pub const fn get(self) -> c_int {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A call to libpam that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} for service {service} failed: {text} (PAM code {code})")]
pub struct PamError {
    /// The function of libpam.
    pub operation: &'static str,
    /// The PAM service, the file in /etc/pam.d.
    pub service: String,
    /// What it returned.
    pub code: Code,
    /// The same, as pam_strerror(3) puts it.
    pub text: String,
}
