//! The contract of `platform::artifacts::ArtifactStore`: [`suite`], and [`MemoryArtifacts`], which keeps it without a disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use platform::artifacts::{
    ArtifactId, ArtifactKind, ArtifactOrigin, ArtifactStore, Artifacts, MAX_BYTES, NewArtifact, Readers,
    SealedArtifact, StoredReference, Swept,
};
use platform::clock::Clock;
use platform::error::{Error, ErrorKind};
use platform::secret::SecretKey;
use platform::{Json, SharedClock};
use serde_json::json;

use crate::MemoryAudit;

/// Days that an artifact is kept in the suite.
const KEEP_DAYS: u32 = 30;
const DAY_S: i64 = 24 * 3600;
const KEEP_S: i64 = 30 * DAY_S;

/// Artifacts over a store, under a key for tests, kept for 30 days.
pub fn sealed_artifacts(store: Arc<dyn ArtifactStore>, clock: SharedClock) -> Arc<Artifacts> {
    Arc::new(Artifacts::new(store, &SecretKey::new([9; 32]), clock, KEEP_DAYS).unwrap())
}

/// Runs every rule of the contract. `factory` makes an empty store.
pub async fn suite<F: Future<Output = Arc<dyn ArtifactStore>>>(factory: impl Fn() -> F) {
    t27_equal_bytes_are_one_content_with_a_reference_for_each_call(factory().await).await;
    t27_the_store_sees_nothing_of_the_bytes_nor_of_what_readers_are_authorised_by(factory().await).await;
    a_repeat_writes_nothing_until_it_is_kept_longer(factory().await).await;
    what_was_changed_or_moved_does_not_open_and_is_written_anew_by_the_next_put(factory().await).await;
    t27_a_content_goes_with_its_last_reference(factory().await).await;
    a_sweep_is_done_in_bounded_steps_and_is_on_record(factory().await).await;
    puts_at_once_and_sweeps_between_them_lose_nothing(factory().await).await;
    what_is_too_large_is_refused_and_the_largest_is_kept(factory().await).await;
}

/// Stands still until it is moved.
#[derive(Default)]
struct Hand(AtomicI64);

impl Hand {
    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + self.0.load(Ordering::SeqCst)).unwrap()
    }
}

fn over(store: &Arc<dyn ArtifactStore>) -> (Arc<Artifacts>, Arc<Hand>) {
    let clock = Arc::new(Hand::default());
    (sealed_artifacts(Arc::clone(store), clock.clone()), clock)
}

/// A new artifact of a call of `tool` with arguments that have the digest `call`.
fn new<'a>(bytes: &'a [u8], tool: &str, call: &'a str, context: &'a Json) -> NewArtifact<'a, Json> {
    NewArtifact {
        kind: ArtifactKind::Configuration,
        media_type: "text/plain",
        bytes,
        origin: ArtifactOrigin { server: "dnac".into(), tool: tool.into(), call_id: format!("id-{tool}-{call}") },
        readers: Readers::Origin,
        call,
        context,
        keep_until: None,
    }
}

fn code<T>(answer: Result<T, Error>) -> (ErrorKind, String) {
    match answer {
        Ok(_) => panic!("it answered"),
        Err(error) => (error.kind(), error.code().to_owned()),
    }
}

fn not_found() -> (ErrorKind, String) {
    (ErrorKind::NotFound, "artifact_not_found".to_owned())
}

fn damaged() -> (ErrorKind, String) {
    (ErrorKind::Internal, "artifact_damaged".to_owned())
}

