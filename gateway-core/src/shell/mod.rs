//! The only async code: listeners, workers, proxying, the Admin API server.
