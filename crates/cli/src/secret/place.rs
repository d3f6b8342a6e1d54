//! Which secret store: a running platform's, by its tools over REST, or a stopped one's, by its files. Both answer with the
//! same JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use platform::lab_state::LabState;
use platform::secrets::{SecretMetadata, SecretRules, SecretStore, check_writable};
use platform::{Json, Secret};
use serde_json::json;
use server::offline::secrets;
use url::Url;

use crate::command::read_config;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::rest::{Connection, Rest};
use crate::terminal::Terminal;

/// Where the secrets are.
#[derive(Args)]
pub(super) struct Where {
    /// Public base URL of a running platform; the last one signed in to when nothing is named.
    #[arg(long, env = "INTERLOCK_URL", value_name = "URL", conflicts_with_all = ["config", "state"])]
    url: Option<Url>,
    /// Configuration file of a stopped platform.
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    config: Option<PathBuf>,
    /// State folder of a lab: stopped, or with --user running.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// With --state: the administrator of the running lab who acts.
    #[arg(long, value_name = "NAME", requires = "state")]
    user: Option<String>,
}

/// A secret store.
pub(super) enum Secrets {
    /// Of a platform that runs.
    Running(Rest),
    /// Of one that does not.
    Stopped(Arc<dyn SecretStore>),
}

