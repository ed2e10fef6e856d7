use std::collections::HashSet;
use std::sync::Arc;

use std::os::unix::net::UnixStream;
use tokio::sync::watch;
use zbus::names::ErrorName;
use zbus::{Guid, OwnedVariant, message};

use super::*;

const ACTION: &str = "org.freedesktop.login1.chvt";
const CALLER: &str = ":1.7";
/// For what must not depend on how busy this computer is.
const NEVER: Duration = Duration::from_secs(600);

/// What the other end answers, and what it was asked. Bus and polkit in one: on a peer-to-peer connection there is nobody
/// else.
#[derive(Default)]
struct World {
    answer: Mutex<Answer>,
    owned: Mutex<HashSet<String>>,
    asked: watch::Sender<Vec<Asked>>,
    cancelled: watch::Sender<Vec<String>>,
}

#[derive(Default, Clone, PartialEq)]
enum Answer {
    #[default]
    Nothing,
    /// Authorized, and whether a challenge would help.
    Plain(bool, bool),
    /// Authorized, after the caller has left.
    ToNobody(bool),
    /// The error of this name.
    Error(&'static str),
    /// The same, after the caller has left.
    ErrorToNobody(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
struct Asked {
    kind: String,
    name: String,
    /// How many details of the subject there are.
    details: usize,
    action: String,
    flags: u32,
    cancellation: String,
}

impl World {
    fn set<T>(field: &Mutex<T>, value: T) {
        *field.lock().unwrap() = value;
    }

    fn leave(&self, name: &str) {
        self.owned.lock().unwrap().remove(name);
    }
}

struct Bus(Arc<World>);

#[zbus::interface(name = "org.freedesktop.DBus")]
impl Bus {
    async fn name_has_owner(&self, name: &str) -> bool {
        self.0.owned.lock().unwrap().contains(name)
    }
}

struct Authority(Arc<World>);

#[zbus::interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Authority {
    async fn check_authorization(
        &self,
        subject: (String, HashMap<String, OwnedVariant>),
        action: String,
        details: HashMap<String, String>,
        flags: u32,
        cancellation: String,
    ) -> Result<((bool, bool, HashMap<String, String>),), Named> {
        assert!(details.is_empty());
        let (kind, subject) = subject;
        let name = subject["name"].to_string().trim_matches('"').to_owned();
        let asked = Asked { kind, name, details: subject.len(), action, flags, cancellation };
        self.0.asked.send_modify(|all| all.push(asked));
        let answer = self.0.answer.lock().unwrap().clone();
        match answer {
            Answer::Nothing => std::future::pending().await,
            Answer::Plain(authorized, challenge) => Ok(((authorized, challenge, HashMap::new()),)),
            Answer::ToNobody(authorized) => {
                self.0.leave(CALLER);
                Ok(((authorized, false, HashMap::new()),))
            }
            Answer::Error(name) => Err(Named(name)),
            Answer::ErrorToNobody(name) => {
                self.0.leave(CALLER);
                Err(Named(name))
            }
        }
    }

    async fn cancel_check_authorization(&self, cancellation: String) {
        self.0.cancelled.send_modify(|all| all.push(cancellation));
    }
}

/// An error reply of any name.
#[derive(Debug)]
struct Named(&'static str);

impl DBusError for Named {
    fn create_reply(&self, call: &message::Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&("as the test wants it",))
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::try_from(self.0).unwrap()
    }

    fn description(&self) -> Option<&str> {
        None
    }
}

struct Fixture {
    world: Arc<World>,
    /// The other end.
    _server: Connection,
    connection: Connection,
    polkit: Polkit,
}

async fn fixture(limits: Limits) -> Fixture {
    let world = Arc::new(World::default());
    world.owned.lock().unwrap().extend([CALLER, POLKIT].map(str::to_owned));
    let (near, far) = UnixStream::pair().unwrap();
    let server = zbus::connection::Builder::unix_stream(far)
        .server(Guid::generate())
        .p2p()
        .serve_at("/org/freedesktop/DBus", Bus(Arc::clone(&world)))
        .serve_at("/org/freedesktop/PolicyKit1/Authority", Authority(Arc::clone(&world)))
        .build();
    let client = zbus::connection::Builder::unix_stream(near).p2p().build();
    let (server, connection) = tokio::try_join!(server, client).unwrap();
    let polkit = Polkit { limits, ..Polkit::default() };
    Fixture { world, _server: server, connection, polkit }
}

impl Fixture {
    async fn check_as(&self, uid: u32, interactive: bool) -> Decision {
        let name = UniqueName::try_from(CALLER).unwrap();
        self.polkit.check(&self.connection, (&name, Uid::try_from(uid).unwrap()), ACTION, interactive).await
    }

    async fn check(&self) -> Decision {
        self.check_as(1001, false).await
    }

    async fn answered(&self, answer: Answer) -> Decision {
        World::set(&self.world.answer, answer);
        self.check().await
    }

    fn last(&self) -> Asked {
        self.world.asked.borrow().last().unwrap().clone()
    }
}

#[tokio::test]
async fn the_question_names_the_caller_by_the_bus() {
    let fixture = fixture(Limits::default()).await;
    assert_eq!(fixture.answered(Answer::Plain(true, false)).await, Decision::Granted);
    let first = fixture.last();
    let expected = Asked {
        kind: "system-bus-name".to_owned(),
        name: CALLER.to_owned(),
        details: 1,
        action: ACTION.to_owned(),
        flags: 0,
        cancellation: first.cancellation.clone(),
    };
    assert_eq!(first, expected);
    assert_eq!(fixture.check_as(1001, true).await, Decision::Granted);
    assert_eq!(fixture.last().flags, 1);
    assert_ne!(fixture.last().cancellation, first.cancellation);
    assert!(fixture.polkit.pending.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_polkit_says_is_what_comes_of_it() {
    let fixture = fixture(Limits::default()).await;
    assert_eq!(fixture.answered(Answer::Plain(false, false)).await, Decision::Denied);
    assert_eq!(fixture.answered(Answer::Plain(false, true)).await, Decision::InteractiveRequired);
    for error in [
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.AccessDenied",
        "org.freedesktop.DBus.Error.LimitsExceeded",
        "org.freedesktop.DBus.Error.Timeout",
        "org.freedesktop.PolicyKit1.Error.Failed",
        "org.freedesktop.systemd1.UnitMasked",
    ] {
        assert_eq!(fixture.answered(Answer::Error(error)).await, Decision::Denied, "{error}");
    }
}

const ABSENT: [&str; 5] = [
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.Spawn.ExecFailed",
    "org.freedesktop.DBus.Error.Spawn.ChildExited",
    "org.freedesktop.systemd1.NoSuchUnit",
];

#[tokio::test]
async fn polkit_may_be_absent() {
    let fixture = fixture(Limits::default()).await;
    fixture.world.leave(POLKIT);
    for error in ABSENT {
        assert_eq!(fixture.answered(Answer::Error(error)).await, Decision::Absent, "{error}");
    }
}

/// Or whoever leaves in time would get past what the administrator has polkit say.
#[tokio::test]
async fn polkit_that_finds_somebody_absent_is_not_absent() {
    let fixture = fixture(Limits::default()).await;
    for error in ABSENT {
        assert_eq!(fixture.answered(Answer::Error(error)).await, Decision::Denied, "{error}");
    }
    fixture.world.leave(POLKIT);
    assert_eq!(fixture.answered(Answer::ErrorToNobody(ABSENT[1])).await, Decision::Denied);
}

#[tokio::test]
async fn a_yes_to_somebody_who_has_gone_is_a_no() {
    let fixture = fixture(Limits::default()).await;
    assert_eq!(fixture.answered(Answer::ToNobody(true)).await, Decision::Denied);
    assert_eq!(fixture.answered(Answer::Plain(true, false)).await, Decision::Denied);
}

#[tokio::test]
async fn no_answer_in_time_is_a_no_and_the_question_is_withdrawn() {
    let prompt = Duration::from_millis(300);
    let fixture = fixture(Limits { prompt, patient: NEVER, ..Limits::default() }).await;
    assert_eq!(fixture.check().await, Decision::Denied);
    let mut cancelled = fixture.world.cancelled.subscribe();
    cancelled.wait_for(|all| *all == [fixture.last().cancellation]).await.unwrap();
    assert!(fixture.polkit.pending.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_caller_who_leaves_is_waited_for_no_longer() {
    let look = Duration::from_millis(20);
    let fixture = fixture(Limits { look, patient: NEVER, ..Limits::default() }).await;
    let leave = async {
        let mut asked = fixture.world.asked.subscribe();
        asked.wait_for(|all| !all.is_empty()).await.unwrap();
        fixture.world.leave(CALLER);
    };
    let (decision, ()) = tokio::join!(fixture.check_as(1001, true), leave);
    assert_eq!(decision, Decision::Denied);
    assert_eq!(*fixture.world.cancelled.borrow(), [fixture.last().cancellation]);
}

#[tokio::test]
async fn a_dead_bus_grants_nothing() {
    let Fixture { world, _server: server, connection, polkit } = fixture(Limits::default()).await;
    World::set(&world.answer, Answer::Plain(true, false));
    server.close().await.unwrap();
    let name = UniqueName::try_from(CALLER).unwrap();
    let uid = Uid::try_from(1001).unwrap();
    assert_eq!(polkit.check(&connection, (&name, uid), ACTION, false).await, Decision::Denied);
}

#[tokio::test]
async fn only_so_much_waits() {
    let limits = Limits { of_user: 2, all: 3, prompt: NEVER, ..Limits::default() };
    let fixture = fixture(limits).await;
    let mut asked = fixture.world.asked.subscribe();
    {
        let mut first = std::pin::pin!(async { tokio::join!(fixture.check(), fixture.check()) });
        let mut both = std::pin::pin!(asked.wait_for(|all| all.len() == 2));
        tokio::select! { _ = &mut first => panic!("answered"), _ = &mut both => {} }
        // Too much of one user keeps nobody else from asking.
        assert_eq!(fixture.check().await, Decision::TooMany);
        let mut third = std::pin::pin!(fixture.check_as(1002, true));
        let mut asked = fixture.world.asked.subscribe();
        let mut all = std::pin::pin!(asked.wait_for(|all| all.len() == 3));
        tokio::select! { _ = &mut third => panic!("answered"), _ = &mut all => {} }
        assert_eq!(fixture.check_as(1003, false).await, Decision::TooMany);
        assert_eq!(fixture.world.asked.borrow().len(), 3);
    }
    // Given up by whoever asked: the places are free.
    World::set(&fixture.world.answer, Answer::Plain(true, false));
    assert_eq!(fixture.check().await, Decision::Granted);
}
