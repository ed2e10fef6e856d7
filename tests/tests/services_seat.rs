//! Seat=: a local display manager is believed when it names a seat, and nobody else is.

use std::path::Path;

use usher_tests::{BOB, Machine};

/// The application opens a session, shows its record, and closes it.
const SHOW: &str = "#!/bin/sh\n[ $PAM_TYPE = close_session ] || cat /run/systemd/sessions/$XDG_SESSION_ID\n";

#[test]
fn a_service_with_seat_may_take_one_and_others_may_not() {
    let services = "[Service kiosk*]\nSeat=yes\n[Service kiosk-web lightdm]\nSeat=no\n";
    let mut builder = Machine::builder()
        .config(&format!("[Login]\nUserStopDelaySec=0\nManager=none\nDisplayManagers=mydm\n{services}"))
        .file("/etc/show.sh", SHOW, 0o755, 0);
    let all =
        [("kiosk", true), ("kiosk-greeter", true), ("kiosk-web", false), ("mydm", true), ("lightdm", false)];
    for (service, _) in all.iter().chain(&[("other", false)]) {
        builder = builder.pam_line(service, "session optional pam_usher.so");
        builder = builder.pam_line(service, "session optional pam_exec.so stdout /etc/show.sh");
    }
    let machine = builder.boot();
    let _usherd = machine.start_usherd();
    // Where there are none, a display manager has the seat without one.
    let has_vts = Path::new("/sys/class/tty/tty0/active").exists();
    for (service, believed) in all.into_iter().chain([("other", false)]) {
        let words = [
            "pamtester",
            "-E",
            "XDG_SEAT=seat0",
            "-E",
            "XDG_VTNR=11",
            service,
            "bob",
            "open_session",
            "close_session",
        ];
        let shown = machine.run(&words).stdout;
        assert!(shown.contains("\nUID=1002\n"), "{service}: {shown}");
        assert_eq!(shown.contains("\nSEAT=seat0\n"), believed, "{service}: {shown}");
        assert_eq!(shown.contains("\nVTNR=11\n"), believed && has_vts, "{service}: {shown}");
        machine.wait_gone(&BOB);
    }
}
