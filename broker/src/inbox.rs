//! How everybody else talks to the one task that owns the model: events go in, questions come back answered.

use std::os::fd::OwnedFd;

use tokio::sync::{mpsc, oneshot};
use usher_model::{Answer, Event, Model, RequestId};
use usher_protocol::messages::Refusal;

use crate::followers::Follower;

/// How many messages may wait for the loop before senders wait themselves.
const CAPACITY: usize = 1024;

/// Makes the event of a request with that number, as things are.
pub(crate) type Make = dyn FnOnce(RequestId, &Model) -> Event + Send;

/// What the loop is sent.
pub(crate) enum Message {
    /// Something happened.
    Event(Event),
    /// Somebody asks for something and waits for the answers.
    Request {
        /// Makes the event once the request has a number.
        make: Box<Make>,
        /// The peer, where it may become a session's leader.
        leader: Option<OwnedFd>,
        /// Where the answers go.
        answers: mpsc::UnboundedSender<Answer>,
    },
    /// Somebody wants to know something.
    Query(Box<dyn FnOnce(&Model) + Send>),
    /// Somebody wants to be told of everything that changes.
    Follow(Follower),
}

/// The other end of the loop's inbox.
#[derive(Clone)]
pub(crate) struct Broker {
    inbox: mpsc::Sender<Message>,
}

impl Broker {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Message>) {
        let (inbox, messages) = mpsc::channel(CAPACITY);
        (Self { inbox }, messages)
    }

    /// Reports an event. At shutdown there is nobody left to hear it, which is no error.
    pub(crate) async fn report(&self, event: Event) {
        let _ = self.inbox.send(Message::Event(event)).await;
    }

    /// Asks for something; the answers come one after the other.
    pub(crate) fn request(
        &self,
        leader: Option<OwnedFd>,
        make: impl FnOnce(RequestId) -> Event + Send + 'static,
    ) -> impl Future<Output = mpsc::UnboundedReceiver<Answer>> {
        self.request_as_things_are(leader, move |request, _| make(request))
    }

    /// The same for what depends on what the model knows.
    pub(crate) async fn request_as_things_are(
        &self,
        leader: Option<OwnedFd>,
        make: impl FnOnce(RequestId, &Model) -> Event + Send + 'static,
    ) -> mpsc::UnboundedReceiver<Answer> {
        // At most two answers a request: no need for a bound of its own.
        let (answers, receiver) = mpsc::unbounded_channel();
        let _ = self.inbox.send(Message::Request { make: Box::new(make), leader, answers }).await;
        receiver
    }

    /// Has somebody told of everything that changes from now on.
    pub(crate) async fn follow(&self, follower: Follower) {
        let _ = self.inbox.send(Message::Follow(follower)).await;
    }

    /// Looks something up in the model.
    ///
    /// # Errors
    /// [`Refusal::Failed`] when the broker is shutting down.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Model) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, receiver) = oneshot::channel();
        let query = move |model: &Model| drop(answer.send(look(model)));
        let _ = self.inbox.send(Message::Query(Box::new(query))).await;
        receiver.await.map_err(|_| shutting_down())
    }
}

/// What a peer is told whose request is cut short by the broker's end.
pub(crate) fn shutting_down() -> Refusal {
    Refusal::Failed { message: "usherd is shutting down".to_owned() }
}
