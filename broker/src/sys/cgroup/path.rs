//! What a process's cgroup path says about it, by the rules of libsystemd (contract/user-lifecycle.md section 7): pure
//! functions of the text in /proc/PID/cgroup.

use usher_protocol::ids::{SessionId, Uid};

/// The cgroup2 line of /proc/PID/cgroup, without the remark that the cgroup was removed.
pub(crate) fn unified(text: &str) -> Option<&str> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.strip_suffix(" (deleted)").unwrap_or(path))
}

/// The session in whose scope a cgroup is. `pid1` is PID 1's own cgroup, which tells where the tree begins.
pub fn session_of(path: &str, pid1: &str) -> Option<SessionId> {
    let unit = components(path, pid1)?.find(|name| !is_slice(name))?;
    SessionId::from_scope(unit)
}

/// The user to whose slice a cgroup belongs: the innermost of the leading slices decides.
pub fn owner_of(path: &str, pid1: &str) -> Option<Uid> {
    let slice = components(path, pid1)?.take_while(|name| is_slice(name)).last()?;
    slice.strip_prefix("user-")?.strip_suffix(".slice")?.parse().ok()
}

/// The user whose manager's unit a cgroup is, or is below: `user@UID.service` in that user's slice.
pub fn manager_of(path: &str, pid1: &str) -> Option<Uid> {
    let owner = owner_of(path, pid1)?;
    let unit = components(path, pid1)?.find(|name| !is_slice(name))?;
    (unit == owner.manager_unit()).then_some(owner)
}

/// Whether a cgroup is `top` or below it.
pub(crate) fn is_below(path: &str, top: &str) -> bool {
    let top = top.trim_end_matches('/');
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path that stays where it is put: absolute, nothing in it that climbs.
pub(crate) fn is_sound(path: &str) -> bool {
    let inner = |part: &str| !matches!(part, "" | "." | "..");
    path == "/"
        || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(inner) && !rest.contains('\0'))
}

/// The components below the root that PID 1 marks. `None` for a cgroup outside of the cgroup namespace.
fn components<'a>(path: &'a str, pid1: &str) -> Option<impl Iterator<Item = &'a str>> {
    if path == "/.." || path.starts_with("/../") || !path.starts_with('/') {
        return None;
    }
    let own = ["/init.scope", "/system.slice", "/system"];
    let root = own.iter().find_map(|end| pid1.strip_suffix(end)).unwrap_or(pid1).trim_end_matches('/');
    let below = path.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let parts = below.unwrap_or(path).split('/').filter(|part| !part.is_empty());
    // A name that would clash with a kernel file is marked by an underscore.
    Some(parts.map(|part| part.strip_prefix('_').unwrap_or(part)))
}

fn is_slice(name: &str) -> bool {
    name.strip_suffix(".slice").is_some_and(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCOPE: &str = "/user.slice/user-1000.slice/session-3.scope";
    const UNIT: &str = "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service";

    fn session(path: &str, pid1: &str) -> Option<String> {
        session_of(path, pid1).map(String::from)
    }

    fn owner(path: &str, pid1: &str) -> Option<u32> {
        owner_of(path, pid1).map(Uid::get)
    }

    #[test]
    fn sessions_and_owners() {
        assert_eq!(session(SCOPE, "/"), Some("3".into()));
        assert_eq!(
            session("/user.slice/user-1000.slice/session-3.scope/sub/x", "/init.scope"),
            Some("3".into())
        );
        assert_eq!(session(UNIT, "/"), None);
        assert_eq!(session("/", "/"), None);
        assert_eq!(session("/system.slice/session-3.scope", "/"), Some("3".into()));
        assert_eq!(session("/x.service/session-3.scope", "/"), None);
        assert_eq!(session("/user.slice/user-1000.slice/session-.scope", "/"), None);
        assert_eq!(owner(SCOPE, "/"), Some(1000));
        assert_eq!(owner(UNIT, "/"), Some(1000));
        assert_eq!(owner("/system.slice/x.service", "/"), None);
        assert_eq!(owner("/user.slice/user-1000.slice/deeper.slice/x.service", "/"), None);
        assert_eq!(owner("/user.slice/user-01000.slice/session-3.scope", "/"), None);
    }

    #[test]
    fn managers() {
        let manager = |path: &str| manager_of(path, "/init.scope").map(Uid::get);
        assert_eq!(manager(UNIT), Some(1000));
        assert_eq!(manager("/user.slice/user-1000.slice/user@1000.service"), Some(1000));
        assert_eq!(manager(SCOPE), None);
        for other in [
            "/user.slice/user-1001.slice/user@1000.service",
            "/user.slice/user-1000.slice/x.slice/user@1000.service",
            "/user.slice/user-1000.slice/session-3.scope/user@1000.service",
            "/user.slice/user@1000.service",
            "/system.slice/user@1000.service",
            "/user.slice/user-1000.slice/user@01000.service",
        ] {
            assert_eq!(manager(other), None, "{other}");
        }
    }

    #[test]
    fn pid_1_marks_the_root() {
        for pid1 in ["/machine/box", "/machine/box/init.scope", "/machine/box/"] {
            assert_eq!(session(&format!("/machine/box{SCOPE}"), pid1), Some("3".into()), "{pid1}");
        }
        assert_eq!(session(SCOPE, "/elsewhere"), Some("3".into()), "not below the root: used whole");
        assert_eq!(session(&format!("/boxes{SCOPE}"), "/box"), None, "a name is not its beginning");
        assert_eq!(session(&format!("/..{SCOPE}"), "/"), None);
        assert_eq!(session("/user.slice/user-1000.slice/_session-3.scope", "/"), Some("3".into()));
    }

    #[test]
    fn proc_lines() {
        assert_eq!(unified("9:name=systemd:/x\n0::/a/b\n"), Some("/a/b"));
        assert_eq!(unified("0::/a/b (deleted)\n"), Some("/a/b"));
        assert_eq!(unified("1:cpu:/\n"), None);
    }

    #[test]
    fn soundness() {
        for good in ["/", "/a", "/a/b.slice/.hidden"] {
            assert!(is_sound(good), "{good}");
        }
        for bad in ["", "a", "/..", "/a/../b", "/a/", "//a", "/a/./b", "/../a", "/a\0b"] {
            assert!(!is_sound(bad), "{bad}");
        }
        assert!(is_below("/a/b", "/a") && is_below("/a", "/a") && is_below("/a", "/"));
        assert!(!is_below("/ab", "/a") && !is_below("/", "/a"));
    }

    proptest! {
        #[test]
        fn no_path_is_too_strange(path in any::<String>(), near in "(/(user-[0-9]{0,3}.slice|session-.{0,2}.scope|\\.\\.)){0,4}") {
            for text in [&path, &near] {
                for pid1 in ["/", "/init.scope", &path] {
                    let _ = (session_of(text, pid1), owner_of(text, pid1), unified(text), is_sound(text));
                }
            }
        }
    }
}
