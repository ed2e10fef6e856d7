//! What lets a process close a session that it could not close as the user it runs as.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The right to close one session: given to the login that opened it, opaque to everybody but usherd, right as long as the
/// session lasts. A PAM application may have dropped its privileges by the time it closes, or have left that to another
/// process. Shown by no `Debug`, so that it gets into no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CloseToken(String);

impl CloseToken {
    /// A token of this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whoever checks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CloseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CloseToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Call, CloseRequest};

    #[test]
    fn it_travels_but_is_not_shown() {
        let request = CloseRequest { session: 7.into(), token: Some(CloseToken::new("abracadabra".into())) };
        let json = serde_json::to_string(&request).unwrap_or_default();
        assert_eq!(json, r#"{"session":"7","token":"abracadabra"}"#);
        let call = Call::CloseSession(request);
        assert!(!format!("{call:?}").contains("abracadabra"), "{call:?}");
        let parameters = call.parameters().ok();
        assert_eq!(Call::parse(call.method(), parameters.as_deref()), Ok(call));
    }

    #[test]
    fn an_older_peer_sends_none() {
        let request: Result<CloseRequest, _> = serde_json::from_str(r#"{"session":"7"}"#);
        assert_eq!(request.ok(), Some(CloseRequest { session: 7.into(), token: None }));
        let json = serde_json::to_string(&CloseRequest { session: 7.into(), token: None });
        assert_eq!(json.ok().as_deref(), Some(r#"{"session":"7"}"#));
    }
}
