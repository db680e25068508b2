//! What a stream of bytes does when things go wrong, below all that is ours: turmoil's TCP beside that of this machine.
//!
//! Nothing is asserted here. These are the facts that the rows above rest on: where the transport differs between two
//! engines, it is because the streams do.

use crate::lab::Lab;
use futures_util::future::BoxFuture;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A stream, of whichever kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// What the far end of a stream is told to do. It ends, with its socket, when it is told nothing more.
enum Do {
    Write(usize),
}

/// A network with two places.
trait Tcp: Send + Sync {
    /// A stream to the other place, and what makes its far end act.
    fn link(&self) -> BoxFuture<'_, (Box<dyn Stream>, mpsc::UnboundedSender<Do>)>;
    /// Dials a port of the other place at which nobody listens.
    fn dial_nobody(&self) -> BoxFuture<'_, io::Result<()>>;
    /// Dials the other place when nothing gets there.
    fn dial_into_a_cut(&self) -> BoxFuture<'_, Option<io::Result<()>>>;
    /// Loses one segment from the far end, and sends another after that.
    fn lose_one<'a>(&'a self, far: &'a mpsc::UnboundedSender<Do>) -> BoxFuture<'a, bool>;
}

/// The rows: what happens, and what this network does then.
pub type Rows = Vec<(&'static str, String)>;

/// The rows on turmoil.
pub fn on_turmoil(seed: u64) -> Rows {
    Lab::run(seed, |lab| Box::pin(async move { rows(&Simulated(lab)).await }))
}

/// The rows on the sockets of this machine.
pub fn on_sockets() -> Rows {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async { rows(&Real).await })
}

async fn rows(tcp: &dyn Tcp) -> Rows {
    vec![
        ("a dial of a port at which nobody listens", said(tcp.dial_nobody().await)),
        (
            "a dial into a cut",
            match timeout(LONG, tcp.dial_into_a_cut()).await {
                Ok(Some(outcome)) => said(outcome),
                Ok(None) => NOT_EXPRESSIBLE.into(),
                Err(_) => "silence".into(),
            },
        ),
        ("the far end ends, everything was read", far_end_ends(tcp, false).await),
        ("the far end ends with bytes that it has not read", far_end_ends(tcp, true).await),
        ("writing on after the far end has ended", writing_on(tcp).await),
        ("writing to who does not read", writing_to_who_does_not_read(tcp).await),
        ("a lost segment, and another after it", after_a_loss(tcp).await),
    ]
}

async fn far_end_ends(tcp: &dyn Tcp, leaves_bytes_unread: bool) -> String {
    let (mut near, far) = tcp.link().await;
    if leaves_bytes_unread {
        near.write_all(b"unread").await.expect("it is linked");
        tokio::time::sleep(MOMENT).await;
    }
    drop(far);
    match timeout(LONG, near.read(&mut [0; 16])).await {
        Ok(Ok(0)) => "an orderly end".into(),
        Ok(Ok(_)) => "bytes".into(),
        Ok(Err(error)) => kind(&error),
        Err(_) => "silence".into(),
    }
}

async fn writing_on(tcp: &dyn Tcp) -> String {
    let (mut near, far) = tcp.link().await;
    drop(far);
    tokio::time::sleep(MOMENT).await;
    for _ in 0..20 {
        if let Err(error) = near.write_all(b"is anybody there").await {
            return match error.kind() {
                // Which of the two it is hangs on which end of the pipe notices first.
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => "an error, soon".into(),
                _ => kind(&error),
            };
        }
        tokio::time::sleep(MOMENT).await;
    }
    "accepted for ever".into()
}

async fn writing_to_who_does_not_read(tcp: &dyn Tcp) -> String {
    let (mut near, _far) = tcp.link().await;
    let chunk = vec![0; 64 << 10];
    let writing = async {
        for _ in 0..1024 {
            near.write_all(&chunk).await.expect("it is linked");
        }
    };
    match timeout(LONG, writing).await {
        Ok(()) => "accepts 64 MiB".into(),
        Err(_) => "waits".into(),
    }
}

async fn after_a_loss(tcp: &dyn Tcp) -> String {
    let (mut near, far) = tcp.link().await;
    if !tcp.lose_one(&far).await {
        return "sent again by the kernel".into();
    }
    match timeout(LONG, near.read(&mut [0; 16])).await {
        Ok(Ok(0)) => "an orderly end".into(),
        Ok(Ok(_)) => "bytes".into(),
        Ok(Err(error)) => kind(&error),
        Err(_) => "silence, for good".into(),
    }
}

