//! The names things have inside the machine: small numbers, one type for each kind, never given out twice.
//! Kong's UUIDs are a field of the entities; these are what tickets and records carry.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The number as an index into a table by id.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl From<u32> for $name {
            fn from(number: u32) -> Self {
                Self(number)
            }
        }

        impl From<$name> for u32 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id!(
    /// A Service, for as long as the gateway lives.
    ServiceId
);
id!(
    /// A Route, for as long as the gateway lives.
    RouteId
);
id!(
    /// An Upstream, for as long as the gateway lives.
    UpstreamId
);
id!(
    /// A Target, for as long as the gateway lives. A Target that is deleted and created again gets a new one.
    TargetId
);

/// The number of changes applied so far: each `apply` makes the next one, and each pick says under which it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The stretch of picks of one balancer between two changes of its members or weights, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// A version of what an Upstream's Targets serve, by the hash of its name: the same in every epoch. Those that name none are of one
/// together, the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub u64);
