//! What has to come about once nothing goes wrong any more.

use super::node::StoreMode;
use super::{MembershipWorld, SECOND};
use quark_core::membership::Input;
use quark_core::view::Status;

/// How long a healed cluster may take until all serve in one view: two evictions by outwaiting, and what the fast clocks
/// add.
const SETTLE_SECONDS: u32 = 40;
/// How long it then has to stay as it is, until whatever was begun before is over: a suspicion, a ballot that was lost.
const CALM_SECONDS: u32 = 8;
/// How long after that nobody may be suspected: longer than all intervals of the protocol together.
const PEACE_SECONDS: u32 = 8;

/// Heals everything, starts whoever is down, and demands that all serve in one view, and go on to, without suspicion.
pub(super) fn settle(mut world: MembershipWorld) -> Result<(), String> {
    heal(&mut world);
    let (mut waited, mut calm) = (0, 0);
    while calm < CALM_SECONDS {
        if waited == SETTLE_SECONDS {
            return Err(format!(
                "P17: not within {SETTLE_SECONDS} s of peace do all serve in one view; {}",
                state(&world)
            ));
        }
        restart(&mut world);
        world.pass(SECOND);
        world.eye.verdict()?;
        waited += 1;
        calm = if has_settled(&world) { calm + 1 } else { 0 };
    }
    let ballots = world.eye.ballots;
    for _ in 0..PEACE_SECONDS {
        world.pass(SECOND);
        world.eye.verdict()?;
    }
    if world.eye.ballots > ballots {
        return Err(format!("P12: in peace, {} ballots were held", world.eye.ballots - ballots));
    }
    if !has_settled(&world) {
        return Err(format!("P17: what has settled does not stay so in peace; {}", state(&world)));
    }
    Ok(())
}

fn heal(world: &mut MembershipWorld) {
    world.cut.clear();
    for at in 0..world.nodes.len() {
        let node = world.node(at);
        node.paused = false;
        node.mode = StoreMode::Fine;
    }
    world.look();
}

/// Whoever is down comes back; whoever was told to drain leaves, so that it can come back as well.
fn restart(world: &mut MembershipWorld) {
    for at in 0..world.nodes.len() {
        let node = &world.nodes[at];
        if node.id.is_none() {
            continue;
        }
        if node.is_down() {
            world.start(at);
        } else if own_status(world, at) == Some(Status::Draining) {
            world.step(at, Input::Leave);
        }
    }
}

fn own_status(world: &MembershipWorld, at: usize) -> Option<Status> {
    let core = world.nodes[at].core.as_ref()?;
    core.view().member(core.id()).map(|member| member.status)
}

fn has_settled(world: &MembershipWorld) -> bool {
    let here: Vec<usize> = (0..world.nodes.len()).filter(|at| world.nodes[*at].id.is_some()).collect();
    let version = |at: usize| world.nodes[at].core.as_ref().map(|core| core.view().version);
    here.iter().all(|at| {
        !world.nodes[*at].is_down()
            && world.runs(*at)
            && version(*at) == version(here[0])
            && world.members(*at, Status::Active) == here.len()
    })
}

fn state(world: &MembershipWorld) -> String {
    let of = |at: usize| {
        let node = &world.nodes[at];
        let Some(core) = node.core.as_ref().filter(|_| !node.stopped) else {
            return format!("{} is down", node.name);
        };
        let view = core.view();
        let members: Vec<String> =
            view.members.iter().map(|m| format!("{} {:?}", m.id, m.status).to_lowercase()).collect();
        let serves = if world.runs(at) { "serves" } else { "does not serve" };
        format!("{} {serves}, and in its view {} there are {}", node.name, view.version, members.join(", "))
    };
    (0..world.nodes.len()).map(of).collect::<Vec<_>>().join("; ")
}
