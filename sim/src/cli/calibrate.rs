//! `sim calibrate`: measures this machine and writes what the model should take for it.

use std::path::Path;
use std::process::ExitCode;

use super::args::CalibrateArgs;
use super::exit::{self, Failure};
use super::{server, terminal};
use crate::artefacts;
use crate::calibrate::calibrate as measure;
use crate::run;
use crate::signals::Stop;
use crate::words;

/// Measures and writes.
pub(super) fn calibrate(args: &CalibrateArgs) -> Result<ExitCode, Failure> {
    let stop = Stop::on_signals().map_err(|e| server::no_signals(&e))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let host = format!("{}, {}", run::host(), words::counted(cores as u64, "core"));
    let mut watch = |rate| terminal::tell(&format!("measuring at {rate} requests per second\n"));
    let calibration = measure(stop.flag(), host, &mut watch).map_err(|e| Failure::environment(&e))?;
    if let Some(code) = stop.exit_code() {
        return Ok(ExitCode::from(code));
    }
    let text = serde_json::to_string_pretty(&calibration).map_err(|e| Failure::unexpected(&e))?;
    artefacts::replace(&args.out, text.as_bytes()).map_err(|e| Failure::environment(&e))?;
    let said = format!(
        "network       {}, one way\ngateway_cost  {} for each request\n{}\n",
        words::time(calibration.network_us),
        words::time(calibration.gateway_cost_us),
        path(&args.out)
    );
    terminal::print(&said).map_err(|e| Failure::environment(&e))?;
    Ok(ExitCode::from(exit::OK))
}

fn path(path: &Path) -> String {
    words::plain(&path.display().to_string())
}
