//! What is mounted where (proc_pid_mountinfo(5)).

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub point: String,
    /// The file system's type.
    pub fs_type: String,
    /// The file system's options.
    pub options: Vec<String>,
    /// Whether nothing can be written there.
    pub read_only: bool,
}

/// The mounts of a table, in its order: what was mounted later on the same point comes later.
pub fn parse(table: &str) -> Vec<Mount> {
    table.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(4);
    let (point, flags) = (fields.next()?, fields.next()?);
    let mut fields = file_system.split(' ');
    let (fs_type, options) = (fields.next()?, fields.nth(1).unwrap_or_default());
    let options: Vec<_> = options.split(',').map(str::to_owned).collect();
    let read_only = flags.split(',').any(|flag| flag == "ro") || options.iter().any(|option| option == "ro");
    Some(Mount { point: unescape(point), fs_type: fs_type.to_owned(), options, read_only })
}

/// Blanks and backslashes in a mount point are written as three octal digits.
fn unescape(text: &str) -> String {
    let (first, parts) = match text.split_once('\\') {
        None => return text.to_owned(),
        Some((first, rest)) => (first, rest.split('\\')),
    };
    let mut plain = first.to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(part.get(3..).unwrap_or_default());
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_mounted_where() {
        let table = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
                     41 31 0:38 / /sys/fs/cgroup/a\\040b ro shared:1 - cgroup2 cgroup2 rw,nsdelegate\nbroken\n";
        let mounts = parse(table);
        assert_eq!(mounts.len(), 2);
        assert_eq!(
            (&*mounts[0].point, &*mounts[0].fs_type, mounts[0].read_only),
            ("/sys/fs/cgroup", "tmpfs", false)
        );
        assert_eq!(mounts[1].point, "/sys/fs/cgroup/a b");
        assert!(mounts[1].read_only && mounts[1].options.contains(&"nsdelegate".to_owned()));
    }
}
