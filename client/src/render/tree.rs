//! Trees: of cgroups and processes, and of a seat's devices (contract/loginctl.md section 3).

use crate::cgroup::Cgroup;
use crate::devices::Device;
use crate::render::text;

/// What is below a cgroup, a line each, every one indented by so many columns. Lines longer than `columns` are cut.
/// Cgroups without processes are left out unless `empty` ones are wanted.
pub fn to_text(cgroup: &Cgroup, indent: usize, columns: Option<usize>, empty: bool) -> String {
    let mut out = String::new();
    branch(&mut out, cgroup, &" ".repeat(indent), columns, empty);
    out
}

fn branch(out: &mut String, cgroup: &Cgroup, prefix: &str, columns: Option<usize>, empty: bool) {
    let children: Vec<_> = cgroup.children.iter().filter(|child| empty || !child.is_empty()).collect();
    let wide = cgroup.processes.last().map_or(0, |process| process.pid.to_string().len());
    let mut left = cgroup.processes.len() + children.len();

    for process in &cgroup.processes {
        left -= 1;
        let line =
            format!("{prefix}{}{:>wide$} {}", corner(left), process.pid, text::escape(&process.command));
        text::push_line(out, &columns.map_or(line.clone(), |limit| text::shorten(&line, limit)));
    }
    for child in children {
        left -= 1;
        text::push_line(out, &format!("{prefix}{}{}", corner(left), text::escape(&child.name)));
        let deeper = if left == 0 { "  " } else { "│ " };
        branch(out, child, &format!("{prefix}{deeper}"), columns, empty);
    }
}

/// A seat's devices, two lines each, every one indented by so many columns. Lines longer than `columns` are cut.
pub fn of_devices(devices: &[Device], indent: usize, columns: Option<usize>) -> String {
    let mut out = String::new();
    let prefix = " ".repeat(indent);
    match devices {
        [] => text::push_line(&mut out, &format!("{prefix}{}(none)", corner(0))),
        _ => device_branch(&mut out, devices, &prefix, columns),
    }
    out
}

fn device_branch(out: &mut String, devices: &[Device], prefix: &str, columns: Option<usize>) {
    let cut = |line: String| columns.map_or(line.clone(), |limit| text::shorten(&line, limit));
    for (device, left) in devices.iter().zip((0..devices.len()).rev()) {
        let path = text::escape(&device.path.to_string_lossy());
        text::push_line(out, &cut(format!("{prefix}{}{path}", corner(left))));
        let deeper = format!("{prefix}{}", if left == 0 { "  " } else { "│ " });
        let master = if device.master { "[MASTER] " } else { "" };
        let name = device.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let what = text::escape(&format!("{master}{}:{}{name}", device.subsystem, device.kernel_name));
        text::push_line(out, &cut(format!("{deeper}{what}")));
        device_branch(out, &device.children, &deeper, columns);
    }
}

fn corner(left: usize) -> &'static str {
    if left == 0 { "└─" } else { "├─" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Process;

    fn cgroup(name: &str, processes: &[(u32, &str)], children: Vec<Cgroup>) -> Cgroup {
        let process = |&(pid, command): &(u32, &str)| Process { pid, command: command.to_owned() };
        Cgroup { name: name.to_owned(), processes: processes.iter().map(process).collect(), children }
    }

    fn slice() -> Cgroup {
        let manager =
            cgroup("init.scope", &[(98, "/usr/lib/systemd/systemd --user"), (105, "(sd-pam)")], vec![]);
        let empty = cgroup("app.slice", &[], vec![]);
        let service = cgroup("user@1002.service", &[], vec![empty, manager]);
        let session = cgroup("session-c4.scope", &[(108, "-bash\u{1b}[2J")], vec![]);
        cgroup("user-1002.slice", &[], vec![session, service])
    }

    #[test]
    fn processes_and_cgroups_hang_on_their_parents() {
        // No line continuation before the first line: it would take the indentation away.
        let tree = "    ├─session-c4.scope
    │ └─108 -bash\\u{1b}[2J
    └─user@1002.service
      └─init.scope
        ├─ 98 /usr/lib/systemd/systemd --user
        └─105 (sd-pam)
";
        assert_eq!(to_text(&slice(), 4, None, false), tree);
        assert!(to_text(&slice(), 4, None, true).contains("├─app.slice\n"));
    }

    #[test]
    fn long_lines_are_cut() {
        let tree = to_text(&slice(), 4, Some(30), false);
        assert!(tree.contains("\n        ├─ 98 /usr/lib/system…\n"), "{tree}");
        assert!(tree.lines().all(|line| text::width(line) <= 30), "{tree}");
    }

    #[test]
    fn devices_take_two_lines() {
        let device = |path: &str, name: Option<&str>, master, children| Device {
            path: path.into(),
            subsystem: "input".into(),
            kernel_name: "input3".into(),
            name: name.map(str::to_owned),
            master,
            children,
        };
        let below = vec![device("/sys/a/b", Some("A\u{1b}[2J"), false, vec![])];
        let devices = [device("/sys/a", None, true, below), device("/sys/c", Some("C"), false, vec![])];
        let tree = " ├─/sys/a
 │ [MASTER] input:input3
 │ └─/sys/a/b
 │   input:input3 \"A\\u{1b}[2J\"
 └─/sys/c
   input:input3 \"C\"
";
        assert_eq!(of_devices(&devices, 1, None), tree);
        assert!(of_devices(&devices, 1, Some(9)).lines().all(|line| text::width(line) <= 9));
        assert_eq!(of_devices(&[], 2, None), "  └─(none)\n");
    }
}
