//! Server-sent events (WHATWG HTML, section 9.2) as far as MCP uses them: the `data` of each event. Comments, names and
//! ids carry nothing for a bridge.

/// Longest event, bytes.
const LARGEST: usize = 32 << 20;

/// Takes bytes as they come and gives whole events.
#[derive(Default)]
pub(super) struct EventStream {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
}

/// An event is longer than anything we would hand on.
#[derive(Debug, PartialEq)]
pub(super) struct TooLong;

impl EventStream {
    /// The data of the events that end within these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        if self.line.len() + self.data.len() > LARGEST { Err(TooLong) } else { Ok(events) }
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then(|| String::from_utf8_lossy(&data).into_owned());
        }
        let (name, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &[][..]),
        };
        if name == b"data" {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::EventStream;

    fn read(pieces: &[&str]) -> Vec<String> {
        let mut stream = EventStream::default();
        pieces.iter().flat_map(|piece| stream.feed(piece.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn events_come_whole_however_their_bytes_are_cut() {
        let text = ": hello\nevent: message\nid: 1\ndata: {\"a\":\ndata:1}\n\n:keep-alive\n\ndata:  x\r\n\r\n";
        let want = ["{\"a\":\n1}".to_owned(), " x".to_owned()];
        assert_eq!(read(&[text]), want);
        let bytes: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(read(&bytes.iter().map(String::as_str).collect::<Vec<_>>()), want);
        assert_eq!(read(&["data: a\r", "\ndata: b\r\r"]), ["a\nb"]);
    }

    #[test]
    fn what_has_no_end_or_no_data_is_no_event() {
        assert!(read(&["data: x\n"]).is_empty());
        assert!(read(&["event: ping\n\n", "retry: 3\n\n"]).is_empty());
        assert_eq!(read(&["data\n\n"]), [""]);
    }
}
