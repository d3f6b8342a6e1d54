//! [`Issuer`]: what it is opened with, and the state that its handlers share. Routes stand in `router`.

use std::sync::Arc;

use platform::audit::{AuditActor, AuditEntry, AuditLog, Outcome};
use platform::audit_refusals::RefusalCounter;
use platform::http::{ForeignClient, OutboundObserver};
use platform::keys::PurposeKey;
use platform::resource::BaseUrl;
use platform::revocation::Revocations;
use platform::store::Store;
use platform::{Error, ErrorKind, Json, SharedClock};
use url::Url;

use crate::client_documents::ClientDocuments;
use crate::clients::{Client, Clients, NewClient};
use crate::codes::Codes;
use crate::device::Polls;
use crate::key_ring::KeyRing;
use crate::passwords::Passwords;
use crate::sealing::Sealer;
use crate::sessions::Sessions;
use crate::setup::Setup;
use crate::throttle::Throttle;
use crate::users::{NewUser, User, Users};

/// What an issuer needs.
pub struct IssuerOptions {
    /// The issuer identifier, `<public url>/issuer`: `http` or `https`, without query and fragment.
    pub url: Url,
    /// The platform's public base URL: the default audience, and the root of every allowed `resource` (T1).
    pub platform: BaseUrl,
    /// Time.
    pub clock: SharedClock,
    /// Users, clients, and used one-time codes.
    pub store: Arc<dyn Store>,
    /// Sign-ins and tokens are recorded there.
    pub audit: Arc<dyn AuditLog>,
    /// Counts who is refused before they are known (T25); the server runs it.
    pub refusals: Arc<RefusalCounter>,
    /// Sign tokens.
    pub keys: KeyRing,
    /// Seals TOTP secrets in the store and the state of unfinished sign-ins in the pages, and authenticates refresh tokens.
    /// Must outlive a restart.
    pub sealing_key: PurposeKey,
    /// Is told what is revoked (T3).
    pub revocations: Arc<dyn Revocations>,
    /// Reads the documents of clients whose id is a URL.
    pub foreign: ForeignClient,
    /// Hears of every logout token that is sent.
    pub observer: Option<Arc<dyn OutboundObserver>>,
    /// Clients may register themselves (RFC 7591): in a lab only (T30).
    pub open_registration: bool,
}

/// The issuer. Clones share one state.
#[derive(Clone)]
pub struct Issuer(pub(crate) Arc<State>);

/// What all handlers share.
pub(crate) struct State {
    /// Issuer identifier, without trailing slash.
    pub(crate) url: String,
    /// Path of the identifier, `/issuer`: where cookies and forms belong.
    pub(crate) path: String,
    /// The identifier's scheme is `https`.
    pub(crate) secure: bool,
    pub(crate) platform: BaseUrl,
    pub(crate) clock: SharedClock,
    pub(crate) audit: Arc<dyn AuditLog>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: KeyRing,
    pub(crate) sealer: Sealer,
    pub(crate) users: Users,
    pub(crate) clients: Clients,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) sessions: Sessions,
    pub(crate) codes: Codes,
    pub(crate) refusals: Arc<RefusalCounter>,
    pub(crate) revocations: Arc<dyn Revocations>,
    pub(crate) documents: ClientDocuments,
    pub(crate) open_registration: bool,
    pub(crate) observer: Option<Arc<dyn OutboundObserver>>,
    pub(crate) polls: Polls,
    pub(crate) setup: Setup,
    /// Rings when logout tokens are to be sent.
    pub(crate) logouts: tokio::sync::Notify,
    /// Held while somebody decides whether an administrator is left.
    pub(crate) administering: tokio::sync::Mutex<()>,
}

