pub(crate) fn of(_c: &usher_model::Change) -> zbus::Result<Vec<zbus::message::Message>> {
    Ok(Vec::new())
}
