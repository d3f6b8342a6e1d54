//! Syslog: one message per checkpoint, RFC 5424, over TCP with octet counting (RFC 6587) or over UDP (RFC 5426). Syslog
//! answers nothing. Over TCP a note counts as taken when the receiver has closed the connection after ours, which it does
//! once it has read everything; that it also kept it, only the receiver's own file shows. Over UDP nothing is known.
//! Next: [`super::reading`], which finds the notes in such a file.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs, UdpSocket};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::clock::SharedClock;

use super::{ATTEMPT, read_back};
use crate::checkpoint::CheckpointSink;

/// Facility 13 (log audit), severity 5 (notice).
const PRIORITY: u32 = 13 * 8 + 5;
/// Name of our structured data; 32473 is the enterprise number that RFC 5612 keeps for documentation.
const STRUCTURE: &str = "checkpoint@32473";
/// Before the note in the message, in base64: receivers write one line per message.
pub(super) const NOTE: &str = "note=";
/// Before the verifier key.
pub(super) const KEY: &str = "key=";

/// How messages travel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transport {
    /// RFC 6587, octet counting.
    Tcp,
    /// RFC 5426.
    Udp,
}

/// `syslog:<host>:<port>`, `syslog+udp:<host>:<port>`
pub(super) struct Syslog {
    transport: Transport,
    host: String,
    port: u16,
    clock: SharedClock,
}

impl Syslog {
    pub(super) fn new(transport: Transport, place: &str, clock: &SharedClock) -> Result<Self, String> {
        let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port > 0);
        match port {
            Some(port) if !host.is_empty() && !host.contains(['/', ' ']) => {
                Ok(Self { transport, host: host.to_owned(), port, clock: clock.clone() })
            }
            _ => Err("it does not name host and port".to_owned()),
        }
    }

    fn message(&self, note: &str, verifier_key: &str) -> io::Result<String> {
        let checkpoint = read_back(note)?.checkpoint;
        let (origin, size) = (&checkpoint.origin, checkpoint.size);
        let root = STANDARD.encode(checkpoint.root);
        // RFC 5424 has at most six digits of a second.
        let at = format!("{:.6}", self.clock.now());
        Ok(format!(
            "<{PRIORITY}>1 {at} {} interlock - audit-checkpoint [{STRUCTURE} origin=\"{origin}\" size=\"{size}\" \
             root=\"{root}\"] checkpoint {size} of {origin} {NOTE}{} {KEY}{verifier_key}",
            host_name(),
            STANDARD.encode(note)
        ))
    }

    fn over_tcp(&self, message: &str) -> io::Result<()> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, ATTEMPT) {
                Ok(stream) => return hand_over(stream, message),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn over_udp(&self, message: &str) -> io::Result<()> {
        let address = (self.host.as_str(), self.port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
        let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        UdpSocket::bind(any)?.send_to(message.as_bytes(), address).map(drop)
    }
}

// A connection per note. A receiver that closes with something unread resets the connection; one that read all of it
// ends it in order.
fn hand_over(mut stream: TcpStream, message: &str) -> io::Result<()> {
    stream.set_write_timeout(Some(ATTEMPT))?;
    stream.set_read_timeout(Some(ATTEMPT))?;
    stream.write_all(format!("{} {message}", message.len()).as_bytes())?;
    stream.flush()?;
    stream.shutdown(Shutdown::Write)?;
    let mut nothing = [0; 256];
    loop {
        match stream.read(&mut nothing) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // A receiver that keeps connections open: its system has taken the bytes, and more is not said.
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let plain = !name.is_empty() && name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { name } else { "-".to_owned() }
}

impl CheckpointSink for Syslog {
    fn publish(&mut self, note: &str, verifier_key: &str) -> io::Result<()> {
        let message = self.message(note, verifier_key)?;
        match self.transport {
            Transport::Tcp => self.over_tcp(&message),
            Transport::Udp => self.over_udp(&message),
        }
    }
}
