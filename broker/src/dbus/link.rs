//! One connection to the bus, from its beginning to its end: calls come in, answers and signals go out.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_core::Stream;
use tracing::{debug, error, warn};
use usher_model::{BusName, Change, Event, Model};
use zbus::message::{Flags, Message, Type};
use zbus::names::OwnedUniqueName;
use zbus::{Connection, MessageStream};

use super::bus::{self, LOGIN1, SYSTEMD1};
use super::call::Call;
use super::caller::Callers;
use super::failure::Failure;
use super::places::{Place, Places};
use super::queue::{self, Item, Outgoing, Queue};
use super::{Facade, dispatch, signals};

/// What every call needs.
pub(crate) struct Link {
    pub(crate) bus: Connection,
    pub(crate) facade: Arc<Facade>,
    pub(crate) callers: Callers,
    queue: Queue,
    places: Arc<Places>,
    /// The controllers of sessions whose end the bus tells of.
    watched: Mutex<BTreeSet<BusName>>,
}

/// Serves org.freedesktop.login1 on a connection until that ends.
pub(crate) async fn serve(bus: Connection, facade: &Arc<Facade>) {
    let broker = &facade.service.broker;
    let (link, outgoing) = Link::new(bus, facade);
    // From here on nothing that changes is missed.
    let queue = link.queue.clone();
    let follower = move |change: &Change, _: &Model| queue.push(Item::Change(change.clone()));
    broker.follow(Box::new(follower)).await;
    run(&link, outgoing, own_login1(&link)).await;
    facade.service.status.bus.forget(LOGIN1);
    // Whoever controls a session does so by a name on this bus.
    let controllers = broker.query(Model::controllers).await.unwrap_or_default();
    for controller in controllers {
        broker.report(Event::ControllerGone { controller }).await;
    }
}

/// Serves org.freedesktop.systemd1 on a connection until that ends.
///
/// It has to be another one. The bus's policy is about all names of who is called: where both names were one connection's,
/// what the policy of the one denies would be denied to callers of the other.
pub(crate) async fn serve_systemd1(bus: Connection, facade: &Arc<Facade>) {
    let (link, outgoing) = Link::new(bus, facade);
    run(&link, outgoing, own(&link, SYSTEMD1)).await;
    facade.service.status.bus.forget(SYSTEMD1);
}

/// Everything that is read and written, until the end.
async fn run<T>(link: &Arc<Link>, outgoing: Outgoing, names: impl Future<Output = T>) {
    let mut stream = MessageStream::from(&link.bus);
    let overflow = outgoing.overflow();
    let reading = async {
        while let Some(message) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
            match message {
                Ok(message) => link.take(message),
                Err(error) => debug!(%error, "the system bus ends the connection"),
            }
        }
    };
    let all = async { tokio::join!(names, reading) };
    tokio::select! {
        _ = all => {}
        () = write(&link.bus, outgoing) => {}
        () = overflow.notified() => error!("the system bus takes no messages any more: usherd connects to it anew"),
    }
    let _ = link.bus.clone().close().await;
}

async fn own_login1(link: &Arc<Link>) {
    link.forget_strangers().await;
    if !own(link, LOGIN1).await {
        return;
    }
    // To find the bus and to be known there takes much code, once.
    link.facade.service.memory.ended(1);
    // As logind does when it starts: seats are there before anybody sits down.
    for seat in link.facade.service.broker.query(Model::seats).await.unwrap_or_default() {
        if let Ok(signal) = signals::seat_new(&seat.id) {
            link.queue.push(Item::Message(signal));
        }
    }
}

/// Becomes known by a name; whether that went well.
async fn own(link: &Link, name: &'static str) -> bool {
    let standing = &link.facade.service.status.bus;
    standing.asks(name, &link.bus);
    let owned = bus::own_names(&link.bus, &[name]).await;
    if let Err(error) = &owned {
        standing.refused(name, error);
        warn!("{name} is not served: the system bus refuses ({error}); is usher's bus policy installed?");
    }
    owned.is_ok()
}

async fn write(bus: &Connection, mut outgoing: Outgoing) {
    loop {
        let items = outgoing.next().await;
        if items.is_empty() {
            return;
        }
        let mut messages = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Item::Message(message) => messages.push(message),
                Item::Change(change) => match signals::of(&change) {
                    Ok(signal) => messages.extend(signal),
                    Err(error) => error!(%error, ?change, "cannot tell the bus what has changed"),
                },
            }
        }
        if let Err(error) = bus.send_all(&messages).await {
            debug!(%error, "cannot write to the system bus");
            return;
        }
    }
}

