//! `subscriptions/listen` (MCP 2026-07-28 "Subscriptions"): one stream that tells a caller that a list or a resource
//! changed. rmcp acknowledges first and keeps to what was asked for.
//!
//! A stream is not for ever: it ends with a result after [`EndpointOptions::longest_stream`], so that the caller comes
//! back with a token that is checked again, and when the server stops. Nobody holds more than a few.
//!
//! [`EndpointOptions::longest_stream`]: crate::EndpointOptions::longest_stream

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use platform::{Error, ErrorKind};
use rmcp::model::{ErrorData, SubscriptionFilter};
use rmcp::service::{SubscriptionContext, SubscriptionSink};
use tokio::sync::broadcast::error::RecvError;

use super::Bridge;
use crate::changes::Change;
use crate::error::{error_data, internal};

/// Open streams of one person on one endpoint, and of all.
const PER_PERSON: u32 = 8;
const IN_ALL: u32 = 1_024;

/// Who holds how many streams.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<String, u32>>);

/// One stream, counted until it is dropped.
struct Counted<'a>(&'a Streams, String);

impl Streams {
    fn open(&self, person: &str) -> Result<Counted<'_>, Error> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = held.get(person).copied().unwrap_or(0);
        if mine >= PER_PERSON || held.values().sum::<u32>() >= IN_ALL {
            return Err(Error::new(
                ErrorKind::RateLimited,
                "too_many_streams",
                "Too many streams are open already. Close one, or ask for the lists instead of listening.",
            ));
        }
        held.insert(person.to_owned(), mine + 1);
        Ok(Counted(self, person.to_owned()))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut held = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = held.get_mut(&self.1) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                held.remove(&self.1);
            }
        }
    }
}

impl Bridge {
    /// All that was asked for where this server tells of changes; rmcp takes out what is not advertised.
    pub(super) fn subscriptions(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.0.changes.as_ref().map(|_| requested.clone())
    }

    pub(super) async fn stream(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let Some(changes) = &self.0.changes else { return Err(internal("nothing to listen to")) };
        let mut changes = changes.listen();
        let cx = Self::call_context(subscription.request_context())?;
        let person = format!("{}\n{}", cx.principal.issuer, cx.principal.subject);
        let _counted = self.0.streams.open(&person).map_err(|e| error_data(&e))?;
        let shared = Arc::clone(&self.0);
        let end = tokio::time::sleep(shared.options.longest_stream);
        tokio::pin!(end);
        loop {
            let change = tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                () = shared.stopping.cancelled() => return Ok(()),
                () = &mut end => return Ok(()),
                change = changes.recv() => change,
            };
            let sink = subscription.sink();
            match change {
                Ok(change) => tell(sink, change).await,
                // Too slow to hear each one: everything may have changed.
                Err(RecvError::Lagged(_)) => {
                    for change in [Change::Tools, Change::Prompts, Change::Resources] {
                        tell(sink, change).await;
                    }
                    for uri in sink.accepted().resource_subscriptions.iter().flatten() {
                        tell(sink, Change::Resource(uri.clone())).await;
                    }
                }
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

async fn tell(sink: &SubscriptionSink, change: Change) {
    let accepted = sink.accepted();
    let sent = match change {
        Change::Tools if accepted.tools_list_changed == Some(true) => sink.notify_tool_list_changed().await,
        Change::Prompts if accepted.prompts_list_changed == Some(true) => sink.notify_prompt_list_changed().await,
        Change::Resources if accepted.resources_list_changed == Some(true) => sink.notify_resource_list_changed().await,
        Change::Resource(uri) if accepted.resource_subscriptions.as_ref().is_some_and(|uris| uris.contains(&uri)) => {
            sink.notify_resource_updated(uri).await
        }
        _ => return,
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "a listener is gone");
    }
}

#[cfg(test)]
mod tests {
    use super::{PER_PERSON, Streams};

    #[test]
    fn nobody_holds_more_than_a_few_streams_and_a_closed_one_is_given_back() {
        let streams = Streams::default();
        let mut held: Vec<_> = (0..PER_PERSON).map(|_| streams.open("a")).collect();
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(streams.open("a").map(drop).map_err(|e| e.code().to_owned()), Err("too_many_streams".to_owned()));
        assert!(streams.open("b").is_ok());
        held.pop();
        assert!(streams.open("a").is_ok());
        drop(held);
        assert!(streams.0.lock().unwrap().is_empty());
    }
}
