//! What the PostgreSQL backends share: the pool, TLS, migrations and what a failure means. Where next: `backends/store-postgres`.
