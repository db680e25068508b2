//! RESP, as far as it is spoken here: commands are arrays of strings, answers are RESP 3.

use bytes::{Buf, BytesMut};

/// What the server answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Nil,
    Int(i64),
    Bulk(Vec<u8>),
    Error(String),
    Array(Vec<Reply>),
    Map(Vec<(&'static str, Reply)>),
}

impl Reply {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Bulk(text.into().into_bytes())
    }

    pub(crate) fn of(value: Option<&Vec<u8>>) -> Self {
        value.map_or(Self::Nil, |value| Self::Bulk(value.clone()))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.extend(b"_\r\n"),
            Self::Int(number) => out.extend(format!(":{number}\r\n").bytes()),
            Self::Error(text) => out.extend(format!("-{text}\r\n").bytes()),
            Self::Bulk(bytes) => {
                out.extend(format!("${}\r\n", bytes.len()).bytes());
                out.extend(bytes);
                out.extend(b"\r\n");
            }
            Self::Array(items) => {
                out.extend(format!("*{}\r\n", items.len()).bytes());
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(entries) => {
                out.extend(format!("%{}\r\n", entries.len()).bytes());
                for (name, value) in entries {
                    Self::text(*name).write(out);
                    value.write(out);
                }
            }
        }
    }
}

/// Takes one command off the buffer, if a whole one is in it. Errors: it is no array of strings.
pub(crate) fn take_command(buffer: &mut BytesMut) -> Result<Option<Vec<Vec<u8>>>, String> {
    let mut at = 0;
    let Some(count) = header(buffer, &mut at, b'*')? else { return Ok(None) };
    let mut words = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let Some(length) = header(buffer, &mut at, b'$')? else { return Ok(None) };
        let Some(word) = buffer.get(at..at + length) else { return Ok(None) };
        if buffer.len() < at + length + 2 {
            return Ok(None);
        }
        words.push(word.to_vec());
        at += length + 2;
    }
    buffer.advance(at);
    Ok(Some(words))
}

/// `<sign><number>\r\n`.
fn header(buffer: &[u8], at: &mut usize, sign: u8) -> Result<Option<usize>, String> {
    let rest = &buffer[*at..];
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let number =
        rest[..end].strip_prefix(&[sign]).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let Some(number) = number else {
        return Err(format!("expected `{}` and a number, found {:?}", sign as char, &rest[..end.min(40)]));
    };
    *at += end + 2;
    Ok(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_once_it_is_whole() {
        let whole = b"*2\r\n$4\r\nHGET\r\n$3\r\na\r\n\r\n*1\r\n";
        for length in 0..23 {
            let mut part = BytesMut::from(&whole[..length]);
            assert_eq!(take_command(&mut part), Ok(None), "{length} bytes");
        }
        let mut buffer = BytesMut::from(&whole[..]);
        assert_eq!(take_command(&mut buffer), Ok(Some(vec![b"HGET".to_vec(), b"a\r\n"[..3].to_vec()])));
        assert_eq!(&buffer[..], b"*1\r\n");
        assert!(take_command(&mut BytesMut::from(&b"PING\r\n"[..])).is_err());
    }
}
