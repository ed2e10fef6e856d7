//! What the systems have in common, and how they differ.

use std::path::PathBuf;

use usher_tests::Image;
use usher_tests::container::Start;

/// One of Debian's inits.
pub(crate) struct Init {
    pub(crate) name: &'static str,
    /// systemd's package among them is there for `systemd --user` only.
    pub(crate) packages: &'static [&'static str],
    /// Lines of shell that put a getty on the console, and on nothing else, and whatever else is to be done.
    pub(crate) setup: &'static str,
    /// Fails until everything has been started.
    pub(crate) ready: &'static str,
}

const PACKAGES: [&str; 6] =
    ["dbus", "login", "openssh-server", "openssh-client", "inetutils-syslogd", "procps"];

/// alice and bob have passwords, and let root in with its key; a service of theirs tells when it comes and goes, and another one
/// takes long to stop.
const PEOPLE: &str = r#"
useradd --create-home --uid 1001 --shell /bin/bash alice
useradd --create-home --uid 1002 --shell /bin/bash bob
echo 'alice:wonderland
bob:builder' | chpasswd
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
for person in alice bob; do
    mkdir -p -m 700 /home/$person/.ssh
    cp /root/.ssh/id_ed25519.pub /home/$person/.ssh/authorized_keys
    mkdir -p /home/$person/.config/systemd/user/default.target.wants
    cp /usr/share/marks.service /usr/share/slow.service /home/$person/.config/systemd/user/
    ln -s ../marks.service /home/$person/.config/systemd/user/default.target.wants/
    chown -R $person: /home/$person
done
"#;
const MARKS: &str = r#"#!/bin/sh
# Tells what happens to it in ~/marks, and takes its time to stop.
mark() { echo "$1" >> ~/marks; }
[ "$1" != asked ] || { mark asked; exit; }
trap 'mark told; sleep 1; mark stopped; exit 0' TERM
mark started
while :; do
    sleep 1000 &
    wait $!
done
"#;
const MARKS_SERVICE: &str = "[Service]
ExecStart=/usr/local/bin/marks
ExecStop=/usr/local/bin/marks asked
[Install]
WantedBy=default.target
";
const SLOW_SERVICE: &str = "[Service]
ExecStart=/usr/bin/sleep infinity
ExecStop=/bin/sh -c 'sleep 12; echo stopped > %h/slow'
";
const SSH: &str = "Host *
    StrictHostKeyChecking no
    LogLevel ERROR
    ConnectionAttempts 5
";

/// The console is nobody's terminal when the kernel starts process 1, and it is that process's own when systemd-nspawn does: then no
/// getty gets it. 0x5422 is TIOCNOTTY.
const INIT: [&str; 3] = ["perl", "-e", "ioctl STDIN, 0x5422, 0; exec '/sbin/init'"];

/// Where the package is in the system.
pub(crate) const PACKAGE: &str = "/root/usher.deb";

/// A getty on the console by /etc/inittab.
pub(crate) const INITTAB: &str = "sed -i -e '/^[1-6]:.*getty/d' -e '$a c:2345:respawn:/sbin/getty --noclear 38400 console linux' /etc/inittab";
/// sysvinit has started everything.
pub(crate) const INITTAB_READY: &str = "runlevel | grep -q 2$ && ps -e -o args= | grep -q '^/sbin/getty'";

impl Init {
    /// Debian with this init, and without usher.
    pub(crate) fn image(&self) -> Image {
        Image::debian(&format!("boot-{}", self.name))
            .packages(&PACKAGES)
            .packages(self.packages)
            .file("/usr/local/bin/marks", MARKS, 0o755)
            .file("/usr/share/marks.service", MARKS_SERVICE, 0o644)
            .file("/usr/share/slow.service", SLOW_SERVICE, 0o644)
            .file("/etc/ssh/ssh_config.d/test.conf", SSH, 0o644)
            .setup(PEOPLE)
            .setup(self.setup)
    }

    /// A system that is to be started, with the package in it, not yet installed.
    pub(crate) fn start<'a>(&self, image: &'a Image) -> Start<'a> {
        image.container().program(package(), PACKAGE).terminal().init(&INIT, &["sh", "-c", self.ready])
    }
}

/// The package that was built for this run of the tests.
pub(crate) fn package() -> PathBuf {
    if let Some(path) = std::env::var_os("USHER_DEB") {
        return path.into();
    }
    // This program is in target/PROFILE/deps.
    let program = std::env::current_exe().unwrap();
    let directory = program.ancestors().nth(3).unwrap().join("boot");
    let files = directory.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut packages: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "deb")).collect();
    assert_eq!(
        packages.len(),
        1,
        "{} is to hold the package: `cargo xtask test --tier boot` builds it, or name one in USHER_DEB",
        directory.display()
    );
    packages.remove(0)
}
