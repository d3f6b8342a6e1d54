//! A secret that was dropped is nowhere in the process's memory (T28): every type that holds one, in a process of its own
//! that looks through itself. A secret that is still held is found, so the search can find.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use audit_log::{AuditKeys, AuditLogFile, AuditOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issuer::KeyRing;
use platform::clock::SystemClock;
use platform::keys::master::MasterKeySource;
use platform::keys::{Purpose, PurposeKeys};
use platform::seal::{self, Sealer};
use platform::secret::{Secret, SecretKey};
use platform::secrets::SecretStore;
use platform_suites::memory::{Needle, found};
use secrets_local::LocalSecrets;
use tool_runtime::connector::{CredentialKind, Lease};

#[test]
fn t28_no_secret_outlives_what_held_it() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "memory::drops_every_sort_of_secret_and_looks_for_it";
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "the process that the test above starts"]
fn drops_every_sort_of_secret_and_looks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (leaked, needle) = text();
    // In a thread of its own, whose stack goes with it: what the test program leaves there is not what is asked about.
    let path = folder.path().to_owned();
    let mut needles = std::thread::spawn(move || hold_and_drop(&path)).join().unwrap();
    needles.push(("leaked on purpose", needle));
    assert_eq!(found(&needles), ["leaked on purpose"]);
    drop(leaked);
    assert_eq!(found(&needles), Vec::<&str>::new());
}

/// A random text and what to look for, with no copy left anywhere.
fn text() -> (Secret, Needle) {
    let secret = seal::random_key().unwrap().to_hex();
    let needle = Needle::of(secret.expose().as_bytes());
    (secret, needle)
}

fn key() -> (SecretKey, Needle) {
    let key = seal::random_key().unwrap();
    let needle = Needle::of(key.expose());
    (key, needle)
}

fn hold_and_drop(folder: &Path) -> Vec<(&'static str, Needle)> {
    let mut needles = Vec::new();
    let (secret, needle) = text();
    needles.push(("Secret", needle));
    let (bytes, needle) = key();
    needles.push(("SecretKey", needle));
    let by_value = SecretKey::new(*bytes.expose());
    drop((secret.clone(), bytes.clone(), by_value));

    let (field, needle) = text();
    needles.push(("Lease", needle));
    let lease = Lease::new(CredentialKind::Shared, 1, BTreeMap::from([("password".to_owned(), field)]));
    assert!(lease.field("password").is_ok());

    let (plain, needle) = text();
    needles.push(("Sealer", needle));
    let sealer = Sealer::derive(&bytes, "test").unwrap();
    let sealed = sealer.seal("place", plain.expose().as_bytes()).unwrap();
    assert!(sealer.open("place", &sealed).is_some() && sealer.open("elsewhere", &sealed).is_none());

    let (master, needle) = key();
    needles.push(("master key", needle));
    let file = folder.join("master.key");
    platform::keys::master::replace_file(&file, &master).unwrap();
    needles.push(("master key in its file's form", Needle::of(master.to_hex().expose().as_bytes())));
    assert_eq!(MasterKeySource::File(file).read().unwrap().key.expose(), master.expose());

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(stores(folder, &master, &mut needles));
    drop((secret, bytes, lease, plain, sealer, sealed, master));
    needles
}

/// What the stores hand out, and what they keep for themselves.
async fn stores(folder: &Path, master: &SecretKey, needles: &mut Vec<(&'static str, Needle)>) {
    let clock = Arc::new(SystemClock);
    let secrets = LocalSecrets::open(&folder.join("secrets.db"), master, clock.clone()).unwrap();
    let (value, needle) = text();
    needles.push(("SecretVersion", needle));
    secrets.put("api/a", BTreeMap::from([("password".to_owned(), value)]), None).await.unwrap();
    let version = secrets.get("api/a", None).await.unwrap();
    let copy = version.clone();
    secrets.rotate_data_key().await.unwrap();
    drop((version, copy));

    let purposes = PurposeKeys::open(Arc::new(secrets.clone()), master).await.unwrap();
    let kept = secrets.get(&Purpose::Results.path(), None).await.unwrap();
    needles.push(("purpose key", Needle::of(&hex::decode(kept.data["key"].expose()).unwrap())));
    needles.push(("purpose key as it is kept", Needle::of(kept.data["key"].expose().as_bytes())));
    let sealed = purposes.sealer(Purpose::Results).seal("place", b"x").unwrap();
    assert!(purposes.sealer(Purpose::Results).open("place", &sealed).is_some());
    purposes.rotate(Purpose::Results).await.unwrap();
    drop((purposes, kept));

    let ring = KeyRing::open(Arc::new(secrets.clone()), "platform/keys/issuer", 0).await.unwrap();
    let kept = secrets.get("platform/keys/issuer", None).await.unwrap();
    let pkcs8 = kept.data.iter().find(|(name, _)| name.starts_with("key.")).unwrap().1;
    needles.push(("KeyRing", Needle::of(pkcs8.expose().as_bytes())));
    let der = zeroize::Zeroizing::new(STANDARD.decode(pkcs8.expose()).unwrap());
    // The private scalar stands between offsets 36 and 68 of PKCS#8 for P-256; the public point follows it.
    needles.push(("KeyRing, private scalar", Needle::of(&der[36..68])));
    drop((ring, kept, der));

    let keys = AuditKeys::generate().unwrap();
    needles.push(("AuditKeys, signing", Needle::of(keys.signing.expose().as_bytes())));
    needles.push(("AuditKeys, hmac", Needle::of(keys.hmac.expose())));
    let (log, _) = AuditLogFile::open(AuditOptions::new(folder), &keys, clock).unwrap();
    log.close().await.unwrap();
    drop((log, keys, secrets));
}
