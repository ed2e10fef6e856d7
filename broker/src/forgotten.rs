//! Users of whom an earlier usherd has left a runtime directory and no file: it could not write any, for want of space, and
//! was killed before it had any. Nobody would ever end what they have, so that is done before anybody is let in.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::{info, warn};
use usher_model::record::RuntimeKind;
use usher_protocol::ids::Uid;

use crate::sys::cgroup::CgroupRoot;
use crate::sys::mount;
use crate::teardown;

/// Ends the managers of such users and removes their directories and cgroups. What is somebody else's is left alone: only a
/// mount that bears usher's own mark shows that it is usher's business.
pub(crate) async fn clear(known: &BTreeSet<Uid>, cgroups: Option<&Arc<CgroupRoot>>) {
    for uid in mount::users().into_iter().filter(|uid| !known.contains(uid)) {
        let Ok(Some(directory)) = mount::present(uid, None) else { continue };
        if directory.kind != RuntimeKind::Mount {
            continue;
        }
        if cgroups.is_some_and(|cgroups| cgroups.has_sessions(uid)) {
            warn!(%uid, "a user who is on no file has processes in sessions that are forgotten: left as it is until the next logout");
            continue;
        }
        info!(%uid, "removing what an earlier usherd has left of a user who is on no file");
        if let Err(error) = teardown::run(uid, uid.get(), Some(directory), false, cgroups.cloned()).await {
            warn!(%uid, "{error}");
        }
    }
}
