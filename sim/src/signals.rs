//! Ctrl-C and SIGTERM: the first asks for a drained, honest end, the second ends the process at once.
