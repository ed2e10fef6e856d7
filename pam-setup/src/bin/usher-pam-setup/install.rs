//! `install`.

use anyhow::{Result, bail};
use usher_pam_setup::{Layout, MODULE, PamConfig, check, plan};

use crate::change::{self, Plan};
use crate::debian;
use crate::store::Store;
use usher_pam_setup::cli::{Change, Common};

pub(crate) fn run(common: &Common, change: &Change, replace: bool) -> Result<()> {
    change::need_root(common, change)?;
    let config = PamConfig::at(&common.root);
    let layout = Layout::recognise(&config)?;
    if !change.no_test && config.module(MODULE).is_none() {
        bail!(
            "{MODULE} is not in any directory that libpam loads modules from (/usr/lib/security and the like): install it first"
        );
    }
    let name = match (&common.service, layout) {
        (Some(name), Layout::PamAuthUpdate) if name.starts_with("common-") => bail!(
            "pam-auth-update writes /etc/pam.d/{name}, and writes nothing any more once somebody has edited it: leave \
             --service out, and it is told to switch usher's profile on"
        ),
        (Some(name), _) => name.as_str(),
        (None, Layout::PamAuthUpdate) => return debian::install(&config, common, change, replace),
        (None, layout) => match layout.file() {
            Some(name) => name,
            None => bail!("{}", layout.explain()),
        },
    };
    let store = Store::open(&common.root, !change.dry_run)?;
    let target = store.target(name)?;
    let new = plan::install(&config, name, replace)?;
    if new == target.bytes {
        println!("{}: {MODULE} is in its stack already, nothing to do", change::shown(&target));
    } else {
        change::make(&store, &Plan { target: &target, new: &new, usher: true }, common, change)?;
    }
    let after = config.with(name, new);
    for problem in check::service(&after, name)? {
        println!(
            "{}: {problem}",
            if problem.severity == usher_pam_setup::Severity::Error { "error" } else { "warning" }
        );
    }
    Ok(())
}