fn said(outcome: io::Result<()>) -> String {
    match outcome {
        Ok(()) => "connected".into(),
        Err(error) => kind(&error),
    }
}

fn kind(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused".into(),
        ErrorKind::ConnectionReset => "a reset".into(),
        other => other.to_string(),
    }
}

/// What the far end does with its stream.
async fn obey(mut stream: impl Stream, mut told: mpsc::UnboundedReceiver<Do>) {
    while let Some(Do::Write(bytes)) = told.recv().await {
        let _ = stream.write_all(&vec![7; bytes]).await; // maybe: the near end is gone
    }
}

struct Simulated(Lab);

impl Tcp for Simulated {
    fn link(&self) -> BoxFuture<'_, (Box<dyn Stream>, mpsc::UnboundedSender<Do>)> {
        Box::pin(async move {
            let (tell, told) = mpsc::unbounded_channel();
            let up = self.0.boot_until("far", |up| {
                Box::pin(async move {
                    let listener =
                        turmoil::net::TcpListener::bind(("0.0.0.0", 80)).await.expect("it is free");
                    let _ = up.send(());
                    let (stream, _) = listener.accept().await.expect("a listener accepts");
                    obey(stream, told).await;
                })
            });
            up.await.expect("it is up");
            let near = turmoil::net::TcpStream::connect(("far", 80)).await.expect("it listens");
            (Box::new(near) as Box<dyn Stream>, tell)
        })
    }

    fn dial_nobody(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            self.0.ensure("far").await;
            turmoil::net::TcpStream::connect(("far", 9)).await.map(drop)
        })
    }

    fn dial_into_a_cut(&self) -> BoxFuture<'_, Option<io::Result<()>>> {
        Box::pin(async move {
            self.0.ensure("far").await;
            self.0.cut("driver", "far");
            let outcome = turmoil::net::TcpStream::connect(("far", 9)).await.map(drop);
            self.0.mend("driver", "far");
            Some(outcome)
        })
    }

    fn lose_one<'a>(&'a self, far: &'a mpsc::UnboundedSender<Do>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            self.0.cut("far", "driver");
            let _ = far.send(Do::Write(8));
            tokio::time::sleep(MOMENT).await;
            self.0.mend("driver", "far");
            let _ = far.send(Do::Write(8));
            true
        })
    }
}

struct Real;

impl Tcp for Real {
    fn link(&self) -> BoxFuture<'_, (Box<dyn Stream>, mpsc::UnboundedSender<Do>)> {
        Box::pin(async {
            let (tell, told) = mpsc::unbounded_channel();
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.expect("a listener accepts");
                obey(stream, told).await;
            });
            let near = tokio::net::TcpStream::connect(address).await.expect("it listens");
            (Box::new(near) as Box<dyn Stream>, tell)
        })
    }

    fn dial_nobody(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
            let address = listener.local_addr()?;
            drop(listener);
            tokio::net::TcpStream::connect(address).await.map(drop)
        })
    }

    /// A listener whose queue is full: the kernel drops what would connect to it, as a cut does.
    fn dial_into_a_cut(&self) -> BoxFuture<'_, Option<io::Result<()>>> {
        Box::pin(async {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            let any: SocketAddr = ([127, 0, 0, 1], 0).into();
            socket.bind(any).expect("a free port");
            let listener = socket.listen(1).expect("it listens");
            let address = listener.local_addr().expect("it is bound");
            let mut waiting = Vec::new();
            loop {
                match timeout(LONG / 2, tokio::net::TcpStream::connect(address)).await {
                    Ok(Ok(stream)) => waiting.push(stream),
                    Ok(Err(error)) => return Some(Err(error)),
                    // The queue is full: this one would wait for long.
                    Err(_) => std::future::pending().await,
                }
                if waiting.len() > 64 {
                    return None;
                }
            }
        })
    }

    fn lose_one<'a>(&'a self, _far: &'a mpsc::UnboundedSender<Do>) -> BoxFuture<'a, bool> {
        Box::pin(async { false })
    }
}

/// What an engine cannot say.
pub const NOT_EXPRESSIBLE: &str = "—";
const MOMENT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3);
