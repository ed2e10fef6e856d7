//! OpenRC, where it is not the machine's first process.

use super::Init;

pub(crate) const SCRIPT: &str = include_str!("../../../packaging/init/openrc/usherd");
pub(crate) const CONFD: &str = include_str!("../../../packaging/init/openrc/usherd.confd");

pub(crate) const INIT: Init = Init {
    start: "rc-service usherd start",
    stop: "rc-service usherd stop",
    restart: "rc-service usherd restart",
    reload: "rc-service usherd reload",
    status: "rc-service usherd status",
    says_started: "status: started",
    says_again: "has already been started",
    supervises: true,
    bus: false,
};

/// What mounts the file systems has a name of its own in each distribution.
pub(crate) const LOCALMOUNT: &str = "#!/sbin/openrc-run\ndescription=\"the file systems\"\nstart() { :; }\n";

/// Lines of shell that leave behind what openrc itself does, once the machine is up.
pub(crate) const UP: &str = "cd /run && for name in starting started stopping inactive wasinactive failed hotplugged crashed \
     daemons options exclusive scheduled init.d tmp; do mkdir -p openrc/$name; done && touch openrc/softlevel";
