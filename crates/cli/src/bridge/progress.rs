//! What a client hears before its answer: notifications of the platform as they are, and progress of our own where the
//! bridge waits on the client's behalf. Progress under one token only grows (MCP "Progress").

use std::pin::pin;
use std::time::Duration;

use platform::Json;
use serde_json::json;
use tokio::sync::mpsc;

use super::message::Message;

/// Between two words about a wait.
const EVERY: Duration = Duration::from_secs(3);

/// The hearing of one request.
pub(super) struct Progress {
    out: Option<mpsc::Sender<String>>,
    token: Option<Json>,
    last: f64,
}

impl Progress {
    /// For a request of the client.
    pub(super) fn new(message: &Message, out: mpsc::Sender<String>) -> Self {
        Self { out: Some(out), token: message.progress_token().cloned(), last: 0.0 }
    }

    /// For a request of our own.
    pub(super) fn unheard() -> Self {
        Self { out: None, token: None, last: 0.0 }
    }

    /// A notification of the platform.
    pub(super) async fn heard(&mut self, text: String, notification: &Json) {
        let params = &notification["params"];
        if notification["method"] == "notifications/progress" && Some(&params["progressToken"]) == self.token.as_ref() {
            let progress = params["progress"].as_f64().unwrap_or_default();
            // A repeated call begins again; the client has heard that already.
            if progress <= self.last {
                return;
            }
            self.last = progress;
        }
        self.send(text).await;
    }

    /// Says how a long wait goes on, to a client that asked for it.
    pub(super) async fn tell(&mut self, message: &str) {
        let Some(token) = &self.token else { return };
        self.last = self.last.floor() + 1.0;
        let params = json!({"progressToken": token, "progress": self.last, "message": message});
        let line = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params});
        self.send(line.to_string()).await;
    }

    /// Waits for what a person does, and says so at once: the client shows it while there is something to do.
    pub(super) async fn while_a_person_acts<T>(&mut self, words: &str, work: impl Future<Output = T>) -> T {
        self.tell(words).await;
        self.while_waiting(words, work).await
    }

    /// Waits, and says so every few seconds: a client's patience ends sooner than a person's.
    pub(super) async fn while_waiting<T>(&mut self, words: &str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(EVERY) => self.tell(words).await,
            }
        }
    }

    async fn send(&self, line: String) {
        if let Some(out) = &self.out {
            // A client that is gone has ended the bridge already.
            drop(out.send(line).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use tokio::sync::mpsc;

    use super::Progress;
    use crate::bridge::message::Message;

    #[tokio::test]
    async fn progress_only_grows_whoever_reports_it() {
        let line = json!({"id": 1, "method": "tools/call", "params": {"_meta": {"progressToken": "p"}}});
        let message = Message::parse(&line.to_string()).unwrap();
        let (sender, mut lines) = mpsc::channel(16);
        let mut progress = Progress::new(&message, sender);
        for n in [3.5, 3.5, 1.0] {
            let notification =
                json!({"method": "notifications/progress", "params": {"progressToken": "p", "progress": n}});
            progress.heard(notification.to_string(), &notification).await;
        }
        progress.tell("still waiting").await;
        let other = json!({"method": "notifications/message", "params": {}});
        progress.heard(other.to_string(), &other).await;
        progress.while_waiting("no time passes", async {}).await;
        progress.while_a_person_acts("sign in", async {}).await;
        drop(progress);
        let mut heard = Vec::new();
        while let Some(line) = lines.recv().await {
            heard.push(serde_json::from_str::<Json>(&line).unwrap()["params"]["progress"].clone());
        }
        assert_eq!(heard, [json!(3.5), json!(4.0), Json::Null, json!(5.0)]);
    }
}
