//! pam_sm_open_session: a login becomes a session.

use usher_protocol::blocking::CallError;
use usher_protocol::messages::{OpenSessionReply, Refusal, SessionRequest};

use crate::arguments::Arguments;
use crate::broker::{Broker, Opened, Trouble};
use crate::derive::{Derived, derive};
use crate::display;
use crate::inputs::Inputs;
use crate::pam::{Account, Code, OwnSession, Pam, Severity};
use crate::runtime_dir;
use crate::text::{plain, printable};

/// Registers the login and sets the environment of its session. Whatever is wrong with usherd, the login goes on.
pub(crate) fn open(pam: &mut impl Pam, words: &[String], broker: &Broker) -> Code {
    match try_to_open(pam, words, broker) {
        Ok(()) => Code::SUCCESS,
        Err(code) => code,
    }
}

fn try_to_open(pam: &mut impl Pam, words: &[String], broker: &Broker) -> Result<(), Code> {
    let knocked = broker.knock();
    let arguments = Arguments::read(words, pam);
    let account = account(pam)?;
    let inputs = Inputs::read(pam, &arguments);
    let request = request(pam, &account, inputs)?;
    if arguments.debug {
        let SessionRequest { user, service, class, kind, tty, .. } = &request;
        let line =
            format!("registering {user}: service '{service}', class {class}, type {kind}, tty '{tty}'");
        pam.log(Severity::Debug, &printable(&line, 600));
    }
    match broker.open_session(request.clone(), knocked) {
        Ok(Opened { reply, .. }) if reply.existing => {
            if arguments.debug {
                pam.log(
                    Severity::Debug,
                    "no session is opened: this process is in one already, or its service has none",
                );
            }
            if reply.runtime_only { only_the_directory(pam, &request, reply.runtime_path) } else { Ok(()) }
        }
        Ok(opened) => tell_the_login(pam, &request, &opened),
        Err(trouble) => what_now(pam, &request, &trouble, &arguments),
    }
}

/// Whose login it is (return codes: contract/pam.md).
fn account(pam: &mut impl Pam) -> Result<Account, Code> {
    let name = pam.user()?;
    if name.is_empty() {
        pam.log(Severity::Error, "the application names no user, there is nobody to open a session for");
        return Err(Code::SERVICE_ERR);
    }
    pam.account(&name).ok_or_else(|| {
        let name = printable(&name.to_string_lossy(), 100);
        pam.log(Severity::Error, &format!("user '{name}' is not in the user database"));
        Code::USER_UNKNOWN
    })
}

/// What usherd is asked for.
pub(crate) fn request(pam: &impl Pam, account: &Account, inputs: Inputs) -> Result<SessionRequest, Code> {
    let refuse = |why: String| {
        pam.log(Severity::Error, &why);
        Code::SESSION_ERR
    };
    let name = String::from_utf8_lossy(&account.name);
    let user = name.parse().map_err(|e| refuse(format!("no session for this user: {e}")))?;
    let uid = account.uid.try_into().map_err(|e| refuse(format!("no session for user {user}: {e}")))?;
    let derived = derive(account.uid, &inputs, |display| display::vt_of(display, account.uid));
    let Derived { kind, class, seat, vtnr, tty, display, incomplete_ignored } = derived.map_err(|e| {
        let word = printable(&e.word, 64);
        refuse(format!(
            "{} '{word}': correct XDG_SESSION_CLASS, XDG_SESSION_TYPE or the module's arguments",
            e.what
        ))
    })?;
    if incomplete_ignored {
        let line = format!("XDG_SESSION_INCOMPLETE ignored: a session of class {class} cannot be incomplete");
        pam.log(Severity::Warning, &line);
    }
    let request = SessionRequest {
        uid,
        gid: account.gid,
        user,
        home: home(pam, account),
        shell: plain(&account.shell).unwrap_or_default().to_owned(),
        service: inputs.service,
        kind,
        class,
        desktop: inputs.desktop,
        seat,
        vtnr,
        tty,
        display,
        remote: inputs.remote,
        remote_user: inputs.remote_user,
        remote_host: inputs.remote_host,
        retry: false,
    };
    // What usherd would refuse anyway need not be sent.
    request.validate().map_err(|e| refuse(format!("no session for user {}: {e}", request.user)))?;
    Ok(request)
}

/// The home directory; a user without a usable one is at home in `/`, as for login(1).
fn home(pam: &impl Pam, account: &Account) -> String {
    match plain(&account.home) {
        Ok(home) if home.starts_with('/') => home.to_owned(),
        _ => {
            let home = printable(&String::from_utf8_lossy(&account.home), 100);
            pam.log(Severity::Warning, &format!("home directory '{home}' is not an absolute path, using /"));
            "/".to_owned()
        }
    }
}

