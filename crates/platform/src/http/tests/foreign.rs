//! The client for foreign URLs: a resolver of our own, a real server, and every way to lead it inside.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use http::HeaderValue;

use super::encrypted::Encrypted;
use super::{Play, Server, far};
use crate::error::Result;
use crate::http::{AddressRule, ForeignClient, ForeignOptions, Resolver, Response};

/// Names to addresses; the port is the asker's unless one is given.
#[derive(Default)]
struct Names {
    names: HashMap<&'static str, Vec<&'static str>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.names.get(host).ok_or(io::ErrorKind::NotFound)?;
        Ok(found.iter().map(|text| SocketAddr::new(text.parse().unwrap(), port)).collect())
    }
}

fn options(rule: AddressRule, names: &[(&'static str, &[&'static str])]) -> ForeignOptions {
    let names = names.iter().map(|(name, addresses)| (*name, addresses.to_vec())).collect();
    let mut options = ForeignOptions::new(rule);
    options.resolver = Arc::new(Names { names, asked: AtomicUsize::new(0) });
    options
}

async fn fetch(client: &ForeignClient, url: &str) -> Result<Response> {
    client.get(&url.parse().unwrap(), HeaderValue::from_static("application/json"), far()).await
}

async fn code(client: &ForeignClient, url: &str) -> String {
    match fetch(client, url).await {
        Ok(response) => response.status.as_u16().to_string(),
        Err(error) => error.code().to_owned(),
    }
}

#[tokio::test]
async fn t13_a_foreign_url_never_leads_inside() {
    let server = Server::start([]).await;
    let port = server.address.port();
    let names: &[(&str, &[&str])] = &[
        ("inside.example", &["127.0.0.1"]),
        ("private.example", &["10.1.2.3"]),
        ("mixed.example", &["93.184.215.14", "127.0.0.1"]),
        ("mapped.example", &["::ffff:127.0.0.1"]),
        ("nat64.example", &["64:ff9b::7f00:1"]),
        ("nothing.example", &[]),
        ("localhost", &["127.0.0.1"]),
    ];
    let client = ForeignClient::new(options(AddressRule::public_only(), names)).unwrap();
    for host in [
        "inside.example",
        "private.example",
        "mixed.example",
        "mapped.example",
        "nat64.example",
        "nothing.example",
        "localhost",
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "user@93.184.215.14",
        ":secret@93.184.215.14",
    ] {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{host}:{port}/x");
            assert_eq!(code(&client, &url).await, "foreign_url_refused", "{url}");
        }
    }
    assert_eq!(code(&client, "http://93.184.215.14/").await, "foreign_url_refused", "http to a public address");
    assert_eq!(code(&client, "ftp://93.184.215.14/").await, "foreign_url_refused");
    assert_eq!(code(&client, "https://unknown.example/").await, "target_unreachable");
    assert_eq!(server.hits(), 0);
}

#[tokio::test]
async fn t13_a_listed_loopback_authority_answers_and_its_neighbour_does_not() {
    let (listed, other) = (Server::start([]).await, Server::start([]).await);
    let client = ForeignClient::new(options(AddressRule::public_only().with_loopback(listed.address), &[])).unwrap();
    assert_eq!(fetch(&client, listed.url().as_str()).await.unwrap().body, "hello");
    assert_eq!(code(&client, other.url().as_str()).await, "foreign_url_refused");
    assert_eq!((listed.hits(), other.hits()), (1, 0));
}

#[tokio::test]
async fn t13_the_name_is_resolved_by_us_once_and_pinned() {
    let server = Encrypted::start(&["client.example"]).await;
    let address = server.server.address;
    let resolver = Arc::new(Names { names: [("client.example", vec!["127.0.0.1"])].into(), ..Names::default() });
    let mut options = ForeignOptions::new(AddressRule::public_only().with_loopback(address));
    options.resolver = resolver.clone();
    options.ca_pem = Some(server.ca_pem.clone());
    let client = ForeignClient::new(options).unwrap();
    assert_eq!(code(&client, &format!("https://client.example:{}/", address.port())).await, "200");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    assert_eq!(server.server.hits(), 1);
}

#[tokio::test]
async fn t13_redirects_are_answers_and_bodies_are_small() {
    let inside = Server::start([]).await;
    let server = Server::start([Play::Answer(302, vec![("location", inside.url().to_string())]), Play::Endless]).await;
    let rule = AddressRule::public_only().with_loopback(server.address).with_loopback(inside.address);
    let client = ForeignClient::new(options(rule, &[])).unwrap();
    assert_eq!(code(&client, server.url().as_str()).await, "302");
    assert_eq!(code(&client, server.url().as_str()).await, "target_response_too_large");
    assert_eq!(inside.hits(), 0);
}
