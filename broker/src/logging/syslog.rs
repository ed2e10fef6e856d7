//! Lines for the syslog daemon at /dev/log (syslog(3)): one datagram each, with priority, name and process number.
//!
//! A syslog daemon that hangs, restarts or is not there holds up nobody: what it does not take at once goes to standard
//! error.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

const SOCKET: &str = "/dev/log";
/// LOG_DAEMON of syslog(3), shifted as in a priority.
const FACILITY: u8 = 3 << 3;

/// Where lines go.
#[derive(Debug)]
pub(super) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Syslog {
    /// Whether anybody listens is seen anew with each line.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new() -> io::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_owned() })
    }
}

impl<'a> MakeWriter<'a> for Syslog {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line::begin(self, Level::INFO)
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line::begin(self, *event.level())
    }
}

/// One line, sent when it is complete.
#[derive(Debug)]
pub(super) struct Line<'a> {
    syslog: &'a Syslog,
    /// The priority and the name, which syslog wants and standard error does not.
    header: usize,
    text: Vec<u8>,
}

impl<'a> Line<'a> {
    fn begin(syslog: &'a Syslog, level: Level) -> Self {
        let severity = match level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        let text = format!("<{}>usherd[{}]: ", FACILITY | severity, std::process::id()).into_bytes();
        Self { syslog, header: text.len(), text }
    }
}

impl Line<'_> {
    /// What is to be sent.
    fn whole(&self) -> &[u8] {
        self.text.trim_ascii_end()
    }

    /// Sends it, if that can be done at once.
    fn send(&self) -> io::Result<usize> {
        self.syslog.socket.send_to(self.whole(), &self.syslog.path)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.send().is_err() {
            let plain = self.whole().get(self.header..).unwrap_or_default();
            let _ = io::stderr().write_all(&[plain, b"\n"].concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_line_has_its_priority_and_is_sent_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(Syslog::at(&path).unwrap())
            .without_time()
            .with_ansi(false)
            .with_target(false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(uid = 7, "cannot do it");
            tracing::error!("two\nlines");
        });
        let mut buffer = [0; 4096];
        let mut next = || {
            let length = daemon.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let pid = std::process::id();
        assert_eq!(next(), format!("<28>usherd[{pid}]:  WARN cannot do it uid=7"));
        assert_eq!(next(), format!("<27>usherd[{pid}]: ERROR two\nlines"));
    }

    #[test]
    fn a_daemon_that_is_not_there_or_hangs_holds_up_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let syslog = Syslog::at(&path).unwrap();
        let mut line = syslog.make_writer();
        line.write_all(b"once more").unwrap();
        assert_eq!(line.send().unwrap_err().kind(), io::ErrorKind::NotFound);

        let daemon = UnixDatagram::bind(&path).unwrap();
        let full = std::iter::repeat_with(|| line.send()).find_map(Result::err).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);

        // It reads on: nothing has to be connected anew.
        let mut buffer = [0; 4096];
        let length = daemon.recv(&mut buffer).unwrap();
        assert!(String::from_utf8_lossy(&buffer[..length]).ends_with("]: once more"));
        line.send().unwrap();
    }
}
