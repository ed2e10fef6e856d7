//! Containers whose PID 1 is not systemd. That nothing stays of one is what every machine looks after when it is dropped.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use usher_tests::{Container, Image};

fn image() -> Image {
    Image::debian("sysvinit")
        .packages(&["sysvinit-core"])
        .file("/etc/made-by", "the \"image\", it's\n", 0o640)
        .setup("useradd --create-home --uid 1001 alice")
        .setup("cat /etc/made-by | sed s/image/setup/ > /etc/made-later")
}

fn people_and_cgroups(container: &Container) {
    assert_eq!(container.as_user("alice", &["sh", "-c", "id -un; echo $HOME"]).text(), "alice\n/home/alice");
    let cgroups = container.run(&["cat", "/proc/self/cgroup"]).stdout;
    assert!(cgroups.lines().any(|line| line == "0::/harness"), "{cgroups}");
    assert_eq!(container.run(&["id", "-u"]).text(), "0");
    assert_eq!(container.try_run(&["sh", "-c", "exit 7"]).code, 7);
}

#[test]
fn a_script_is_the_first_process() {
    let script = "echo it begins; cp /etc/before /run/ready; exec sleep infinity";
    let mut container = image()
        .container()
        .file("/etc/opt/new/file", "new", 0o600)
        .program("/bin/true", "/opt/bin/nothing")
        .prepare("id -u > /etc/before; test -x /opt/bin/nothing")
        .prepare("cat /etc/opt/new/file >> /etc/before")
        .init(&["/bin/sh", "-c", script], &["test", "-s", "/run/ready"])
        .boot();
    assert_eq!(container.read("/run/ready"), "0\nnew");
    assert_eq!(container.read("/etc/made-by"), "the \"image\", it's\n");
    assert_eq!(container.read("/etc/made-later"), "the \"setup\", it's\n");
    let mode = container.file("/etc/made-by").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(container.console().contains("it begins"), "{}", container.dump());
    assert_eq!(container.read("/proc/1/comm").trim(), "sleep");
    people_and_cgroups(&container);
    container.install(Path::new("/bin/echo"), "/opt/bin/say");
    assert_eq!(container.run(&["/opt/bin/say", "hello"]).text(), "hello");
    assert!(container.is_running());
}

#[test]
fn sysvinit_boots_and_shuts_down() {
    let mut container =
        image().container().init(&["/sbin/init"], &["sh", "-c", "runlevel | grep -q 2$"]).boot();
    assert_eq!(container.read("/proc/1/comm").trim(), "init");
    people_and_cgroups(&container);
    assert!(container.is_running());
    container.run(&["sh", "-c", "poweroff -f & true"]);
    let mut ended = false;
    for _ in 0..300 {
        ended = !container.is_running();
        if ended {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(ended, "{}", container.console());
}

#[test]
fn a_first_process_that_ends_is_told() {
    let init = ["/bin/sh", "-c", "echo that was all"];
    let error = image().container().init(&init, &["false"]).try_boot().unwrap_err().to_string();
    assert!(error.contains("that was all"), "{error}");
}

#[test]
fn an_image_that_cannot_be_made_is_told_and_leaves_nothing() {
    let error = Image::debian("broken").setup("echo the reason >&2; false").ensure().unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("make the image broken") && error.contains("the reason"), "{error}");
    let left = std::fs::read_dir(target().join("containers")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with("broken-")), "{left:?}");
}

/// This program is in target/PROFILE/deps.
fn target() -> std::path::PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}
