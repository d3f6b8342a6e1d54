//! The client for configured targets against a server with faults.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Method;

use super::{Play, Server, far, get};
use crate::error::ErrorKind;
use crate::http::{
    BreakerOptions, BudgetOptions, Claim, Class, Outbound, OutboundObserver, Outcome, Queued, Request, RetryOptions,
    TargetClient, TargetOptions,
};

fn options(server: &Server) -> TargetOptions {
    let mut options = TargetOptions::new("catalyst", server.url());
    options.retry.base_delay = Duration::from_millis(1);
    options
}

fn client(server: &Server) -> TargetClient {
    TargetClient::new(options(server)).unwrap()
}

fn again_after(status: u16, seconds: &str) -> Play {
    Play::Answer(status, vec![("retry-after", seconds.to_owned())])
}

#[tokio::test]
async fn t13_a_redirect_is_an_answer_and_is_not_followed() {
    let other = Server::start([]).await;
    let server = Server::start([Play::Answer(302, vec![("location", other.url().to_string())])]).await;
    assert_eq!(client(&server).send(get("/x")).await.unwrap().status, 302);
    assert_eq!((server.hits(), other.hits()), (1, 0));
}

#[tokio::test]
async fn t13_a_refused_path_sends_nothing() {
    let server = Server::start([]).await;
    let other = Server::start([]).await;
    for path in ["/../x".to_owned(), "/a//b".to_owned(), other.url().to_string(), "/a\r\nx: y".to_owned()] {
        let error = client(&server).send(get(&path)).await.unwrap_err();
        assert_eq!(error.code(), "target_request_refused", "{path:?}");
    }
    assert_eq!((server.hits(), other.hits()), (0, 0));
}

#[tokio::test]
async fn the_base_path_and_the_query_arrive_unchanged() {
    let server = Server::start([]).await;
    let base = server.url().join("/dna/intent").unwrap();
    let client = TargetClient::new(TargetOptions::new("catalyst", base)).unwrap();
    client.send(get("/v1/devices?site=a%2Fb&next=https://x/..//y")).await.unwrap();
    assert_eq!(server.paths(), ["/dna/intent/v1/devices?site=a%2Fb&next=https://x/..//y"]);
}

#[tokio::test]
async fn a_base_that_is_no_plain_http_url_is_refused() {
    for base in ["ftp://c.example", "https://user@c.example", "https://c.example/?x=1", "data:x"] {
        let error = TargetClient::new(TargetOptions::new("c", base.parse().unwrap())).unwrap_err();
        assert_eq!(error.code(), "target_base_invalid", "{base}");
    }
    let mut in_clear = TargetOptions::new("c", "http://c.example".parse().unwrap());
    in_clear.pin_sha256 = Some("00".repeat(32));
    assert_eq!(TargetClient::new(in_clear).unwrap_err().code(), "target_base_invalid");
}

#[tokio::test]
async fn a_body_is_cut_off_at_its_cap_announced_or_not() {
    let server = Server::start([Play::Sized(1000), Play::Sized(1001), Play::Endless]).await;
    let mut options = options(&server);
    options.max_body = 1000;
    let client = TargetClient::new(options).unwrap();
    assert_eq!(client.send(get("/")).await.unwrap().body.len(), 1000);
    for _ in 0..2 {
        let error = client.send(get("/")).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Upstream, "target_response_too_large"));
    }
    assert_eq!(server.hits(), 3);
}

#[tokio::test]
async fn silence_ends_at_the_attempts_limit_and_at_the_deadline() {
    let server = Server::start([Play::Silence, Play::Silence]).await;
    let mut options = options(&server);
    options.attempt_timeout = Duration::from_millis(20);
    let slow = TargetClient::new(options).unwrap().send(get("/")).await.unwrap_err();
    assert_eq!((slow.kind(), slow.code()), (ErrorKind::Timeout, "target_timeout"));
    let late = Request::new(Method::GET, "/", Instant::now() + Duration::from_millis(20));
    assert_eq!(client(&server).send(late).await.unwrap_err().code(), "target_timeout");
    let passed = Request::new(Method::GET, "/", Instant::now());
    assert_eq!(client(&server).send(passed).await.unwrap_err().code(), "target_timeout");
    assert_eq!(server.hits(), 2, "a passed deadline sends nothing");
}

