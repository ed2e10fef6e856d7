//! What is printed, to the letter: the contract's own examples (contract/loginctl.md sections 2 to 4) through the
//! rendering functions, with a clock of the test's own.

#[allow(dead_code)]
mod support;

use clap::Parser as _;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use support::{seat, session, user};
use usher_client::cli::Options;
use usher_client::clock::Now;
use usher_client::render::{json as layout, properties, rows, status};
use usher_protocol::messages::ManagerView;

/// Two minutes and 33 seconds after the example session began.
fn now() -> Now {
    Now { realtime: 1_795_224_337_000_000, monotonic: 2_909_808_785, zone: TimeZone::UTC }
}

const BEGAN: u64 = 2_909_808_785 - 153_000_000;

fn options(args: &[&str]) -> Options {
    #[derive(clap::Parser)]
    #[command(disable_help_flag = true, disable_version_flag = true)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }
    Line::try_parse_from(["usherctl"].iter().chain(args)).expect("options").options
}

fn list() -> Vec<rows::SessionRow> {
    rows::sessions(&[
        session(json!({"id": "c5", "leader": 111, "class": "manager", "scope": null})),
        session(json!({
            "id": "c19", "uid": 1010, "user": "u10", "seat": "seat0", "leader": 518,
            "idle_hint": true, "idle_since": 1, "idle_since_monotonic": 2_909_791_785_u64,
        })),
    ])
}

#[test]
fn list_sessions() {
    let table = rows::session_table(&list(), &now());
    let text = "\
SESSION  UID USER SEAT  LEADER CLASS   TTY IDLE SINCE
    c19 1010 u10  seat0 518    user    -   yes  17ms ago
     c5 1002 u2   -     111    manager -   no   -

2 sessions listed.
";
    assert_eq!(table.to_text(true), text);
    // Without a header the columns are no wider than the rows need.
    let rows = "c19 1010 u10 seat0 518 user    - yes 17ms ago\n c5 1002 u2  -     111 manager - no  -\n";
    assert_eq!(table.to_text(false), rows);
}

#[test]
fn no_sessions() {
    let table = rows::session_table(&[], &now());
    assert_eq!(table.to_text(true), "SESSION UID USER SEAT LEADER CLASS TTY IDLE SINCE\nNo sessions.\n");
    assert_eq!(table.to_text(false), "");
}

#[test]
fn list_sessions_as_json() {
    let text = layout::to_text(&list(), false).expect("plain data");
    let first = r#"{"session":"c19","uid":1010,"user":"u10","seat":"seat0","leader":518,"class":"user","tty":null,"idle":true,"since":2909791785}"#;
    let second = r#"{"session":"c5","uid":1002,"user":"u2","seat":null,"leader":111,"class":"manager","tty":null,"idle":false,"since":null}"#;
    assert_eq!(text, format!("[{first},{second}]\n"));
}

#[test]
fn list_users() {
    let rows = rows::users(&[
        user(json!({"uid": 10010, "name": "ten", "linger": true, "state": "lingering"})),
        user(json!({})),
    ]);
    let text = "  UID USER LINGER STATE
 1002 u2   no     active
10010 ten  yes    lingering

2 users listed.
";
    assert_eq!(rows::user_table(&rows).to_text(true), text);
    let json = r#"[{"uid":1002,"user":"u2","linger":false,"state":"active"},{"uid":10010,"user":"ten","linger":true,"state":"lingering"}]"#;
    assert_eq!(layout::to_text(&rows, false).expect("plain data"), format!("{json}\n"));
    assert_eq!(rows::user_table(&[]).to_text(true), "UID USER LINGER STATE\nNo users.\n");
}

#[test]
fn list_seats() {
    let rows = rows::seats(&[seat(json!({})), seat(json!({"id": "seat-b"})), seat(json!({"id": "seat10"}))]);
    let text = "SEAT
seat-b
seat0
seat10

3 seats listed.
";
    assert_eq!(rows::seat_table(&rows).to_text(true), text);
    assert_eq!(rows::seat_table(&rows).to_text(false), "seat-b\nseat0\nseat10\n");
    let rows = rows::seats(&[seat(json!({}))]);
    assert_eq!(layout::to_text(&rows, false).expect("plain data"), "[{\"seat\":\"seat0\"}]\n");
    assert_eq!(rows::seat_table(&[]).to_text(true), "SEAT\nNo seats.\n");
}

