//! The contract of `platform::secrets::SecretStore`: [`suite`], and [`MemorySecrets`], which keeps it without a disk.

mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::SharedClock;
use platform::clock::AdjustableClock;
use platform::error::{Error, ErrorKind};
use platform::secret::Secret;
use platform::secrets::{SecretMetadata, SecretRules, SecretStore, SecretVersion};

pub use self::memory::MemorySecrets;

/// Versions that are kept of each secret unless somebody says otherwise, as in KV v2.
const MAX_VERSIONS: u64 = 10;

/// Runs every rule of the contract. `factory` makes an empty store that reads this clock.
pub async fn suite(factory: impl Fn(SharedClock) -> Arc<dyn SecretStore>) {
    let fresh = || factory(Arc::new(AdjustableClock::default()));
    versions_count_up_and_guard_writes(&*fresh()).await;
    deleted_versions_come_back_and_destroyed_ones_do_not(&*fresh()).await;
    a_version_that_cannot_be_read_says_why(&*fresh()).await;
    several_versions_change_together_or_not_at_all(&*fresh()).await;
    old_versions_go(&*fresh()).await;
    rules_guard_writes_and_keep_fewer(&*fresh()).await;
    custom_metadata_stands_in_clear_beside_the_versions(&*fresh()).await;
    nothing_is_left_of_a_secret_that_is_removed(&*fresh()).await;
    too_much_is_refused(&*fresh()).await;
    paths_are_checked_and_listed(&*fresh()).await;
}

fn fields(value: &str) -> BTreeMap<String, Secret> {
    [("username".to_owned(), Secret::new("svc")), ("password".to_owned(), Secret::new(value))].into()
}

