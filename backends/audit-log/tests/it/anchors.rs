//! Anchors against real receivers that fail, hang, cut connections and lie: every note arrives, in order, and what they
//! kept verifies the log.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_log::anchor::{AnchorNotes, AnchorSecrets, Anchors, Delivered, configured};
use audit_log::checkpoint::SignedCheckpoint;
use audit_log::{AuditKeys, AuditLogFile};
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use platform::Secret;
use platform::audit::AuditLog;
use platform::clock::SystemClock;
use tempfile::TempDir;

use crate::fixture::{Fixture, tool_call};

const PATIENCE: Duration = Duration::from_secs(60);

struct Place {
    fixture: Fixture,
    elsewhere: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { fixture: Fixture::new(), elsewhere: tempfile::tempdir().unwrap() }
    }

    fn open(&self, entries: &[String], secrets: &AnchorSecrets) -> (Arc<AuditLogFile>, Arc<Delivered>) {
        let clock: platform::SharedClock = Arc::new(SystemClock);
        let anchors = configured(entries, self.fixture.path(), self.elsewhere.path(), secrets, &clock).unwrap();
        let Anchors { sinks, delivered } = anchors;
        let (log, _) = self.fixture.open_with(|options| {
            options.checkpoint_every = 1;
            options.sinks = sinks;
            options.delivered = Some(delivered.clone());
        });
        (log, delivered)
    }
}

async fn write(log: &AuditLogFile, count: usize) {
    for i in 0..count {
        log.append(tool_call("alice", &format!("anchored-{i}"))).await.unwrap();
    }
}

fn sizes(notes: &[SignedCheckpoint]) -> Vec<u64> {
    notes.iter().map(|note| note.checkpoint.size).collect()
}

fn anchored(place: &Path) -> (AnchorNotes, Vec<u64>) {
    let read = AnchorNotes::read(place).unwrap();
    assert_eq!(read.unreadable, 0);
    let notes = sizes(read.notes.values().next().unwrap());
    (read, notes)
}

// What a receiver does with the next request, and what came of all.
struct Hook {
    faults: Mutex<Vec<Fault>>,
    taken: Mutex<Vec<(HeaderMap, String)>>,
    objects: Mutex<BTreeMap<String, Bytes>>,
    seen: Sender<String>,
}

#[derive(Clone, Copy)]
enum Fault {
    Answer(u16),
    // Takes the body and never answers.
    Hang,
    // Keeps the object and says that it failed.
    KeepAndFail,
}

async fn hook(
    State(hook): State<Arc<Hook>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Bytes) {
    let fault = hook.faults.lock().unwrap().pop();
    match fault {
        Some(Fault::Answer(status)) => return (StatusCode::from_u16(status).unwrap(), Bytes::new()),
        Some(Fault::Hang) => std::future::pending::<()>().await,
        Some(Fault::KeepAndFail) | None => {}
    }
    let text = String::from_utf8(body.to_vec()).unwrap();
    let path = uri.path().to_owned();
    let (status, reply) = match method {
        Method::GET => match hook.objects.lock().unwrap().get(&path) {
            Some(object) => (StatusCode::OK, object.clone()),
            None => (StatusCode::NOT_FOUND, Bytes::new()),
        },
        Method::PUT => {
            assert_eq!(headers["if-none-match"], "*");
            let mut objects = hook.objects.lock().unwrap();
            if objects.contains_key(&path) {
                (StatusCode::PRECONDITION_FAILED, Bytes::new())
            } else {
                objects.insert(path.clone(), body);
                (StatusCode::CREATED, Bytes::new())
            }
        }
        _ => {
            hook.taken.lock().unwrap().push((headers, text));
            (StatusCode::ACCEPTED, Bytes::new())
        }
    };
    if fault.is_some() {
        return (StatusCode::BAD_GATEWAY, Bytes::new());
    }
    drop(hook.seen.send(uri.to_string()));
    (status, reply)
}

async fn receiver(faults: Vec<Fault>) -> (String, Arc<Hook>, Receiver<String>) {
    let (seen, heard) = channel();
    let state = Arc::new(Hook { faults: Mutex::new(faults), taken: Mutex::default(), objects: Mutex::default(), seen });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(hook).with_state(state.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}"), state, heard)
}