impl Issuer {
    /// Opens the issuer; nothing is read or written yet. Error: `issuer_url_invalid`.
    pub fn open(options: IssuerOptions) -> Result<Self, Error> {
        let url = &options.url;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !plain {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "issuer_url_invalid",
                "The issuer's URL must be http or https, without user, query and fragment.",
            ));
        }
        let sealer = Sealer::new(&options.sealing_key);
        let state = Arc::new(State {
            url: url.as_str().trim_end_matches('/').to_owned(),
            path: url.path().trim_end_matches('/').to_owned(),
            secure: url.scheme() == "https",
            platform: options.platform,
            clock: options.clock,
            audit: options.audit,
            users: Users::new(Arc::clone(&options.store)),
            clients: Clients::new(Arc::clone(&options.store)),
            store: options.store,
            keys: options.keys,
            sealer,
            passwords: Passwords::new(),
            throttle: Throttle::new(),
            sessions: Sessions::new(),
            codes: Codes::new(),
            refusals: options.refusals,
            revocations: options.revocations,
            documents: ClientDocuments::new(options.foreign),
            open_registration: options.open_registration,
            observer: options.observer,
            polls: Polls::new(),
            setup: Setup::default(),
            logouts: tokio::sync::Notify::new(),
            administering: tokio::sync::Mutex::default(),
        });
        Ok(Self(state))
    }

    /// All routes, relative to the issuer's URL; nest it at that URL's path. Serve it with
    /// `into_make_service_with_connect_info::<SocketAddr>()`: throttling and audit read the caller's address there.
    pub fn router(&self) -> axum::Router {
        crate::router::router(self.clone())
    }

    /// The same below `/issuer`, as a platform serves it, with its metadata where RFC 8414 and RFC 9728 insert the
    /// well-known part.
    pub fn mounted(&self) -> axum::Router {
        let document = |json: Json| {
            axum::routing::get(move || {
                let json = json.clone();
                async move { axum::Json(json) }
            })
        };
        let metadata = document(self.metadata_json());
        axum::Router::new()
            .nest("/issuer", self.router())
            .route("/.well-known/oauth-authorization-server/issuer", metadata.clone())
            .route("/.well-known/openid-configuration/issuer", metadata)
            .route("/.well-known/oauth-protected-resource/issuer/admin", document(self.administration_json()))
    }

    /// The discovery document (OpenID Connect Discovery 1.0, RFC 8414). The server also serves it at
    /// `/.well-known/oauth-authorization-server/issuer` and `/.well-known/openid-configuration/issuer`, where RFC 8414
    /// inserts the well-known part before an issuer's path.
    pub fn metadata_json(&self) -> Json {
        crate::metadata::document(&self.0)
    }

    /// The document of the administration as a protected resource (RFC 9728). The server serves it at
    /// `/.well-known/oauth-protected-resource/issuer/admin`.
    pub fn administration_json(&self) -> Json {
        crate::metadata::administration(&self.0)
    }

    /// Creates or replaces a user; what is unchanged is not written. Returns the subject. Errors: `user_invalid`
    /// ([`ErrorKind::InvalidInput`]), the store's.
    pub async fn create_user(&self, user: NewUser) -> Result<String, Error> {
        self.0.users.upsert(user, &self.0.passwords, &self.0.sealer).await
    }

    /// Creates or replaces a client; what is unchanged is not written. Errors: `client_invalid`
    /// ([`ErrorKind::InvalidInput`]), the store's.
    pub async fn create_client(&self, client: NewClient) -> Result<(), Error> {
        self.0.clients.upsert(client).await
    }

    /// Whether its store holds people or clients that a lab put there (T30). Errors: the store's.
    pub async fn holds_a_lab(&self) -> Result<bool, Error> {
        let clients = self.0.clients.all().await?.iter().any(Client::is_seeded);
        Ok(clients || self.0.users.all().await?.iter().any(User::is_seeded))
    }
}

impl State {
    /// Counts a refusal of somebody who is not known (T25).
    pub(crate) fn refuse(&self, source: Option<std::net::IpAddr>, reason: &'static str, account: Option<&str>) {
        self.refusals.count_aimed(source, reason, account);
    }

    /// Records what a known user did. Nothing may happen when this fails.
    pub(crate) async fn record(
        &self,
        action: &str,
        outcome: Outcome,
        actor: AuditActor,
        source: Option<std::net::IpAddr>,
        code: Option<&str>,
        facts: &[(&str, Json)],
    ) -> Result<(), Error> {
        let mut entry = AuditEntry::event(self.clock.now(), action, outcome);
        entry.actor = Some(actor);
        entry.source = source;
        entry.code = code.map(str::to_owned);
        entry.protocol = Some("oidc".to_owned());
        entry.facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.audit.append(entry).await.map(|_| ())
    }

    /// A user as the audit log keeps it.
    pub(crate) fn actor(&self, user: &User, client_id: &str) -> AuditActor {
        AuditActor {
            issuer: self.url.clone(),
            subject: user.sub.clone(),
            name: user.name.clone(),
            groups: user.groups.clone(),
            client_id: client_id.to_owned(),
            act: Vec::new(),
        }
    }
}
