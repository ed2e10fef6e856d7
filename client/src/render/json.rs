//! JSON in systemd's two layouts: one line, or indented by tabs with a space before the colon
//! (contract/loginctl.md section 2).

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use crate::render::text;

/// A value as JSON, with a newline at the end.
///
/// # Errors
/// None in practice: what is printed is plain data.
pub fn to_text<T: Serialize + ?Sized>(value: &T, pretty: bool) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if pretty {
        let layout = Layout { inner: PrettyFormatter::with_indent(b"\t"), colon: b" : " };
        value.serialize(&mut Serializer::with_formatter(&mut bytes, layout))?;
    } else {
        let layout = Layout { inner: CompactFormatter, colon: b":" };
        value.serialize(&mut Serializer::with_formatter(&mut bytes, layout))?;
    }
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes)?)
}

/// Another formatter, with its own colon, and with what could move a terminal escaped: serde escapes what JSON demands,
/// which leaves DEL, the C1 controls and the direction marks.
struct Layout<F> {
    inner: F,
    colon: &'static [u8],
}

impl<F: Formatter> Formatter for Layout<F> {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for part in fragment.split_inclusive(text::is_unsafe) {
            let last = part.chars().next_back().filter(|&c| text::is_unsafe(c));
            let plain = part.len() - last.map_or(0, char::len_utf8);
            writer.write_all(part.get(..plain).unwrap_or_default().as_bytes())?;
            if let Some(c) = last {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.colon)
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_array(writer)
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array(writer)
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.inner.begin_array_value(writer, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array_value(writer)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_object(writer)
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object(writer)
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.inner.begin_object_key(writer, first)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn both_layouts_are_systemds() {
        let value = json!([{"seat": "seat0", "n": [1, 2], "none": null}]);
        assert_eq!(
            to_text(&value, false).ok().as_deref(),
            Some("[{\"n\":[1,2],\"none\":null,\"seat\":\"seat0\"}]\n")
        );
        let pretty = "[\n\t{\n\t\t\"n\" : [\n\t\t\t1,\n\t\t\t2\n\t\t],\n\t\t\"none\" : null,\n\t\t\"seat\" : \"seat0\"\n\t}\n]\n";
        assert_eq!(to_text(&value, true).ok().as_deref(), Some(pretty));
    }

    #[test]
    fn strings_are_safe_to_print_and_read_back_the_same() {
        let hostile = "a\u{1b}[2J\"\\\n\u{7f}\u{9b}\u{202e}é漢\u{1f600}";
        for pretty in [false, true] {
            let json = to_text(hostile, pretty).expect("plain data");
            assert!(!json.trim_end().chars().any(text::is_unsafe), "{json:?}");
            assert_eq!(serde_json::from_str::<Value>(&json).ok(), Some(hostile.into()));
        }
    }
}
