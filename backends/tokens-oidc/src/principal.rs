//! From verified claims to a principal that is never more than its issuer's entry allows (T2, T4).

use platform::Json;
use platform::principal::{Actor, PLATFORM_GROUPS, Principal, PrincipalKind, TokenFacts, TokenProof};
use platform::tokens::TokenRefusal;
use serde_json::Map;

use crate::claims::{Act, Claims};
use crate::entry::IssuerEntry;

/// Longest chain of actors.
const MAX_ACTORS: usize = 8;

/// Builds the principal. `client_id` is the client that the token was issued to, `key` the one that signed the token.
pub(crate) fn principal(
    entry: &IssuerEntry,
    claims: Claims,
    payload: &Map<String, Json>,
    client_id: String,
    (proof, key): (TokenProof, Option<String>),
) -> Result<Principal, TokenRefusal> {
    let by_itself = claims.sub == client_id || (claims.auth_time.is_none() && entry.is_marked_client(payload));
    let kind = if by_itself { PrincipalKind::Client } else { PrincipalKind::Person };
    let person = match kind {
        PrincipalKind::Client => claims.sub.clone(),
        PrincipalKind::Person => match entry.person_claim.find(payload) {
            Some(Json::String(person)) if !person.is_empty() => person.clone(),
            _ => return Err(TokenRefusal::Claims),
        },
    };
    let acr = acr(entry, payload)?;
    let amr = amr(entry, payload)?;
    let stepped_up = kind == PrincipalKind::Person && proof != TokenProof::Userinfo;
    let mfa = stepped_up && entry.mfa.holds(acr.as_deref(), &amr);
    Ok(Principal {
        name: name(entry, &claims, payload)?,
        person,
        kind,
        groups: groups(entry, payload)?,
        client_id,
        scopes: claims.scopes(),
        mfa,
        actors: actors(claims.act)?,
        token: TokenFacts {
            id: claims.jti,
            session: claims.sid,
            key,
            proof,
            issued_at: claims.iat,
            expires_at: claims.exp,
        },
        issuer: claims.iss,
        subject: claims.sub,
        acr,
        amr,
        auth_time: claims.auth_time,
    })
}

/// A text or nothing.
fn acr(entry: &IssuerEntry, payload: &Map<String, Json>) -> Result<Option<String>, TokenRefusal> {
    match entry.acr_claim.find(payload) {
        None => Ok(None),
        Some(Json::String(acr)) => Ok(Some(acr.clone())),
        Some(_) => Err(TokenRefusal::Claims),
    }
}

/// A list of texts or nothing.
fn amr(entry: &IssuerEntry, payload: &Map<String, Json>) -> Result<Vec<String>, TokenRefusal> {
    let Some(claim) = entry.amr_claim.find(payload) else { return Ok(Vec::new()) };
    let text = |value: &Json| value.as_str().map(str::to_owned).ok_or(TokenRefusal::Claims);
    claim.as_array().ok_or(TokenRefusal::Claims)?.iter().map(text).collect()
}

fn name(entry: &IssuerEntry, claims: &Claims, payload: &Map<String, Json>) -> Result<String, TokenRefusal> {
    let configured = match entry.name_claim.as_ref().and_then(|path| path.find(payload)) {
        None => None,
        Some(Json::String(name)) => Some(name),
        Some(_) => return Err(TokenRefusal::Claims),
    };
    let names = [configured, claims.preferred_username.as_ref(), claims.name.as_ref()];
    let named = names.into_iter().flatten().find(|name| !name.trim().is_empty());
    Ok(named.unwrap_or(&claims.sub).clone())
}

/// A list of strings or nothing; anything else (nested lists, one text, `null`) is refused rather than guessed at. A group of
/// the platform's own is nobody's, whatever the entry allows.
fn groups(entry: &IssuerEntry, payload: &Map<String, Json>) -> Result<Vec<String>, TokenRefusal> {
    let Some(claim) = entry.groups_claim.find(payload) else { return Ok(Vec::new()) };
    let mut groups = Vec::new();
    for group in claim.as_array().ok_or(TokenRefusal::Claims)? {
        let group = group.as_str().ok_or(TokenRefusal::Claims)?;
        if let Some(ours) = entry.group_names.get(group) {
            groups.push(ours.clone());
        } else if entry.allowed_groups.as_ref().is_some_and(|allowed| allowed.iter().any(|one| one == group)) {
            groups.push(group.to_owned());
        }
    }
    groups.retain(|group| !group.starts_with(PLATFORM_GROUPS));
    groups.sort();
    groups.dedup();
    Ok(groups)
}

fn actors(mut next: Option<Act>) -> Result<Vec<Actor>, TokenRefusal> {
    let mut actors = Vec::new();
    while let Some(act) = next {
        if act.sub.is_empty() || actors.len() == MAX_ACTORS {
            return Err(TokenRefusal::Claims);
        }
        actors.push(Actor { subject: act.sub, issuer: act.iss });
        next = act.act.map(|inner| *inner);
    }
    Ok(actors)
}
