//! Between the kernel and its membership: what a view, a lease and a death mean for everything else.

use crate::control::ControlMessage;
use crate::error::Failure;
use crate::kernel::{Kernel, Phase, Routing};
use crate::membership::{ControlSender, MembershipEvents};
use crate::message::Ended;
use crate::observer::Event;
use quark_core::membership::MembershipMessage;
use quark_core::ring::Ring;
use quark_core::view::{Status, View};
use quark_core::{Instant, SiloId, ViewVersion, buggify, mutant, reached};
use std::sync::{Arc, Weak};

/// Lets membership call back without keeping the kernel alive.
pub(crate) struct Glue(pub Weak<Kernel>);

impl ControlSender for Glue {
    fn send(&self, to: SiloId, msg: MembershipMessage) {
        if let Some(kernel) = self.0.upgrade() {
            kernel.send_control(to, &ControlMessage::Membership(msg));
        }
    }

    fn forget(&self, peer: SiloId, reason: &str) {
        if let Some(kernel) = self.0.upgrade() {
            kernel.env.transport.forget(peer, reason);
        }
    }
}

impl MembershipEvents for Glue {
    fn view_changed(&self, view: Arc<View>) {
        if let Some(kernel) = self.0.upgrade() {
            kernel.install(view);
        }
    }

    fn lease_held(&self, until: Instant) {
        if let Some(kernel) = self.0.upgrade() {
            kernel.lease.hold(until);
            kernel.observe(|| Event::LeaseHeld { until });
        }
    }

    fn lease_lost(&self) {
        if let Some(kernel) = self.0.upgrade() {
            reached!("glue.lease_lost");
            kernel.lease.lose();
            kernel.observe(|| Event::LeaseLost);
        }
    }

    fn must_stop(&self, reason: String) {
        if let Some(kernel) = self.0.upgrade() {
            kernel.halt(&reason);
        }
    }
}

impl Kernel {
    /// Makes a newer view take effect, in a fixed order: links, ring, directory, then the calls that wait for the dead.
    pub(crate) fn install(self: &Arc<Self>, view: Arc<View>) {
        let before = self.routing.load();
        let is_older = view.version < before.view.version;
        if view.version == before.view.version || is_older && !mutant!("m16") {
            return;
        }
        for member in view.alive().filter(|m| m.id != self.id) {
            if before.view.member(member.id).is_none_or(|m| m.address != member.address) {
                self.env.transport.learn(member.id, &member.address);
            }
        }
        let ring = Ring::shared_of_view(&view);
        self.routing.publish(Arc::new(Routing { view: view.clone(), ring: ring.clone() }));
        // Before anything is placed, sent or ended because of it, so that whoever watches sees the cause first.
        self.observe(|| Event::ViewInstalled { view: &view });
        self.directory_view_changed(view.clone(), ring);
        self.own_shards();
        self.routes.lock().keep(|silo| view.member(silo).is_some_and(|m| m.status != Status::Dead));
        let dead = |silo: SiloId| view.is_dead(silo);
        self.fail_calls_to(dead, "the silo that the call was sent to has been declared dead");
        let known = self.parked.lock().take_known(&view);
        for (to, call, ended) in known {
            self.send_reply(to, call, ended);
        }
        let orphans = self.forwarded.lock().take_dead(dead);
        for (origin, call) in orphans {
            reached!("glue.forwarded_call_orphaned");
            let reason = "the silo that the call was sent on to has been declared dead".into();
            self.send_reply(origin, call, Ended::Failed(Failure::Indeterminate { reason }));
        }
    }

    /// Stops at once: the silo has been declared dead, or its world is gone. No goodbye, no hooks.
    pub(crate) fn halt(&self, reason: &str) {
        if !self.enter(Phase::Stopped) {
            return;
        }
        *self.stop_reason.lock() = Some(reason.to_owned());
        // Waiting turns wake, see that the silo has stopped, and end.
        self.lease.hold(Instant::ZERO);
        self.fail_calls_to(|_| true, "the silo stopped itself while the call was under way");
        self.bounce_held();
        self.timers.close();
        self.observe(|| Event::Stopped { reason });
        self.stopped.notify_waiters();
    }

    pub(crate) fn control(self: &Arc<Self>, from: SiloId, message: ControlMessage) {
        match message {
            ControlMessage::Membership(message) => {
                if let Some(membership) = self.membership.get() {
                    membership.deliver(from, message);
                }
            }
            ControlMessage::Directory(message) => {
                self.step_directory(quark_core::directory::Input::Message { from, message });
            }
            ControlMessage::Hello { nonce } => {
                let routing = self.routing.load();
                let members = routing.view.active().map(|m| (m.id, m.address.clone())).collect();
                self.send_control(from, &ControlMessage::Gateways { nonce, members });
            }
            ControlMessage::Reminder(notice) => self.reminder_notice(from, notice),
            ControlMessage::Gateways { .. } => reached!("glue.gateways_at_a_silo"),
        }
    }

    /// Somebody knows a newer view.
    pub(crate) fn hint_view(&self, version: ViewVersion) {
        if buggify!(self.env.entropy, "view_hint_dropped") {
            return;
        }
        if let Some(membership) = self.membership.get() {
            membership.view_seen(version);
        }
    }

    pub(crate) fn link_down(&self, peer: SiloId) {
        if buggify!(self.env.entropy, "link_hint_dropped") {
            return;
        }
        if let Some(membership) = self.membership.get() {
            membership.link_down(peer);
        }
    }

    /// A peer's transport says that this incarnation is dead.
    pub(crate) fn told_dead(&self, _by: SiloId) {
        if let Some(membership) = self.membership.get() {
            membership.refused(true);
        }
    }

    /// Mail from a generation that the view knows as dead: tell it to stop.
    pub(crate) fn answer_the_dead(&self, to: SiloId) {
        let view = self.view_version();
        let verdict = MembershipMessage::YouAreDead { generation: to.generation, view };
        self.send_control(to, &ControlMessage::Membership(verdict));
    }
}
