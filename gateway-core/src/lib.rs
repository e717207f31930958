//! A Kong-flavoured gateway: a machine that decides without doing I/O, and a thin async shell that does I/O without
//! deciding.
//!
//! ```
//! use gateway_core::config::{Change, Config};
//! use gateway_core::entity::{Address, Route, Service, Target, Upstream};
//! use gateway_core::gateway::{Gateway, Next};
//! use gateway_core::outcome::Outcome;
//! use gateway_core::request::Head;
//! use gateway_core::rng::stream;
//! use gateway_core::time::Instant;
//! use gateway_core::weight::Weight;
//!
//! let mut config = Config::default();
//! for (upstream, target) in [("blue", "httpbin.org:80"), ("green", "httpbun.com:80")] {
//!     let id = config.add_upstream(Upstream::new(upstream))?;
//!     config.add_target(Target::new(id, Address::parse(target)?, Weight::DEFAULT))?;
//! }
//! let service = config.add_service(Service::new("example-service", "blue"))?;
//! config.add_route(Route { paths: vec!["/anything".into()], ..Route::new("example-route", service) })?;
//!
//! let gateway = Gateway::new(config);
//! gateway.apply(Change::SetHost(service, "green".to_owned()), Instant::ZERO)?;
//!
//! let mut rng = stream(42, "worker", 0);
//! let head = Head::new("GET", "/anything");
//! let matched = gateway.route(0, &head).expect("a route for /anything");
//! let attempt = gateway.begin(&matched, &head, Instant::ZERO, &mut rng).expect("a target of green");
//! assert_eq!(gateway.view().address(attempt.target).map(ToString::to_string).as_deref(), Some("httpbun.com:80"));
//! assert!(matches!(gateway.finish(attempt, Outcome::Answered { status: 200 }, Instant::ZERO, &mut rng), Next::Done));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The modules, from the bottom up; each may use those above it in this list, never those below:
//!
//! | floor | modules |
//! |---|---|
//! | 0 vocabulary | [`time`], [`id`], [`weight`], [`rng`], [`request`], [`outcome`], [`rules`] |
//! | 1 entities | [`entity`]: Service, Route, Upstream, Target |
//! | 2 config | [`config`]: a valid set of them, and changes of it |
//! | 3 decisions | [`router`]: which Route; [`balancer`]: which target; [`health`]: which are well; [`schema`]: entities as Kong's JSON |
//! | 4 the machine | [`gateway`]: route, begin, finish, apply; [`deck`]: declarative files |
//! | 5 the API | [`admin`]: the Admin API without a socket |
//! | 6 the shell | `shell` (feature `shell`): listeners, worker threads, connections; the only async code |

pub mod id;
pub mod outcome;
pub mod request;
pub mod rng;
pub mod rules;
pub mod time;
pub mod weight;

pub mod entity;

pub mod config;

pub mod balancer;
pub mod health;
pub mod router;
pub mod schema;

pub mod deck;
pub mod gateway;

pub mod admin;

#[cfg(feature = "shell")]
pub mod shell;
