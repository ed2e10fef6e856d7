//! One file's way from old to new.

use anyhow::{Context, Result, bail};
use usher_pam_setup::unified_diff;

use crate::store::{NEW, OLD, Store, Target};
use crate::trial;
use usher_pam_setup::cli::{Change, Common};

/// What is to become of a file.
pub(crate) struct Plan<'a> {
    pub(crate) target: &'a Target,
    pub(crate) new: &'a [u8],
    /// Whether pam_usher.so is in the new stack.
    pub(crate) usher: bool,
}

/// The file's name as people know it, without the root.
pub(crate) fn shown(target: &Target) -> String {
    format!("/etc/pam.d/{}", name(target))
}

fn name(target: &Target) -> String {
    target.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Shows the change, or makes it: copy, trial, rename, trial again, and back when that fails.
pub(crate) fn make(store: &Store, plan: &Plan<'_>, common: &Common, change: &Change) -> Result<()> {
    let target = plan.target;
    if change.dry_run {
        print!("{}", unified_diff(&shown(target), &target.bytes, plan.new));
        return Ok(());
    }
    let tests = !change.no_test && is_this_machine(common);
    let candidate = store.candidate(target, plan.new, NEW)?;
    if tests && let Err(error) = trial::run(&candidate.service, plan.usher) {
        // Only a stack that works is worth keeping: was it in order before?
        let old = store.candidate(target, &target.bytes, OLD)?;
        return Err(match trial::run(&old.service, false) {
            Ok(_) => error.context(format!(
                "a session with the new {} fails, and nothing was changed",
                shown(target)
            )),
            Err(_) => error.context(format!(
                "a session with {} fails as the file is now, and nothing was changed; correct the file first, or \
                 use --no-test",
                shown(target)
            )),
        });
    }
    let backup = store.back_up(target)?;
    store.put_in_place(target, &candidate)?;
    if !tests {
        println!("{}: changed; the old file is {}", shown(target), backup.display());
        println!(
            "No session was opened by way of trial: log in by another terminal before you leave this one."
        );
        return Ok(());
    }
    match trial::run(&name(target), plan.usher) {
        Ok(session) => {
            println!("{}: changed; the old file is {}", shown(target), backup.display());
            note(plan.usher, session.as_deref());
            Ok(())
        }
        Err(error) => {
            store.put_back(target).with_context(|| {
                let (file, backup) = (shown(target), backup.display());
                format!("a session with the new {file} fails ({error:#}); it is still there, the old one is {backup}")
            })?;
            Err(error
                .context(format!("a session with the new {} fails, and the old one is back", shown(target))))
        }
    }
}

/// Says so when the trial's session was registered with nobody.
pub(crate) fn note(usher: bool, session: Option<&str>) {
    if usher && session.is_none() {
        println!(
            "usherd gave the trial no session: it does not run, or says in its log why. Logins go on without sessions \
             until it does."
        );
    }
}

/// libpam reads this machine's files only.
pub(crate) fn is_this_machine(common: &Common) -> bool {
    common.root == std::path::Path::new("/")
}

/// Changing the machine's own files takes root.
pub(crate) fn need_root(common: &Common, change: &Change) -> Result<()> {
    if is_this_machine(common) && !change.dry_run && !rustix::process::geteuid().is_root() {
        bail!("only root may change /etc/pam.d; --dry-run shows what would change");
    }
    Ok(())
}
