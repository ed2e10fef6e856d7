//! The values of an object's properties, when somebody asks for them.

use serde::ser::{Serialize, SerializeMap, Serializer};
use zbus::{OwnedVariant, Signature, Type};

use super::call::Call;
use super::dispatch::Target;
use super::failure::Failure;
use super::interfaces::Property;

/// Names and values, `a{sv}`, in this order: clients show them as they come.
pub(super) struct Ordered(Vec<(&'static str, OwnedVariant)>);

impl FromIterator<(&'static str, OwnedVariant)> for Ordered {
    fn from_iter<I: IntoIterator<Item = (&'static str, OwnedVariant)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Type for Ordered {
    const SIGNATURE: &'static Signature = <std::collections::HashMap<&str, OwnedVariant> as Type>::SIGNATURE;
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

pub(super) struct Values;

impl Values {
    pub(super) async fn of(_call: &Call, _target: &Target) -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(super) fn get(&self, property: &Property) -> Result<OwnedVariant, Failure> {
        Err(Failure::not_supported(property.name))
    }
}
