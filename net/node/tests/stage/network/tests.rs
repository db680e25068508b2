//! A cut really cuts, and what is mended really is.

use super::Network;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// For what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A silo `b`, of which the test is the process, and a door to it.
struct Place {
    network: Network,
    listener: TcpListener,
    door: SocketAddr,
}

impl Place {
    /// Through the door comes `dialler`; if none is named, the process that is called `a`: this one.
    async fn new(dialler: Option<&str>) -> Self {
        let network = Network::default();
        network.belongs(std::process::id() as i32, "a");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        network.aim("b", &listener.local_addr().expect("an address").to_string());
        let door = network.door("b", dialler).await.expect("a door");
        Self { network, listener, door }
    }

    async fn dial(&self) -> TcpStream {
        soon(TcpStream::connect(self.door)).await.expect("the door is open")
    }

    /// Both ends of a new connection.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let near = self.dial().await;
        let (far, _) = soon(self.listener.accept()).await.expect("it comes through");
        (near, far)
    }
}

async fn soon<F: Future>(part: F) -> F::Output {
    timeout(PATIENCE, part).await.expect("in time")
}

async fn say(stream: &mut TcpStream, text: &str) {
    soon(stream.write_all(text.as_bytes())).await.expect("written");
}

async fn hear(stream: &mut TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    soon(stream.read_exact(&mut heard)).await.expect("read");
    assert_eq!(heard, text.as_bytes());
}

/// Nothing has come, though it was sent. Asked once the network says that it holds it back.
fn hears_nothing(stream: &TcpStream) {
    let unheard = stream.try_read(&mut [0; 64]).expect_err("nothing came");
    assert_eq!(unheard.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_partition_holds_back_both_directions_and_healing_lets_them_go() {
    let place = Place::new(None).await;
    let (mut near, mut far) = place.connect().await;
    say(&mut near, "before").await;
    hear(&mut far, "before").await;

    place.network.partition(&[&["a", "c"], &["b"]]);
    let mut held = place.network.held();
    say(&mut near, "there").await;
    say(&mut far, "back").await;
    soon(held.wait_for(|held| *held == 2)).await.expect("both are held back");
    hears_nothing(&near);
    hears_nothing(&far);

    place.network.heal();
    hear(&mut far, "there").await;
    hear(&mut near, "back").await;
}

#[tokio::test]
async fn one_direction_can_be_cut_alone() {
    for (from, to) in [("a", "b"), ("b", "a")] {
        let place = Place::new(None).await;
        let (near, far) = place.connect().await;
        let (mut cut_end, mut open_end) = if from == "a" { (near, far) } else { (far, near) };
        place.network.cut_way(from, to);
        let mut held = place.network.held();
        say(&mut open_end, "still").await;
        hear(&mut cut_end, "still").await;
        say(&mut cut_end, "never").await;
        soon(held.wait_for(|held| *held == 1)).await.expect("it is held back");
        hears_nothing(&open_end);
        say(&mut open_end, "again").await;
        hear(&mut cut_end, "again").await;
        place.network.heal();
        hear(&mut open_end, "never").await;
    }
}

#[tokio::test]
async fn nobody_is_connected_over_a_cut_and_nobody_hears_of_an_end_over_it() {
    let place = Place::new(None).await;
    let (near, mut far) = place.connect().await;
    place.network.partition(&[&["a"], &["b"]]);
    let mut held = place.network.held();
    drop(near);
    soon(held.wait_for(|held| *held == 1)).await.expect("the end is held back");
    hears_nothing(&far);
    let mut second = place.dial().await;
    say(&mut second, "hello?").await;
    soon(held.wait_for(|held| *held == 2)).await.expect("the dialler is held back");

    place.network.heal();
    assert_eq!(soon(far.read(&mut [0; 8])).await.expect("its end has come"), 0);
    let lost = soon(second.read(&mut [0; 8])).await;
    assert!(lost.map_or(true, |bytes| bytes == 0), "it has to dial again");
    let (mut near, mut far) = place.connect().await;
    say(&mut near, "hello").await;
    hear(&mut far, "hello").await;
}

#[tokio::test]
async fn only_those_who_are_cut_off_are() {
    // A client's door is the client's, though its process is `a` like all of this test.
    let place = Place::new(Some("client")).await;
    let (mut near, mut far) = place.connect().await;
    place.network.partition(&[&["a"], &["b"]]);
    say(&mut near, "hello").await;
    hear(&mut far, "hello").await;
    place.network.partition(&[&["client"], &["b"]]);
    let mut held = place.network.held();
    say(&mut near, "hello?").await;
    soon(held.wait_for(|held| *held == 1)).await.expect("it is held back");
    hears_nothing(&far);
}

#[tokio::test]
async fn a_stranger_is_not_let_in() {
    let place = Place::new(None).await;
    let theirs = Network::default();
    theirs.aim("b", &place.listener.local_addr().expect("an address").to_string());
    let door = theirs.door("b", None).await.expect("a door");
    let mut stranger = TcpStream::connect(door).await.expect("the door is open");
    let end = soon(stranger.read(&mut [0; 8])).await;
    assert!(end.map_or(true, |bytes| bytes == 0), "nobody knows whose process this is");
}