async fn hear<T: Send + 'static>(heard: Receiver<T>, count: usize) -> (Vec<T>, Receiver<T>) {
    let work = tokio::task::spawn_blocking(move || {
        let all = (0..count).map(|_| heard.recv_timeout(PATIENCE).unwrap()).collect();
        (all, heard)
    });
    work.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_webhook_gets_every_note_in_order_through_failures_and_can_check_them() {
    let place = Place::new();
    // Popped from the end: first a 500, then silence, then a 404.
    let (url, hook, heard) = receiver(vec![Fault::Answer(404), Fault::Hang, Fault::Answer(500)]).await;
    let secrets = AnchorSecrets { hmac: Some(Secret::new("shared")), bearer: Some(Secret::new("token-1")) };
    let (log, delivered) = place.open(&[format!("{url}/in/?team=audit")], &secrets);
    write(&log, 3).await;
    let (paths, heard) = hear(heard, 4).await;
    assert!(paths.iter().all(|path| path == "/in/?team=audit"));
    log.close().await.unwrap();
    hear(heard, 1).await;
    let key = log.public_key().clone();
    drop(log);
    let taken = hook.taken.lock().unwrap();
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, b"shared");
    for (size, (headers, body)) in (1_u64..).zip(taken.iter()) {
        let note = SignedCheckpoint::parse(body).unwrap();
        assert_eq!(note.checkpoint.size, size, "in order, each once");
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(headers["interlock-log"], note.checkpoint.origin.as_str());
        assert_eq!(headers["interlock-tree-size"], size.to_string().as_str());
        assert_eq!(headers["interlock-verifier-key"], key.to_string().as_str());
        assert_eq!(headers["authorization"], "Bearer token-1");
        let signature = headers["interlock-signature"].to_str().unwrap().strip_prefix("sha256=").unwrap();
        hmac::verify(&hmac_key, body.as_bytes(), &hex::decode(signature).unwrap()).unwrap();
    }
    assert_eq!(taken.len(), 5);
    assert_eq!((delivered.everywhere(key.origin.as_ref().unwrap()), delivered.waiting()), (Some(5), 0));
    // What the receiver kept is an anchor.
    let dump = place.elsewhere.path().join("dump");
    std::fs::write(&dump, taken.iter().map(|(_, body)| format!("{body}\n")).collect::<String>()).unwrap();
    assert_eq!(anchored(&dump).1, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_an_anchor_that_hangs_holds_up_neither_the_log_nor_the_others() {
    let place = Place::new();
    let (url, _hook, _heard) = receiver(vec![Fault::Hang; 1_000]).await;
    let (log, delivered) = place.open(&[url, "file:anchor".to_owned()], &AnchorSecrets::default());
    write(&log, 20).await;
    let origin = log.public_key().origin.clone().unwrap();
    log.close().await.unwrap();
    assert_eq!(log.stats().records, 22);
    assert_eq!(delivered.everywhere(&origin), Some(0), "the anchor that is furthest behind counts");
    assert!(delivered.waiting() > 0);
    assert_eq!(log.stats().unpublished, delivered.waiting());
    drop(log);
    assert_eq!(anchored(&place.elsewhere.path().join("anchor")).1, (1..=22).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_objects_are_made_once_and_another_history_is_never_put_over_them() {
    let place = Place::new();
    std::fs::create_dir(place.elsewhere.path().join("objects")).unwrap();
    let entries = ["objects:objects".to_owned()];
    let (log, _) = place.open(&entries, &AnchorSecrets::default());
    write(&log, 2).await;
    log.close().await.unwrap();
    let key = log.public_key().clone();
    drop(log);
    let folder = place.elsewhere.path().join("objects").join(key.origin.as_ref().unwrap());
    let names = |folder: &Path| -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let due: Vec<String> = (1..=4).map(|size| format!("{size:020}.note")).chain(["verifier.key".to_owned()]).collect();
    assert_eq!(names(&folder), due);
    let (read, notes) = anchored(&place.elsewhere.path().join("objects"));
    assert_eq!(notes, [1, 2, 3, 4]);
    assert_eq!(read.keys.values().flatten().collect::<Vec<_>>(), [&key]);

    // The log goes on; somebody has put another note where its next one belongs.
    let taken = folder.join(format!("{:020}.note", 5));
    std::fs::write(&taken, "another history\n").unwrap();
    let (log, delivered) = place.open(&entries, &AnchorSecrets::default());
    log.close().await.unwrap();
    drop(log);
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "another history\n");
    assert_eq!(delivered.everywhere(key.origin.as_ref().unwrap()), Some(4));
    assert_eq!(delivered.waiting(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_store_of_objects_over_http_survives_a_lost_reply_and_refuses_a_second_history() {
    let place = Place::new();
    let (url, hook, heard) = receiver(vec![Fault::KeepAndFail, Fault::Answer(503)]).await;
    let entries = [format!("objects:{url}/bucket")];
    let (log, delivered) = place.open(&entries, &AnchorSecrets::default());
    write(&log, 1).await;
    // The key, whose first reply was lost and which is then refused and read; two notes.
    let (_, heard) = hear(heard, 4).await;
    log.close().await.unwrap();
    let (_, heard) = hear(heard, 1).await;
    let origin = log.public_key().origin.clone().unwrap();
    let key = log.public_key().to_string();
    drop(log);
    assert_eq!(delivered.everywhere(&origin), Some(3));
    let objects = hook.objects.lock().unwrap().clone();
    let names: Vec<String> = objects.keys().cloned().collect();
    let due: Vec<String> = (1..=3)
        .map(|size| format!("/bucket/{origin}/{size:020}.note"))
        .chain([format!("/bucket/{origin}/verifier.key")])
        .collect();
    assert_eq!(names, due);
    assert_eq!(objects[&due[3]], format!("{key}\n"));

    hook.objects.lock().unwrap().insert(format!("/bucket/{origin}/{:020}.note", 4), Bytes::from_static(b"other"));
    let (log, delivered) = place.open(&entries, &AnchorSecrets::default());
    // The key is put and read, the note is put and read, and is another.
    hear(heard, 4).await;
    log.close().await.unwrap();
    drop(log);
    assert_eq!(delivered.everywhere(&origin), Some(3));
    assert_eq!(hook.objects.lock().unwrap()[&format!("/bucket/{origin}/{:020}.note", 4)], "other");
}

// A syslog receiver over TCP: frames by RFC 6587, lines as rsyslog's file format has them. The first connection is cut.
fn syslog_receiver(file: PathBuf, cut_first: bool) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, heard) = channel();
    std::thread::spawn(move || {
        let mut cut = cut_first;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if std::mem::take(&mut cut) {
                // Closed with bytes unread: the sender's connection is reset.
                let mut one = [0; 1];
                stream.read_exact(&mut one).unwrap();
                continue;
            }
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (length, tail) = rest.split_once(' ').unwrap();
                let (message, tail) = tail.split_at(length.parse().unwrap());
                rest = tail;
                let line = as_written(message);
                let mut out = std::fs::OpenOptions::new().append(true).create(true).open(&file).unwrap();
                out.write_all(line.as_bytes()).unwrap();
                if seen.send(message.to_owned()).is_err() {
                    return;
                }
            }
        }
    });
    (port, heard)
}

// RSYSLOG_FileFormat: time, host, tag, message; the structured data is dropped.
fn as_written(message: &str) -> String {
    let mut parts = message.splitn(7, ' ');
    let (priority, at, host, app) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    assert_eq!(priority, "<109>1");
    at.parse::<jiff::Timestamp>().unwrap();
    let text = message.split_once("] ").unwrap().1;
    format!("{at} {host} {app}: {text}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_syslog_over_tcp_repeats_what_a_cut_connection_lost_and_its_file_is_an_anchor() {
    let place = Place::new();
    let file = place.elsewhere.path().join("syslog");
    let (port, heard) = syslog_receiver(file.clone(), true);
    let (log, delivered) = place.open(&[format!("syslog:127.0.0.1:{port}")], &AnchorSecrets::default());
    write(&log, 3).await;
    log.close().await.unwrap();
    let (messages, _heard) = hear(heard, 5).await;
    let key = log.public_key().clone();
    drop(log);
    assert_eq!(delivered.everywhere(key.origin.as_ref().unwrap()), Some(5));
    let (read, notes) = anchored(&file);
    assert_eq!(notes, [1, 2, 3, 4, 5]);
    assert_eq!(read.keys.values().flatten().collect::<Vec<_>>(), [&key]);
    let origin = key.origin.as_ref().unwrap();
    let data = format!("[checkpoint@32473 origin=\"{origin}\" size=\"1\" root=\"");
    assert!(messages[0].contains(&format!(" interlock - audit-checkpoint {data}")), "{}", messages[0]);
    assert!(messages.iter().all(|message| message.len() < 2_048 && !message.contains('\n')));
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_syslog_over_udp_sends_a_datagram_per_note() {
    let place = Place::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let (log, _) = place.open(&[format!("syslog+udp:127.0.0.1:{port}")], &AnchorSecrets::default());
    write(&log, 1).await;
    log.close().await.unwrap();
    drop(log);
    let mut lines = String::new();
    for _ in 0..3 {
        let mut buffer = [0; 4_096];
        let length = socket.recv(&mut buffer).unwrap();
        lines.push_str(&as_written(std::str::from_utf8(&buffer[..length]).unwrap()));
    }
    let read = AnchorNotes::parse(&lines);
    assert_eq!(sizes(read.notes.values().next().unwrap()), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_one_anchor_holds_several_logs_each_under_its_own_key_and_knows_it_after_a_restart() {
    let mut place = Place::new();
    let entries = ["file:anchor".to_owned()];
    let mut keys = Vec::new();
    for _ in 0..2 {
        place.fixture.keys = AuditKeys::generate().unwrap();
        let (log, _) = place.open(&entries, &AnchorSecrets::default());
        log.close().await.unwrap();
        keys.push(log.public_key().clone());
        drop(log);
        crate::fixture::aside(place.fixture.path());
    }
    let read = AnchorNotes::read(&place.elsewhere.path().join("anchor")).unwrap();
    assert_eq!(read.unreadable, 0);
    for key in &keys {
        let origin = key.origin.as_ref().unwrap();
        assert_eq!(read.keys[origin], std::slice::from_ref(key));
        assert_eq!(sizes(&read.notes[origin]), [1, 2]);
    }
    let clock: platform::SharedClock = Arc::new(SystemClock);
    let again =
        configured(&entries, place.fixture.path(), place.elsewhere.path(), &AnchorSecrets::default(), &clock).unwrap();
    assert_eq!(again.delivered.everywhere(keys[0].origin.as_ref().unwrap()), Some(2));
    assert_eq!(again.delivered.everywhere("interlock.audit/other"), Some(0));
}
