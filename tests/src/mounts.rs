//! Reads mount tables: the lines of `/proc/PID/mountinfo`, proc_pid_mountinfo(5).

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// Where it is mounted.
    pub mount_point: String,
    /// The part of the file system that is mounted, `/` for all of it (of cgroup2: as the host names it).
    pub root: String,
    /// Options of this mount: `rw`, `nosuid`, `nodev`…
    pub options: Vec<String>,
    /// Propagation fields: `shared:N`, `master:N`; none for a private mount.
    pub propagation: Vec<String>,
    /// Type: `tmpfs`, `cgroup2`…
    pub fs_type: String,
    /// Source, as given to mount(2).
    pub source: String,
    /// Options of the file system: `size=…`, `mode=700`, `uid=…`…
    pub super_options: Vec<String>,
}

impl MountInfo {
    /// Whether the mount or its file system has this option, such as `nodev` or `uid=1001`.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().chain(&self.super_options).any(|have| have == option)
    }
}

/// All mounts of a mountinfo text, in its order; of two on the same directory the later one is on top.
pub(crate) fn parse(text: &str) -> Vec<MountInfo> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<MountInfo> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let root = unescape(fields.next()?);
    let mount_point = unescape(fields.next()?);
    let options = list(fields.next()?);
    let propagation = fields.map(str::to_owned).collect();
    let mut fields = file_system.split(' ');
    let fs_type = fields.next()?.to_owned();
    let source = unescape(fields.next()?);
    let super_options = list(fields.next()?);
    Some(MountInfo { mount_point, root, options, propagation, fs_type, source, super_options })
}

fn list(options: &str) -> Vec<String> {
    options.split(',').map(str::to_owned).collect()
}

/// The kernel writes the four characters that would break a line as octal.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_directory() {
        let text = "91 52 0:40 / /run/user/1001 rw,nosuid,nodev,relatime shared:7 - tmpfs tmpfs rw,size=10k,mode=700,uid=1001\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].mount_point, "/run/user/1001");
        assert_eq!(mounts[0].propagation, ["shared:7"]);
        assert_eq!(mounts[0].fs_type, "tmpfs");
        assert!(mounts[0].has("nodev") && mounts[0].has("uid=1001") && !mounts[0].has("noexec"));
    }

    #[test]
    fn a_path_with_a_space_and_no_propagation() {
        let mounts = parse("91 52 0:40 /a\\040b /c\\040d rw - ext4 /dev/vda rw");
        assert_eq!((mounts[0].root.as_str(), mounts[0].mount_point.as_str()), ("/a b", "/c d"));
        assert!(mounts[0].propagation.is_empty());
    }

    #[test]
    fn nonsense_is_skipped() {
        assert!(parse("\nnot a mount\n1 2 - tmpfs\n").is_empty());
    }
}
