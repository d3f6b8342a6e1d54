//! Changes over fakes of everything beside them. Where to go next: `planning` for plans, over a network of texts.

mod planning;
