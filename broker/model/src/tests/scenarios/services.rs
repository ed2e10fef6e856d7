//! What sections of usher.conf do to the sessions of their services.

use usher_protocol::session::SessionState;

use crate::manager::Manager;
use crate::record::SessionRecord;
use crate::service::{CgroupUse, ManagerUse, Rules, ServiceName};
use crate::settings::SECOND;
use crate::tests::world::{Login, Place, World, uid};

const DELAY: u64 = 10 * SECOND;

fn world(service: &str, rules: Rules) -> World {
    World::with(|settings| {
        settings.user_stop_delay = Some(DELAY);
        settings.services.change(ServiceName::new(service).unwrap(), |now| *now = rules);
    })
}

fn manager(world: &World) -> Manager {
    world.model.users[&uid(1001)].manager.clone()
}

fn record(world: &World, id: &usher_protocol::ids::SessionId) -> SessionRecord {
    world.kernel.session_files[id].clone()
}

#[test]
fn a_manager_that_no_session_keeps_goes_after_the_delay_and_its_user_stays() {
    let mut world = world("alone", Rules { manager: Some(ManagerUse::None), ..Rules::default() });
    let (_, alone) = world.login(Login::of(uid(1001)).service("alone"));
    assert_eq!(manager(&world), Manager::Off);
    let (_, full) = world.login(Login::of(uid(1001)));
    assert!(manager(&world).is_ready());
    world.exit(full);
    world.settle();
    assert!(manager(&world).is_ready(), "somebody may come right back");
    world.wait(DELAY);
    assert_eq!(manager(&world), Manager::Off);
    let user = &world.model.users[&uid(1001)];
    assert!(user.has_runtime_dir() && user.is_kept());
    world.exit(alone);
    world.settle();
    world.wait(DELAY);
    world.check_nothing_left();
}

#[test]
fn a_crash_forgets_neither_what_keeps_a_manager_nor_what_is_adopted() {
    let rules = Rules { manager: Some(ManagerUse::None), cgroup: Some(CgroupUse::Adopt), ..Rules::default() };
    let mut world = world("job", rules);
    let (id, job) = world.login(Login::of(uid(1001)).service("job"));
    world.crash();
    world.settle();
    let record = record(&world, &id);
    assert_eq!((record.manager, record.cgroup), (ManagerUse::None, CgroupUse::Adopt));
    assert_eq!((record.state, record.scope), (SessionState::Active, None));
    assert_eq!(world.kernel.place_of(job), Some(&Place::Elsewhere));
    assert_eq!(manager(&world), Manager::Off, "{id}");
    world.exit(job);
    world.settle();
    world.wait(DELAY);
    world.check_nothing_left();
}
