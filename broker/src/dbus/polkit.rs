pub(crate) enum Decision {
    Granted,
    Denied,
    InteractiveRequired,
    Absent,
}
pub(crate) async fn check(
    _c: &zbus::Connection,
    _s: &zbus::names::UniqueName<'_>,
    _a: &str,
    _i: bool,
) -> Decision {
    Decision::Absent
}