async fn password(store: &dyn SecretStore, path: &str, version: Option<u64>) -> Result<(u64, String), String> {
    let found = store.get(path, version).await.map_err(|error| error.code().to_owned())?;
    assert_eq!(found.data.len(), 2);
    Ok((found.version, found.data["password"].expose().to_owned()))
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> (ErrorKind, String) {
    let error = answer.unwrap_err();
    (error.kind(), error.code().to_owned())
}

fn not_found() -> (ErrorKind, String) {
    (ErrorKind::NotFound, "secret_not_found".to_owned())
}

async fn versions_count_up_and_guard_writes(s: &dyn SecretStore) {
    let mismatch = (ErrorKind::Conflict, "secret_version_mismatch".to_owned());
    assert_eq!(code(s.get("api/a", None).await), not_found());
    assert_eq!(code(s.metadata("api/a").await), not_found());
    assert_eq!(code(s.put("api/a", fields("x"), Some(1)).await), mismatch);
    assert_eq!(s.put("api/a", fields("one"), Some(0)).await.unwrap(), 1);
    assert_eq!(code(s.put("api/a", fields("x"), Some(0)).await), mismatch);
    assert_eq!(s.put("api/a", fields("two"), Some(1)).await.unwrap(), 2);
    assert_eq!(code(s.put("api/a", fields("x"), Some(1)).await), mismatch);
    assert_eq!(s.put("api/a", fields("three"), None).await.unwrap(), 3);
    assert_eq!(password(s, "api/a", None).await, Ok((3, "three".to_owned())));
    assert_eq!(password(s, "api/a", Some(1)).await, Ok((1, "one".to_owned())));
    assert_eq!(code(s.get("api/a", Some(4)).await), not_found());
    assert_eq!(code(s.get("api/a", Some(0)).await), not_found());
    let metadata = s.metadata("api/a").await.unwrap();
    assert_eq!((metadata.path.as_str(), metadata.current_version, metadata.cas_required), ("api/a", 3, false));
    assert_eq!(metadata.versions.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(metadata.versions.iter().all(|v| v.deleted_at.is_none() && !v.destroyed));
    assert_eq!(metadata.versions[2].created_at, s.get("api/a", None).await.unwrap().created_at);
    assert_eq!(s.put("api/none", BTreeMap::new(), None).await.unwrap(), 1);
    assert!(s.get("api/none", None).await.unwrap().data.is_empty());
}

async fn deleted_versions_come_back_and_destroyed_ones_do_not(s: &dyn SecretStore) {
    s.put("api/a", fields("one"), None).await.unwrap();
    s.put("api/a", fields("two"), None).await.unwrap();
    s.delete("api/a", 2).await.unwrap();
    s.delete("api/a", 2).await.unwrap();
    assert_eq!(code(s.get("api/a", None).await), not_found());
    assert_eq!(code(s.get("api/a", Some(2)).await), not_found());
    assert_eq!(password(s, "api/a", Some(1)).await, Ok((1, "one".to_owned())));
    assert!(s.metadata("api/a").await.unwrap().versions[1].deleted_at.is_some());
    // A deleted version still counts as the current one.
    assert_eq!(code(s.put("api/a", fields("x"), Some(0)).await).1, "secret_version_mismatch");
    s.undelete("api/a", 2).await.unwrap();
    assert_eq!(password(s, "api/a", None).await, Ok((2, "two".to_owned())));
    s.destroy("api/a", 1).await.unwrap();
    s.destroy("api/a", 1).await.unwrap();
    assert_eq!(code(s.get("api/a", Some(1)).await), not_found());
    assert_eq!(code(s.undelete("api/a", 1).await), not_found());
    let metadata = s.metadata("api/a").await.unwrap();
    assert!(metadata.versions[0].destroyed && !metadata.versions[1].destroyed);
    for path in ["api/a", "api/b"] {
        assert_eq!(code(s.delete(path, 9).await), not_found());
        assert_eq!(code(s.undelete(path, 9).await), not_found());
        assert_eq!(code(s.destroy(path, 9).await), not_found());
    }
}

async fn a_version_that_cannot_be_read_says_why(s: &dyn SecretStore) {
    s.put("api/a", fields("one"), None).await.unwrap();
    s.put("api/a", fields("two"), None).await.unwrap();
    s.delete("api/a", 2).await.unwrap();
    s.destroy("api/a", 1).await.unwrap();
    let why = |answer: Result<SecretVersion, Error>| {
        let error = answer.unwrap_err();
        assert_eq!(error.code(), "secret_not_found");
        error.refusal().details.clone()
    };
    for version in [None, Some(2)] {
        let details = why(s.get("api/a", version).await).unwrap();
        assert_eq!((&details["version"], &details["destroyed"]), (&2.into(), &false.into()));
        assert!(details["deleted_at"].is_string() && details["created_at"].is_string());
    }
    assert_eq!(why(s.get("api/a", Some(1)).await).unwrap()["destroyed"], true);
    assert_eq!(why(s.get("api/a", Some(3)).await), None);
    assert_eq!(why(s.get("api/b", None).await), None);
}

async fn several_versions_change_together_or_not_at_all(s: &dyn SecretStore) {
    for value in ["one", "two", "three"] {
        s.put("api/a", fields(value), None).await.unwrap();
    }
    assert_eq!(code(s.delete_versions("api/a", &[1, 9]).await), not_found());
    assert_eq!(code(s.destroy_versions("api/a", &[1, 9]).await), not_found());
    assert_eq!(password(s, "api/a", Some(1)).await, Ok((1, "one".to_owned())));
    s.delete_versions("api/a", &[1, 2]).await.unwrap();
    let deleted = |m: SecretMetadata| m.versions.iter().map(|v| v.deleted_at.is_some()).collect::<Vec<_>>();
    assert_eq!(deleted(s.metadata("api/a").await.unwrap()), [true, true, false]);
    s.destroy("api/a", 2).await.unwrap();
    assert_eq!(code(s.undelete_versions("api/a", &[1, 2]).await), not_found());
    assert_eq!(deleted(s.metadata("api/a").await.unwrap()), [true, true, false]);
    s.undelete_versions("api/a", &[1]).await.unwrap();
    s.destroy_versions("api/a", &[1, 3]).await.unwrap();
    assert!(s.metadata("api/a").await.unwrap().versions.iter().all(|v| v.destroyed));
    assert_eq!(s.put("api/a", fields("four"), Some(3)).await.unwrap(), 4);
}

async fn old_versions_go(s: &dyn SecretStore) {
    for number in 1..=MAX_VERSIONS + 2 {
        assert_eq!(s.put("api/a", fields(&number.to_string()), Some(number - 1)).await.unwrap(), number);
    }
    assert_eq!(code(s.get("api/a", Some(2)).await), not_found());
    assert_eq!(password(s, "api/a", Some(3)).await, Ok((3, "3".to_owned())));
    let metadata = s.metadata("api/a").await.unwrap();
    assert_eq!((metadata.max_versions, metadata.versions.len() as u64), (MAX_VERSIONS, MAX_VERSIONS));
}

async fn rules_guard_writes_and_keep_fewer(s: &dyn SecretStore) {
    let rules = |cas_required, max_versions| SecretRules { cas_required, max_versions, custom: None };
    s.put("api/a", fields("1"), None).await.unwrap();
    s.set_rules("api/a", rules(Some(true), None)).await.unwrap();
    assert_eq!(code(s.put("api/a", fields("x"), None).await).1, "secret_version_required");
    s.set_rules("api/a", rules(None, Some(2))).await.unwrap();
    assert_eq!(code(s.put("api/a", fields("x"), None).await).1, "secret_version_required");
    for (value, before) in [("2", 1), ("3", 2), ("4", 3)] {
        s.put("api/a", fields(value), Some(before)).await.unwrap();
    }
    let metadata = s.metadata("api/a").await.unwrap();
    assert_eq!((metadata.cas_required, metadata.max_versions), (true, 2));
    assert_eq!(metadata.versions.iter().map(|v| v.version).collect::<Vec<_>>(), [3, 4]);
    s.set_rules("api/a", rules(Some(false), None)).await.unwrap();
    assert_eq!(s.put("api/a", fields("5"), None).await.unwrap(), 5);
    // Rules may stand before the first version.
    s.set_rules("api/later", rules(Some(true), Some(1))).await.unwrap();
    let empty = s.metadata("api/later").await.unwrap();
    assert_eq!((empty.current_version, empty.versions.len()), (0, 0));
    assert_eq!(code(s.get("api/later", None).await), not_found());
    assert_eq!(code(s.put("api/later", fields("1"), None).await).1, "secret_version_required");
    assert_eq!(s.put("api/later", fields("1"), Some(0)).await.unwrap(), 1);
    for most in [0, 1001] {
        let refused = s.set_rules("api/a", rules(None, Some(most))).await;
        assert_eq!(code(refused), (ErrorKind::InvalidInput, "secret_rules_invalid".to_owned()));
    }
}

async fn custom_metadata_stands_in_clear_beside_the_versions(s: &dyn SecretStore) {
    let custom = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let rules = |custom: BTreeMap<String, String>| SecretRules { custom: Some(custom), ..SecretRules::default() };
    s.put("api/a", fields("1"), None).await.unwrap();
    assert!(s.metadata("api/a").await.unwrap().custom.is_empty());
    s.set_rules("api/a", rules(custom(&[("owner", "netops"), ("ticket", "CHG-1")]))).await.unwrap();
    s.put("api/a", fields("2"), None).await.unwrap();
    assert_eq!(s.metadata("api/a").await.unwrap().custom, custom(&[("owner", "netops"), ("ticket", "CHG-1")]));
    s.set_rules("api/a", SecretRules { max_versions: Some(5), ..SecretRules::default() }).await.unwrap();
    assert_eq!(s.metadata("api/a").await.unwrap().custom.len(), 2, "what is not named stays");
    s.set_rules("api/a", rules(custom(&[("owner", "ä")]))).await.unwrap();
    assert_eq!(s.metadata("api/a").await.unwrap().custom, custom(&[("owner", "ä")]));
    let many = (0..65).map(|n| (n.to_string(), String::new())).collect();
    let (long_name, long_value) = ("n".repeat(129), "v".repeat(513));
    for bad in [
        many,
        custom(&[("", "x")]),
        custom(&[(&long_name, "")]),
        custom(&[("n", &long_value)]),
        custom(&[("n", "a\nb")]),
    ] {
        let refused = s.set_rules("api/a", rules(bad)).await;
        assert_eq!(code(refused), (ErrorKind::InvalidInput, "secret_rules_invalid".to_owned()));
    }
}

async fn nothing_is_left_of_a_secret_that_is_removed(s: &dyn SecretStore) {
    assert_eq!(code(s.delete_all("api/a").await), not_found());
    s.put("api/a", fields("1"), None).await.unwrap();
    s.put("api/a", fields("2"), None).await.unwrap();
    s.put("api/a/b", fields("other"), None).await.unwrap();
    s.delete_all("api/a").await.unwrap();
    assert_eq!(code(s.get("api/a", Some(1)).await), not_found());
    assert_eq!(code(s.metadata("api/a").await), not_found());
    assert_eq!(s.list("").await.unwrap(), ["api/a/b"]);
    assert_eq!(s.put("api/a", fields("new"), Some(0)).await.unwrap(), 1);
}

async fn too_much_is_refused(s: &dyn SecretStore) {
    let numbered = |count: usize| (0..count).map(|n| (n.to_string(), Secret::new("v"))).collect::<BTreeMap<_, _>>();
    let one = |name: &str, size: usize| BTreeMap::from([(name.to_owned(), Secret::new("v".repeat(size)))]);
    let too_large = (ErrorKind::TooLarge, "secret_too_large".to_owned());
    assert_eq!(code(s.put("api/a", numbered(65), None).await), too_large);
    assert_eq!(code(s.put("api/a", one("f", 1 << 20), None).await), too_large);
    let invalid = (ErrorKind::InvalidInput, "secret_field_invalid".to_owned());
    assert_eq!(code(s.put("api/a", one("line\nend", 1), None).await), invalid);
    assert_eq!(code(s.put("api/a", one(&"n".repeat(129), 1), None).await), invalid);
    assert_eq!(code(s.metadata("api/a").await), not_found());
    s.put("api/a", numbered(64), None).await.unwrap();
    s.put("api/a", one("f", (1 << 20) - 1), None).await.unwrap();
    assert_eq!(s.get("api/a", None).await.unwrap().data["f"].expose().len(), (1 << 20) - 1);
}

async fn paths_are_checked_and_listed(s: &dyn SecretStore) {
    let (longest, too_long) = ("a".repeat(256), "a".repeat(257));
    for path in ["", "/", "/a", "a/", "a//b", "a/../b", ".", "a b", "ä", "a|b", "a%2Fb", "a\0", too_long.as_str()] {
        let invalid = (ErrorKind::InvalidInput, "secret_path_invalid".to_owned());
        assert_eq!(code(s.get(path, None).await), invalid, "{path}");
        assert_eq!(code(s.put(path, fields("x"), None).await), invalid, "{path}");
        assert_eq!(code(s.metadata(path).await), invalid, "{path}");
        assert_eq!(code(s.delete(path, 1).await), invalid, "{path}");
    }
    for path in ["api/b", "api/a", "api-old/c", "api/a/x", "api", "z..z/_-.", longest.as_str()] {
        s.put(path, fields("x"), None).await.unwrap();
    }
    let all = ["aa", "api", "api-old/c", "api/a", "api/a/x", "api/b", "z..z/_-."].map(|p| p.replace("aa", &longest));
    assert_eq!(s.list("").await.unwrap(), all);
    assert_eq!(s.list("api").await.unwrap(), ["api/a", "api/a/x", "api/b"]);
    assert_eq!(s.list("api/").await.unwrap(), ["api/a", "api/a/x", "api/b"]);
    assert_eq!(s.list("api/a").await.unwrap(), ["api/a/x"]);
    assert!(s.list("nothing").await.unwrap().is_empty());
    assert_eq!(code(s.list("a/../b").await).1, "secret_path_invalid");
}
