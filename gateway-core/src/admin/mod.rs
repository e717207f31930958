//! The Admin API without a socket: request in, change and reply out.
