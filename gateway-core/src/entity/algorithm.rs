//! The algorithms by which an Upstream may choose, by name, and what there is to set about them. The algorithms themselves
//! are `balancer`'s.

use std::time::Duration;

/// What an algorithm promises about the share of each target, and so how it can be tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// After every pick each is within one request of its share.
    EveryPick,
    /// Over each whole turn all have their exact shares.
    WholeTurns,
    /// Shares are probabilities.
    Chance,
    /// Shares are what load and response times make of them.
    Load,
    /// The same key goes to the same target.
    Key,
}

/// All algorithms there are, one line for each, handed to another macro: its type in `balancer`, its name everywhere else, and what
/// it promises.
macro_rules! every_algorithm {
    ($then:ident) => {
        $then! {
            /// Exact shares in turn.
            #[default]
            RoundRobin = "round-robin", EveryPick;
            /// Kong's own round-robin: a shuffled wheel, exact over whole turns only.
            Wheel = "wheel", WholeTurns;
            /// The same target for the same key.
            ConsistentHashing = "consistent-hashing", Key;
            /// The target that the client's cookie names.
            StickySessions = "sticky-sessions", Key;
            /// nginx's: whoever is owed most.
            SmoothWrr = "smooth-wrr", WholeTurns;
            /// Envoy's: whoever's next turn falls due first.
            Edf = "edf", WholeTurns;
            /// Drawn by weight.
            Random = "random", Chance;
            /// Fewest requests in flight for its weight.
            LeastConnections = "least-connections", Load;
            /// The least crowded of some that are drawn.
            TwoChoices = "two-choices", Load;
            /// Whoever is idle, else one that is drawn.
            JoinIdleQueue = "join-idle-queue", Load;
            /// Envoy's: fewest requests in flight, or earliest deadline by a weight that they lower.
            LeastRequest = "least-request", Load;
            /// Kong's: the smallest faded response time for its weight.
            Latency = "latency", Load;
            /// nginx's: the smallest average response time times requests in flight for its weight.
            LeastTime = "least-time", Load;
            /// The better of two that are drawn, by peak response time and requests in flight.
            PeakEwma = "peak-ewma", Load;
            /// The best of a pool of recent replies, cold ones first.
            Prequal = "prequal", Load;
            /// The smallest response time plus the cube of the queue.
            C3 = "c3", Load;
        }
    };
}
pub(crate) use every_algorithm;

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $promise:ident;)*) => {
        /// How a Target is chosen.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum Algorithm {
            $($(#[$doc])* $variant,)*
        }

        impl Algorithm {
            /// Every algorithm there is, in the order documentation lists them.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// As Kong and scenario files write it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it promises about shares.
            pub const fn promise(self) -> Promise {
                match self {
                    $(Self::$variant => Promise::$promise,)*
                }
            }
        }
    };
}
every_algorithm!(names);

impl Algorithm {
    /// Reads the word, `None` when there is no such algorithm.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)
    }
}

/// What there is to set about choosing beyond Kong's fields. An addition of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// Targets that are drawn to choose among; 2 to 16, 2 by default.
    pub choices: u8,
    /// How strongly requests under way lower a weight; 0 to 16, 1 by default. Envoy's `active_request_bias`.
    pub active_request_bias: f64,
    /// What consistent hashing looks up in.
    pub hash_table: HashTable,
    /// The most requests under way that a target may have, in percent of its share of all, before its keys go on to the next;
    /// 0 (the default) is no bound, else 101 to 10000. haproxy's `hash-balance-factor`.
    pub hash_balance_factor: u16,
    /// How those that join or come back start.
    pub slow_start: Option<SlowStart>,
    /// When less than this percentage of the weight is available, health is ignored and all targets are picked from; 0 (the
    /// default) is never, up to 100. Envoy's `healthy_panic_threshold`.
    pub panic_threshold: f64,
}

/// What consistent hashing looks up in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashTable {
    /// Points on a ring, as many as Kong's.
    #[default]
    Ring,
    /// Google's table (Eisenbud and others 2016).
    Maglev,
}

/// A target that joins, or comes back to health, gets its weight little by little. Names and defaults are Envoy's.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowStart {
    /// How long that takes; above zero.
    pub window: Duration,
    /// Percent of the weight at the start; 1 to 100, 10 by default.
    pub min_weight_percent: u8,
    /// 1 (the default) is linear in time; larger gives more weight early. Above zero.
    pub aggression: f64,
}

impl HashTable {
    /// All, in the order documentation lists them.
    pub const ALL: [Self; 2] = [Self::Ring, Self::Maglev];

    /// As files write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Maglev => "maglev",
        }
    }

    /// Reads the word, `None` when there is no such table.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.as_str() == word)
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            choices: 2,
            active_request_bias: 1.0,
            hash_table: HashTable::Ring,
            hash_balance_factor: 0,
            slow_start: None,
            panic_threshold: 0.0,
        }
    }
}

impl Default for SlowStart {
    fn default() -> Self {
        Self { window: Duration::from_secs(30), min_weight_percent: 10, aggression: 1.0 }
    }
}
