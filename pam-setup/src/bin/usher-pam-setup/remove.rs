//! `remove`.

use anyhow::{Context, Result};
use usher_pam_setup::{Broker, Group, Layout, PamConfig, Statement, parse, plan};

use crate::change::{self, Plan};
use crate::debian;
use crate::store::Store;
use usher_pam_setup::cli::{Change, Common};

/// Takes out what install has put in, wherever it stands. Lines of others are named and left.
pub(crate) fn run(common: &Common, change: &Change) -> Result<()> {
    change::need_root(common, change)?;
    let config = PamConfig::at(&common.root);
    let names = match &common.service {
        Some(name) => vec![name.clone()],
        None => config.names()?,
    };
    let store = Store::open(&common.root, !change.dry_run)?;
    let mut changed = 0;
    let mut foreign = Vec::new();
    for name in names {
        let found = match config.read(&name) {
            Ok(found) if found.path.starts_with("/etc/pam.d/") => found,
            Ok(_) => continue,
            Err(error) if common.service.is_some() => return Err(error.into()),
            Err(error) => {
                eprintln!("usher-pam-setup: passed over: {error}");
                continue;
            }
        };
        let old = plan::remove(&found.bytes);
        foreign.extend(lines_of_others(&old).into_iter().map(|line| format!("{}:{line}", found.path)));
        if old == found.bytes {
            continue;
        }
        let target = store.target(&name)?;
        // What was there before runs without usher; whether it is in the stack by another file does not matter.
        change::make(&store, &Plan { target: &target, new: &old, usher: false }, common, change)
            .with_context(|| format!("take usher's line out of {}", found.path))?;
        changed += 1;
    }
    drop(store);
    if common.service.is_none() && Layout::recognise(&config)? == Layout::PamAuthUpdate {
        return debian::remove(&config, common, change);
    }
    for place in &foreign {
        println!(
            "{place}: pam_usher.so stands there, and usher-pam-setup did not write that line: left alone"
        );
    }
    if changed == 0 {
        println!("Nothing of usher-pam-setup's in /etc/pam.d, nothing to do");
    }
    Ok(())
}

/// Where pam_usher.so is named.
fn lines_of_others(bytes: &[u8]) -> Vec<usize> {
    let usher = |statement: &Statement| {
        matches!(statement, Statement::Module { group: Group::Session, module, .. }
            if Broker::of(module) == Some(Broker::Usher))
    };
    parse(bytes).iter().filter(|line| usher(&line.statement)).map(|line| line.first).collect()
}
