//! A listener, as a desktop's shell is one: every signal of login1 comes here.

use std::future::poll_fn;
use std::io::Read;
use std::pin::Pin;

use anyhow::{Context, Result, bail};
use futures_core::Stream;
use usher_tests::load::bus::Heard;
use zbus::message::Type;
use zbus::{Connection, MessageStream};

use crate::{DBUS, LOGIN1, MANAGER_PATH, call, connect, print};

const RULE: &str = "type='signal',sender='org.freedesktop.login1'";

/// Counts signals. A first line says that it listens, a second one how many signals there were.
pub(crate) async fn count() -> Result<()> {
    let bus = connect().await?;
    let mut stream = MessageStream::from(&bus);
    call(&bus, (DBUS, "/org/freedesktop/DBus", DBUS), "AddMatch", &(RULE,)).await?;
    print(&Heard::default())?;
    let end = std::io::stdin();
    let mut end = tokio::task::spawn_blocking(move || end.lock().read_to_end(&mut Vec::new()));
    let mut heard = Heard::default();
    loop {
        tokio::select! {
            biased;
            message = next(&mut stream) => heard.signals += usize::from(is_signal(message?)),
            ended = &mut end => {
                ended.context("read standard input")?.context("read standard input")?;
                break;
            }
        }
    }
    // What login1 has sent before it answers this is here before the answer.
    let mut answered = Box::pin(ping(&bus));
    loop {
        tokio::select! {
            biased;
            message = next(&mut stream) => heard.signals += usize::from(is_signal(message?)),
            answer = &mut answered => {
                answer?;
                return print(&heard);
            }
        }
    }
}

async fn ping(bus: &Connection) -> Result<()> {
    call(bus, (LOGIN1, MANAGER_PATH, "org.freedesktop.DBus.Peer"), "Ping", &()).await.map(drop)
}

async fn next(stream: &mut MessageStream) -> Result<zbus::Message> {
    match poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await {
        Some(message) => message.context("read from the bus"),
        None => bail!("the bus has gone"),
    }
}

/// One of login1's: the bus itself has some for every connection.
fn is_signal(message: zbus::Message) -> bool {
    let header = message.header();
    message.message_type() == Type::Signal && header.sender().is_none_or(|sender| sender.as_str() != DBUS)
}
