//! The mount table, proc_pid_mountinfo(5), as far as it is needed here.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The mount points directly in the directory that holds the runtime directories, but for one's own.
pub(crate) fn other_runtime_dirs(mountinfo: &[u8], own: &Path) -> Vec<PathBuf> {
    let Some(parent) = own.parent() else { return Vec::new() };
    let mut others: Vec<PathBuf> = mountinfo
        .split(|&b| b == b'\n')
        .filter_map(|line| line.split(|&b| b == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(unescaped(field))))
        .filter(|path| path.parent() == Some(parent) && path != own)
        .collect();
    others.sort();
    others
}

/// Blanks, tabs, newlines and backslashes come as `\040` and the like.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        match (first, octal(tail)) {
            (b'\\', Some((byte, after))) => {
                bytes.push(byte);
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

fn octal(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(3)?;
    let text = std::str::from_utf8(digits).ok()?;
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    u8::from_str_radix(text, 8).ok().filter(|_| plain).map(|byte| (byte, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_users_directories_are_found_and_nothing_else() {
        let table = b"\
            29 1 0:25 / /run rw,nosuid shared:12 - tmpfs tmpfs rw\n\
            90 29 0:50 / /run/user/1000 rw shared:40 - tmpfs tmpfs rw\n\
            91 90 0:51 / /run/user/1000/doc rw shared:41 - fuse portal rw\n\
            92 29 0:52 / /run/user/1001 rw - tmpfs tmpfs rw\n\
            93 92 0:53 / /run/user/1001/doc rw - fuse portal rw\n\
            94 92 0:53 / /run/user/1001 rw - tmpfs over rw\n\
            95 29 0:54 / /run/user/a\\040b\\134 rw - tmpfs tmpfs rw\n\
            96 29 0:55 / /run/users/1002 rw - tmpfs tmpfs rw\n\
            broken\n";
        let others = other_runtime_dirs(table, Path::new("/run/user/1000"));
        let expected = ["/run/user/1001", "/run/user/1001", "/run/user/a b\\"].map(PathBuf::from);
        assert_eq!(others, expected);
    }

    #[test]
    fn escapes_that_are_none_stay() {
        assert_eq!(unescaped(b"a\\"), b"a\\");
        assert_eq!(unescaped(b"\\9990"), b"\\9990");
        assert_eq!(unescaped(b"\\04"), b"\\04");
        assert_eq!(unescaped(b"\\+40"), b"\\+40");
        assert_eq!(unescaped(b"\\040\\134"), b" \\");
    }
}
