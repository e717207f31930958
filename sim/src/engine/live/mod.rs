//! The live engine: a real gateway, real sockets, real time. Starts everything, lets the load run, hands on what is seen in
//! order of time, and ends every thread it has started, whatever happens.
//!
//! Threads: `generator` sends, `gateway-N` and `admin` are the gateway's, `targets` answers, `control` carries out the steps,
//! `probe` watches the machine; the calling thread listens. One clock for all, started by the generator when it is ready.

mod alarm;
mod alone;
mod answer;
mod connection;
mod control;
mod generator;
mod machine;
mod observer;
mod outgoing;
mod preflight;
mod report;
mod seal;
mod targets;
mod template;
mod watch;

pub use alone::{MockTarget, send_load};

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gateway_core::gateway::Applied;
use gateway_core::shell::{ClientLimits, Clock, Hooks, Observer, Settings, Shell};
use gateway_core::time::Instant;
use tokio::sync::{oneshot, watch as process};

use self::machine::JitterProbe;
use self::observer::WorkerObserver;
use self::report::{Collector, Reporter, channel};
use self::watch::Watch;
use super::EngineError;
use crate::load::RequestIds;
use crate::measure::{Conditions, CpuSample, Grid, Observation};
use crate::plan::Plan;
use crate::rollout::Seen;

/// The listener is asked for news this often at least.
const LISTEN: Duration = Duration::from_millis(20);
/// Between two readings of CPU times.
const CPU: Duration = Duration::from_millis(500);
/// The load's connections are all there are: the gateway ends none for its age or its silence. Longer than any run.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A port that nobody else has.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long the gateway may take to end once all requests have.
const GATEWAY_DRAIN: Duration = Duration::from_secs(2);

/// Runs `plan`. `see` gets what was seen in order of time, on the calling thread, at least each 50 ms while the load runs;
/// setting `stop` ends the run early.
///
/// # Errors
/// When something cannot be started, or a thread of the engine fails.
pub fn run(
    plan: &Plan,
    stop: &AtomicBool,
    see: &mut dyn FnMut(&[Observation]),
) -> Result<Conditions, EngineError> {
    preflight::check(plan)?;
    let watch = Watch::start(Grid::new(plan.load.duration()));
    let (mut parts, collector) = Parts::start(plan)?;
    let mut listener =
        Listener { collector, see, clock: parts.clock.clone(), next_cpu: Instant::ZERO, watch };
    let ended = listener.listen_until_loaded(&mut parts, stop);
    let loaded = parts.clock.now();
    listener.read_last_cpu(loaded, ended.as_ref().ok().map(|ended| ended.cpu));
    let probe = parts.probe.take();
    parts.end();
    listener.listen_to_the_end();
    let conditions = listener.watch.conditions(loaded, probe);
    let ended = ended?;
    if let Some(part) = parts.failed {
        return Err(EngineError::Thread(part));
    }
    Ok(Conditions { drained_at: ended.at, aborted_at: ended.aborted, ..conditions })
}

/// Everything that runs, and how to end it. Ends it when dropped.
struct Parts {
    clock: Clock,
    generator: Option<JoinHandle<io::Result<generator::Ended>>>,
    /// Tells the generator to stop early.
    stop: Arc<AtomicBool>,
    /// One for each node of the gateway.
    shells: Vec<Shell>,
    /// `targets` and `control`.
    others: Vec<Thread>,
    probe: Option<JitterProbe>,
    /// A part that did not end as it should.
    failed: Option<&'static str>,
}

/// A thread by its name, and the way to tell it to stop.
struct Thread {
    name: &'static str,
    stop: oneshot::Sender<()>,
    handle: JoinHandle<io::Result<()>>,
}

impl Thread {
    /// Tells it to stop and waits for it; whether it ended as it should.
    fn end(self) -> bool {
        // A thread that has ended already hears nothing; joining it says how.
        let _ = self.stop.send(());
        matches!(self.handle.join(), Ok(Ok(())))
    }
}

