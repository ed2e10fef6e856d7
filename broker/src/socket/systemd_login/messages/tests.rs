use super::*;

fn parse(method: &str, json: &str) -> Result<Call, LoginError> {
    let raw = RawValue::from_string(json.to_owned()).unwrap();
    Call::parse(method, Some(&raw))
}

fn create(json: &str) -> CreateSession {
    match parse("CreateSession", json) {
        Ok(Call::CreateSession(call)) => *call,
        other => panic!("{json}: {other:?}"),
    }
}

/// The parameter that is to blame.
fn blamed(json: &str) -> String {
    match parse("CreateSession", json) {
        Err(LoginError::InvalidParameter { parameter, .. }) => parameter,
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn what_pam_systemd_says_is_understood() {
    let call = create(
        r#"{"UID":1000,"PID":{"pid":77,"pidfdId":4711,"bootId":"0123456789abcdef0123456789abcdef"},
            "Service":"sshd","Type":"tty","Class":"user_early","Desktop":"x","Seat":"seat0","VTNr":3,"TTY":"tty3",
            "Display":":0","Remote":false,"RemoteUser":"u","RemoteHost":"h","ExtraDeviceAccess":["a"]}"#,
    );
    let boot = "0123456789abcdef0123456789abcdef".to_owned();
    let expected = CreateSession {
        uid: 1000,
        process: Process::Named { pid: 77, pidfd_id: Some(4711), boot_id: Some(boot) },
        service: "sshd".into(),
        kind: SessionType::Tty,
        class: SessionClass::UserEarly,
        desktop: "x".into(),
        seat: "seat0".into(),
        vtnr: 3,
        tty: "tty3".into(),
        display: ":0".into(),
        remote: false,
        remote_user: "u".into(),
        remote_host: "h".into(),
        extra_device_access: vec!["a".into()],
    };
    assert_eq!(call, expected);
}

#[test]
fn what_is_not_said_is_nothing() {
    let little = create(r#"{"UID":0,"Type":"unspecified","Class":"background_light"}"#);
    let nothing = create(
        r#"{"UID":0,"PID":null,"Service":null,"Type":"unspecified","Class":"background_light","Desktop":null,"Seat":null,
            "VTNr":null,"TTY":null,"Display":null,"Remote":null,"RemoteUser":null,"RemoteHost":null,
            "ExtraDeviceAccess":null}"#,
    );
    assert_eq!(little, nothing);
    assert_eq!((little.process, little.vtnr, little.remote), (Process::Peer, 0, false));
    let remote = |more: &str| create(&format!(r#"{{"UID":0,"Type":"tty","Class":"user"{more}}}"#)).remote;
    assert!(remote(r#","RemoteHost":"h""#) && remote(r#","RemoteUser":"u""#));
    assert!(remote(r#","Remote":true"#) && !remote(r#","Remote":false,"RemoteHost":"h""#));
}

#[test]
fn the_wrong_parameter_is_named() {
    let with = |more: &str| blamed(&format!(r#"{{"UID":0,"Type":"tty","Class":"user",{more}}}"#));
    assert_eq!(blamed(r#"{"Type":"tty","Class":"user"}"#), "UID");
    assert_eq!(blamed(r#"{"UID":0,"Class":"user"}"#), "Type");
    assert_eq!(blamed(r#"{"UID":0,"Type":"tty"}"#), "Class");
    for bad in ["-1", "4294967296", "1.5", "\"0\"", "true"] {
        assert_eq!(blamed(&format!(r#"{{"UID":{bad},"Type":"tty","Class":"user"}}"#)), "UID", "{bad}");
        assert_eq!(with(&format!(r#""VTNr":{bad}"#)), "VTNr", "{bad}");
        assert_eq!(with(&format!(r#""PID":{bad}"#)), "PID", "{bad}");
    }
    for bad in ["lock-screen", "user-early", "none", "User", ""] {
        assert_eq!(blamed(&format!(r#"{{"UID":0,"Type":"tty","Class":"{bad}"}}"#)), "Class", "{bad}");
    }
    for bad in [r#"{}"#, r#"{"pid":0}"#, r#"{"pid":1,"more":1}"#, r#"{"pid":1,"pidfdId":"1"}"#, "[1]", "0"] {
        assert_eq!(with(&format!(r#""PID":{bad}"#)), "PID", "{bad}");
    }
    for name in ["Service", "Desktop", "Seat", "TTY", "Display", "RemoteUser", "RemoteHost"] {
        assert_eq!(with(&format!(r#""{name}":1"#)), name);
    }
    assert_eq!(with(r#""Remote":"no""#), "Remote");
    assert_eq!(with(r#""ExtraDeviceAccess":[1]"#), "ExtraDeviceAccess");
    assert_eq!(with(r#""Colour":"red""#), "Colour");
    assert_eq!(blamed("[]"), "parameters");
}

#[test]
fn a_session_is_named_or_the_caller_s() {
    let release = |json: &str| parse("ReleaseSession", json);
    for own in ["{}", r#"{"Id":null}"#, r#"{"Id":"self"}"#, r#"{"Id":""}"#] {
        assert_eq!(release(own), Ok(Call::ReleaseSession(None)), "{own}");
    }
    assert_eq!(release(r#"{"Id":"c1"}"#), Ok(Call::ReleaseSession(Some("c1".into()))));
    assert!(release(r#"{"Id":1}"#).is_err() && release(r#"{"Id":"1","More":1}"#).is_err());
    assert!(matches!(parse("ListSessions", "{}"), Err(LoginError::MethodNotFound { .. })));
    assert_eq!(Call::parse("ReleaseSession", None), Ok(Call::ReleaseSession(None)));
}

#[test]
fn answers_and_errors_look_as_callers_expect_them() {
    let opened = Opened {
        id: 7.into(),
        uid: 1000.try_into().unwrap(),
        runtime_path: "/run/user/1000".into(),
        seat: None,
        vtnr: None,
        kind: SessionType::Tty,
        class: SessionClass::UserEarly,
    };
    let json = serde_json::to_string(&Created::from(opened)).unwrap();
    assert_eq!(
        json,
        r#"{"Id":"7","RuntimePath":"/run/user/1000","UID":1000,"Type":"tty","Class":"user_early"}"#
    );
    let json = serde_json::to_string(&LoginError::AlreadySessionMember {}).unwrap();
    assert_eq!(json, r#"{"error":"io.systemd.Login.AlreadySessionMember","parameters":{}}"#);
}

#[test]
fn every_value_and_method_is_described() {
    let text = super::super::describe(INTERFACE).unwrap();
    for method in ["CreateSession", "ReleaseSession"] {
        assert!(text.contains(&format!("\nmethod {method}(")), "{method}");
        let parsed = Call::parse(method, None);
        assert!(!matches!(parsed, Err(LoginError::MethodNotFound { .. })), "{method}");
    }
    let values = |name: &str| {
        let rest = text.split_once(&format!("type {name} (")).unwrap().1;
        let mut values: Vec<_> =
            rest.split_once(')').unwrap().0.split(',').map(|v| v.trim().replace('_', "-")).collect();
        values.sort_unstable();
        values
    };
    let known = |all: &[&str]| {
        let mut all: Vec<_> = all.iter().map(|word| (*word).to_owned()).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(
        values("SessionType"),
        known(&SessionType::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>())
    );
    assert_eq!(
        values("SessionClass"),
        known(&SessionClass::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>())
    );
    assert!(super::super::describe("io.systemd").unwrap().contains("interface io.systemd\n"));
}

proptest::proptest! {
    #[test]
    fn no_parameters_are_too_strange(text in ".*", near in r#"\{"(UID|PID|Id|VTNr)":(-?[0-9]{0,20}|\{"pid":[0-9]{0,11}\}|null)\}"#) {
        for json in [text, near] {
            if let Ok(raw) = RawValue::from_string(json) {
                for method in ["CreateSession", "ReleaseSession", "X"] {
                    let _ = Call::parse(method, Some(&raw));
                }
            }
        }
    }
}
