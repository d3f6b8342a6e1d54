//! From verified claims to a principal that is never more than its issuer's entry allows (T2, T4).

use platform::Json;
use platform::principal::{Actor, Principal, PrincipalKind, TokenFacts};
use platform::tokens::TokenRefusal;
use serde_json::Map;

use crate::claims::{Act, Claims};
use crate::entry::IssuerEntry;

/// Longest chain of actors.
const MAX_ACTORS: usize = 8;

/// Builds the principal. `client_id` is the client that the token was issued to.
pub(crate) fn principal(
    entry: &IssuerEntry,
    claims: Claims,
    payload: &Map<String, Json>,
    client_id: String,
) -> Result<Principal, TokenRefusal> {
    let by_itself = claims.sub == client_id || (claims.auth_time.is_none() && entry.is_marked_client(payload));
    let kind = if by_itself { PrincipalKind::Client } else { PrincipalKind::Person };
    let person = match kind {
        PrincipalKind::Client => claims.sub.clone(),
        PrincipalKind::Person => match payload.get(&entry.person_claim) {
            Some(Json::String(person)) if !person.is_empty() => person.clone(),
            _ => return Err(TokenRefusal::Claims),
        },
    };
    let mfa = kind == PrincipalKind::Person && entry.mfa.holds(claims.acr.as_deref(), &claims.amr);
    let named = [&claims.preferred_username, &claims.name].into_iter().flatten().find(|name| !name.trim().is_empty());
    Ok(Principal {
        name: named.unwrap_or(&claims.sub).clone(),
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
            key: None,
            issued_at: claims.iat,
            expires_at: claims.exp,
        },
        issuer: claims.iss,
        subject: claims.sub,
        acr: claims.acr,
        amr: claims.amr,
        auth_time: claims.auth_time,
    })
}

/// A list of strings or nothing; anything else (nested lists, one text, `null`) is refused rather than guessed at.
fn groups(entry: &IssuerEntry, payload: &Map<String, Json>) -> Result<Vec<String>, TokenRefusal> {
    let Some(claim) = payload.get(&entry.groups_claim) else { return Ok(Vec::new()) };
    let mut groups = Vec::new();
    for group in claim.as_array().ok_or(TokenRefusal::Claims)? {
        let group = group.as_str().ok_or(TokenRefusal::Claims)?;
        if entry.allowed_groups.as_ref().is_some_and(|allowed| allowed.iter().any(|one| one == group)) {
            groups.push(group.to_owned());
        }
    }
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