#[tokio::test]
async fn answers_that_a_repeat_can_mend_are_sent_again() {
    for play in [Play::status(502), Play::status(504), again_after(503, "0"), again_after(429, "0"), Play::Cut] {
        let server = Server::start([play.clone(), play.clone()]).await;
        assert_eq!(client(&server).send(get("/")).await.unwrap().status, 200, "{play:?}");
        assert_eq!(server.hits(), 3, "{play:?}");
    }
}

#[tokio::test]
async fn the_last_answer_is_the_answer_when_attempts_run_out() {
    let server = Server::start(vec![Play::status(502); 9]).await;
    assert_eq!(client(&server).send(get("/")).await.unwrap().status, 502);
    assert_eq!(server.hits(), 3);
}

#[tokio::test]
async fn a_request_that_may_do_harm_twice_is_sent_once() {
    for play in [Play::status(502), again_after(503, "0"), Play::Cut] {
        let server = Server::start([play.clone()]).await;
        let answer = client(&server).send(Request::new(Method::POST, "/", far())).await;
        assert_eq!(server.hits(), 1, "{play:?} {answer:?}");
    }
    let server = Server::start([Play::status(502)]).await;
    let safe = Request::new(Method::PUT, "/", far()).idempotent(true);
    assert_eq!(client(&server).send(safe).await.unwrap().status, 200);
}

#[tokio::test]
async fn t20_a_connection_that_breaks_after_the_request_was_sent_is_not_called_unreachable() {
    let server = Server::start([Play::Cut]).await;
    let error = client(&server).send(Request::new(Method::POST, "/", far())).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "target_connection_lost"));
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn retry_after_that_does_not_fit_the_deadline_is_not_waited_for() {
    let server = Server::start([again_after(429, "3600")]).await;
    assert_eq!(client(&server).send(get("/")).await.unwrap().status, 429);
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn retries_end_when_their_budget_is_spent() {
    let server = Server::start(vec![Play::status(502); 1000]).await;
    let mut options = options(&server);
    options.breaker.failures = 0;
    let client = TargetClient::new(options).unwrap();
    for _ in 0..50 {
        client.send(get("/")).await.unwrap();
    }
    assert_eq!(server.hits(), 50 + 3 + 10, "the reserve of three and a fifth of fifty");
}

#[derive(Default)]
struct Seen(Mutex<Vec<(String, Outcome, u32)>>);

impl OutboundObserver for Seen {
    fn attempted(&self, outbound: &Outbound<'_>) {
        self.0.lock().unwrap().push((outbound.target.to_owned(), outbound.outcome, outbound.attempt));
    }
}

#[tokio::test]
async fn an_open_circuit_sends_nothing_and_says_when_to_come_back() {
    let server = Server::start(vec![Play::status(500); 3]).await;
    let mut options = options(&server);
    options.breaker = BreakerOptions { failures: 3, open_for: Duration::from_secs(3600) };
    let seen = Arc::new(Seen::default());
    let client = TargetClient::observed(options, seen.clone()).unwrap();
    for _ in 0..3 {
        assert_eq!(client.send(get("/")).await.unwrap().status, 500);
    }
    let error = client.clone().send(get("/")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "target_circuit_open"));
    assert!((3590..=3600).contains(&error.refusal().retry_after_s.unwrap()));
    assert_eq!(server.hits(), 3);
    assert_eq!(seen.0.lock().unwrap().last().unwrap(), &("catalyst".to_owned(), Outcome::CircuitOpen, 1));
}

#[tokio::test]
async fn a_probe_that_succeeds_closes_the_circuit() {
    let server = Server::start(vec![Play::status(500); 2]).await;
    let mut options = options(&server);
    options.breaker = BreakerOptions { failures: 2, open_for: Duration::ZERO };
    let client = TargetClient::new(options).unwrap();
    for expected in [500, 500, 200, 200] {
        assert_eq!(client.send(get("/")).await.unwrap().status, expected);
    }
}

#[tokio::test]
async fn answers_in_the_400s_do_not_open_the_circuit() {
    let server = Server::start(vec![Play::status(404); 20]).await;
    let client = client(&server);
    for _ in 0..20 {
        assert_eq!(client.send(get("/")).await.unwrap().status, 404);
    }
}