fn spawn(
    name: &'static str,
    run: impl FnOnce(oneshot::Receiver<()>) -> io::Result<()> + Send + 'static,
) -> Result<Thread, EngineError> {
    let (stop, stopped) = oneshot::channel();
    let handle = named(name, move || run(stopped))?;
    Ok(Thread { name, stop, handle })
}

impl Parts {
    /// Starts everything, the generator last.
    fn start(plan: &Plan) -> Result<(Self, Collector), EngineError> {
        let clock = Clock::stopped();
        let ids = RequestIds::new(plan.seed, plan.load.total());
        let workers = plan.gateway.options.workers;
        let (mut reporters, collector) = channel(workers * usize::from(plan.gateway.nodes) + 3, &clock);
        let mut reporter = || reporters.pop().expect("one reporter for each thread that reports");
        let (for_targets, for_control, for_generator) = (reporter(), reporter(), reporter());

        let listeners = targets::listen(&plan.mocks, (Ipv4Addr::LOCALHOST, 0).into())?;
        let overrides = listeners.addresses.clone();
        let mut parts = Self {
            clock: clock.clone(),
            generator: None,
            stop: Arc::default(),
            shells: Vec::new(),
            others: Vec::new(),
            probe: JitterProbe::start(&clock),
            failed: None,
        };
        let processes: Vec<_> = plan.processes_at_start().into_iter().map(process::Sender::new).collect();
        let for_doors: Vec<_> = processes.iter().map(process::Sender::subscribe).collect();
        let ports: Vec<_> = plan.mocks.iter().map(|mock| overrides[&mock.name]).collect();
        let (mocks, faults, seed, target_ids, target_clock) =
            (plan.mocks.clone(), plan.picked_faults(), plan.seed, ids.clone(), clock.clone());
        parts.others.push(spawn("targets", move |stop| {
            targets::run(targets::Start {
                processes: for_doors,
                listeners,
                mocks,
                faults,
                seed,
                ids: target_ids,
                clock: target_clock,
                reporter: for_targets,
                stop,
                drain: Duration::ZERO,
            })
        })?);

        let (on_applied, applied) = mpsc::channel();
        let (on_seen, seen) = mpsc::channel();
        let settings = Settings {
            proxy: plan.gateway.proxy_listen,
            admin: plan.gateway.admin_listen,
            workers,
            drain: GATEWAY_DRAIN,
            client: ClientLimits {
                requests_max: u64::MAX,
                head_timeout: PATIENCE,
                idle_timeout: PATIENCE,
                ..ClientLimits::default()
            },
            seed: plan.seed,
            overrides,
            ..Settings::default()
        };
        let hooks = hooks(reporters, (ids.clone(), clock.clone()), on_applied, on_seen);
        for (number, node) in plan.gateway.start().into_iter().enumerate() {
            // The first listens where the file says, the others where there is room.
            let free = Settings { proxy: ANY_PORT, admin: ANY_PORT, ..settings.clone() };
            let settings = if number == 0 { settings.clone() } else { free };
            parts.shells.push(Shell::start(node, settings, clock.clone(), hooks.clone())?);
        }
        let proxies: Vec<_> = parts.shells.iter().map(Shell::proxy_addr).collect();
        let admin = parts.shells[0].admin_addr();

        let streams = connect_all(&proxies, plan.load.connections)?;
        let (machine, registry, control_clock) = (plan.machine(), plan.registry(), clock.clone());
        parts.others.push(spawn("control", move |stop| {
            control::run(control::Start {
                machine,
                registry,
                processes,
                ports,
                admin,
                clock: control_clock,
                reporter: for_control,
                applied,
                seen,
                stop,
            })
        })?);
        let start = generator::Start {
            load: plan.load.clone(),
            seed,
            ids,
            key: plan.rollout.key_cookie().map(str::to_owned),
            nodes: proxies,
            streams,
            clock,
            reporter: for_generator,
            stop: Arc::clone(&parts.stop),
        };
        parts.generator = Some(named("generator", move || generator::run(start))?);
        Ok((parts, collector))
    }

