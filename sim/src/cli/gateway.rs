//! `sim gateway`: the proxy and its Admin API alone, from decK files or from the state an earlier one has left.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gateway_core::config::{Change, Config};
use gateway_core::deck::{FILE_MAX, Text};
use gateway_core::gateway::{Gateway, Options};
use gateway_core::shell::{Clock, Hooks, Settings, Shell};

use super::args::{GatewayArgs, Profile};
use super::exit::Failure;
use super::state::{self, State};
use super::{input, server, terminal};
use crate::engine::EngineError;
use crate::scenario;
use crate::signals::{self, Wish};
use crate::words;

/// Serves until a signal asks for the end.
pub(super) fn gateway(args: &GatewayArgs) -> Result<ExitCode, Failure> {
    let config = first(args).map_err(|mistakes| Failure::scenario_lines(&mistakes))?;
    let wishes = signals::wishes().map_err(|e| server::no_signals(&e))?;
    let running = Running::start(args, config)?;
    running.announce()?;
    for _ in wishes.iter().take_while(|wish| *wish != Wish::End) {
        running.reload(&args.config);
    }
    running.end()
}

/// A gateway and all that belongs to it.
struct Running {
    shell: Shell,
    state: Option<State>,
}

impl Running {
    fn start(args: &GatewayArgs, config: Config) -> Result<Self, Failure> {
        let gateway = Arc::new(Gateway::with(config, options(args)));
        let (changes, news) = state::changes();
        let told = changes.clone();
        let hooks = Hooks { on_applied: Arc::new(move |_| told.tell()), ..Hooks::default() };
        let settings =
            Settings { proxy: args.proxy, admin: args.admin, workers: args.workers, ..Settings::default() };
        let shell = Shell::start(Arc::clone(&gateway), settings, Clock::started(), hooks)
            .map_err(|e| Failure::environment(&EngineError::from(e)))?;
        let keep = |path| State::keep(path, Arc::clone(&gateway), (changes, news));
        let state = args.state.clone().map(keep).transpose()?;
        Ok(Self { shell, state })
    }

    fn announce(&self) -> Result<(), Failure> {
        let admin = self.shell.admin_addr();
        if !admin.ip().is_loopback() {
            terminal::warning(&format!(
                "the Admin API listens on {admin}: whoever reaches it can change everything"
            ));
        }
        server::ready(&format!("proxy {}  admin {admin}", self.shell.proxy_addr()))
    }

    /// Puts what the files say now in the place of everything, or says why not.
    fn reload(&self, files: &[PathBuf]) {
        let config = match read_again(files) {
            Ok(config) => config,
            Err(mistakes) => {
                for mistake in &mistakes {
                    terminal::error(mistake);
                }
                return terminal::tell("nothing has changed\n");
            }
        };
        let counted = holds(&config);
        match self.shell.apply(Change::Replace(Box::new(config))) {
            Ok(_) => terminal::tell(&format!("read again: {counted}\n")),
            Err(e) => terminal::error(&format!("nothing has changed: {e}")),
        }
    }

    /// Drains, then writes the state a last time.
    fn end(self) -> Result<ExitCode, Failure> {
        let drained = self.shell.stop();
        self.state.map_or(Ok(()), State::end)?;
        if drained.left > 0 {
            let left = words::counted(drained.left as u64, "connection");
            terminal::warning(&format!("{left} did not end in time"));
        }
        match drained.failed {
            0 => Ok(ExitCode::SUCCESS),
            _ => Err(Failure::unexpected(&"a thread of the gateway failed")),
        }
    }
}

fn options(args: &GatewayArgs) -> Options {
    match args.profile {
        Profile::Default => Options { workers: args.workers, ..Options::default() },
        Profile::Kong => Options::kong(args.workers, 0),
    }
}

/// What the gateway starts with: the state that an earlier one has left, else the files.
fn first(args: &GatewayArgs) -> Result<Config, Vec<String>> {
    match args.state.as_ref().filter(|path| path.exists()) {
        Some(state) => {
            let aside = if args.config.is_empty() { "" } else { "; --config is left aside" };
            terminal::tell(&format!("going on with {}{aside}\n", words::plain(&input::name(state))));
            read(std::slice::from_ref(state))
        }
        None => read(&args.config),
    }
}

/// The same a second time, which only files can be.
fn read_again(files: &[PathBuf]) -> Result<Config, Vec<String>> {
    if files.is_empty() {
        return Err(vec!["there is no --config to read again".to_owned()]);
    }
    match files.iter().find(|file| input::is_stdin(file)) {
        Some(file) => Err(vec![format!("{} cannot be read again", input::name(file))]),
        None => read(files),
    }
}

/// The configuration in `files`, read as one. Mistakes come one a line, each with its file's name.
fn read(files: &[PathBuf]) -> Result<Config, Vec<String>> {
    let text = |file: &PathBuf| input::read(file, FILE_MAX as u64).map(|text| (input::name(file), text));
    let (texts, failed): (Vec<_>, Vec<_>) = files.iter().map(text).partition(Result::is_ok);
    if !failed.is_empty() {
        return Err(failed.into_iter().filter_map(Result::err).collect());
    }
    let texts: Vec<_> = texts.into_iter().filter_map(Result::ok).collect();
    let texts: Vec<_> = texts.iter().map(|(name, text)| Text { name, text }).collect();
    let loaded = scenario::read_deck(&texts, &input::variable, unix_millis())?;
    for warning in &loaded.warnings {
        terminal::warning(warning);
    }
    for lint in scenario::lint(&loaded.config, &|_| false) {
        let scenario::Lint { named, message, label, help, .. } = lint;
        terminal::warning(&format!("{named}: {message} ({label}); {help}"));
    }
    Ok(loaded.config)
}

#[expect(clippy::disallowed_methods, reason = "entities carry the wall clock, as Kong's do")]
fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `1 service, 1 route, 2 upstreams, 4 targets`
fn holds(config: &Config) -> String {
    let counts = [
        (config.services().count(), "service"),
        (config.routes().count(), "route"),
        (config.upstreams().count(), "upstream"),
        (config.targets().count(), "target"),
    ];
    counts.map(|(count, noun)| words::counted(count as u64, noun)).join(", ")
}