impl Secrets {
    /// Finds the store. Errors: those of the sign-in; `store_in_use` where the platform runs and was not asked for by URL.
    pub(super) async fn open(place: Where, terminal: &Terminal) -> Outcome<Self> {
        let stopped = match place {
            Where { config: Some(file), .. } => secrets::open(&read_config(&file)?.config),
            Where { state: Some(state), user: None, .. } => secrets::open_lab(&LabState::at(state)),
            Where { state: Some(state), user: Some(user), .. } => {
                return Ok(Self::Running(Connection::to(None, Some((state, user))).open(terminal).await?));
            }
            Where { url, .. } => return Ok(Self::Running(Connection::to(url, None).open(terminal).await?)),
        };
        match stopped {
            Ok(store) => Ok(Self::Stopped(store)),
            Err(error) if error.code() == "store_in_use" => Err(Failure::new(
                Exit::Unavailable,
                "store_in_use",
                "The platform runs and has its secret store. Ask it: name it with --url, or a lab's person with --user.",
            )),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn put(
        &self,
        terminal: &Terminal,
        path: &str,
        data: BTreeMap<String, Secret>,
        cas: Option<u64>,
    ) -> Outcome<Json> {
        match self {
            Self::Running(rest) => {
                let mut arguments = json!({"path": path, "fields": exposed(&data)});
                insert(&mut arguments, "cas", cas);
                called(rest, terminal, "put_secret", &arguments).await
            }
            Self::Stopped(store) => {
                check_writable(path)?;
                let version = store.put(path, data, cas).await?;
                Ok(json!({"path": path, "version": version}))
            }
        }
    }

    pub(super) async fn list(&self, terminal: &Terminal, prefix: &str) -> Outcome<Json> {
        let mut paths: Vec<Json> = Vec::new();
        match self {
            Self::Running(rest) => {
                let mut after = Json::Null;
                loop {
                    let mut arguments = json!({"prefix": prefix, "limit": 1000});
                    insert(&mut arguments, "after", after.as_str());
                    let mut page = called(rest, terminal, "list_secrets", &arguments).await?;
                    if let Json::Array(more) = page["paths"].take() {
                        paths.extend(more);
                    }
                    after = page["next"].take();
                    if after.is_null() {
                        break;
                    }
                }
            }
            Self::Stopped(store) => paths.extend(store.list(prefix).await?.into_iter().map(Json::from)),
        }
        Ok(json!({"paths": paths}))
    }

    pub(super) async fn metadata(&self, terminal: &Terminal, path: &str) -> Outcome<Json> {
        match self {
            Self::Running(rest) => called(rest, terminal, "get_secret_metadata", &json!({"path": path})).await,
            Self::Stopped(store) => Ok(in_json(&store.metadata(path).await?)),
        }
    }

    pub(super) async fn delete(&self, terminal: &Terminal, path: &str, versions: &[u64]) -> Outcome<Json> {
        let arguments = json!({"path": path, "versions": versions});
        match self {
            Self::Running(rest) => called(rest, terminal, "delete_secret_version", &arguments).await,
            Self::Stopped(store) => {
                check_writable(path)?;
                store.delete_versions(path, versions).await?;
                Ok(arguments)
            }
        }
    }

    pub(super) async fn undelete(&self, terminal: &Terminal, path: &str, versions: &[u64]) -> Outcome<Json> {
        let arguments = json!({"path": path, "versions": versions});
        match self {
            Self::Running(rest) => called(rest, terminal, "undelete_secret_version", &arguments).await,
            Self::Stopped(store) => {
                check_writable(path)?;
                store.undelete_versions(path, versions).await?;
                Ok(arguments)
            }
        }
    }

    pub(super) async fn destroy(
        &self,
        terminal: &Terminal,
        path: &str,
        versions: &[u64],
        everything: bool,
    ) -> Outcome<Json> {
        match self {
            Self::Running(rest) => {
                let arguments = json!({"path": path, "versions": versions, "everything": everything});
                called(rest, terminal, "destroy_secret_version", &arguments).await
            }
            Self::Stopped(store) if everything => {
                check_writable(path)?;
                let versions: Vec<u64> = store.metadata(path).await?.versions.iter().map(|v| v.version).collect();
                store.delete_all(path).await?;
                Ok(json!({"path": path, "versions": versions}))
            }
            Self::Stopped(store) => {
                check_writable(path)?;
                store.destroy_versions(path, versions).await?;
                Ok(json!({"path": path, "versions": versions}))
            }
        }
    }

    pub(super) async fn set_rules(&self, terminal: &Terminal, path: &str, rules: SecretRules) -> Outcome<Json> {
        match self {
            Self::Running(rest) => {
                let mut arguments = json!({"path": path});
                insert(&mut arguments, "cas_required", rules.cas_required);
                insert(&mut arguments, "max_versions", rules.max_versions);
                insert(&mut arguments, "custom", rules.custom.map(|custom| json!(custom)));
                called(rest, terminal, "set_secret_rules", &arguments).await
            }
            Self::Stopped(store) => {
                check_writable(path)?;
                store.set_rules(path, rules).await?;
                let now = store.metadata(path).await?;
                Ok(json!({"path": path, "cas_required": now.cas_required, "max_versions": now.max_versions,
                    "custom": now.custom}))
            }
        }
    }

    /// A rotation tries the credential against the target, and only a running platform can.
    pub(super) fn can_rotate(&self) -> Outcome {
        match self {
            Self::Running(_) => Ok(()),
            Self::Stopped(_) => Err(Failure::new(
                Exit::Usage,
                "platform_not_running",
                "A credential is tried against its target before it is used, and only a running platform can do that. \
                 Start it and name it with --url, or write the credential untried with `interlock secret put`.",
            )),
        }
    }

    pub(super) async fn rotate(
        &self,
        terminal: &Terminal,
        server: &str,
        data: BTreeMap<String, Secret>,
        keep: bool,
    ) -> Outcome<Json> {
        self.can_rotate()?;
        let Self::Running(rest) = self else { return Ok(Json::Null) };
        let arguments = json!({"server": server, "fields": exposed(&data), "keep": keep});
        called(rest, terminal, "rotate_credential", &arguments).await
    }
}

async fn called(rest: &Rest, terminal: &Terminal, tool: &str, arguments: &Json) -> Outcome<Json> {
    Ok(rest.call_by_person(terminal, tool, arguments).await?.body["result"].take())
}

/// The one place where the values leave their type: the request's body.
fn exposed(data: &BTreeMap<String, Secret>) -> BTreeMap<&str, &str> {
    data.iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

fn insert(arguments: &mut Json, name: &str, value: Option<impl Into<Json>>) {
    if let (Some(members), Some(value)) = (arguments.as_object_mut(), value) {
        members.insert(name.to_owned(), value.into());
    }
}

/// As `get_secret_metadata` answers.
fn in_json(found: &SecretMetadata) -> Json {
    let versions: Vec<Json> = found
        .versions
        .iter()
        .map(|v| {
            json!({"version": v.version, "created_at": v.created_at.to_string(),
                "deleted_at": v.deleted_at.map(|t| t.to_string()), "destroyed": v.destroyed})
        })
        .collect();
    json!({"path": found.path, "current_version": found.current_version, "cas_required": found.cas_required,
        "max_versions": found.max_versions, "custom": found.custom, "versions": versions})
}
