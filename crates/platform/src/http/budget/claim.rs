//! On whose behalf a request is sent. The pipeline says it once around a tool; each request below is counted for that caller,
//! without a connector having to hand it on, and none can forget it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Who goes before whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A tool of the classes `change`, `disruptive`, `control`.
    Change,
    /// A person.
    Person,
    /// An agent that acts for a person, or a program.
    Agent,
    /// The platform itself, for nobody in particular.
    Background,
}

impl Class {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Change, Self::Person, Self::Agent, Self::Background];

    /// Stable name, for a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Person => "person",
            Self::Agent => "agent",
            Self::Background => "background",
        }
    }

    /// How much of a target's rate and concurrency the class may use: what is above it is the reserve of those before it. At
    /// least 1, so that a small budget is a slow one and no refusal.
    pub(super) fn share_of(self, whole: u32) -> u32 {
        let percent = match self {
            Self::Change => 100,
            Self::Person => 90,
            Self::Agent => 70,
            Self::Background => 50,
        };
        u32::try_from(u64::from(whole) * percent / 100).unwrap_or(whole).max(1)
    }

    /// How often a caller of the class has a turn while others wait too.
    pub(super) fn weight(self) -> u64 {
        match self {
            Self::Change | Self::Person => 4,
            Self::Agent => 2,
            Self::Background => 1,
        }
    }
}

/// One caller, for the length of one call.
#[derive(Debug, Clone)]
pub struct Claim {
    class: Class,
    caller: Arc<str>,
    queued_us: Arc<AtomicU64>,
}

tokio::task_local! {
    static CURRENT: Claim;
}

impl Claim {
    /// Of a caller by its key.
    pub fn new(class: Class, caller: &str) -> Self {
        Self { class, caller: caller.into(), queued_us: Arc::default() }
    }

    /// Sends what `work` sends on behalf of this caller.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work).await
    }

    /// The one under which the current task sends; outside of all of them, the platform itself. Who spawns a task that sends
    /// hands it on with [`Self::scope`].
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_else(|_| Self::new(Class::Background, "platform"))
    }

    /// Who goes before whom.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The caller's key.
    pub(super) fn caller(&self) -> &Arc<str> {
        &self.caller
    }

    /// How long its requests have waited so far, all together.
    pub fn queued(&self) -> Duration {
        Duration::from_micros(self.queued_us.load(Ordering::SeqCst))
    }

    pub(super) fn waited(&self, time: Duration) {
        self.queued_us.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}
