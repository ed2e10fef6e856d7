//! Small files of /proc, the way the kernel gives them: whole, by one read.

use std::fs::File;
use std::io::{self, Read};

/// More than any file has that is read this way.
const SIZE: usize = 4096;

/// The text of a file that the kernel makes in one piece (stat, cgroup, sessionid, fdinfo: proc_pid(5)). Three system
/// calls; `std::fs::read` probes its way to the end of a file whose size the kernel gives as 0.
pub(super) fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut text = vec![0; SIZE];
    let length = file.read(&mut text)?;
    text.truncate(length);
    // A full buffer is the one case in which there may be more.
    if length == SIZE {
        file.read_to_end(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn files_come_whole_whatever_their_size() {
        for path in ["/proc/self/cgroup", "/proc/self/sessionid", "/proc/version"] {
            assert_eq!(read(path).unwrap(), std::fs::read(path).unwrap(), "{path}");
        }
        let long = tempfile::NamedTempFile::new().unwrap();
        for size in [0, 1, super::SIZE - 1, super::SIZE, super::SIZE + 1, 3 * super::SIZE] {
            std::fs::write(&long, vec![b'x'; size]).unwrap();
            assert_eq!(read(long.path().to_str().unwrap()).unwrap().len(), size);
        }
    }
}
