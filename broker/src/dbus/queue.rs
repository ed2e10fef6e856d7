//! What goes out on the bus, in one queue, so that a signal that was due before an answer is sent before it.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use usher_model::Change;
use zbus::message::Message;

use crate::gather::gather;

/// How much may wait for a bus that does not take it. A bus that is this far behind has lost its broker.
const CAPACITY: usize = 16 * 1024;
/// How much goes out at once, at most.
const TOGETHER: usize = 64;

/// What waits.
#[derive(Debug)]
pub(crate) enum Item {
    /// To be told as signals.
    Change(Change),
    /// An answer, or another message.
    Message(Message),
}

/// The end at which everything goes in.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    items: mpsc::Sender<Item>,
    overflow: Arc<Notify>,
}

/// The end at which everything comes out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    items: mpsc::Receiver<Item>,
    overflow: Arc<Notify>,
}

/// A new queue.
pub(crate) fn new() -> (Queue, Outgoing) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let overflow = Arc::new(Notify::new());
    (Queue { items: sender, overflow: overflow.clone() }, Outgoing { items: receiver, overflow })
}

impl Queue {
    /// Adds something, never waiting; says whether there was room. If not, something is lost: [`Outgoing::overflow`] tells the
    /// other end.
    pub(crate) fn push(&self, item: Item) -> bool {
        match self.items.try_send(item) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.overflow.notify_one();
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

impl Outgoing {
    /// The next items, a few at a time; none when every [`Queue`] is gone.
    ///
    /// Whatever else is to be done now is done first: whoever logs in has the answer before the bus hears of it, and what
    /// comes together goes out together. Whoever has called does not wait for more signals.
    pub(crate) async fn next(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        if self.items.recv_many(&mut items, TOGETHER).await == 0 {
            return items;
        }
        gather(&mut self.items, &mut items, TOGETHER, |item| matches!(item, Item::Message(_))).await;
        tokio::task::yield_now().await;
        while items.len() < TOGETHER
            && let Ok(item) = self.items.try_recv()
        {
            items.push(item);
        }
        items
    }

    /// What says that something was lost.
    pub(crate) fn overflow(&self) -> Arc<Notify> {
        self.overflow.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use usher_model::Change;
    use zbus::message::Message;

    use super::{Item, Queue, new};
    use crate::gather::MOMENT;

    fn push(queue: &Queue, name: &str) {
        let signal = Message::signal("/", "a.b", name).build(&()).unwrap();
        assert!(queue.push(Item::Message(signal)));
    }

    #[tokio::test(start_paused = true)]
    async fn signals_wait_for_more_and_answers_do_not() {
        let (queue, mut outgoing) = new();
        let removed = || Item::Change(Change::UserRemoved(1000.try_into().unwrap()));
        assert!(queue.push(removed()));
        let before = Instant::now();
        assert_eq!((outgoing.next().await.len(), before.elapsed()), (1, MOMENT));

        assert!(queue.push(removed()));
        push(&queue, "Answer");
        let before = Instant::now();
        assert_eq!((outgoing.next().await.len(), before.elapsed()), (2, Duration::ZERO));
    }

    #[tokio::test]
    async fn what_is_ready_goes_first_and_what_comes_of_it_goes_along() {
        let (queue, mut outgoing) = new();
        let next = tokio::spawn(async move { outgoing.next().await });
        tokio::task::yield_now().await;
        // The one that waits is woken first, this task is to go on before it.
        push(&queue, "First");
        tokio::spawn(async move { push(&queue, "Second") });
        let names: Vec<String> = next
            .await
            .unwrap()
            .iter()
            .map(|item| match item {
                Item::Message(message) => message.header().member().unwrap().to_string(),
                Item::Change(change) => panic!("{change:?}"),
            })
            .collect();
        assert_eq!(names, ["First", "Second"]);
    }
}
