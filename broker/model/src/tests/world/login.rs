//! People, and what they do.

use usher_protocol::ids::{LeaderPid, SessionId, Uid, UserName, VtNr};
use usher_protocol::messages::{OpenSessionReply, Refusal, SessionRequest};
use usher_protocol::session::{SessionClass, SessionType};

use super::{Place, World};
use crate::effect::Answer;
use crate::event::{Account, Event, Open, RequestId};
use crate::policy::Authority;
use crate::record::AtPath;

pub(crate) fn uid(number: u32) -> Uid {
    number.try_into().unwrap()
}

pub(crate) fn name(uid: Uid) -> UserName {
    if uid.is_root() { "root".parse().unwrap() } else { format!("user{uid}").parse().unwrap() }
}

/// Another name of the same number: a second line of passwd(5), or whoever was given the number of one who left.
pub(crate) fn other_name(uid: Uid) -> UserName {
    format!("other{uid}").parse().unwrap()
}

/// A login to come; by default over ssh.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) open: Open,
    pub(crate) leader: Option<LeaderPid>,
}

impl Login {
    pub(crate) fn of(uid: Uid) -> Self {
        let params = SessionRequest {
            uid,
            gid: uid.get(),
            user: name(uid),
            home: format!("/home/{uid}"),
            shell: "/bin/sh".to_owned(),
            service: "sshd".to_owned(),
            kind: SessionType::Tty,
            class: SessionClass::User,
            desktop: String::new(),
            seat: None,
            vtnr: None,
            tty: "pts/0".to_owned(),
            display: String::new(),
            remote: true,
            remote_user: String::new(),
            remote_host: "192.0.2.1".to_owned(),
            retry: false,
        };
        let open = Open {
            request: RequestId(0),
            more: true,
            caller: Uid::ROOT,
            leader: LeaderPid { pid: 0, start: 0 },
            inside: None,
            origin: Some("/system.slice".to_owned()),
            shared: false,
            console: None,
            audit: None,
            runtime: AtPath::Nothing,
            params,
        };
        Self { open, leader: None }
    }

    pub(crate) fn class(mut self, class: SessionClass) -> Self {
        self.open.params.class = class;
        self
    }

    pub(crate) fn service(mut self, service: &str) -> Self {
        self.open.params.service = service.to_owned();
        self
    }

    /// On a virtual terminal that the kernel confirms.
    pub(crate) fn on_vt(mut self, number: u32) -> Self {
        self.open.console = VtNr::try_from(number).ok();
        self.claims_vt(number)
    }

    /// With a terminal that only the request names.
    pub(crate) fn claims_vt(mut self, number: u32) -> Self {
        let params = &mut self.open.params;
        (params.remote, params.remote_host) = (false, String::new());
        params.tty = format!("tty{number}");
        params.vtnr = VtNr::try_from(number).ok();
        self
    }

    /// Under the number's other name.
    pub(crate) fn under_other_name(mut self) -> Self {
        self.open.params.user = other_name(self.open.params.uid);
        self
    }

    /// By a process that is there already.
    pub(crate) fn by(mut self, leader: LeaderPid) -> Self {
        self.leader = Some(leader);
        self
    }

    /// The same login, asking again.
    pub(crate) fn again(mut self) -> Self {
        self.open.params.retry = true;
        self
    }
}

/// A login that has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) request: RequestId,
    pub(crate) leader: LeaderPid,
}

impl World {
    /// How many requests there have been.
    pub(crate) fn requests_made(&self) -> usize {
        self.next_request as usize
    }

    /// Sends a login.
    pub(crate) fn open(&mut self, login: Login) -> Sent {
        let (sent, event) = self.arrive(login);
        self.send(event);
        sent
    }

    /// A login that is about to be heard of.
    pub(crate) fn arrive(&mut self, login: Login) -> (Sent, Event) {
        let Login { mut open, leader } = login;
        let leader = leader.unwrap_or_else(|| self.kernel.spawn(Place::Elsewhere, false));
        open.leader = leader;
        open.inside = match self.kernel.place_of(leader) {
            Some(Place::Scope(_, session)) => Some(session.clone()),
            _ => None,
        };
        open.runtime = self.kernel.at_path(open.params.uid);
        let request = self.request();
        open.request = request;
        self.arriving.insert(request, leader);
        let account = Account { name: open.params.user.clone(), ..account(open.params.uid) };
        self.has_account(account);
        (Sent { request, leader }, Event::Open(Box::new(open)))
    }

