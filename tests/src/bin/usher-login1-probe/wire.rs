//! What the probe and its agents say to each other: one line of JSON each way.

use serde::{Deserialize, Serialize};

/// An argument of a method call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Arg {
    S(String),
    U(u32),
    /// `u`: the number of a process.
    Pid(i32),
    I(i32),
    B(bool),
    T(u64),
    O(String),
    /// A variant.
    V(Box<Arg>),
    /// `a(sv)`.
    Properties(Vec<(String, Arg)>),
    /// `h`: a pidfd of that process.
    PidFd(i32),
    /// `h`: something that the agent holds by that name.
    Held(String),
    /// `h`: /dev/null.
    Null,
}

/// A method call to org.freedesktop.login1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) interface: String,
    pub(crate) member: String,
    pub(crate) args: Vec<Arg>,
    /// Under this name the agent holds the descriptors of the reply; without one it closes them.
    pub(crate) hold: Option<String>,
}

/// What an agent is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Receive all signals of org.freedesktop.login1 from now on.
    Subscribe,
    /// Send a call; what arrives until its reply, and this, is the answer.
    Call(Call),
    /// What arrives until this signal, and this; PropertiesChanged of the interface that it is about.
    Wait { interface: String, member: String, about: Option<String> },
    /// Close what is held by this name.
    Close(String),
    /// Open a pseudo terminal and hold both ends, the far one by this name.
    Terminal(String),
}

/// A value of D-Bus.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Value {
    Bool(bool),
    Number(String),
    Text(String),
    Path(String),
    Array(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Struct(Vec<Value>),
    Variant(String, Box<Value>),
    /// What kind of file it is, and how it was opened.
    Fd(String),
}

/// What reached an agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Event {
    Reply { signature: String, values: Vec<Value> },
    Error { name: String, message: String },
    Signal { path: String, interface: String, member: String, signature: String, values: Vec<Value> },
}

/// An agent's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Everything that arrived, in order.
    Events(Vec<Event>),
    /// A terminal's name without /dev/.
    Terminal(String),
    /// The deadline passed; what arrived before.
    Late(Vec<Event>),
    /// The agent itself failed.
    Failed(String),
}
