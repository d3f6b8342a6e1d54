//! An issuer's published key set (RFC 7517): which keys are usable, and which one algorithm each of them stands for.

use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use platform::Json;
use serde::Deserialize;

/// Most keys of one issuer that are looked at.
const MAX_KEYS: usize = 64;

/// One usable key. The key decides the algorithm, never the token.
pub(crate) struct Key {
    pub(crate) key: DecodingKey,
    pub(crate) algorithm: Algorithm,
}

/// The usable keys by `kid`.
pub(crate) struct KeySet(HashMap<String, Key>);

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Json>,
}

impl KeySet {
    /// Reads a key set; keys that are not usable are left out. `None` when it is not a key set or nothing is left.
    pub(crate) fn parse(body: &[u8], algorithms: &[Algorithm]) -> Option<Self> {
        let published: Published = serde_json::from_slice(body).ok()?;
        let mut keys = HashMap::new();
        for key in published.keys.into_iter().take(MAX_KEYS) {
            if let Some((kid, key)) = usable(key, algorithms) {
                keys.entry(kid).or_insert(key);
            }
        }
        (!keys.is_empty()).then_some(Self(keys))
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid)
    }
}

fn usable(key: Json, algorithms: &[Algorithm]) -> Option<(String, Key)> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let kid = jwk.common.key_id.clone().filter(|kid| !kid.is_empty())?;
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = algorithm(&jwk)?;
    if !algorithms.contains(&algorithm) {
        return None;
    }
    Some((kid, Key { key: DecodingKey::from_jwk(&jwk).ok()?, algorithm }))
}

/// The key's own `alg` where it fits the type of the key, else the type's usual one. A symmetric key in a public set is
/// nobody's.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let stated = jwk.common.key_algorithm;
    match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => match stated {
            None => Some(Algorithm::RS256),
            Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
            Some(KeyAlgorithm::RS384) => Some(Algorithm::RS384),
            Some(KeyAlgorithm::RS512) => Some(Algorithm::RS512),
            Some(KeyAlgorithm::PS256) => Some(Algorithm::PS256),
            Some(KeyAlgorithm::PS384) => Some(Algorithm::PS384),
            Some(KeyAlgorithm::PS512) => Some(Algorithm::PS512),
            Some(_) => None,
        },
        AlgorithmParameters::EllipticCurve(curve) => match (&curve.curve, stated) {
            (EllipticCurve::P256, None | Some(KeyAlgorithm::ES256)) => Some(Algorithm::ES256),
            (EllipticCurve::P384, None | Some(KeyAlgorithm::ES384)) => Some(Algorithm::ES384),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(pair) => match (&pair.curve, stated) {
            (EllipticCurve::Ed25519, None | Some(KeyAlgorithm::EdDSA)) => Some(Algorithm::EdDSA),
            _ => None,
        },
        _ => None,
    }
}
