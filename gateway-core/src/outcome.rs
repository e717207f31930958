//! How an attempt at a target ended, as a value. The closed list: whoever adds a cause adds it here.

/// The end of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered; the status is its own, 5xx included.
    Answered {
        /// The status of the answer.
        status: u16,
    },
    /// The target gave no valid answer.
    Failed {
        /// Why.
        cause: Failure,
        /// Whether any byte of the request had been written to the target.
        sent: bool,
        /// Whether the shell still holds all it needs to send the request again.
        replayable: bool,
    },
    /// The client went away first; says nothing about the target.
    ClientGone,
}

/// Why a target gave no valid answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection was refused, or the name has no address.
    Refused,
    /// The connection was not established in time.
    ConnectTimeout,
    /// The connection ended before the answer's head was complete.
    ResetBeforeResponse,
    /// The connection ended within the answer's body, after its head had gone to the client.
    ResetMidBody,
    /// No answer in time.
    ResponseTimeout,
    /// The request could not be written in time.
    WriteTimeout,
    /// What came back is not HTTP.
    BadResponse,
}

impl Failure {
    /// Whether the client is told 504 rather than 502.
    pub const fn is_timeout(self) -> bool {
        matches!(self, Self::ConnectTimeout | Self::ResponseTimeout | Self::WriteTimeout)
    }
}