#[tokio::test]
async fn nobody_at_home_is_unreachable_after_the_retries_and_is_observed() {
    let server = Server::start([]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let mut options = options(&server);
    options.base = format!("http://{free}").parse().unwrap();
    options.retry = RetryOptions { max_attempts: 2, ..options.retry };
    let seen = Arc::new(Seen::default());
    let error = TargetClient::observed(options, seen.clone()).unwrap().send(get("/?token=s3cret")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "target_unreachable"));
    assert!(!format!("{error:?}").contains("s3cret"));
    let outcomes: Vec<_> = seen.0.lock().unwrap().iter().map(|(_, outcome, n)| (*outcome, *n)).collect();
    assert_eq!(outcomes, [(Outcome::Unreachable, 1), (Outcome::Unreachable, 2)]);
}

#[tokio::test]
async fn t31_every_attempt_counts_and_a_429_holds_everybody_back() {
    let server = Server::start([Play::status(502), Play::status(200), again_after(429, "3600")]).await;
    let mut options = options(&server);
    options.budget = Some(BudgetOptions { calls_per_minute: 4, concurrency: 4 });
    let client = TargetClient::new(options).unwrap();
    let change = Claim::new(Class::Change, "alice");
    assert_eq!(change.scope(client.send(get("/"))).await.unwrap().status, 200);
    assert_eq!(change.scope(client.send(get("/"))).await.unwrap().status, 429, "the target's own word comes through");
    let busy = change.scope(client.clone().send(get("/"))).await.unwrap_err();
    assert_eq!((busy.kind(), busy.code()), (ErrorKind::RateLimited, "target_busy"));
    // The longest pause that a target may ask for.
    assert!((590..=600).contains(&busy.refusal().retry_after_s.unwrap()));
    assert_eq!(server.hits(), 3, "the retry was one of them, the last was not sent");
}

#[derive(Default)]
struct SeenQueue(Mutex<Vec<(Class, bool)>>);

impl OutboundObserver for SeenQueue {
    fn attempted(&self, _: &Outbound<'_>) {}

    fn queued(&self, queued: &Queued<'_>) {
        assert_eq!(queued.target, "catalyst");
        self.0.lock().unwrap().push((queued.class, queued.granted));
    }
}

#[tokio::test]
async fn t31_a_request_is_counted_for_the_caller_around_it_and_observed() {
    let server = Server::start([]).await;
    let mut options = options(&server);
    options.budget = Some(BudgetOptions { calls_per_minute: 2, concurrency: 2 });
    let seen = Arc::new(SeenQueue::default());
    let client = TargetClient::observed(options, seen.clone()).unwrap();
    client.send(get("/")).await.unwrap();
    let agent = Claim::new(Class::Agent, "bot").scope(client.send(get("/"))).await;
    assert_eq!(agent.unwrap_err().code(), "target_busy", "the second one of two is the reserve");
    Claim::new(Class::Change, "alice").scope(client.send(get("/"))).await.unwrap();
    let expected = [(Class::Background, true), (Class::Agent, false), (Class::Change, true)];
    assert_eq!((seen.0.lock().unwrap().as_slice(), server.hits()), (&expected[..], 2));
}

#[tokio::test]
async fn an_opened_answer_comes_piece_by_piece_and_its_end_is_told_from_a_cut() {
    let server = Server::start([Play::Sized(10), Play::Cut, Play::Endless, Play::Silence]).await;
    let mut options = options(&server);
    options.attempt_timeout = Duration::from_millis(300);
    let client = TargetClient::new(options).unwrap();
    let idle = Duration::from_secs(10);
    let mut whole = client.open(get("/")).await.unwrap();
    assert_eq!((whole.status.as_u16(), whole.rest(idle, 10).await.unwrap().len()), (200, 10));
    // The head may have come, or have been cut off too.
    let cut = match client.open(get("/")).await {
        Ok(mut head) => head.rest(idle, 1 << 20).await.map(drop),
        Err(error) => Err(error),
    };
    assert_eq!(cut.unwrap_err().code(), "target_connection_lost");
    let mut endless = client.open(get("/")).await.unwrap();
    assert!(endless.chunk(idle).await.unwrap().is_some());
    assert_eq!(endless.rest(idle, 1000).await.unwrap_err().code(), "target_response_too_large");
    assert_eq!(client.open(get("/")).await.unwrap_err().code(), "target_timeout");
    assert_eq!(server.hits(), 4);
}
