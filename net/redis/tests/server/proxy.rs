//! A network that keeps what it was given.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Passes bytes on, between clients and a port of this machine; of some connections it holds them back.
pub struct Proxy {
    pub port: u16,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    connections: usize,
    /// What connections with smaller numbers send is kept.
    held_below: usize,
}

impl Proxy {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, gate) = (listener.local_addr().unwrap().port(), Arc::new(Gate::default()));
        let of_thread = gate.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (from_client, to_client) = (client.try_clone().unwrap(), client);
                let (to_server, from_server) = (server.try_clone().unwrap(), server);
                let mut state = of_thread.state.lock().unwrap();
                let number = state.connections;
                state.connections += 1;
                drop(state);
                let gate = of_thread.clone();
                std::thread::spawn(move || pass(from_client, to_server, || gate.wait(number)));
                std::thread::spawn(move || pass(from_server, to_client, || ()));
            }
        });
        Self { port, gate }
    }

    /// Keeps what the connections of this moment send from now on.
    pub fn hold(&self) {
        let mut state = self.gate.state.lock().unwrap();
        state.held_below = state.connections;
    }

    /// Delivers it, even if its sender is gone.
    pub fn release(&self) {
        self.gate.state.lock().unwrap().held_below = 0;
        self.gate.opened.notify_all();
    }
}

impl Gate {
    fn wait(&self, number: usize) {
        let state = self.state.lock().unwrap();
        drop(self.opened.wait_while(state, |state| number < state.held_below).unwrap());
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, before_each: impl Fn()) {
    let mut buffer = [0; 4096];
    while let Ok(count) = from.read(&mut buffer) {
        before_each();
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
