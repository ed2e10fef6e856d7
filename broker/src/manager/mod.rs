//! User managers: how one is started, watched and stopped. When and whether is the model's business.

mod backend;
mod fifo;
mod membership;
pub(crate) mod notify;
mod realm;
mod start;
mod stop;
mod supervise;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use usher_model::{Account, Event, Generation};
use usher_protocol::ids::{LeaderPid, Uid};

use crate::config::{Choice, Choices};
use crate::inbox::Broker;
use crate::sys::cgroup::CgroupRoot;
use crate::sys::pidfd;
pub(crate) use membership::{ARGUMENT as GROUPS_ARGUMENT, main as groups_main};
use realm::Realm;
use start::Starter;
use supervise::{Order, Supervised};
pub(crate) use words::Words;

/// Ends what is in the cgroup of a user's manager when there is no manager, and removes it, and the readiness socket.
/// Nothing is there, as a rule; but an usherd that could not write its files, for want of space, may have left a manager
/// that nobody knows, and one that was killed while it started one, the socket.
pub(crate) async fn clear(uid: Uid, cgroups: Option<Arc<CgroupRoot>>) {
    Realm::new(cgroups).clear_strangers(uid).await;
    notify::remove_leftover(uid);
    words::remove_leftover(uid);
}

/// The managers that run, one a user.
pub(crate) struct Managers {
    broker: Broker,
    starter: Starter,
    choices: Arc<Choices>,
    running: HashMap<Uid, Running>,
    words: Words,
}

struct Running {
    generation: Generation,
    orders: mpsc::UnboundedSender<Order>,
}

impl Managers {
    pub(crate) fn new(
        broker: Broker,
        cgroups: Option<Arc<CgroupRoot>>,
        choices: Choices,
        words: Words,
    ) -> Self {
        let starter = Starter::new(Realm::new(cgroups), words.clone());
        Self { broker, starter, choices: Arc::new(choices), running: HashMap::new(), words }
    }

    /// Changes what is started from now on.
    pub(crate) fn reconfigure(&mut self, choices: Choices) {
        self.choices = Arc::new(choices);
    }

    /// Starts a user's manager and watches it from then on. What comes of that is returned, or reported where the
    /// name service has to be asked which manager it is.
    pub(crate) fn start(&mut self, account: Account, generation: Generation) -> Option<Event> {
        let uid = account.uid;
        match self.choices.of_user(account.name.as_str()) {
            Choice::Nothing => Some(Event::ManagerUnwanted { uid, generation }),
            Choice::This(name, definition) => {
                let started = definition
                    .and_then(|definition| self.starter.start(account, generation, &name, definition));
                let result = started.map(|supervised| {
                    let main = supervised.main;
                    let orders = self.remember(uid, generation);
                    self.supervise(supervised, orders);
                    main
                });
                Some(Event::ManagerStarted { uid, generation, result })
            }
            Choice::ByGroup(groups) => {
                let orders = self.remember(uid, generation);
                self.start_by_group(account, generation, groups, orders);
                None
            }
        }
    }

    /// The same once it is known in which of the groups the user is.
    fn start_by_group(
        &self,
        account: Account,
        generation: Generation,
        groups: Vec<String>,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) {
        let (uid, broker, choices) = (account.uid, self.broker.clone(), self.choices.clone());
        let starter = self.starter.clone();
        tokio::spawn(async move {
            let asked = tokio::select! {
                asked = membership::ask(&account, &groups) => asked,
                // Nothing runs yet that could be stopped or killed.
                _ = orders.recv() => Err("it was not wanted any more".to_owned()),
            };
            let started = match asked.map(|member_of| choices.of_member(&member_of)) {
                Ok(Choice::This(name, definition)) => {
                    definition.and_then(|definition| starter.start(account, generation, &name, definition))
                }
                Ok(Choice::Nothing | Choice::ByGroup(_)) => {
                    return broker.report(Event::ManagerUnwanted { uid, generation }).await;
                }
                Err(why) => Err(why),
            };
            let (result, supervised) = match started {
                Ok(supervised) => (Ok(supervised.main), Some(supervised)),
                Err(why) => (Err(why), None),
            };
            broker.report(Event::ManagerStarted { uid, generation, result }).await;
            if let Some(supervised) = supervised {
                supervise::supervise(supervised, orders, broker, starter.realm).await;
            }
        });
    }

    /// Lets a manager that was started go on, now that the next usherd would find it on file. One that is started and
    /// not known to anybody would stay beside the one that the next usherd starts.
    pub(crate) fn go_ahead(&mut self, uid: Uid, generation: Generation) {
        self.order(uid, generation, Order::GoAhead);
    }

    /// Watches a manager that an earlier usherd has started.
    pub(crate) fn adopt(&mut self, account: Account, generation: Generation, main: LeaderPid, ready: bool) {
        let uid = account.uid;
        // If it has gone since it was found, supervising it says so at once.
        let Ok(Some((fd, _))) = pidfd::alive(main) else {
            let broker = self.broker.clone();
            let how = "it ended while usherd was restarted".to_owned();
            tokio::spawn(async move {
                broker.report(Event::ManagerGone { uid, generation, how }).await;
            });
            return;
        };
        self.words.listen_again(uid);
        let noted = notify::noted_definition(uid).map(|name| self.choices.named(&name));
        let definition = match noted {
            Some(Choice::This(_, Ok(definition))) => definition,
            // Not known any more: it is watched, and SIGTERM is what most heed.
            _ => Arc::default(),
        };
        let supervised = self.starter.adopted(account, generation, definition, (main, fd), ready);
        let orders = self.remember(uid, generation);
        self.supervise(supervised, orders);
    }

    fn remember(&mut self, uid: Uid, generation: Generation) -> mpsc::UnboundedReceiver<Order> {
        let (orders, receiver) = mpsc::unbounded_channel();
        self.running.insert(uid, Running { generation, orders });
        receiver
    }

    fn supervise(&self, supervised: Supervised, orders: mpsc::UnboundedReceiver<Order>) {
        let realm = self.starter.realm.clone();
        tokio::spawn(supervise::supervise(supervised, orders, self.broker.clone(), realm));
    }

    /// Asks a manager to stop.
    pub(crate) fn stop(&self, uid: Uid, generation: Generation) {
        self.order(uid, generation, Order::Stop);
    }

    /// Ends a manager and everything in its cgroup, and says why and whom.
    pub(crate) fn kill(&self, uid: Uid, generation: Generation, why: String) {
        self.order(uid, generation, Order::Kill { why });
    }

    /// Forgets a run that has ended.
    pub(crate) fn forget(&mut self, uid: Uid, generation: Generation) {
        // News of a run before the one that is there.
        if self.running.get(&uid).is_some_and(|running| running.generation != generation) {
            return;
        }
        self.running.remove(&uid);
        notify::remove_leftover(uid);
        words::remove_leftover(uid);
    }

    /// Forgets what a user's managers have said.
    pub(crate) fn forget_words(&self, uid: Uid) {
        self.words.forget(uid);
    }

    fn order(&self, uid: Uid, generation: Generation, order: Order) {
        if let Some(running) = self.running.get(&uid).filter(|r| r.generation == generation) {
            // A supervisor that has gone has reported the manager gone, too.
            let _ = running.orders.send(order);
        }
    }
}
