//! The platform's own keys, kept in a store that is real: made, rotated, retired, and taken over from an earlier build (T28).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use interlock_secrets_local::LocalSecrets;
use platform::audit::Outcome;
use platform::clock::AdjustableClock;
use platform::keys::{KeyRegistry, Purpose, PurposeKeys, Rotation};
use platform::secret::{Secret, SecretKey};
use platform::secrets::SecretStore;
use platform::{Clock as _, SharedClock, seal};
use platform_suites::MemoryAudit;

const DAY: i64 = 86_400;

struct Kept {
    secrets: LocalSecrets,
    keys: PurposeKeys,
    clock: Arc<AdjustableClock>,
}

async fn open(path: &Path, master: &SecretKey, clock: &Arc<AdjustableClock>) -> Kept {
    let secrets = LocalSecrets::open(path, master, Arc::clone(clock) as SharedClock).unwrap();
    let keys = PurposeKeys::open(Arc::new(secrets.clone()), master).await.unwrap();
    Kept { secrets, keys, clock: Arc::clone(clock) }
}

fn opened(keys: &PurposeKeys, purpose: Purpose, sealed: &[u8]) -> Option<String> {
    keys.sealer(purpose).open("place", sealed).map(|plain| String::from_utf8(plain.to_vec()).unwrap())
}

#[tokio::test]
async fn t28_every_purposes_key_rotates_with_overlap_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("secrets.db"), Arc::new(AdjustableClock::default()));
    let master = seal::random_key().unwrap();
    for purpose in Purpose::ALL {
        let Kept { keys, secrets, .. } = open(&path, &master, &clock).await;
        let held_before = keys.sealer(purpose);
        let old = held_before.seal("place", b"before").unwrap();
        clock.advance(DAY);
        assert_eq!(keys.rotate(purpose).await.unwrap(), 2, "{purpose:?}");
        assert_eq!(opened(&keys, purpose, &old).as_deref(), Some("before"), "{purpose:?}");
        let new = held_before.seal("place", b"after").unwrap();
        assert_eq!(&new[..8], b"ILK1\0\0\0\x02", "a handle from before seals with the new version");
        if purpose.overlap_s() != Some(0) {
            assert_eq!(keys.retire(purpose, clock.now(), false).await.unwrap(), Vec::<u32>::new(), "it is too early");
        }
        drop((keys, secrets, held_before));

        let Kept { keys, clock, .. } = open(&path, &master, &clock).await;
        assert_eq!(opened(&keys, purpose, &old).as_deref(), Some("before"), "a restart keeps both");
        let all = purpose.overlap_s().is_none();
        clock.advance(purpose.overlap_s().unwrap_or_default());
        assert_eq!(keys.retire(purpose, clock.now(), all).await.unwrap(), [1], "{purpose:?}");
        assert_eq!(opened(&keys, purpose, &old), None, "{purpose:?}");
        assert_eq!(opened(&keys, purpose, &new).as_deref(), Some("after"), "{purpose:?}");
        drop(keys);

        let Kept { keys, .. } = open(&path, &master, &clock).await;
        assert_eq!((opened(&keys, purpose, &old), keys.key(purpose).current()), (None, 2), "{purpose:?}");
    }
}

#[tokio::test]
async fn t28_no_key_depends_on_the_master_key_and_none_on_another() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AdjustableClock::default());
    let master = seal::random_key().unwrap();
    let one = open(&folder.path().join("1.db"), &master, &clock).await;
    let other = open(&folder.path().join("2.db"), &master, &clock).await;
    for purpose in Purpose::ALL {
        let sealed = one.keys.sealer(purpose).seal("place", b"x").unwrap();
        assert_eq!(opened(&other.keys, purpose, &sealed), None, "the same master key, and another key");
        for another in Purpose::ALL.into_iter().filter(|p| *p != purpose) {
            assert_eq!(opened(&one.keys, another, &sealed), None);
        }
    }
    let sealed = one.keys.sealer(Purpose::Results).seal("place", b"kept").unwrap();
    let new = seal::random_key().unwrap();
    one.secrets.begin_rekey(&new).await.unwrap();
    one.secrets.finish_rekey(&new).await.unwrap();
    drop(one);
    let again = open(&folder.path().join("1.db"), &new, &clock).await;
    assert_eq!(opened(&again.keys, Purpose::Results, &sealed).as_deref(), Some("kept"));
}

/// As the earlier build sealed: under a key derived from the master key, nonce first, no version.
fn sealed_before(master: &SecretKey, label: &str) -> Vec<u8> {
    let key = seal::derive_key(master, label).unwrap();
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).unwrap();
    let mut bytes = b"long ago".to_vec();
    let nonce = cipher.seal_in_place_append_tag(Aad::from(b"place"), &mut bytes).unwrap();
    [nonce.as_ref(), bytes.as_slice()].concat()
}