async fn t27_equal_bytes_are_one_content_with_a_reference_for_each_call(store: Arc<dyn ArtifactStore>) {
    let (artifacts, _) = over(&store);
    let (one, two) = (json!({"device": "one"}), json!({"device": "two"}));
    let (id, facts) = artifacts.put(new(b"line vty", "show", "1", &one)).await.unwrap();
    assert_eq!(artifacts.open(&id).await.unwrap(), b"line vty");
    assert_eq!((facts.bytes, facts.media_type.as_str(), facts.kind), (8, "text/plain", ArtifactKind::Configuration));
    assert_eq!(facts.keep_until, facts.created_at + KEEP_S);
    let (other, _) = artifacts.put(new(b"line con", "show", "1", &one)).await.unwrap();
    assert_ne!(id, other);
    assert_eq!(artifacts.put(new(b"line vty", "show", "2", &two)).await.unwrap().0, id);
    assert_eq!(artifacts.put(new(b"line vty", "other_tool", "1", &one)).await.unwrap().0, id);
    // For the platform alone is another reference, and another call with the same arguments is not.
    let alone = NewArtifact { readers: Readers::Platform, ..new(b"line vty", "show", "1", &one) };
    assert_eq!(artifacts.put(alone).await.unwrap().0, id);
    assert_eq!(artifacts.put(new(b"line vty", "show", "1", &one)).await.unwrap(), (id.clone(), facts));
    let held = artifacts.find::<Json>(&id).await.unwrap();
    let mut seen: Vec<_> = held.iter().map(|h| (h.facts.origin.tool.as_str(), h.facts.readers, &h.context)).collect();
    seen.sort_by_key(|(tool, readers, context)| (tool.to_string(), *readers == Readers::Platform, context.to_string()));
    assert_eq!(
        seen,
        [
            ("other_tool", Readers::Origin, &one),
            ("show", Readers::Origin, &one),
            ("show", Readers::Origin, &two),
            ("show", Readers::Platform, &one)
        ]
    );
    assert_eq!(artifacts.find::<Json>(&other).await.unwrap().len(), 1);
    let nowhere = ArtifactId::parse(&"0".repeat(64)).unwrap();
    assert_eq!(code(artifacts.find::<Json>(&nowhere).await), not_found());
    assert_eq!(code(artifacts.open(&nowhere).await), not_found());
}

async fn t27_the_store_sees_nothing_of_the_bytes_nor_of_what_readers_are_authorised_by(store: Arc<dyn ArtifactStore>) {
    let (artifacts, clock) = over(&store);
    let context = json!({"device": "canary-device"});
    let (id, _) = artifacts.put(new(b"canary-bytes", "show", "1", &context)).await.unwrap();
    let content = store.content(&id).await.unwrap().unwrap();
    let references = store.references(&id).await.unwrap();
    assert_eq!(references.len(), 1);
    let facts = serde_json::to_string(&references[0].facts).unwrap();
    for kept in [content.as_slice(), &references[0].sealed, facts.as_bytes(), id.as_str().as_bytes()] {
        assert!(!String::from_utf8_lossy(kept).contains("canary"));
    }
    // The id is keyed: under another key the same bytes have another name, so nobody tests a guess with it.
    let other = Artifacts::new(store, &SecretKey::new([3; 32]), clock, 1).unwrap();
    assert_ne!(other.put(new(b"canary-bytes", "show", "1", &context)).await.unwrap().0, id);
    assert_eq!(code(other.open(&id).await), damaged());
}

async fn a_repeat_writes_nothing_until_it_is_kept_longer(store: Arc<dyn ArtifactStore>) {
    let (artifacts, clock) = over(&store);
    let context = json!({});
    let (id, first) = artifacts.put(new(b"a", "show", "1", &context)).await.unwrap();
    let before = (store.content(&id).await.unwrap(), store.references(&id).await.unwrap());
    clock.advance(3600);
    let origin = ArtifactOrigin { call_id: "later".into(), ..first.origin.clone() };
    let again = NewArtifact { origin, ..new(b"a", "show", "1", &context) };
    assert_eq!(artifacts.put(again.clone()).await.unwrap().1, first);
    assert_eq!((store.content(&id).await.unwrap(), store.references(&id).await.unwrap()), before);
    clock.advance(2 * DAY_S);
    let longer = artifacts.put(again).await.unwrap().1;
    assert_eq!((longer.created_at, &longer.origin), (first.created_at, &first.origin));
    assert_eq!(longer.keep_until, clock.epoch_seconds() + KEEP_S);
    assert_eq!(artifacts.find::<Json>(&id).await.unwrap()[0].facts, longer);
    // A shorter time never takes anything away.
    let shorter = NewArtifact { keep_until: Some(clock.epoch_seconds() + 1), ..new(b"a", "show", "1", &context) };
    assert_eq!(artifacts.put(shorter).await.unwrap().1, longer);
}