#[test]
fn wide_names_take_two_cells_a_character() {
    let rows = rows::users(&[user(json!({"name": "漢字"})), user(json!({"uid": 1003, "name": "ab"}))]);
    let text = rows::user_table(&rows).to_text(false);
    assert_eq!(text, "1002 漢字 no active\n1003 ab   no active\n");
}

#[test]
fn session_status() {
    let full = session(json!({
        "seat": "seat0", "vtnr": 2, "tty": "tty-fake", "display": ":0", "desktop": "Foo Bar",
        "timestamp_monotonic": BEGAN,
    }));
    let block = status::session(&full, Some("python3"), &now());
    let text = "\
c4 - u2 (1002)
  Since: Sat 2026-11-21 01:23:04 UTC; 2min 33s ago
  State: active
 Leader: 108 (python3)
   Seat: seat0; vc2
    TTY: tty-fake
Display: :0
 Remote: no
Service: bench
   Type: tty
  Class: user
Desktop: Foo Bar
   Idle: no
   Unit: session-c4.scope
";
    assert_eq!(block.to_text(), text);
    assert_eq!(block.indent(), "Display: ".len());
}

#[test]
fn session_status_of_little() {
    let little = session(json!({
        "timestamp": 0, "leader": 0, "service": "", "scope": null, "class": "manager", "remote": true,
        "remote_host": "there", "remote_user": "me", "idle_hint": true, "state": "closing",
        "idle_since": 1_795_224_184_000_000_u64, "idle_since_monotonic": BEGAN,
    }));
    let text = "\
c4 - u2 (1002)
 State: closing
Remote: me@there
  Type: tty
 Class: manager
  Idle: yes since Sat 2026-11-21 01:23:04 UTC (2min 33s ago)
";
    assert_eq!(status::session(&little, None, &now()).to_text(), text);
}

#[test]
fn idle_since_before_the_computer_was_started() {
    let view = session(json!({
        "idle_hint": true, "idle_since": 1_795_224_337_000_000_u64 - 86_400_000_000, "idle_since_monotonic": 0,
    }));
    let text = status::session(&view, None, &now()).to_text();
    assert!(text.contains("\n   Idle: yes since Fri 2026-11-20 01:25:37 UTC (1 day 0h ago)\n"), "{text}");
    let rows = rows::sessions(&[view]);
    let text = rows::session_table(&rows, &now()).to_text(false);
    assert_eq!(text, "c4 1002 u2 - 108 user - yes -\n");
    assert!(layout::to_text(&rows, false).expect("plain data").contains("\"idle\":true,\"since\":0"));
}

#[test]
fn user_status() {
    let text = "\
u2 (1002)
   Since: Sat 2026-11-21 01:23:04 UTC; 2min 33s ago
   State: active
Sessions: c6 c5 *c4
  Linger: no
    Unit: user-1002.slice
";
    let view = user(json!({"timestamp_monotonic": BEGAN, "manager": "none", "manager_pid": null}));
    assert_eq!(status::user(&view, &now()).to_text(), text);
    assert_eq!(status::manager_log(&view), "");
}

#[test]
fn user_status_says_how_the_manager_is() {
    let began = 1_795_224_184_000_000_u64;
    let line = |fields| {
        let text = status::user(&user(fields), &now()).to_text();
        text.lines().filter_map(|line| line.trim().split_once(": ")).find_map(|(label, value)| {
            ["Manager", "Error"].contains(&label).then(|| format!("{label}: {value}"))
        })
    };
    assert_eq!(line(json!({})).as_deref(), Some("Manager: ready; process 111"));
    assert_eq!(
        line(json!({"manager_since": began, "manager_restarts": 1})).as_deref(),
        Some("Manager: ready; process 111; since Sat 2026-11-21 01:23:04 UTC, 2min 33s ago; restarted once")
    );
    let again = json!({"manager": "starting", "manager_pid": null, "manager_restarts": 3});
    assert_eq!(line(again).as_deref(), Some("Manager: starting; restarted 3 times"));
    let error = |notice: &str| json!({"manager": "none", "manager_error": "it died", "manager_error_time": began, "notice": notice});
    let text = "Error: it died (at Sat 2026-11-21 01:23:04 UTC, 2min 33s ago)";
    assert_eq!(line(error("")).as_deref(), Some(text));
    assert_eq!(line(error("user manager failed: it died")), None, "the notice says it");
    let view = user(json!({"manager_log": ["one", "two\u{1b}[2J"]}));
    assert_eq!(status::manager_log(&view), "\none\ntwo\\u{1b}[2J\n");
}

