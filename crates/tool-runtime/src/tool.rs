//! A tool: its published description, and the function behind it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use platform::policy::TargetFacts;
use platform::{CallContext, Error, Json, SharedClock};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::artifacts::CallArtifacts;
use crate::connector::Lease;
use crate::pipeline::IntentJournal;
use crate::secret_arguments::SecretArguments;

/// What a repeat of the call would do (T20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideEffect {
    /// A repeat does no harm.
    Idempotent,
    /// A repeat would act again, but the target's own records tell whether the first attempt happened.
    Discoverable,
    /// Never resent.
    Once,
}

/// An argument that names something in the target system; resolved to verified facts before policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetArgument {
    /// Member of the arguments object.
    pub argument: &'static str,
    /// `device`, `site`, `template`, …: what [`crate::Connector::look_up`] is asked for.
    pub kind: &'static str,
}

/// What is published about a tool, and how the pipeline treats it. The risk class is not here: it is the operator's.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// `verb_noun`, `[a-z0-9_]{1,40}`.
    pub name: &'static str,
    /// For people: a few words.
    pub title: &'static str,
    /// For the model: what it does, what it needs, what comes back.
    pub description: &'static str,
    /// JSON Schema 2020-12 of the arguments; an object. The published schema is the enforced one. Secrets among them are
    /// marked ([`crate::SecretArgument`]).
    pub input: Json,
    /// JSON Schema 2020-12 of the structured result; an object.
    pub output: Json,
    /// Side effect.
    pub effect: SideEffect,
    /// Arguments that name targets.
    pub targets: &'static [TargetArgument],
    /// A change will rest on the facts about its targets: they are held to what is asked of a change, whatever the tool's class.
    pub proven_targets: bool,
    /// How long a result may be served again to callers under equal obligations; `None` = never cached.
    pub cache_for: Option<Duration>,
    /// Longest time one call may run.
    pub timeout: Duration,
    /// Ports are registered but never listed or callable from outside.
    pub listed: bool,
    /// The result is for this caller now and is kept nowhere: not in a cache, and not under an idempotency key.
    pub confidential: bool,
    /// The result depends on who asks, beside arguments and obligations: equal calls of different callers are not one.
    pub per_caller: bool,
    /// Example arguments for documentation and `tools describe`.
    pub example: Option<Json>,
}

impl ToolSpec {
    /// A read with the schemas of `A` and `R`, 30 seconds, no cache.
    pub fn new<A: JsonSchema, R: JsonSchema>(
        name: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            title,
            description,
            input: schema_of::<A>(),
            output: schema_of::<R>(),
            effect: SideEffect::Idempotent,
            targets: &[],
            proven_targets: false,
            cache_for: None,
            timeout: Duration::from_secs(30),
            listed: true,
            confidential: false,
            per_caller: false,
            example: None,
        }
    }

    /// Declares the arguments that name targets.
    #[must_use]
    pub fn targets(mut self, targets: &'static [TargetArgument]) -> Self {
        self.targets = targets;
        self
    }

    /// Refuses targets whose facts no change may rest on: old, unread or contradicted ones.
    #[must_use]
    pub fn proven_targets(mut self) -> Self {
        self.proven_targets = true;
        self
    }

    /// Declares the side effect.
    #[must_use]
    pub fn effect(mut self, effect: SideEffect) -> Self {
        self.effect = effect;
        self
    }

    /// Lets results be cached.
    #[must_use]
    pub fn cache_for(mut self, ttl: Duration) -> Self {
        self.cache_for = Some(ttl);
        self
    }

    /// Keeps the result nowhere.
    #[must_use]
    pub fn confidential(mut self) -> Self {
        self.confidential = true;
        self.cache_for = None;
        self
    }

    /// Says that the result depends on who asks.
    #[must_use]
    pub fn per_caller(mut self) -> Self {
        self.per_caller = true;
        self.cache_for = None;
        self
    }

    /// Sets the longest time of a call.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Gives an example of the arguments.
    #[must_use]
    pub fn example(mut self, example: Json) -> Self {
        self.example = Some(example);
        self
    }
}

/// The JSON Schema 2020-12 of a type, as published and enforced.
pub fn schema_of<T: JsonSchema>() -> Json {
    SchemaSettings::draft2020_12()
        .with(|s| s.inline_subschemas = true)
        .with_transform(RecursiveTransform(without_number_format))
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Rust's number types are no formats of JSON Schema, and some clients complain about each of them.
fn without_number_format(schema: &mut Schema) {
    let number = |f: &str| f.starts_with("uint") || f.starts_with("int") || f == "double" || f == "float";
    if schema.get("format").and_then(Json::as_str).is_some_and(number) {
        schema.remove("format");
    }
}

/// What a tool gets beside its arguments. Cheap to clone.
#[derive(Clone)]
pub struct ToolCx {
    /// The call.
    pub call: Arc<CallContext>,
    /// The server instance's credential, leased for this call; empty for connectors that need none.
    pub lease: Arc<Lease>,
    /// Facts of the targets that the arguments name, in the order of [`ToolSpec::targets`].
    pub targets: Arc<[TargetFacts]>,
    /// When the call must be over.
    pub deadline: Instant,
    /// Time of day.
    pub clock: SharedClock,
    /// The secrets among the arguments; [`crate::SecretArgument::reveal`] reads them.
    pub secrets: Arc<SecretArguments>,
    /// Where the call keeps what others refer to, and reads it.
    pub artifacts: CallArtifacts,
    /// For writes: where the target's handle is written down before the first poll (T20).
    pub journal: Option<IntentJournal>,
}

/// Work that goes on after the reply: REST answers 202 with a `Location` that makes this call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// A read tool of the same server.
    pub tool: Cow<'static, str>,
    /// Its arguments.
    pub arguments: Json,
}

