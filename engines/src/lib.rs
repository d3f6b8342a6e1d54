//! Real servers for tests: found on this machine, started on loopback and a free port in a folder of their own, stopped with the value that holds them.