#[test]
fn user_status_of_a_user_with_trouble() {
    let view = user(json!({
        "timestamp_monotonic": BEGAN, "sessions": [], "display": null, "manager": "failed", "manager_pid": null,
        "notice": "the manager died\u{1b}[2J", "linger": true, "state": "lingering",
        "kept_by": ["processes left in session c4", "linger"],
    }));
    let text = "\
u2 (1002)
   Since: Sat 2026-11-21 01:23:04 UTC; 2min 33s ago
   State: lingering
 Kept by: processes left in session c4, linger
 Manager: failed
  Notice: the manager died\\u{1b}[2J
  Linger: yes
    Unit: user-1002.slice
";
    assert_eq!(status::user(&view, &now()).to_text(), text);
}

#[test]
fn seat_status() {
    let block = status::seat(&seat(json!({})));
    assert_eq!(block.to_text(), "seat0\nSessions: c21 *c19\n Devices: n/a\n");
    assert_eq!(block.indent(), "Sessions: ".len());
    let empty = status::seat(&seat(json!({"sessions": [], "active": null})));
    assert_eq!(empty.to_text(), "seat0\n Devices: n/a\n");
}

#[test]
fn show_session() {
    let shown = "\
Id=c4
User=1002
Name=u2
Timestamp=Sat 2026-11-21 01:23:04 UTC
TimestampMonotonic=1000
VTNr=0
Remote=no
Service=bench
Scope=session-c4.scope
Leader=108
Audit=4294967295
Type=tty
Class=user
Active=yes
State=active
IdleHint=no
IdleSinceHint=0
IdleSinceHintMonotonic=0
CanIdle=yes
CanLock=yes
LockedHint=no
";
    let object = properties::session(&session(json!({})));
    assert_eq!(object.to_text(&options(&[]), &TimeZone::UTC), shown);
    let all = shown
        .replace("VTNr=0\n", "VTNr=0\nSeat=\nTTY=\nDisplay=\n")
        .replace("Remote=no\n", "Remote=no\nRemoteHost=\nRemoteUser=\n")
        .replace("Service=bench\n", "Service=bench\nDesktop=\n");
    assert_eq!(object.to_text(&options(&["--all"]), &TimeZone::UTC), all);
}

#[test]
fn show_user() {
    let shown = "\
UID=1002
GID=1002
Name=u2
Timestamp=Sat 2026-11-21 01:23:04 UTC
TimestampMonotonic=1000
RuntimePath=/run/user/1002
Service=user@1002.service
Slice=user-1002.slice
Display=c4
State=active
Sessions=c6 c5 c4
IdleHint=no
IdleSinceHint=0
IdleSinceHintMonotonic=0
Linger=no
";
    let object = properties::user(&user(json!({})));
    assert_eq!(object.to_text(&options(&[]), &TimeZone::UTC), shown);
    let idle = properties::user(&user(json!({"sessions": [], "display": null})));
    let without = shown.replace("Display=c4\n", "").replace("c6 c5 c4", "");
    assert_eq!(idle.to_text(&options(&[]), &TimeZone::UTC), without);
}

#[test]
fn show_seat() {
    let shown = "\
Id=seat0
ActiveSession=c19
CanTTY=yes
CanGraphical=no
Sessions=c21 c19
IdleHint=no
IdleSinceHint=0
IdleSinceHintMonotonic=0
";
    let object = properties::seat(&seat(json!({})));
    assert_eq!(object.to_text(&options(&[]), &TimeZone::UTC), shown);
    let empty = properties::seat(&seat(json!({"sessions": [], "active": null, "idle_hint": true})));
    let without = shown.replace("ActiveSession=c19\n", "").replace("c21 c19", "");
    let without = without.replace("IdleHint=no", "IdleHint=yes");
    assert_eq!(empty.to_text(&options(&[]), &TimeZone::UTC), without);
    let all = without.replace("Id=seat0\n", "Id=seat0\nActiveSession=\n");
    assert_eq!(empty.to_text(&options(&["-a"]), &TimeZone::UTC), all);
    for (args, text) in [
        (&["-p", "Sessions,Id"][..], "Id=seat0\nSessions=c21 c19\n"),
        (&["-P", "ActiveSession"], "c19\n"),
        (&["--value", "-p", "Id", "-p", "CanTTY"], "seat0\nyes\n"),
    ] {
        assert_eq!(object.to_text(&options(args), &TimeZone::UTC), text, "{args:?}");
    }
    assert_eq!(empty.to_text(&options(&["-P", "Sessions"]), &TimeZone::UTC), "");
    let json = r#"{"Id":"seat0","ActiveSession":"c19","CanTTY":true,"CanGraphical":false,"Sessions":["c21","c19"],"IdleHint":false,"IdleSinceHint":0,"IdleSinceHintMonotonic":0}"#;
    assert_eq!(layout::to_text(&object, false).expect("plain data"), format!("{json}\n"));
}

#[test]
fn show_the_manager() {
    let view = ManagerView {
        kill_user_processes: false,
        kill_only_users: Vec::new(),
        kill_exclude_users: vec!["root".into(), "ops".into()],
        user_stop_delay_usec: 10_000_000,
        remove_ipc: true,
        runtime_directory_size: 1_677_721_600,
        runtime_directory_inodes_max: 409_600,
        sessions_max: 8192,
        n_current_sessions: 2,
    };
    let shown = "\
KillExcludeUsers=root ops
KillUserProcesses=no
UserStopDelayUSec=10s
RemoveIPC=yes
RuntimeDirectorySize=1677721600
RuntimeDirectoryInodesMax=409600
SessionsMax=8192
NCurrentSessions=2
";
    assert_eq!(properties::manager(&view).to_text(&options(&[]), &TimeZone::UTC), shown);
}

#[test]
fn properties_by_name() {
    let object = properties::session(&session(json!({})));
    for (args, text) in [
        (&["-p", "State", "-p", "Id"][..], "Id=c4\nState=active\n"),
        (&["-p", "State,Id"], "Id=c4\nState=active\n"),
        (&["--property=Seat"], "Seat=\n"),
        (&["-p", "NoSuch"], ""),
        (&["-p", "NoSuch", "-p", "Id"], "Id=c4\n"),
        (&["-P", "State"], "active\n"),
        (&["--value", "-p", "User,Name"], "1002\nu2\n"),
        (&["-P", "Seat"], "\n"),
        (&["-P", "ControlGroup"], "\n"),
    ] {
        assert_eq!(object.to_text(&options(args), &TimeZone::UTC), text, "{args:?}");
    }
    let user = properties::user(&user(json!({"sessions": [], "manager": "restarting"})));
    for (args, text) in [
        (&["-p", "Sessions"][..], "Sessions=\n"),
        (&["-P", "Sessions"], ""),
        (&["-p", "Manager,Linger"], "Linger=no\nManager=restarting\n"),
    ] {
        assert_eq!(user.to_text(&options(args), &TimeZone::UTC), text, "{args:?}");
    }
}

#[test]
fn properties_as_json() {
    let object = properties::user(&user(json!({"display": null})));
    let chosen = object.clone().chosen(&options(&["-p", "UID,Display,Sessions,Linger"]));
    let text = layout::to_text(&chosen, false).expect("plain data");
    assert_eq!(
        text,
        "{\"UID\":1002,\"Display\":null,\"Sessions\":[\"c6\",\"c5\",\"c4\"],\"Linger\":false}\n"
    );

    let all: Value = serde_json::to_value(&object).expect("plain data");
    assert_eq!(all["Timestamp"], 1_795_224_184_000_000_u64);
    assert_eq!(all["Manager"], "ready");
    assert_eq!(all["ManagerPID"], 111);
}

#[test]
fn hostile_strings_do_not_reach_the_terminal() {
    let hostile = "\u{1b}[2J\nId=root\u{9b}31m\u{202e}";
    let view = session(json!({
        "tty": hostile, "display": hostile, "remote_host": hostile, "remote_user": hostile,
        "service": hostile, "desktop": hostile, "scope": hostile,
    }));
    let printed = [
        rows::session_table(&rows::sessions(std::slice::from_ref(&view)), &now()).to_text(true),
        status::session(&view, Some(hostile), &now()).to_text(),
        properties::session(&view).to_text(&options(&["-a"]), &TimeZone::UTC),
        layout::to_text(&properties::session(&view), true).expect("plain data"),
        layout::to_text(&rows::sessions(&[view]), false).expect("plain data"),
    ];
    for text in printed {
        let raw =
            text.chars().find(|&c| !matches!(c, '\n' | '\t') && usher_client::render::text::is_unsafe(c));
        assert_eq!(raw, None, "{text}");
        assert!(!text.contains("\nId=root"), "{text}");
    }
}
