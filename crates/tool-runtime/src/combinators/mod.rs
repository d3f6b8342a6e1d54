//! What every list, look-up and vendor task has in common, written once: paging, cursors, field selection, size caps
//! and polling. A list tool is then its `Args`, its `Row`, and one function of at most 25 lines in all.

mod page;
mod shared;
mod task;

pub use self::page::{Found, Page, PageOf, PageRequest, PartOf, page_schema, paged};
pub use self::shared::{listed, single, single_followed};
pub use self::task::{Poll, poll_until};