/// Remembers the session and sets the variables, in the order of contract/pam.md section 5.
fn tell_the_login(pam: &mut impl Pam, request: &SessionRequest, opened: &Opened) -> Result<(), Code> {
    let OpenSessionReply { session: Some(session), token, runtime_path, seat, vtnr, notice, .. } =
        &opened.reply
    else {
        return Ok(());
    };
    if let Some(trouble) = &opened.trouble {
        let line = format!(
            "{trouble}; session {session} of {} is open and the login continues; {}",
            request.user,
            trouble.advice()
        );
        pam.log(Severity::Warning, &printable(&line, 600));
    } else if !notice.is_empty() {
        pam.log(Severity::Warning, &printable(&format!("usherd, session {session}: {notice}"), 600));
    }
    // First: whatever fails from here on, close finds the session.
    let own = OwnSession { id: session.clone(), token: token.clone(), opener: std::process::id() };
    pam.set_session(Some(own)).inspect_err(|code| report(pam, "pam_set_data", *code))?;

    let class = opened.reply.class.unwrap_or(request.class);
    let mut variables = vec![("XDG_SESSION_ID", session.to_string())];
    if let Some(path) = runtime_path {
        match runtime_dir::check(path, request.uid.get()) {
            Ok(()) => {
                variables.push(("XDG_RUNTIME_DIR", path.clone()));
                let address = runtime_dir::bus_address(path);
                variables.extend(address.map(|address| ("DBUS_SESSION_BUS_ADDRESS", address)));
            }
            Err(why) => {
                let line =
                    format!("XDG_RUNTIME_DIR is not set: {why}; see 'usherctl user-status {}'", request.uid);
                pam.log(Severity::Error, &printable(&line, 600));
            }
        }
    }
    variables.push(("XDG_SESSION_TYPE", request.kind.to_string()));
    variables.push(("XDG_SESSION_CLASS", class.to_string()));
    variables.push(("XDG_SESSION_DESKTOP", request.desktop.clone()));
    variables.extend(seat.as_ref().map(|seat| ("XDG_SEAT", seat.to_string())));
    variables.extend(vtnr.map(|vtnr| ("XDG_VTNR", vtnr.to_string())));
    for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        put(pam, name, value)?;
    }
    Ok(())
}

/// The variables of a login from inside somebody's session that is to know its own user's directory, and no other.
fn only_the_directory(
    pam: &mut impl Pam,
    request: &SessionRequest,
    path: Option<String>,
) -> Result<(), Code> {
    let path = path.filter(|path| runtime_dir::check(path, request.uid.get()).is_ok());
    let bus = path.as_deref().and_then(runtime_dir::bus_address);
    let variables = [
        (c"XDG_RUNTIME_DIR", "XDG_RUNTIME_DIR", path),
        (c"DBUS_SESSION_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", bus),
    ];
    for (variable, name, value) in variables {
        // What the application would pass on is the other user's. Nothing can be taken out of its environment, but an empty
        // value is as good as none.
        let passed_on = || pam.env(variable).or_else(|| pam.process_env(variable)).is_some();
        match value {
            Some(value) => put(pam, name, &value)?,
            None if passed_on() => put(pam, name, "")?,
            None => {}
        }
    }
    Ok(())
}

fn put(pam: &mut impl Pam, name: &str, value: &str) -> Result<(), Code> {
    pam.put_env(name, value).inspect_err(|code| report(pam, "pam_putenv", *code))
}

fn report(pam: &impl Pam, function: &str, code: Code) {
    pam.log(Severity::Error, &format!("{function} failed with PAM code {}: out of memory?", code.0));
}

/// A login without a session: only usherd's own word ends it.
fn what_now(
    pam: &impl Pam,
    request: &SessionRequest,
    trouble: &Trouble,
    arguments: &Arguments,
) -> Result<(), Code> {
    match &trouble.cause {
        // Somebody is logged in on that terminal already: to be in no session of one's own is what logind does, too.
        CallError::Refused(refusal @ Refusal::SessionBusy { .. }) => {
            if arguments.debug {
                pam.log(Severity::Debug, &printable(&format!("no session is opened: {refusal}"), 600));
            }
            Ok(())
        }
        CallError::Refused(refusal) => {
            let line = format!("usherd opens no session for {}: {refusal}", request.user);
            pam.log(Severity::Error, &printable(&line, 600));
            Err(Code::SESSION_ERR)
        }
        _ => {
            let line = format!(
                "{trouble}; the login of {} continues without a session; {}",
                request.user,
                trouble.advice()
            );
            pam.log(Severity::Error, &printable(&line, 600));
            Ok(())
        }
    }
}