    /// The user database has an entry.
    pub(crate) fn has_account(&mut self, account: Account) {
        if account.name != name(account.uid) {
            self.two_names.insert(account.uid);
        }
        self.kernel.accounts.insert(account.name.clone(), account);
    }

    /// Logs in and waits for the last answer.
    pub(crate) fn login(&mut self, login: Login) -> (SessionId, LeaderPid) {
        let sent = self.open(login);
        self.settle();
        let id = self.reply(sent.request).session.unwrap();
        (id, sent.leader)
    }

    /// The last answer, which must not be a refusal.
    pub(crate) fn reply(&self, request: RequestId) -> OpenSessionReply {
        match self.answers.get(&request).and_then(|answers| answers.last()) {
            Some(Answer::Opened { reply, continues: false, .. }) => (**reply).clone(),
            other => panic!("no last answer but {other:?}"),
        }
    }

    /// The refusal, which must be the only answer.
    pub(crate) fn refusal(&self, request: RequestId) -> Refusal {
        match self.answers.get(&request).map(Vec::as_slice) {
            Some([Answer::Refused(refusal)]) => refusal.clone(),
            other => panic!("no refusal but {other:?}"),
        }
    }

    pub(crate) fn request(&mut self) -> RequestId {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        self.unanswered.insert(request);
        request
    }

    /// Makes a request of the answer that comes at once.
    pub(crate) fn ask(&mut self, make: impl FnOnce(RequestId) -> Event) -> Result<(), Refusal> {
        let request = self.request();
        self.send(make(request));
        while !self.answers.contains_key(&request) && self.step() {}
        match self.answers.get(&request).map(Vec::as_slice) {
            Some([Answer::Done]) => Ok(()),
            Some([Answer::Refused(refusal)]) => Err(refusal.clone()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn logout(&mut self, session: &SessionId) -> Result<(), Refusal> {
        self.close(Uid::ROOT, session)
    }

    pub(crate) fn close(&mut self, caller: Uid, session: &SessionId) -> Result<(), Refusal> {
        self.close_by(Authority::Caller(caller), None, session)
    }

    /// By a process of which the edge knows which it is.
    pub(crate) fn close_by(
        &mut self,
        authority: Authority,
        closer: Option<LeaderPid>,
        session: &SessionId,
    ) -> Result<(), Refusal> {
        let session = session.clone();
        self.ask(|request| Event::Close { request, authority, session, closer })
    }

    pub(crate) fn terminate(&mut self, session: &SessionId) {
        let session = session.clone();
        self.ask(|request| Event::TerminateSession {
            request,
            authority: Authority::Caller(Uid::ROOT),
            session,
        })
        .unwrap();
    }

    pub(crate) fn terminate_user(&mut self, uid: Uid) {
        self.ask(|request| Event::TerminateUser { request, authority: Authority::Caller(Uid::ROOT), uid })
            .unwrap();
        if self.model.user(uid).is_some() {
            self.is_terminated(uid);
        }
    }

    pub(crate) fn is_terminated(&mut self, uid: Uid) {
        self.terminated.insert(uid);
        self.ended.insert(uid);
    }

    pub(crate) fn set_linger(&mut self, uid: Uid, linger: bool) -> Result<(), Refusal> {
        let account = account(uid);
        self.has_account(account.clone());
        self.ask(|request| Event::SetLinger { request, authority: Authority::Caller(uid), account, linger })
    }

    /// A process is started inside a session.
    pub(crate) fn fork(&mut self, session: &SessionId, stubborn: bool) -> LeaderPid {
        let uid = self.model.session(session).unwrap().uid;
        assert!(self.kernel.scopes.contains(&(uid, session.clone())), "a fork stays in its scope");
        self.kernel.spawn(Place::Scope(uid, session.clone()), stubborn)
    }

    /// Somebody unmounts the user's runtime directory.
    pub(crate) fn unmount(&mut self, uid: Uid) {
        if self.kernel.runtime_dirs.remove(&uid).is_some() {
            self.unmounted.insert(uid);
            self.release_from_directory(uid);
        }
    }

    pub(crate) fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}

pub(crate) fn account(uid: Uid) -> Account {
    Account {
        uid,
        gid: uid.get(),
        name: name(uid),
        home: format!("/home/{uid}"),
        shell: "/bin/sh".to_owned(),
    }
}
