//! A PAM handle that is a table.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};

use usher_protocol::ids::SessionId;

use crate::pam::{Account, Code, Item, OwnSession, Pam, Severity};

#[derive(Debug)]
pub(super) struct FakePam {
    pub(super) user: Result<CString, Code>,
    pub(super) account: Option<Account>,
    pub(super) items: HashMap<Item, Vec<u8>>,
    pub(super) env: HashMap<String, Vec<u8>>,
    pub(super) process_env: HashMap<String, Vec<u8>>,
    /// What the module set, in its order.
    pub(super) put: Vec<(String, String)>,
    pub(super) session: Option<OwnSession>,
    pub(super) log: RefCell<Vec<(Severity, String)>>,
}

impl FakePam {
    /// alice, uid as given, nothing else.
    pub(super) fn new(uid: u32) -> Self {
        let account = Account {
            name: b"alice".into(),
            uid,
            gid: uid,
            home: b"/home/alice".into(),
            shell: b"/bin/sh".into(),
        };
        Self {
            user: Ok(c"alice".into()),
            account: Some(account),
            items: HashMap::new(),
            env: HashMap::new(),
            process_env: HashMap::new(),
            put: Vec::new(),
            session: None,
            log: RefCell::default(),
        }
    }

    pub(super) fn item(mut self, item: Item, value: &str) -> Self {
        self.items.insert(item, value.into());
        self
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub(super) fn process_env(mut self, name: &str, value: &str) -> Self {
        self.process_env.insert(name.into(), value.into());
        self
    }

    /// The session that it remembers.
    pub(super) fn session_id(&self) -> Option<SessionId> {
        self.session.as_ref().map(|session| session.id.clone())
    }

    /// What stands in the log, debug lines left out.
    pub(super) fn lines(&self) -> Vec<String> {
        let log = self.log.borrow();
        log.iter().filter(|(s, _)| *s != Severity::Debug).map(|(_, line)| line.clone()).collect()
    }

    /// The one line of the log; the test fails with the whole log when there are more or fewer.
    pub(super) fn only_line(&self) -> String {
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.concat()
    }
}

impl Pam for FakePam {
    fn user(&mut self) -> Result<CString, Code> {
        self.user.clone()
    }

    fn account(&mut self, name: &CStr) -> Option<Account> {
        self.account.clone().filter(|account| account.name == name.to_bytes())
    }

    fn item(&self, item: Item) -> Option<Vec<u8>> {
        self.items.get(&item).cloned()
    }

    fn env(&self, name: &CStr) -> Option<Vec<u8>> {
        self.env.get(name.to_str().ok()?).cloned()
    }

    fn process_env(&self, name: &CStr) -> Option<Vec<u8>> {
        self.process_env.get(name.to_str().ok()?).cloned()
    }

    fn put_env(&mut self, name: &str, value: &str) -> Result<(), Code> {
        self.put.push((name.into(), value.into()));
        Ok(())
    }

    fn session(&self) -> Option<OwnSession> {
        self.session.clone()
    }

    fn set_session(&mut self, session: Option<OwnSession>) -> Result<(), Code> {
        self.session = session;
        Ok(())
    }

    fn log(&self, severity: Severity, line: &str) {
        self.log.borrow_mut().push((severity, line.into()));
    }
}
