//! A token verifier that knows a fixed list of tokens.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use platform::Principal;
use platform::principal::{PrincipalKind, TokenFacts, TokenProof};
use platform::resource::Resource;
use platform::tokens::{ClientCertificate, TokenRefusal, TokenVerifier};

/// The issuer of every principal made here.
pub const ISSUER: &str = "https://issuer.test";

/// Accepts the tokens it was given, each for the resources it was given for (T1), and refuses everything else.
#[derive(Default)]
pub struct StaticTokens {
    known: HashMap<String, Known>,
    bound: HashMap<String, Arc<Principal>>,
}

struct Known {
    principal: Arc<Principal>,
    resources: Option<Vec<Resource>>,
}

impl StaticTokens {
    /// Also accepts `token`, at every resource.
    #[must_use]
    pub fn with(mut self, token: &str, principal: Principal) -> Self {
        self.known.insert(token.to_owned(), Known { principal: Arc::new(principal), resources: None });
        self
    }

    /// Also accepts `token`, at these resources only.
    #[must_use]
    pub fn with_at(mut self, token: &str, principal: Principal, resources: &[Resource]) -> Self {
        let resources = Some(resources.to_vec());
        self.known.insert(token.to_owned(), Known { principal: Arc::new(principal), resources });
        self
    }
}

impl StaticTokens {
    /// Also accepts `<token>.<thumbprint>`, at every resource, of a caller that showed the certificate with that SHA-256
    /// in lower-case hexadecimal.
    #[must_use]
    pub fn with_bound(mut self, token: &str, principal: Principal) -> Self {
        self.bound.insert(token.to_owned(), Arc::new(principal));
        self
    }
}

/// A person with these groups, signed in without a second factor, with a token that does not expire in any test.
pub fn person(subject: &str, groups: &[&str]) -> Principal {
    let mut groups: Vec<_> = groups.iter().map(|&group| group.to_owned()).collect();
    groups.sort();
    groups.dedup();
    Principal {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        person: subject.to_owned(),
        name: subject.to_owned(),
        kind: PrincipalKind::Person,
        groups,
        client_id: "test-client".to_owned(),
        scopes: vec!["mcp".to_owned()],
        acr: None,
        amr: vec!["pwd".to_owned()],
        auth_time: None,
        mfa: false,
        actors: Vec::new(),
        token: TokenFacts {
            id: None,
            session: None,
            key: None,
            proof: TokenProof::Signature,
            issued_at: 0,
            expires_at: i64::from(u32::MAX),
        },
    }
}

#[async_trait]
impl TokenVerifier for StaticTokens {
    async fn verify(
        &self,
        token: &str,
        resource: &Resource,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Arc<Principal>, TokenRefusal> {
        if let Some((token, thumbprint)) = token.split_once('.')
            && let Some(principal) = self.bound.get(token)
        {
            let shown = certificate.map(|shown| shown.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            return (shown.as_deref() == Some(thumbprint)).then(|| principal.clone()).ok_or(TokenRefusal::Certificate);
        }
        let known = self.known.get(token).ok_or(TokenRefusal::Signature)?;
        let wider = resource.wider();
        let good = |r: &Resource| r == resource || Some(r) == wider.as_ref();
        if known.resources.as_ref().is_some_and(|resources| !resources.iter().any(good)) {
            return Err(TokenRefusal::Audience);
        }
        Ok(Arc::clone(&known.principal))
    }

    fn issuers(&self) -> Vec<String> {
        vec![ISSUER.to_owned()]
    }

    fn required_scopes(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use platform::resource::Resource;
    use platform::tokens::{TokenRefusal, TokenVerifier};

    use super::{StaticTokens, person};

    #[tokio::test]
    async fn t1_a_token_for_one_resource_is_refused_at_another() {
        let tokens = StaticTokens::default().with_at("t", person("alice", &["b", "a", "b"]), &[Resource::Mcp]);
        assert_eq!(tokens.verify("t", &Resource::Mcp, None).await.unwrap().groups, ["a", "b"]);
        assert_eq!(tokens.verify("t", &Resource::Rest, None).await.unwrap_err(), TokenRefusal::Audience);
        assert_eq!(tokens.verify("u", &Resource::Mcp, None).await.unwrap_err(), TokenRefusal::Signature);
    }
}
