//! What the command line does without a running server.
