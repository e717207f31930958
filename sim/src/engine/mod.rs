//! Runs a plan and says what happened, one observation at a time. Knows nothing of files, figures or verdicts.

pub mod live;
pub mod model;

/// Why a plan could not be run. What goes wrong within a run is no error: it is observed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The gateway does not start.
    #[error("the gateway {0}")]
    Gateway(#[from] gateway_core::shell::StartError),
    /// The system gives no socket, thread or the like.
    #[error("cannot {action}: {source}")]
    System {
        /// `listen for target httpbin.org:80`
        action: String,
        /// Why.
        source: std::io::Error,
    },
    /// The system allows too few open files.
    #[error(
        "the run needs about {needed} open files and the system allows {allowed}; raise the limit (ulimit -n {needed}) or \
         lower load.connections"
    )]
    Files {
        /// For all connections of the run.
        needed: u64,
        /// The limit.
        allowed: u64,
    },
    /// The system has too few local ports.
    #[error(
        "the run needs about {needed} local ports within a minute and may take {allowed}; let connections carry more requests \
         (load.keepalive), lower the rate, or widen net.ipv4.ip_local_port_range"
    )]
    Ports {
        /// For connections and for those that have just ended.
        needed: u64,
        /// Of those that there are.
        allowed: u64,
    },
    /// A part of the engine failed: a bug.
    #[error("the {0} thread failed")]
    Thread(&'static str),
}

impl EngineError {
    pub(crate) fn system(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { action: action.into(), source }
    }
}
