pub(crate) struct LogControl;
impl super::properties::Properties for LogControl {
    fn value(&self, _n: &str) -> Option<zbus::Variant<'static>> {
        None
    }
}
pub(crate) fn set(_n: &str, _v: zbus::OwnedVariant) -> Result<(), super::failure::Failure> {
    Ok(())
}
