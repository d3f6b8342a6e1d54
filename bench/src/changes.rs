//! `--part changes`: what a look at one and a page of their list take with a hundred thousand of them in the store of truth. They
//! are asked for as the tools `get_change` and `list_changes` ask, over a file on a real disk, without the road around it.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use change_control::book::{CHANGES, PLANS};
use change_control::view::{ListFilter, Requesters};
use change_control::{ChangeBook, ChangeId, ChangeParts, Changes, GrantKeys, RunStarter, State};
use platform::clock::SystemClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::resource::{BaseUrl, Resource};
use platform::revocation::RunFloors;
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::store::{Expect, Op, Store};
use platform::telemetry::Metrics;
use platform::{CallContext, Error, Principal, SharedClock};
use platform_suites::tokens::person;
use platform_suites::{MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, StaticPolicy, sealed_artifacts};
use store_sqlite::SqliteStore;
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::{Pipeline, Visibility};

use crate::ended;
use crate::load::Asked;
use crate::machine::{Machine, PROFILE};
use crate::report::{self, progress};

/// Changes in the store.
const KEPT: usize = 100_000;
/// Of so many one is open.
const ONE_OPEN_OF: usize = 1_000;
/// People who asked for them.
const REQUESTERS: usize = 20;
/// Changes that are written in one transaction.
const AT_A_TIME: usize = 250;
/// Rows of a page.
const PAGE: usize = 100;
/// Questions of each kind.
const ASKED: usize = 500;
/// Most milliseconds of a question.
const MOST_P99_MS: f64 = 50.0;
/// The text between these lines of a document is written anew.
const MARKS: [&str; 2] = ["<!-- changes: begin -->", "<!-- changes: end -->"];

/// What was measured.
struct Report {
    machine: Machine,
    /// Size of one row and its plan, as text.
    kib_each: f64,
    file_mib: f64,
    asked: Vec<Asked>,
}

/// A page that is asked for.
struct Question {
    what: &'static str,
    who: Principal,
    filter: ListFilter,
    from: Option<ChangeId>,
    /// How many rows come back.
    rows: usize,
}

/// Measures in a folder below `here`, and writes the table into the document `into`.
pub(crate) fn measure(here: &Path, into: Option<&PathBuf>) -> Result<()> {
    let machine = Machine::read();
    let folder = tempfile::Builder::new().prefix("bench-changes-").tempdir_in(here)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(run(machine, folder.path()))?;
    report::publish(&report, into, MARKS)
}

async fn run(machine: Machine, folder: &Path) -> Result<Report> {
    let file = folder.join("changes.db");
    let clock: SharedClock = Arc::new(SystemClock);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&file, Arc::clone(&clock)).map_err(said)?);
    progress(format_args!("{KEPT} changes into the store"));
    let kib_each = fill(store.as_ref()).await?;
    let (changes, _road) = changes(store, clock).await?;
    progress("lists and looks");
    let mut asked = vec![looks(&changes).await?];
    for question in questions()? {
        asked.push(pages(&changes, &question).await?);
    }
    let file_mib = std::fs::metadata(&file)?.len() as f64 / f64::from(1 << 20);
    Ok(Report { machine, kib_each, file_mib, asked })
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, kib_each, file_mib, asked } = self;
        writeln!(f, "{}", machine.line())?;
        writeln!(f, "profile: {PROFILE}\n")?;
        writeln!(f, "{:<52} {kib_each:>9.2} KiB", "a change and its plan, as kept")?;
        writeln!(f, "{:<52} {file_mib:>9.2} MiB", format!("store with {KEPT} changes"))?;
        for Asked { what, p50_ms, p99_ms } in asked {
            writeln!(f, "{:<52} {p50_ms:>9.2} ms", format!("{what}, p50"))?;
            let over = if *p99_ms > MOST_P99_MS { "  over" } else { "" };
            writeln!(f, "{:<52} {p99_ms:>9.2} ms     {MOST_P99_MS:>8.0} ms{over}", format!("{what}, p99"))?;
        }
        Ok(())
    }
}

fn said(error: Error) -> anyhow::Error {
    anyhow!(error)
}

/// Puts the changes and their plans into the store; the size of one of each, KiB. Those of one requester in one state are alike
/// but for their id: to make each from its parts would take longer than to measure.
async fn fill(store: &dyn Store) -> Result<f64> {
    let put = |collection, id: &str, body| Op::Put {
        collection,
        id: id.to_owned(),
        expect: Expect::Absent,
        body,
        expires_at: None,
    };
    let alike = |state| {
        (0..REQUESTERS)
            .map(|number| {
                let (change, plan) = ended::change(number, state, &ended::engineer(number))?;
                Ok((serde_json::to_value(&change)?, serde_json::to_value(&plan)?))
            })
            .collect::<Result<Vec<_>>>()
    };
    let (open, done) = (alike(State::Submitted)?, alike(State::Done)?);
    for first in (0..KEPT).step_by(AT_A_TIME) {
        let mut ops = Vec::with_capacity(2 * AT_A_TIME);
        for number in first..first + AT_A_TIME {
            let made = if number % ONE_OPEN_OF == 0 { &open } else { &done };
            let (mut change, mut plan) = made.get(number % REQUESTERS).context("no such requester")?.clone();
            let id = ended::id(number)?;
            for (body, member) in [(&mut change, "id"), (&mut plan, "change")] {
                let body = body.as_object_mut().context("no object")?;
                body.insert(member.to_owned(), id.as_str().into());
            }
            ops.extend([put(CHANGES, id.as_str(), change), put(PLANS, id.as_str(), plan)]);
        }
        store.transact(ops).await.map_err(|error| anyhow!("{error:?}"))?;
    }
    let (change, plan) = done.first().context("no requester")?;
    Ok((change.to_string().len() + plan.to_string().len()) as f64 / 1024.0)
}