/// A tool's result.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutput {
    /// Structured result; conforms to the tool's output schema.
    pub structured: Json,
    /// Work that goes on.
    pub follow_up: Option<FollowUp>,
}

impl ToolOutput {
    /// A finished result.
    pub fn of<R: Serialize>(result: &R) -> Result<Self, Error> {
        let structured = serde_json::to_value(result).map_err(Error::internal)?;
        Ok(Self { structured, follow_up: None })
    }
}

/// A tool. Only the pipeline calls it.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// Its description.
    fn spec(&self) -> &ToolSpec;

    /// Runs it with arguments that conform to the input schema.
    async fn call(&self, cx: ToolCx, arguments: Json) -> Result<ToolOutput, Error>;
}

/// A tool out of a typed function: arguments in, result out.
pub struct TypedTool<F, A, R> {
    spec: ToolSpec,
    function: F,
    types: std::marker::PhantomData<fn(A) -> R>,
}

/// Makes a tool of `function`. The arguments were validated against the schema of `A` before it runs.
pub fn typed<A, R, F, Fut>(spec: ToolSpec, function: F) -> Arc<dyn Tool>
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
    F: Fn(ToolCx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    Arc::new(TypedTool { spec, function, types: std::marker::PhantomData })
}

#[async_trait]
impl<F, A, R, Fut> Tool for TypedTool<F, A, R>
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
    F: Fn(ToolCx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, cx: ToolCx, arguments: Json) -> Result<ToolOutput, Error> {
        let arguments = parse_arguments(arguments)?;
        ToolOutput::of(&(self.function)(cx, arguments).await?)
    }
}

/// A tool whose work may go on after its reply.
struct FollowingTool<F, A, R> {
    spec: ToolSpec,
    function: F,
    types: std::marker::PhantomData<fn(A) -> R>,
}

/// Makes a tool of a function that answers with its result and, while the work goes on, with the call that follows it.
pub fn following<A, R, F, Fut>(spec: ToolSpec, function: F) -> Arc<dyn Tool>
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    F: Fn(ToolCx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(R, Option<FollowUp>), Error>> + Send + 'static,
{
    Arc::new(FollowingTool { spec, function, types: std::marker::PhantomData })
}

#[async_trait]
impl<F, A, R, Fut> Tool for FollowingTool<F, A, R>
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    F: Fn(ToolCx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(R, Option<FollowUp>), Error>> + Send + 'static,
{
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, cx: ToolCx, arguments: Json) -> Result<ToolOutput, Error> {
        let arguments = parse_arguments(arguments)?;
        let (result, follow_up) = (self.function)(cx, arguments).await?;
        Ok(ToolOutput { follow_up, ..ToolOutput::of(&result)? })
    }
}

/// Arguments of a tool as its type; what the schema lets through and the type does not is the caller's mistake too.
pub fn parse_arguments<A: DeserializeOwned>(arguments: Json) -> Result<A, Error> {
    // To JSON Schema, 5.0 is an integer; to Serde it is none.
    let read =
        serde_json::from_value(arguments.clone()).or_else(|_| serde_json::from_value(with_whole_numbers(arguments)));
    read.map_err(|_| {
        // Serde's own message repeats the value it stumbled over.
        Error::new(
            platform::ErrorKind::InvalidInput,
            "invalid_arguments",
            "The arguments fit the tool's schema and still cannot be read as what the tool needs. Correct them.",
        )
    })
}

/// The same value, its numbers without a fraction of zero.
fn with_whole_numbers(value: Json) -> Json {
    match value {
        Json::Number(number) => {
            let whole = number.as_f64().filter(|n| n.fract() == 0.0).map(|n| format!("{n:.0}"));
            whole.and_then(|whole| serde_json::from_str(&whole).ok()).unwrap_or(Json::Number(number))
        }
        Json::Array(items) => items.into_iter().map(with_whole_numbers).collect(),
        Json::Object(members) => members.into_iter().map(|(name, value)| (name, with_whole_numbers(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse_arguments;

    #[test]
    fn a_whole_number_is_an_integer_however_it_is_written() {
        let read: (u32, Vec<i64>, f64) = parse_arguments(json!([270.0, [-3.0, 2], 1.0])).unwrap();
        assert_eq!(read, (270, vec![-3, 2], 1.0));
        assert!(parse_arguments::<u32>(json!(1.5)).is_err() && parse_arguments::<u32>(json!(1e300)).is_err());
    }
}
