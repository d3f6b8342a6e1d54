//! What holds for all parts together, and what only the composition root can show: several backends over one real database.
#![cfg(test)]

mod audit_in_postgres;
mod memory;