/// Nobody's runs are ended.
struct NoFloors;

impl RunFloors for NoFloors {
    fn is_ended(&self, _: &str, _: &str, _: &[String], _: i64) -> bool {
        false
    }
}

/// Nothing is planned or run.
struct NoRuns;

#[async_trait]
impl RunStarter for NoRuns {
    async fn plan(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn start(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn nudge(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }
}

/// The handle that the tools use, over the store and over nothing else that is kept. Auditors see everything.
async fn changes(store: Arc<dyn Store>, clock: SharedClock) -> Result<(Arc<Changes>, Arc<Pipeline>)> {
    let policy = StaticPolicy::allowing().with_visible(|input| {
        let audits = input.groups.iter().any(|group| group == "auditors");
        Ok(audits.then(|| ("interlock".to_owned(), "search_audit".to_owned())).into_iter().collect())
    });
    let policy = Arc::new(policy);
    let audit = Arc::new(MemoryAudit::default());
    let secrets = Arc::new(MemorySecrets::new(Arc::clone(&clock)));
    let base = BaseUrl::new(&"http://127.0.0.1:8080".parse()?);
    let changes = Changes::new(ChangeParts {
        book: ChangeBook::new(Arc::clone(&store)),
        clock: Arc::clone(&clock),
        base: base.clone(),
        policy: Arc::clone(&policy) as _,
        audit: Arc::clone(&audit) as _,
        grants: GrantKeys::open(Arc::clone(&secrets) as _).await.map_err(said)?,
        floors: Arc::new(NoFloors),
    });
    let road = Pipeline::new(Parts {
        visibility: Arc::new(Visibility::new(Arc::clone(&policy) as _)),
        policy,
        store,
        shared: Arc::new(MemoryShared::default()),
        audit,
        artifacts: sealed_artifacts(Arc::new(MemoryArtifacts::default()), Arc::clone(&clock)),
        secrets,
        metrics: Metrics::new(),
        clock,
        changes: Arc::clone(&changes) as _,
        results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").map_err(said)?),
        secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").map_err(said)?,
        base,
        limits: Limits::default(),
    });
    changes.attach(&road, Arc::new(NoRuns)).map_err(said)?;
    Ok((changes, road))
}

fn questions() -> Result<Vec<Question>> {
    let auditor = || person("ada", &["auditors"]);
    let middle = || ended::id(KEPT / 2).map(Some);
    let in_state = |state| ListFilter { state: Some(state), ..ListFilter::default() };
    let mine = || ListFilter { requester: Requesters::Me, ..ListFilter::default() };
    let page = |what, who, filter, from| Question { what, who, filter, from, rows: PAGE };
    Ok(vec![
        page("list_changes: first page of 100", auditor(), ListFilter::default(), None),
        page("list_changes: a page from the middle", auditor(), ListFilter::default(), middle()?),
        page("list_changes: those submitted, 100 of them", auditor(), in_state(State::Submitted), None),
        page("list_changes: those done, from the middle", auditor(), in_state(State::Done), middle()?),
        page("list_changes: one's own, from the middle", ended::engineer(1), mine(), middle()?),
        // Whoever sees few looks through the others: as far as one question looks, and comes back for the rest.
        Question {
            rows: 0,
            ..page(
                "list_changes: all, for whoever sees none",
                person("sam", &["service-desk"]),
                ListFilter::default(),
                None,
            )
        },
    ])
}

async fn pages(changes: &Changes, question: &Question) -> Result<Asked> {
    let Question { what, who, filter, from, rows } = question;
    let cx = context(who);
    let from = from.as_ref().map(ChangeId::as_str);
    let mut took = Vec::with_capacity(ASKED);
    for _ in 0..ASKED {
        let begun = Instant::now();
        let page = changes.list(&cx, filter, from, PAGE).await.map_err(said)?;
        took.push(u64::try_from(begun.elapsed().as_nanos())?);
        ensure!(page.items.len() == *rows, "{what}: {} rows in place of {rows}", page.items.len());
    }
    Ok(Asked::of(what, took))
}

async fn looks(changes: &Changes) -> Result<Asked> {
    let cx = context(&person("ada", &["auditors"]));
    let mut took = Vec::with_capacity(ASKED);
    for n in 0..ASKED {
        let id = ended::id(n * (KEPT / ASKED))?;
        let begun = Instant::now();
        let view = changes.view(&cx, &id).await.map_err(said)?;
        took.push(u64::try_from(begun.elapsed().as_nanos())?);
        view.plan_hash.context("a change without its plan")?;
    }
    Ok(Asked::of("get_change", took))
}

fn context(who: &Principal) -> CallContext {
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(who.clone()),
        resource: Resource::Mcp,
        protocol: Protocol::Internal,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now() + std::time::Duration::from_secs(3_600),
    }
}
