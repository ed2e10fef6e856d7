//! The fields of a JSON object, by name. By miniserde: it takes no stack for what is nested, and pam_usher.so is 22 KiB smaller
//! with it than with serde_json's `Value`.

use miniserde::json::{self, Number, Object, Value};

/// A field that is not what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadField(pub(super) &'static str);

/// The members of an object. Null is as good as absent.
#[derive(Debug, Clone, Default)]
pub struct Fields(Object);

impl Fields {
    /// Reads a text that is one object.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        json::from_str(std::str::from_utf8(json).ok()?).ok().map(Self)
    }

    /// Takes a member out.
    fn take(&mut self, name: &str) -> Value {
        self.0.get_mut(name).map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, BadField> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(BadField(name)),
        }
    }

    /// A number; 0 if it is absent.
    pub(super) fn number(&mut self, name: &'static str) -> Result<u64, BadField> {
        match self.take(name) {
            Value::Null => Ok(0),
            Value::Number(Number::U64(number)) => Ok(number),
            _ => Err(BadField(name)),
        }
    }

    /// Whether; not if it is absent.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, BadField> {
        match self.take(name) {
            Value::Null => Ok(false),
            Value::Bool(flag) => Ok(flag),
            _ => Err(BadField(name)),
        }
    }

    /// An object; an empty one if it is absent.
    pub(super) fn fields(&mut self, name: &'static str) -> Result<Self, BadField> {
        match self.take(name) {
            Value::Null => Ok(Self::default()),
            Value::Object(members) => Ok(Self(members)),
            _ => Err(BadField(name)),
        }
    }
}

/// An object that is being written.
#[derive(Debug)]
pub struct Writer(String);

impl Writer {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// A member that is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(json);
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        // A text can always be written.
        self.raw(name, &json::to_string(text));
    }

    /// A text that is left out if it is empty.
    pub(super) fn text_if_any(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    pub(super) fn number(&mut self, name: &str, number: u32) {
        self.raw(name, &number.to_string());
    }

    pub(super) fn flag(&mut self, name: &str, flag: bool) {
        self.raw(name, if flag { "true" } else { "false" });
    }
}