async fn what_was_changed_or_moved_does_not_open_and_is_written_anew_by_the_next_put(store: Arc<dyn ArtifactStore>) {
    let (artifacts, _) = over(&store);
    let context = json!({"device": "one"});
    let (id, _) = artifacts.put(new(b"the one", "show", "1", &context)).await.unwrap();
    let (other, _) = artifacts.put(new(b"another", "show", "1", &context)).await.unwrap();
    let good = store.content(&id).await.unwrap().unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let reference = store.references(&id).await.unwrap().remove(0);
    let moved = store.content(&other).await.unwrap().unwrap();
    for content in [flipped, moved, good[..good.len() - 1].to_vec(), Vec::new()] {
        let (id, reference) = (id.clone(), reference.clone());
        let bad =
            SealedArtifact { id: id.clone(), content, replace_content: true, reference, replace_reference: false };
        store.put(bad).await.unwrap();
        assert_eq!(code(artifacts.open(&id).await), damaged());
        assert_eq!(artifacts.put(new(b"the one", "show", "1", &context)).await.unwrap().0, id);
        assert_eq!(artifacts.open(&id).await.unwrap(), b"the one");
    }
    // A reference whose facts were changed opens no more: nobody widens who may read, or for how long.
    let changes: [fn(&mut StoredReference); 3] = [
        |r| r.facts.readers = Readers::Platform,
        |r| r.facts.origin.tool = "whoami".into(),
        |r| r.facts.keep_until += 1_000 * DAY_S,
    ];
    for change in changes {
        let mut reference = store.references(&id).await.unwrap().remove(0);
        change(&mut reference);
        let (id, content) = (id.clone(), store.content(&id).await.unwrap().unwrap());
        let bad =
            SealedArtifact { id: id.clone(), content, replace_content: false, reference, replace_reference: true };
        store.put(bad).await.unwrap();
        assert_eq!(code(artifacts.find::<Json>(&id).await), damaged());
        artifacts.put(new(b"the one", "show", "1", &context)).await.unwrap();
        assert_eq!(artifacts.find::<Json>(&id).await.unwrap()[0].context, context);
    }
}

async fn t27_a_content_goes_with_its_last_reference(store: Arc<dyn ArtifactStore>) {
    let (artifacts, clock) = over(&store);
    let (context, audit) = (json!({}), MemoryAudit::default());
    let now = clock.epoch_seconds();
    let kept = |until, call| NewArtifact { keep_until: Some(now + until), ..new(b"shared", "show", call, &context) };
    let (id, _) = artifacts.put(kept(10, "1")).await.unwrap();
    artifacts.put(kept(20, "2")).await.unwrap();
    clock.advance(9);
    assert_eq!(artifacts.sweep(&audit).await.unwrap(), Swept::default());
    clock.advance(1);
    // From this second on the first one does not exist, swept or not.
    assert_eq!(artifacts.find::<Json>(&id).await.unwrap().len(), 1);
    assert_eq!(artifacts.sweep(&audit).await.unwrap(), Swept { references: 1, contents: 0, more: false });
    assert_eq!(
        (store.references(&id).await.unwrap().len(), artifacts.open(&id).await.unwrap()),
        (1, b"shared".to_vec())
    );
    clock.advance(10);
    assert_eq!(code(artifacts.find::<Json>(&id).await), not_found());
    assert_eq!(artifacts.sweep(&audit).await.unwrap(), Swept { references: 1, contents: 1, more: false });
    assert_eq!((store.references(&id).await.unwrap().len(), store.content(&id).await.unwrap()), (0, None));
    // It can come back.
    assert_eq!(artifacts.put(new(b"shared", "show", "1", &context)).await.unwrap().0, id);
    assert_eq!(artifacts.open(&id).await.unwrap(), b"shared");
}

async fn a_sweep_is_done_in_bounded_steps_and_is_on_record(store: Arc<dyn ArtifactStore>) {
    let (artifacts, clock) = over(&store);
    let (context, audit) = (json!({}), MemoryAudit::default());
    for n in 0..7 {
        artifacts.put(new(format!("content {n}").as_bytes(), "show", "1", &context)).await.unwrap();
    }
    clock.advance(KEEP_S);
    let step = store.sweep(clock.epoch_seconds(), 3).await.unwrap();
    assert_eq!((step.references, step.more), (3, true));
    let rest = artifacts.sweep(&audit).await.unwrap();
    assert_eq!((rest.references, step.contents + rest.contents, rest.more), (4, 7, false));
    let entry = audit.entries().pop().unwrap();
    assert_eq!((entry.action.as_str(), &entry.facts["references"]), ("artifacts.swept", &json!(4)));
    artifacts.sweep(&audit).await.unwrap();
    assert_eq!(audit.entries().len(), 1, "nothing to do leaves no record");
}

