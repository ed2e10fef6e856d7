//! The interfaces in varlink's own language, for `org.varlink.service.GetInterfaceDescription`.

use crate::messages::{INTERFACE, SERVICE_INTERFACE};

/// `io.usher.Broker`.
pub const BROKER: &str = include_str!("io.usher.Broker.varlink");
/// `org.varlink.service`.
pub const SERVICE: &str = include_str!("org.varlink.service.varlink");

/// The description of an interface that usherd has.
pub fn describe(interface: &str) -> Option<&'static str> {
    match interface {
        INTERFACE => Some(BROKER),
        SERVICE_INTERFACE => Some(SERVICE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Call, Refusal};

    /// The words after `keyword` at the beginning of lines, up to `(`.
    fn declared<'a>(text: &'a str, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        text.lines()
            .filter_map(move |line| line.strip_prefix(keyword)?.split_once('(').map(|(name, _)| name.trim()))
    }

    #[test]
    fn every_declared_method_is_known() {
        for (interface, text) in [(INTERFACE, BROKER), (SERVICE_INTERFACE, SERVICE)] {
            assert!(text.contains(&format!("interface {interface}\n")));
            let mut methods = 0;
            for name in declared(text, "method ") {
                let parsed = Call::parse(&format!("{interface}.{name}"), None);
                assert!(!matches!(parsed, Err(Refusal::MethodNotFound { .. })), "{interface}.{name}");
                methods += 1;
            }
            assert!(methods >= 2, "{interface} declares {methods} methods");
        }
    }

    #[test]
    fn every_error_is_declared() {
        let declared: Vec<_> = declared(BROKER, "error ").collect();
        for name in &declared {
            let known = Refusal::parse(&format!("{INTERFACE}.{name}"), None);
            assert_eq!(matches!(known, Refusal::Failed { .. }), *name == "Failed", "{name}");
        }
        assert_eq!(declared.len(), 13);
    }
}
