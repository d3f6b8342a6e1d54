//! Handing in and deciding, over fakes of everything below: next `fixture` for the platform and the people, and a file for
//! each of the two acts.

mod deciding;
mod fixture;
mod submitting;
