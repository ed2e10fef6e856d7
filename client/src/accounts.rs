//! Users as they are named on a command line: a uid, or a name that the user database knows.

use anyhow::anyhow;
use usher_protocol::ids::Uid;

use crate::render::text;

/// The user that a word stands for. A number is taken as it is, so that the sessions of an account that has been
/// deleted can still be looked at and ended; a name is asked of NSS.
///
/// # Errors
/// When the user database knows no such name.
pub fn resolve(word: &str) -> anyhow::Result<Uid> {
    word.parse().or_else(|_| {
        uzers::get_user_by_name(word)
            .and_then(|user| Uid::try_from(user.uid()).ok())
            .ok_or_else(|| anyhow!("Failed to look up user {}: No such process", shown(word)))
    })
}

/// A word as it may stand in one line of an error.
fn shown(word: &str) -> String {
    text::escape(&text::shorten(word, 64))
}

/// The calling user.
///
/// # Errors
/// When the process runs with no user's id.
pub fn own() -> anyhow::Result<Uid> {
    Ok(Uid::try_from(uzers::get_current_uid())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_need_no_account_and_names_do() {
        assert_eq!(resolve("0").ok(), Some(Uid::ROOT));
        assert_eq!(resolve("root").ok(), Some(Uid::ROOT));
        assert_eq!(resolve("4242424").map(Uid::get).ok(), Some(4_242_424));
        for word in ["nosuchuser", "", "-1", "0x0", "4294967295", "self", "root\0x"] {
            let text = resolve(word).map_err(|e| e.to_string());
            let shown = word.replace('\0', "\\u{0}");
            assert_eq!(text, Err(format!("Failed to look up user {shown}: No such process")));
        }
    }
}
