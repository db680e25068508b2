//! The store's scripts, carried over from their Lua line by line.

use super::data::Data;
use super::resp::Reply;
use quark_core::hash;

/// A script that can be carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Script {
    Commit,
    Scan,
    Greet,
}

impl Script {
    /// The script with this text, if it is one that was carried over.
    pub(crate) fn of_text(text: &[u8]) -> Option<Self> {
        CARRIED_OVER.into_iter().find(|(_, digest)| *digest == hash::point(text)).map(|(script, _)| script)
    }

    pub(crate) fn run(self, data: &mut Data, keys: &[Vec<u8>], args: &[Vec<u8>], now_s: u64) -> Reply {
        match self {
            Self::Commit => commit(data, &keys[0], &keys[1], args),
            Self::Scan => scan(data, &keys[0], &keys[1], args),
            Self::Greet => greet(data, &keys[0], args, now_s),
        }
    }
}

/// What a script's text is known by; the server makes its hash of it.
pub(crate) fn digest(text: &[u8]) -> String {
    format!("{:040x}", hash::point(text))
}

fn number(arg: &[u8]) -> i64 {
    std::str::from_utf8(arg).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn eight(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// `commit.lua`.
fn commit(data: &mut Data, k: &[u8], order: &[u8], a: &[Vec<u8>]) -> Reply {
    let checks = number(&a[4]) as usize;
    let (id, fingerprint) = (&a[0], &a[1]);
    let stored = data.hget(k, b"v").cloned();
    let (mut now, mut w) = (0, vec![0; W_BYTES]);
    if let Some(v) = &stored {
        match data.hget(k, b"w") {
            Some(found)
                if v.len() == 8 && found.len() >= W_BYTES && (found.len() - W_BYTES).is_multiple_of(20) =>
            {
                (now, w) = (eight(v), found.clone());
            }
            _ => return Reply::Array(vec![Reply::Int(3), Reply::text("its counter is malformed")]),
        }
        if w[1..].windows(2).any(|pair| pair == &fingerprint[..])
            && let Some(earlier) = earlier_commit(data, k, &w, id, now)
        {
            return Reply::Int(earlier as i64);
        }
    }
    let seen = number(&a[2]) as u64;
    if now < seen {
        data.hset(k, b"v", seen.to_be_bytes().into());
        data.hset(k, b"w", w);
        return Reply::Array(vec![Reply::Int(2), Reply::Int(now as i64)]);
    }
    let base = checks + 7;
    for i in 0..checks {
        let (found, want) = (data.hget(k, &a[7 + i]), &a[base + i]);
        let failed = Reply::Int(i as i64 + 1);
        match found {
            Some(found) if found[..8] != want[..] => {
                return Reply::Array(vec![Reply::Int(1), failed, Reply::Bulk(found[..8].to_vec())]);
            }
            None if !want.is_empty() => return Reply::Array(vec![Reply::Int(1), failed]),
            _ => {}
        }
    }
    now = (now + 1).max(number(&a[3]) as u64);
    remember(data, k, &w, id, fingerprint, now);
    write_rows(data, k, order, &a[base + checks..], now);
    Reply::Int(now as i64)
}

/// The version that this write id got, if it is one of the last.
fn earlier_commit(data: &Data, k: &[u8], w: &[u8], id: &[u8], now: u64) -> Option<u64> {
    let full = (0..8).filter_map(|at| data.hget(k, format!("w{at}").as_bytes()).map(Vec::as_slice));
    let found = full
        .chain([&w[W_BYTES..]])
        .flat_map(|chunk| chunk.chunks_exact(20))
        .find(|entry| entry[..16] == *id)?;
    let low = eight(&found[16..]);
    Some(now - now.wrapping_sub(low) % (1 << 32))
}

fn remember(data: &mut Data, k: &[u8], w: &[u8], id: &[u8], fingerprint: &[u8], now: u64) {
    let version = now.to_be_bytes();
    let mut index = w[0];
    let mut chunk = [&w[W_BYTES..], id, &version[4..]].concat();
    if chunk.len() == 160 {
        let at = index % 8;
        data.hset(k, format!("w{at}").as_bytes(), std::mem::take(&mut chunk));
        index = at + 1;
    }
    let w = [&[index][..], fingerprint, &w[1..127], &chunk].concat();
    data.hset(k, b"v", version.into());
    data.hset(k, b"w", w);
}

/// What follows the checks: number of puts, (row, body)..., deleted rows...
fn write_rows(data: &mut Data, k: &[u8], order: &[u8], a: &[Vec<u8>], now: u64) {
    let puts = number(&a[0]) as usize;
    let (written, deleted) = a[1..].split_at(2 * puts);
    for pair in written.chunks_exact(2) {
        let body = [&now.to_be_bytes()[..], &pair[1]].concat();
        if data.hset(k, &pair[0], body) {
            data.zadd(order, &pair[0]);
        }
    }
    for row in deleted {
        if data.hdel(k, row) {
            data.zrem(order, row);
        }
    }
}

/// `scan.lua`.
fn scan(data: &Data, k: &[u8], order: &[u8], a: &[Vec<u8>]) -> Reply {
    let (Some((b'[', from)), Some((b'(', to))) = (a[0].split_first(), a[1].split_first()) else {
        return Reply::Error("ERR min or max not valid string range item".into());
    };
    let mut out = vec![Reply::of(data.hget(k, b"v"))];
    for row in data.range(order, from, to, number(&a[2])) {
        let stored = Reply::of(data.hget(k, &row));
        out.extend([Reply::Bulk(row), stored]);
    }
    Reply::Array(out)
}

/// `greet.lua`.
fn greet(data: &mut Data, k: &[u8], a: &[Vec<u8>], now_s: u64) -> Reply {
    let word = |word: &str, said: Vec<u8>| Reply::Array(vec![Reply::text(word), Reply::Bulk(said)]);
    let field = |data: &Data, name: &str| data.hget(k, name.as_bytes()).cloned();
    let mut era = field(data, "era").map_or(0, |era| number(&era) as u64);
    match field(data, "format") {
        Some(format) => {
            if number(&format) > number(&a[0]) {
                return word("format", format);
            }
            match field(data, "cluster") {
                Some(cluster) if !a[1].is_empty() && cluster != a[1] => return word("cluster", cluster),
                None if !a[1].is_empty() => drop(data.hset(k, b"cluster", a[1].clone())),
                _ => {}
            }
        }
        None => {
            data.hset(k, b"format", a[0].clone());
            if !a[1].is_empty() {
                data.hset(k, b"cluster", a[1].clone());
            }
        }
    }
    let history = field(data, "history");
    let is_broken = history.as_ref().map_or(a[3] == b"1", |history| *history != a[2]);
    if is_broken {
        era = (era + 1).max(now_s);
    }
    if is_broken || history.is_none() {
        data.hset(k, b"history", a[2].clone());
        data.hset(k, b"era", era.to_string().into_bytes());
    }
    word("era", era.to_string().into_bytes())
}

/// Bytes of `w` before the chunk that is being filled.
const W_BYTES: usize = 129;
/// The digests of the texts that were carried over. If one of the files changes, this server refuses it, and the tests of
/// this file say so: carry the change over, and then put the new digest here.
const CARRIED_OVER: [(Script, u64); 3] = [
    (Script::Commit, 0xed1b_4bf1_23c8_494f),
    (Script::Scan, 0x68d0_a5d8_8359_18f0),
    (Script::Greet, 0xb157_3c37_7b05_f8d7),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_are_those_that_were_carried_over() {
        let texts = [
            (Script::Commit, include_bytes!("../../../redis/src/scripts/commit.lua").as_slice()),
            (Script::Scan, include_bytes!("../../../redis/src/scripts/scan.lua")),
            (Script::Greet, include_bytes!("../../../redis/src/scripts/greet.lua")),
        ];
        for (script, text) in texts {
            let found = Script::of_text(text);
            assert_eq!(found, Some(script), "{script:?} has changed; its digest is {:#x}", hash::point(text));
        }
    }
}