impl Link {
    fn new(bus: Connection, facade: &Arc<Facade>) -> (Arc<Self>, Outgoing) {
        let (queue, outgoing) = queue::new();
        let link = Self {
            bus,
            facade: facade.clone(),
            callers: Callers::default(),
            queue,
            places: Arc::default(),
            watched: Mutex::default(),
        };
        (Arc::new(link), outgoing)
    }

    fn take(self: &Arc<Self>, message: Message) {
        match message.message_type() {
            Type::MethodCall => self.take_call(message),
            Type::Signal => self.take_signal(&message),
            Type::MethodReturn | Type::Error => {}
        }
    }

    fn take_call(self: &Arc<Self>, message: Message) {
        let header = message.header();
        // The bus names the sender of whatever it passes on.
        let Some(sender) = header.sender().map(|name| OwnedUniqueName::from(name.to_owned())) else { return };
        let Some(place) = self.places.take() else {
            return self.answer(&message, Err(busy()));
        };
        let link = self.clone();
        let message = message.clone();
        tokio::spawn(async move {
            let answer = link.work_on(&message, sender, place).await;
            link.answer(&message, answer);
            link.facade.service.memory.ended(1);
        });
    }

    async fn work_on(
        self: &Arc<Self>,
        message: &Message,
        sender: OwnedUniqueName,
        place: Place,
    ) -> Result<Message, Failure> {
        let caller = self.callers.find(&self.bus, &sender).await?;
        let _place = place.of(caller.uid).ok_or_else(busy)?;
        let call = Call { link: self.clone(), message: message.clone(), sender, caller };
        dispatch::dispatch(&call).await
    }

    fn answer(&self, call: &Message, answer: Result<Message, Failure>) {
        let header = call.header();
        if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
            return;
        }
        match answer.or_else(|failure| failure.reply_to(&header)) {
            // Where it does not fit in, the connection is about to end.
            Ok(message) => drop(self.queue.push(Item::Message(message))),
            Err(error) => error!(%error, "cannot answer a call"),
        }
    }

    /// Has the bus tell of a controller's end.
    pub(crate) async fn watch(&self, controller: &BusName) {
        let new = self.watched.lock().unwrap_or_else(PoisonError::into_inner).insert(controller.clone());
        if !new {
            return;
        }
        let added = bus::call(&self.bus, "AddMatch", &(rule(controller),)).await;
        // It may have gone before that.
        let there = bus::call(&self.bus, "NameHasOwner", &(controller.0.as_str(),)).await;
        let there = there.and_then(|reply| reply.body().deserialize::<bool>());
        if added.is_err() || !there.unwrap_or(false) {
            self.gone(controller.clone()).await;
        }
    }

    fn take_signal(self: &Arc<Self>, message: &Message) {
        let header = message.header();
        let from_bus = header.sender().is_some_and(|sender| sender.as_str() == "org.freedesktop.DBus");
        if !from_bus || header.member().is_none_or(|member| member.as_str() != "NameOwnerChanged") {
            return;
        }
        let body = message.body();
        let Ok((name, _, "")) = body.deserialize::<(&str, &str, &str)>() else { return };
        let controller = BusName(name.to_owned());
        if self.watched.lock().unwrap_or_else(PoisonError::into_inner).contains(&controller) {
            let link = self.clone();
            tokio::spawn(async move { link.gone(controller).await });
        }
    }

    async fn gone(&self, controller: BusName) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(&controller);
        let _ = bus::call(&self.bus, "RemoveMatch", &(rule(&controller),)).await;
        self.facade.service.broker.report(Event::ControllerGone { controller }).await;
    }

    /// Controllers on file are names on the bus that there was. On another one the same names are other programs'.
    async fn forget_strangers(self: &Arc<Self>) {
        let controllers = self.facade.service.broker.query(Model::controllers).await.unwrap_or_default();
        let same = super::identity::is_the_one_on_file(&self.bus).await;
        for controller in controllers {
            if same {
                self.watch(&controller).await;
            } else {
                self.facade.service.broker.report(Event::ControllerGone { controller }).await;
            }
        }
    }
}

fn rule(controller: &BusName) -> String {
    format!(
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{}'",
        controller.0
    )
}

fn busy() -> Failure {
    Failure::standard("LimitsExceeded", "usherd is busy with other calls; try again")
}