#[tokio::test]
async fn t28_what_an_earlier_build_sealed_under_derived_keys_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("secrets.db"), Arc::new(AdjustableClock::default()));
    let master = seal::random_key().unwrap();
    // Every start of that build wrote this one.
    let secrets = LocalSecrets::open(&path, &master, Arc::clone(&clock) as SharedClock).unwrap();
    let signing = BTreeMap::from([("signing".to_owned(), Secret::new("x"))]);
    secrets.put("platform/keys/audit", signing, None).await.unwrap();
    drop(secrets);
    let labels = [
        (Purpose::Results, "stored results of idempotency keys"),
        (Purpose::RequestState, "state that MCP clients carry"),
        (Purpose::Facade, "clients and refresh tokens of the façade"),
        (Purpose::IssuerSealing, "issuer"),
    ];
    let kept = open(&path, &master, &clock).await;
    for (purpose, label) in labels {
        let old = sealed_before(&master, label);
        assert_eq!(opened(&kept.keys, purpose, &old).as_deref(), Some("long ago"), "{purpose:?}");
        kept.keys.rotate(purpose).await.unwrap();
        assert_eq!(opened(&kept.keys, purpose, &old).as_deref(), Some("long ago"), "{purpose:?}");
        kept.keys.retire(purpose, kept.clock.now(), true).await.unwrap();
        assert_eq!(opened(&kept.keys, purpose, &old), None, "{purpose:?}");
    }
    let derived = seal::derive_key(&master, "artifacts").unwrap();
    let field = kept.secrets.get("platform/keys/artifacts", None).await.unwrap().data["key"].expose().to_owned();
    assert_ne!(field, derived.to_hex().expose(), "a purpose that was never derived gets a random key");
    // The second start derives nothing, whatever the master key is by then.
    let new = seal::random_key().unwrap();
    kept.secrets.begin_rekey(&new).await.unwrap();
    kept.secrets.finish_rekey(&new).await.unwrap();
    let sealed = kept.keys.sealer(Purpose::Facade).seal("place", b"new").unwrap();
    drop(kept);
    let kept = open(&path, &new, &clock).await;
    assert_eq!(opened(&kept.keys, Purpose::Facade, &sealed).as_deref(), Some("new"));
}

#[tokio::test]
async fn t28_a_version_that_still_opens_something_is_never_pushed_out() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("secrets.db"), Arc::new(AdjustableClock::default()));
    let Kept { keys, clock, .. } = open(&path, &seal::random_key().unwrap(), &clock).await;
    let first = keys.sealer(Purpose::Artifacts).seal("place", b"first").unwrap();
    for version in 2..=10 {
        assert_eq!(keys.rotate(Purpose::Artifacts).await.unwrap(), version);
    }
    assert_eq!(keys.rotate(Purpose::Artifacts).await.unwrap_err().code(), "key_versions_full");
    assert_eq!(opened(&keys, Purpose::Artifacts, &first).as_deref(), Some("first"));
    assert_eq!(keys.retire(Purpose::Artifacts, clock.now(), true).await.unwrap().len(), 9);
    assert_eq!(keys.rotate(Purpose::Artifacts).await.unwrap(), 11);
}

#[tokio::test]
async fn t28_a_rotation_is_recorded_before_and_after_and_a_lost_key_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("secrets.db"), Arc::new(AdjustableClock::default()));
    let Kept { secrets, keys, clock } = open(&path, &seal::random_key().unwrap(), &clock).await;
    let audit = Arc::new(MemoryAudit::default());
    let registry = KeyRegistry::new(Arc::clone(&audit) as _, Arc::clone(&clock) as _);
    registry.add(secrets.managed(&"environment".parse().unwrap()));
    registry.add_purposes(&keys, |_| None).await.unwrap();
    let names: Vec<String> = registry.list().await.unwrap().into_iter().map(|key| key.name).collect();
    let purposes = Purpose::ALL.map(|p| p.name().to_owned());
    assert_eq!(names, [&["master".to_owned(), "data".to_owned()][..], &purposes].concat());

    let old = keys.sealer(Purpose::Results).seal("place", b"x").unwrap();
    let lost = Rotation { compromised: true, new_key_file: None };
    let rotated = registry.rotate("results", &lost, None).await.unwrap();
    assert_eq!((rotated.current.as_str(), rotated.retired), ("2", vec!["1".to_owned()]));
    assert_eq!(opened(&keys, Purpose::Results, &old), None);
    let records = audit.of("key.rotated");
    assert_eq!(records.iter().map(|r| r.outcome).collect::<Vec<_>>(), [Outcome::Pending, Outcome::Success]);
    assert_eq!((&records[1].facts["key"], &records[1].facts["version"]), (&"results".into(), &"2".into()));
    let said = format!("{records:?}");
    assert!(!said.contains(secrets.get(&Purpose::Results.path(), None).await.unwrap().data["key"].expose()));

    assert_eq!(registry.rotate("nonesuch", &lost, None).await.unwrap_err().code(), "key_unknown");
    audit.fail_appends(true);
    assert!(registry.rotate("facade", &lost, None).await.is_err());
    assert_eq!(keys.key(Purpose::Facade).current(), 1, "without a record nothing happens");
}

#[tokio::test]
async fn t28_second_factors_that_nobody_can_seal_again_keep_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("secrets.db"), Arc::new(AdjustableClock::default()));
    let Kept { keys, clock, .. } = open(&path, &seal::random_key().unwrap(), &clock).await;
    let registry = KeyRegistry::new(Arc::new(MemoryAudit::default()), Arc::clone(&clock) as _);
    keys.rotate(Purpose::IssuerSealing).await.unwrap();
    clock.advance(100 * DAY);
    registry.add_purposes(&keys, |_| None).await.unwrap();
    assert_eq!(keys.versions(Purpose::IssuerSealing).await.unwrap().len(), 2);
}