async fn puts_at_once_and_sweeps_between_them_lose_nothing(store: Arc<dyn ArtifactStore>) {
    let (artifacts, clock) = over(&store);
    let past = clock.epoch_seconds();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..32 {
        let (artifacts, store) = (Arc::clone(&artifacts), Arc::clone(&store));
        tasks.spawn(async move {
            // Each content is put by four calls; one of them is over as soon as it is there.
            let (bytes, call, context) = (format!("content {}", n % 8), n.to_string(), json!({ "n": n }));
            let keep_until = (n >= 24).then_some(past);
            let put = NewArtifact { keep_until, ..new(bytes.as_bytes(), "show", &call, &context) };
            artifacts.put(put).await.unwrap();
            store.sweep(past, 5).await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    while store.sweep(past, 5).await.unwrap().more {}
    for n in 0..8 {
        let (bytes, context) = (format!("content {n}"), json!({}));
        let probe = NewArtifact { keep_until: Some(past), ..new(bytes.as_bytes(), "show", "probe", &context) };
        let (id, _) = artifacts.put(probe).await.unwrap();
        assert_eq!(artifacts.find::<Json>(&id).await.unwrap().len(), 3, "the three calls that are not over");
        assert_eq!(artifacts.open(&id).await.unwrap(), bytes.as_bytes());
    }
}

async fn what_is_too_large_is_refused_and_the_largest_is_kept(store: Arc<dyn ArtifactStore>) {
    let (artifacts, _) = over(&store);
    let context = json!({});
    let mut bytes = vec![7; MAX_BYTES];
    let (id, facts) = artifacts.put(new(&bytes, "show", "1", &context)).await.unwrap();
    assert!(artifacts.open(&id).await.unwrap() == bytes && facts.bytes == MAX_BYTES as u64);
    bytes.push(7);
    let refused = code(artifacts.put(new(&bytes, "show", "1", &context)).await);
    assert_eq!(refused, (ErrorKind::TooLarge, "artifact_too_large".to_owned()));
    let (empty, facts) = artifacts.put(new(b"", "show", "1", &context)).await.unwrap();
    assert_eq!((facts.bytes, artifacts.open(&empty).await.unwrap()), (0, Vec::new()));
}

/// The contract without a disk.
#[derive(Default)]
pub struct MemoryArtifacts(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    contents: BTreeMap<ArtifactId, Vec<u8>>,
    references: BTreeMap<(ArtifactId, String), StoredReference>,
    failing: bool,
}

impl MemoryArtifacts {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many contents there are.
    pub fn contents(&self) -> usize {
        self.kept().contents.len()
    }

    /// Every sealed byte, and every fact in clear.
    pub fn everything(&self) -> Vec<Vec<u8>> {
        let kept = self.kept();
        let facts = kept.references.values().map(|r| serde_json::to_vec(&r.facts).unwrap());
        kept.contents.values().chain(kept.references.values().map(|r| &r.sealed)).cloned().chain(facts).collect()
    }

    /// From now on nothing can be put, or it can again.
    pub fn fail(&self, failing: bool) {
        self.kept().failing = failing;
    }
}

#[async_trait]
impl ArtifactStore for MemoryArtifacts {
    async fn put(&self, artifact: SealedArtifact) -> Result<(), Error> {
        let mut kept = self.kept();
        if kept.failing {
            return Err(platform::artifacts::unavailable("the fake was told to fail"));
        }
        let SealedArtifact { id, content, replace_content, reference, replace_reference } = artifact;
        if replace_content || !kept.contents.contains_key(&id) {
            kept.contents.insert(id.clone(), content);
        }
        let key = (id, reference.name.clone());
        let stays = |there: &StoredReference| there.facts.keep_until >= reference.facts.keep_until;
        if replace_reference || !kept.references.get(&key).is_some_and(stays) {
            kept.references.insert(key, reference);
        }
        Ok(())
    }

    async fn references(&self, id: &ArtifactId) -> Result<Vec<StoredReference>, Error> {
        Ok(self.kept().references.iter().filter(|((of, _), _)| of == id).map(|(_, r)| r.clone()).collect())
    }

    async fn content(&self, id: &ArtifactId) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.kept().contents.get(id).cloned())
    }

    async fn sweep(&self, now: i64, limit: usize) -> Result<Swept, Error> {
        let mut kept = self.kept();
        let over = kept.references.iter().filter(|(_, r)| r.facts.keep_until <= now).map(|(key, _)| key.clone());
        let mut over: Vec<_> = over.take(limit + 1).collect();
        let more = over.len() > limit;
        over.truncate(limit);
        for key in &over {
            kept.references.remove(key);
        }
        let Kept { contents, references, .. } = &mut *kept;
        let before = contents.len();
        contents.retain(|id, _| references.keys().any(|(of, _)| of == id));
        Ok(Swept { references: over.len() as u64, contents: (before - contents.len()) as u64, more })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MemoryArtifacts, suite};

    #[tokio::test]
    async fn the_fake_keeps_the_contract() {
        suite(|| async { Arc::new(MemoryArtifacts::default()) as _ }).await;
    }
}
