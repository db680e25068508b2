use super::*;
use quark_core::{Generation, SiloName};

fn peer() -> Arc<Peer> {
    Peer::new(SiloId::new(SiloName::new("b").expect("valid"), Generation(1)))
}

fn send(peer: &Peer, lane: Lane, text: &'static str) {
    peer.try_send(lane, Bytes::from_static(text.as_bytes()), &Limits::default()).expect("room");
}

fn dialled(peer: &Peer, lane: Lane) -> Arc<Link> {
    let link = Link::new(lane);
    assert_eq!(peer.attach_dialled(&link), Announce::Nothing);
    link
}

fn accepted(peer: &Peer, lane: Lane) -> Arc<Link> {
    let link = Link::new(lane);
    assert_eq!(peer.attach_accepted(&link, None), (Announce::Nothing, false));
    link
}

fn batch(peer: &Peer, link: &Arc<Link>) -> Vec<String> {
    peer.next_batch(link).iter().map(|bytes| String::from_utf8(bytes.to_vec()).expect("text")).collect()
}

#[test]
fn a_learnt_peer_is_sent_to_on_the_dialled_link_only() {
    let peer = peer();
    assert!(peer.learn("host:1"), "the dialling starts");
    assert!(!peer.learn("host:1"), "once");
    let (dialled, accepted) = (dialled(&peer, Lane::User), accepted(&peer, Lane::User));
    send(&peer, Lane::User, "1");
    assert_eq!(batch(&peer, &accepted), [""; 0]);
    assert_eq!(batch(&peer, &dialled), ["1"]);
}

#[test]
fn a_peer_without_address_is_sent_to_on_the_link_that_it_dialled() {
    let peer = peer();
    let link = accepted(&peer, Lane::User);
    send(&peer, Lane::User, "1");
    send(&peer, Lane::Control, "not in this lane");
    assert_eq!(batch(&peer, &link), ["1"]);
}

#[test]
fn a_peer_that_announces_where_it_listens_is_dialled_and_not_answered_on_its_link() {
    let peer = peer();
    let link = Link::new(Lane::User);
    assert_eq!(peer.attach_accepted(&link, Some("host:1".into())), (Announce::Nothing, true));
    send(&peer, Lane::User, "1");
    assert_eq!(batch(&peer, &link), [""; 0]);
    assert_eq!(batch(&peer, &dialled(&peer, Lane::User)), ["1"]);
}

#[test]
fn a_batch_is_bounded_but_holds_at_least_one_frame() {
    let peer = peer();
    let link = accepted(&peer, Lane::User);
    let frame = |bytes| Bytes::from(vec![0; bytes]);
    for bytes in [BATCH_BYTES * 2, BATCH_BYTES - 10, 10, 1] {
        peer.try_send(Lane::User, frame(bytes), &Limits::default()).expect("room");
    }
    let lengths = || peer.next_batch(&link).iter().map(Bytes::len).collect::<Vec<_>>();
    assert_eq!(lengths(), [BATCH_BYTES * 2]);
    assert_eq!(lengths(), [BATCH_BYTES - 10, 10]);
    assert_eq!(lengths(), [1]);
    for _ in 0..=BATCH_FRAMES_MAX {
        peer.try_send(Lane::User, Bytes::new(), &Limits::default()).expect("room");
    }
    assert_eq!(lengths().len(), BATCH_FRAMES_MAX);
    assert_eq!(lengths().len(), 1);
}

#[test]
fn a_break_drops_what_is_queued_and_is_announced_once() {
    let peer = peer();
    peer.learn("host:1");
    let (outgoing, incoming) = (dialled(&peer, Lane::User), accepted(&peer, Lane::User));
    send(&peer, Lane::User, "lost");
    assert_eq!(peer.detach(&outgoing), Announce::LinkDown);
    assert_eq!(peer.detach(&incoming), Announce::Nothing, "the same loss");
    assert_eq!(peer.detach(&incoming), Announce::Nothing, "already detached");
    assert_eq!(batch(&peer, &dialled(&peer, Lane::User)), [""; 0]);
}

#[test]
fn what_is_queued_after_an_announced_loss_is_announced_again_when_it_is_lost() {
    let peer = peer();
    peer.learn("host:1");
    let link = dialled(&peer, Lane::User);
    assert_eq!(peer.detach(&link), Announce::LinkDown);
    assert_eq!(peer.dial_failed(Lane::User), Announce::Nothing, "nothing was lost");
    send(&peer, Lane::User, "lost");
    assert_eq!(peer.dial_failed(Lane::User), Announce::LinkDown);
    assert_eq!(peer.dial_failed(Lane::User), Announce::Nothing);
    send(&peer, Lane::User, "kept");
    assert_eq!(batch(&peer, &dialled(&peer, Lane::User)), ["kept"]);
}

#[test]
fn a_control_break_is_announced_with_the_user_break_that_follows() {
    let peer = peer();
    peer.learn("host:1");
    let (control, user) = (dialled(&peer, Lane::Control), dialled(&peer, Lane::User));
    assert_eq!(peer.detach(&control), Announce::Nothing, "replies may still be read");
    assert_eq!(peer.detach(&user), Announce::LinkDown);
    assert_eq!(peer.dial_failed(Lane::Control), Announce::Nothing, "announced");
}

#[test]
fn a_control_break_alone_is_announced_when_it_is_dialled_again() {
    let peer = peer();
    peer.learn("host:1");
    let _user = dialled(&peer, Lane::User);
    for succeeds in [true, false] {
        let control = dialled(&peer, Lane::Control);
        send(&peer, Lane::Control, "lost");
        assert_eq!(peer.detach(&control), Announce::Nothing);
        let announce = if succeeds { peer.attach_dialled(&control) } else { peer.dial_failed(Lane::Control) };
        assert_eq!(announce, Announce::LinkDown);
        let _ = peer.detach(&control);
        let _ = peer.dial_failed(Lane::Control);
    }
}

#[test]
fn a_link_that_was_replaced_takes_nothing_down_with_it() {
    let peer = peer();
    let old = accepted(&peer, Lane::User);
    let new = Link::new(Lane::User);
    send(&peer, Lane::User, "waits");
    assert_eq!(peer.attach_accepted(&new, None), (Announce::LinkDown, false));
    assert!(old.has_ended(), "or its last frames could be read after the new link's first");
    assert_eq!(peer.detach(&old), Announce::Nothing);
    assert_eq!(batch(&peer, &old), [""; 0]);
    assert_eq!(batch(&peer, &new), ["waits"]);
}

#[test]
fn a_peer_is_needed_while_it_is_learnt_or_linked() {
    let peer = peer();
    assert!(peer.is_unneeded());
    let link = accepted(&peer, Lane::Control);
    assert!(!peer.is_unneeded());
    let _ = peer.detach(&link);
    assert!(peer.is_unneeded());
    peer.learn("host:1");
    assert!(!peer.is_unneeded());
}
