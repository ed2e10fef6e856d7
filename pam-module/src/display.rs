//! On which VT an X display is shown: where its server's controlling terminal is (contract/pam.md section 3). For display
//! managers that set PAM_XDISPLAY but not XDG_VTNR.

use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use usher_protocol::ids::VtNr;

/// The major number of the VTs, `/dev/tty1` and on (the kernel's admin-guide/devices.txt).
const VT_MAJOR: u64 = 4;

/// Asks the kernel who serves the display. Never waits: a server that is busy is as good as none. Anybody can listen on
/// an abstract socket, so that only root's and the user's own servers are believed.
pub(crate) fn vt_of(display: &str, uid: u32) -> Option<VtNr> {
    let number = display_number(display)?;
    let path = format!("/tmp/.X11-unix/X{number}");
    let abstract_socket = SocketAddrUnix::new_abstract_name(path.as_bytes()).ok()?;
    let server = match peer(&abstract_socket) {
        Err(Errno::CONNREFUSED) => peer(&SocketAddrUnix::new(path.as_str()).ok()?),
        other => other,
    };
    let server = server.ok()?;
    let server_uid = server.uid.as_raw();
    if server_uid != 0 && server_uid != uid {
        return None;
    }
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid.as_raw_nonzero())).ok()?;
    vt_in_stat(&stat)
}

fn peer(address: &SocketAddrUnix) -> Result<rustix::net::UCred, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, address)?;
    socket_peercred(&socket)
}

/// `:0` and `:0.1` are display 0; a host before the colon means another machine.
fn display_number(display: &str) -> Option<u32> {
    let rest = display.strip_prefix(':')?;
    let digits = rest.split('.').next()?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) { None } else { digits.parse().ok() }
}

/// The controlling terminal, proc(5) field 7, if it is a VT. The name in field 2 may contain anything.
fn vt_in_stat(stat: &str) -> Option<VtNr> {
    let (_, fields) = stat.rsplit_once(')')?;
    let tty: u64 = fields.split_ascii_whitespace().nth(4)?.parse().ok()?;
    let (major, minor) = ((tty >> 8) & 0xfff, (tty & 0xff) | ((tty >> 12) & 0xf_ff00));
    if major == VT_MAJOR { u32::try_from(minor).ok()?.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_displays_of_this_machine_have_a_number() {
        assert_eq!(display_number(":0"), Some(0));
        assert_eq!(display_number(":12.3"), Some(12));
        for no in ["", ":", "host:0", ":a", ":+1", ":99999999999", "0", ":1:2"] {
            assert_eq!(display_number(no), None, "{no:?}");
        }
    }

    #[test]
    fn the_terminal_is_read_past_a_hostile_process_name() {
        let stat = |tty: u64| format!("7 (X) 1 2 (a) S 1 7 7 {tty} 7 4194560 0");
        assert_eq!(vt_in_stat(&stat(4 << 8 | 7)).map(VtNr::get), Some(7));
        assert_eq!(vt_in_stat(&stat(4 << 8 | 64)), None, "ttyS0");
        assert_eq!(vt_in_stat(&stat(136 << 8 | 1)), None, "pts/1");
        assert_eq!(vt_in_stat(&stat(0)), None);
        assert_eq!(vt_in_stat(""), None);
        assert_eq!(vt_in_stat("7 (X"), None);
    }

    #[test]
    fn a_display_that_nobody_serves_has_no_vt() {
        assert_eq!(vt_of(":54321", 0), None);
    }
}
