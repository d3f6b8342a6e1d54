//! What every list, look-up and vendor task has in common, written once: paging, cursors, field selection, size caps
//! and polling. A list tool is then its `Args`, its `Row`, and one function of at most 25 lines in all.

mod page;
mod task;

pub use self::page::{Listing, Page, PageOf, PageRequest, PartOf, page_schema, paged, paged_by_part};
pub use self::task::{Poll, poll_until};
