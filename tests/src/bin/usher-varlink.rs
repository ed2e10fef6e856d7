//! A varlink client that shares no code with usher: the varlink project's own crate speaks. Runs in the machine; each call is
//! one line of the output.
//!
//! ```text
//! usher-varlink [--stay] ADDRESS [METHOD PARAMETERS]...
//! usher-varlink ADDRESS --describe INTERFACE
//! ```

#![forbid(unsafe_code)]

use std::sync::{Arc, RwLock};

use anyhow::{Result, anyhow};
use clap::Parser;
use serde_json::Value;
use varlink::{Connection, ErrorKind, MethodCall, OrgVarlinkServiceClient, OrgVarlinkServiceInterface};

#[derive(Debug, Parser)]
#[command(name = "usher-varlink", about = "Calls varlink methods, one after the other on one connection")]
struct Options {
    /// Do not end after the last answer
    #[arg(long)]
    stay: bool,
    /// Say which interfaces the service has, and how it describes one of them
    #[arg(long, value_name = "INTERFACE")]
    describe: Option<String>,
    /// Where, as varlink writes it: unix:/path
    address: String,
    /// Methods, each followed by its parameters in JSON
    calls: Vec<String>,
}

fn main() -> Result<()> {
    let Options { stay, describe, address, calls } = Options::parse();
    let connection = Connection::with_address(&address).map_err(|error| anyhow!("{address}: {error}"))?;
    if let Some(interface) = describe {
        return explain(connection, interface);
    }
    for call in calls.chunks(2) {
        let [method, parameters] = call else { return Err(anyhow!("{call:?} has no parameters")) };
        println!("{}", answer(&connection, method.clone(), serde_json::from_str(parameters)?)?);
    }
    if stay {
        loop {
            std::thread::park();
        }
    }
    Ok(())
}

/// `ok PARAMETERS` or `error NAME PARAMETERS`.
fn answer(connection: &Arc<RwLock<Connection>>, method: String, parameters: Value) -> Result<String> {
    let mut call = MethodCall::<Value, Value, varlink::Error>::new(connection.clone(), method, parameters);
    let named = |name: &str, parameters: &str| Ok(format!("error {name} {parameters}"));
    match call.call() {
        Ok(reply) => Ok(format!("ok {reply}")),
        // Three errors are varlink's own, which the crate takes apart.
        Err(error) => match error.kind() {
            ErrorKind::InvalidParameter(parameter) => {
                named("org.varlink.service.InvalidParameter", parameter)
            }
            ErrorKind::MethodNotFound(method) => named("org.varlink.service.MethodNotFound", method),
            ErrorKind::InterfaceNotFound(interface) => {
                named("org.varlink.service.InterfaceNotFound", interface)
            }
            ErrorKind::VarlinkErrorReply(reply) => {
                let parameters = reply.parameters.clone().unwrap_or_default();
                named(reply.error.as_deref().unwrap_or_default(), &parameters.to_string())
            }
            _ => Err(anyhow!("{error:?}")),
        },
    }
}

fn explain(connection: Arc<RwLock<Connection>>, interface: String) -> Result<()> {
    let failed = |error: varlink::Error| anyhow!("{error:?}");
    let mut service = OrgVarlinkServiceClient::new(connection);
    println!("interfaces {}", service.get_info().map_err(failed)?.interfaces.join(" "));
    let text = service.get_interface_description(interface).map_err(failed)?.description.unwrap_or_default();
    print!("{text}");
    Ok(())
}
