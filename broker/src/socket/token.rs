//! The tokens by which a login closes its session, whatever has become of its process and privileges: a keyed hash of what
//! makes the session unlike any other. Nothing of one is kept, so that a login costs no write for it, and the next usherd
//! knows it as well: the key stays in a file that only root can read, for as long as the machine runs.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::OFlags;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::Sha256;
use tracing::warn;
use usher_model::Now;
use usher_protocol::ids::SessionId;
use usher_protocol::messages::CloseToken;

/// Where the key is; `/run` forgets it at the next boot.
const FILE: &str = "/run/usher/secret";
/// What the hash is of, so that no other use of the key could ever make a token.
const PURPOSE: &[u8] = b"usher: close session\0";

type Secret = [u8; 32];

/// Makes tokens and checks them.
#[derive(Clone)]
pub(crate) struct Tokens {
    keyed: Hmac<Sha256>,
}

impl Tokens {
    /// With the key of this boot, made now if there is none.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub(crate) fn load() -> Result<Self> {
        Self::with_file(Path::new(FILE))
    }

    /// With a key that everybody knows.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::keyed(&[1; 32]).unwrap()
    }

    fn with_file(file: &Path) -> Result<Self> {
        match read(file) {
            Ok(secret) => return Self::keyed(&secret),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let file = file.display();
                warn!(
                    "{file} is no key of usherd's: {error}; making a new one, tokens given before are void"
                );
            }
        }
        let secret = random()?;
        if let Err(error) = replace(file, &secret) {
            let file = file.display();
            warn!(
                "cannot write {file}: {error}; tokens given from now on will be void after a restart of usherd"
            );
        }
        Self::keyed(&secret)
    }

    fn keyed(secret: &Secret) -> Result<Self> {
        Ok(Self { keyed: Hmac::new_from_slice(secret).context("cannot use the key for tokens")? })
    }

    /// The token of a session that was opened at that time.
    pub(crate) fn of(&self, session: &SessionId, since: Now) -> CloseToken {
        let hash = self.hash(session, since).finalize().into_bytes();
        let mut text = String::with_capacity(2 * hash.len());
        for byte in hash {
            let _ = write!(text, "{byte:02x}");
        }
        CloseToken::new(text)
    }

    /// Whether it is that. Takes the same time for every wrong one of the right form.
    pub(crate) fn is_right(&self, token: &CloseToken, session: &SessionId, since: Now) -> bool {
        let hash = self.hash(session, since);
        decode(token.expose()).is_some_and(|shown| hash.verify_slice(&shown).is_ok())
    }

    /// An id is given once a boot; should it ever be given twice, the times differ.
    fn hash(&self, session: &SessionId, since: Now) -> Hmac<Sha256> {
        self.keyed
            .clone()
            .chain_update(PURPOSE)
            .chain_update(since.monotonic.to_le_bytes())
            .chain_update(since.realtime.to_le_bytes())
            .chain_update(session.as_str())
    }
}

/// The bytes that a token's text stands for. `None` for what no token looks like.
fn decode(text: &str) -> Option<Secret> {
    let mut bytes = Secret::default();
    let digits = text.as_bytes();
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

fn random() -> Result<Secret> {
    let mut secret = Secret::default();
    let mut filled = 0;
    while let Some(rest) = secret.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot get random bytes for the key for tokens"),
        }
    }
    Ok(secret)
}

/// Reads the key, if nobody else can have read or written it.
fn read(file: &Path) -> io::Result<Secret> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file = File::options().read(true).custom_flags(flags).open(file)?;
    let status = file.metadata()?;
    let own = status.is_file() && status.uid() == rustix::process::geteuid().as_raw();
    if !own || status.mode() & 0o077 != 0 {
        return Err(io::Error::other("others than root can get at it"));
    }
    let mut secret = Secret::default();
    if status.len() != secret.len() as u64 {
        return Err(io::Error::other("it has the wrong length"));
    }
    file.read_exact(&mut secret)?;
    Ok(secret)
}

/// Puts the key where it belongs, whole or not at all, and never where anybody but root could read it.
fn replace(file: &Path, secret: &Secret) -> io::Result<()> {
    let fresh = file.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(secret))
        .and_then(|()| fs::rename(&fresh, file));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const THEN: Now = Now { monotonic: 5, realtime: 7 };

    fn id(text: &str) -> SessionId {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_is_right_for_one_session_and_one_time() {
        let tokens = Tokens::keyed(&[1; 32]).unwrap();
        let token = tokens.of(&id("3"), THEN);
        assert!(tokens.is_right(&token, &id("3"), THEN));
        assert!(!tokens.is_right(&token, &id("4"), THEN));
        assert!(!tokens.is_right(&token, &id("3"), Now { monotonic: 6, ..THEN }));
        assert!(!tokens.is_right(&token, &id("3"), Now { realtime: 8, ..THEN }));
        assert!(!Tokens::keyed(&[2; 32]).unwrap().is_right(&token, &id("3"), THEN));
    }

    #[test]
    fn what_looks_like_none_is_none() {
        let tokens = Tokens::keyed(&[1; 32]).unwrap();
        let right = tokens.of(&id("3"), THEN);
        let text = right.expose();
        assert!(text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit()), "not shown here");
        let (short, long, big) = (&text[1..], format!("{text}0"), text.to_uppercase());
        let odd = format!("{}é{}", &text[..10], &text[12..]);
        for wrong in
            ["", "0", short, &long, &big, &odd, &"0".repeat(64), &"\0".repeat(64), &"x".repeat(60_000)]
        {
            assert!(!tokens.is_right(&CloseToken::new(wrong.to_owned()), &id("3"), THEN), "{wrong}");
        }
    }

    #[test]
    fn the_key_is_made_once_and_is_roots() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        let token = Tokens::with_file(&file).unwrap().of(&id("3"), THEN);
        let status = fs::metadata(&file).unwrap();
        assert_eq!((status.mode() & 0o7777, status.len()), (0o600, 32));
        assert!(Tokens::with_file(&file).unwrap().is_right(&token, &id("3"), THEN), "after a restart");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_may_know_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        let is_replaced = |spoil: &dyn Fn()| {
            let token = Tokens::with_file(&file).unwrap().of(&id("3"), THEN);
            spoil();
            let again = Tokens::with_file(&file).unwrap();
            assert_eq!(fs::symlink_metadata(&file).unwrap().mode() & 0o177_777, 0o100_600);
            !again.is_right(&token, &id("3"), THEN)
        };
        assert!(is_replaced(&|| fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap()));
        assert!(is_replaced(&|| fs::write(&file, [0; 31]).unwrap()));
        assert!(is_replaced(&|| fs::write(&file, [0; 33]).unwrap()));
        assert!(is_replaced(&|| {
            let elsewhere = directory.path().join("elsewhere");
            fs::rename(&file, &elsewhere).unwrap();
            std::os::unix::fs::symlink(elsewhere, &file).unwrap();
        }));
        assert!(is_replaced(&|| fs::remove_file(&file).unwrap()));
    }

    #[test]
    fn without_a_place_for_the_key_there_are_tokens_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::with_file(&directory.path().join("missing/secret")).unwrap();
        assert!(tokens.is_right(&tokens.of(&id("3"), THEN), &id("3"), THEN));
    }
}
