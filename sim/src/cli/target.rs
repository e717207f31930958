//! `sim target`: one mock target alone, for trying a gateway by hand.

use std::process::ExitCode;

use gateway_core::id::UpstreamId;

use super::args::TargetArgs;
use super::exit::Failure;
use super::{server, terminal};
use crate::engine::live::MockTarget;
use crate::mock::{Behaviour, Places};
use crate::plan::MockPlan;
use crate::signals::{self, Wish};

/// Serves until a signal asks for the end.
pub(super) fn target(args: &TargetArgs) -> Result<ExitCode, Failure> {
    let wishes = signals::wishes().map_err(|e| server::no_signals(&e))?;
    let target = MockTarget::start(args.listen, mock(args)).map_err(|e| Failure::environment(&e))?;
    server::ready(&format!("listening {}", target.address()))?;
    for _ in wishes.iter().take_while(|wish| *wish != Wish::End) {
        terminal::tell("SIGHUP: a target has no file to read again\n");
    }
    target.stop().map_err(|e| Failure::unexpected(&e))?;
    Ok(ExitCode::SUCCESS)
}

fn mock(args: &TargetArgs) -> MockPlan {
    let name = args.name.clone().unwrap_or_else(|| args.listen.to_string());
    MockPlan {
        version: args.mock_version.clone().unwrap_or_else(|| name.clone()),
        upstream: UpstreamId(0),
        upstream_name: name.clone(),
        name,
        weight: 1,
        behaviour: Behaviour {
            errors: args.errors,
            places: Places { capacity: args.capacity, queue: args.queue, ..Places::default() },
            ..Behaviour::new(args.latency.clone(), args.respond)
        },
    }
}
