//! What only looks like a Redis server.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

/// Somebody who answers each line with what the function says; `None` hangs up.
pub fn pretender(answer: fn(&str) -> Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut writer = stream.try_clone().unwrap();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                match answer(&line) {
                    Some(text) if writer.write_all(text.as_bytes()).is_ok() => {}
                    _ => break,
                }
            }
        }
    });
    url
}

/// A server of version 6.2.0.
pub fn old_server() -> String {
    pretender(|line| match line {
        "HELLO" => Some("%1\r\n+server\r\n+redis\r\n"),
        "SETINFO" => Some("+OK\r\n"),
        "INFO" => Some("$42\r\nredis_version:6.2.0\r\nrole:master\r\nmode:x\r\n\r\n"),
        _ => Some(""),
    })
}
