//! The end-to-end suite: the shipped program as a child process, real sockets, real tokens, the simulated network in its
//! own process. Nothing is here; the tests are in `tests/it`, the clients that people use in `clients`.