    /// Ends everything, in the order of the requests' way. Remembers the first part that had failed.
    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        let mut failed = |part, ended: bool| {
            if !ended {
                self.failed.get_or_insert(part);
            }
        };
        if let Some(generator) = self.generator.take() {
            failed("generator", matches!(generator.join(), Ok(Ok(_))));
        }
        for shell in self.shells.drain(..) {
            failed("gateway", shell.stop().failed == 0);
        }
        for thread in self.others.drain(..) {
            failed(thread.name, thread.end());
        }
        if let Some(probe) = self.probe.take() {
            probe.end();
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.end();
    }
}

/// Who the gateway tells what: each worker's observer takes one of `reporters`.
fn hooks(
    reporters: Vec<Reporter>,
    (ids, clock): (RequestIds, Clock),
    on_applied: mpsc::Sender<Applied>,
    on_seen: mpsc::Sender<Seen>,
) -> Hooks {
    let reporters = Mutex::new(reporters);
    Hooks {
        observer: Arc::new(move |_| {
            let mut reporters = reporters.lock().expect("nobody panics while holding it");
            let reporter = reporters.pop().expect("one reporter for each worker");
            let (ids, clock) = (ids.clone(), clock.clone());
            Rc::new(WorkerObserver::start(reporter, ids, clock, on_seen.clone())) as Rc<dyn Observer>
        }),
        // Once the run is over nobody asks what was applied.
        on_applied: Arc::new(move |applied: &Applied| {
            let _ = on_applied.send(applied.clone());
        }),
    }
}

/// The load's connections, to all nodes by turns, established before the clock starts so that no request waits for the first one.
fn connect_all(nodes: &[SocketAddr], count: usize) -> Result<Vec<TcpStream>, EngineError> {
    let connect = |number: usize| {
        let stream = TcpStream::connect(nodes[number % nodes.len()])?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    (0..count).map(|number| connect(number).map_err(EngineError::system("connect to the gateway"))).collect()
}

fn named<T: Send + 'static>(
    name: &'static str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, EngineError> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(EngineError::system("start a thread"))
}

/// What the calling thread does meanwhile.
struct Listener<'a> {
    collector: Collector,
    see: &'a mut dyn FnMut(&[Observation]),
    clock: Clock,
    next_cpu: Instant,
    watch: Watch,
}

impl Listener<'_> {
    /// Until the generator has ended.
    fn listen_until_loaded(
        &mut self,
        parts: &mut Parts,
        stop: &AtomicBool,
    ) -> Result<generator::Ended, EngineError> {
        loop {
            let now = self.clock.now();
            if now >= self.next_cpu {
                self.next_cpu = now + CPU;
                self.read_cpu(now);
            }
            if stop.load(Ordering::Acquire) {
                parts.stop.store(true, Ordering::Release);
            }
            self.collector.collect(LISTEN);
            (self.see)(&self.collector.ready());
            if parts.generator.as_ref().is_none_or(JoinHandle::is_finished) {
                break;
            }
        }
        let generator = parts.generator.take().ok_or(EngineError::Thread("generator"))?;
        match generator.join() {
            Ok(Ok(ended)) => Ok(ended),
            Ok(Err(e)) => Err(EngineError::system("send the load")(e)),
            Err(_) => Err(EngineError::Thread("generator")),
        }
    }

    fn read_cpu(&mut self, now: Instant) {
        let sample = self.watch.read(now);
        (self.see)(&[Observation::Cpu(sample)]);
    }

    /// `generator` is the CPU time of the generator's thread, which has ended.
    fn read_last_cpu(&mut self, now: Instant, generator: Option<Duration>) {
        let sample = self.watch.read(now);
        let generator = generator.map(gateway_core::time::nanos).or(sample.generator);
        (self.see)(&[Observation::Cpu(CpuSample { generator, ..sample })]);
    }

    /// Until every thread has said its last word.
    fn listen_to_the_end(&mut self) {
        while self.collector.collect(LISTEN) {}
        (self.see)(&self.collector.ready());
    }
}
