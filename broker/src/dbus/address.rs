//! Where the system bus is.

use std::path::PathBuf;

/// Where it is unless DBUS_SYSTEM_BUS_ADDRESS says otherwise (D-Bus specification, "Well-known Message Bus Instances";
/// /run and /var/run are one directory).
const DEFAULT: &str = "/run/dbus/system_bus_socket";

/// The bus's socket: the first of the addresses that names one by its path.
pub(crate) fn socket() -> PathBuf {
    let listed = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
    let mut paths = listed.split(';').filter_map(|address| {
        let options = address.strip_prefix("unix:")?;
        options.split(',').find_map(|option| option.strip_prefix("path=")).map(unescape)
    });
    paths.find(|path| path.is_absolute()).unwrap_or_else(|| DEFAULT.into())
}

/// The value of an address's option (D-Bus specification, "Server Addresses"): `%` and two digits are a byte.
fn unescape(value: &str) -> PathBuf {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code =
            after.get(..2).filter(|_| byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_addresses() {
        assert_eq!(unescape("/run/a%20b%2f%"), PathBuf::from("/run/a b/%"));
    }
}
