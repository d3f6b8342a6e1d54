//! A store in memory with somebody between it and its callers, who notes, loses or refuses on purpose. What an interceptor
//! does not take in hand goes through as it is.

use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;
use platform::Error;
use platform::store::{Collection, Conflict, Op, OpResult, OpenIntent, Query, Record, Store, TransactError, Voided};

use super::MemoryStore;

/// Who stands between. Each method has the meaning of its namesake of [`Store`], and `inner` is what it may pass the call on
/// to; without a method of its own it does.
#[async_trait]
pub trait Interceptor: Send + Sync + 'static {
    /// [`Store::transact`].
    async fn transact(&self, inner: &MemoryStore, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        inner.transact(ops).await
    }

    /// [`Store::get`].
    async fn get(&self, inner: &MemoryStore, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        inner.get(collection, id).await
    }

    /// [`Store::list`].
    async fn list(&self, inner: &MemoryStore, query: Query<'_>) -> Result<Vec<Record>, Error> {
        inner.list(query).await
    }

    /// [`Store::key_state`].
    async fn key_state(
        &self,
        inner: &MemoryStore,
        scope: &str,
        key: &str,
        digest: &str,
    ) -> Result<Option<Conflict>, Error> {
        inner.key_state(scope, key, digest).await
    }
}

/// The store with its interceptor, whose own switches are reached through it.
pub struct InterceptedStore<I> {
    inner: Arc<MemoryStore>,
    interceptor: I,
}

impl<I> InterceptedStore<I> {
    /// Over a store that others may hold too.
    pub fn new(inner: Arc<MemoryStore>, interceptor: I) -> Self {
        Self { inner, interceptor }
    }

    /// All that it holds, as text: for a search after secrets.
    pub fn text(&self) -> String {
        self.inner.text()
    }
}

impl<I> Deref for InterceptedStore<I> {
    type Target = I;

    fn deref(&self) -> &I {
        &self.interceptor
    }
}

#[async_trait]
impl<I: Interceptor> Store for InterceptedStore<I> {
    async fn transact(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        self.interceptor.transact(&self.inner, ops).await
    }

    async fn get(&self, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        self.interceptor.get(&self.inner, collection, id).await
    }

    async fn list(&self, query: Query<'_>) -> Result<Vec<Record>, Error> {
        self.interceptor.list(&self.inner, query).await
    }

    async fn key_state(&self, scope: &str, key: &str, digest: &str) -> Result<Option<Conflict>, Error> {
        self.interceptor.key_state(&self.inner, scope, key, digest).await
    }

    async fn open_intents(&self) -> Result<Vec<OpenIntent>, Error> {
        self.inner.open_intents().await
    }

    async fn release_abandoned(&self) -> Result<u64, Error> {
        self.inner.release_abandoned().await
    }

    async fn void_after_restore(&self) -> Result<Voided, Error> {
        self.inner.void_after_restore().await
    }
}
