//! What a run allocates: nothing for each request on the generator's thread once it has what it needs, half a byte for each
//! request in the recorder, however long the run is, and in a modelled run nothing at all.

#[path = "support/observations.rs"]
mod observations;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use observations::observations;
use sim::engine::{live, model};
use sim::measure::{Conditions, Observation, Recorder};
use sim::plan::{Engine, Plan};
use sim::scenario::{self, Input};

/// The system's allocator, counting for each thread by itself, where others can look.
struct Counting;

/// Threads that are counted, by the last digits of their ids.
const THREADS: usize = 4096;
static COUNTS: [AtomicU64; THREADS] = [const { AtomicU64::new(0) }; THREADS];
static BYTES: [AtomicI64; THREADS] = [const { AtomicI64::new(0) }; THREADS];

thread_local! {
    static SLOT: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn slot_of(thread: i32) -> usize {
    thread.unsigned_abs() as usize % THREADS
}

fn count(calls: u64, bytes: i64) {
    // A thread that is going away is not counted any more.
    let _ = SLOT.try_with(|slot| {
        if slot.get() == usize::MAX {
            slot.set(slot_of(rustix::thread::gettid().as_raw_pid()));
        }
        COUNTS[slot.get()].fetch_add(calls, Ordering::Relaxed);
        BYTES[slot.get()].fetch_add(bytes, Ordering::Relaxed);
    });
}

fn size(layout: Layout) -> i64 {
    layout.size().cast_signed() as i64
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; it hands everything on")]
// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, size(layout));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -size(layout));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        count(1, new.cast_signed() as i64 - size(layout));
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, new) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn plan(rate: u32, seconds: u32) -> Plan {
    let text = format!(
        "name = \"allocations\"\n[load]\nrate = {rate}\nduration = \"{seconds}s\"\nconnections = 32\n[load.keys]\nusers = 100\n\
         header = \"x-user\"\n[[load.requests]]\npath = \"/a\"\n[[load.requests]]\nmethod = \"POST\"\npath = \"/b\"\n\
         body = \"${{index}}\"\n[[services]]\nname = \"s\"\nhost = \"u\"\n[[routes]]\npaths = [\"/\"]\nservice = {{ name = \"s\" }}\n\
         [[upstreams]]\nname = \"u\"\ntargets = [{{ target = \"a:80\" }}, {{ target = \"b:80\" }}]\n[[mocks]]\nmatch = \"*\"\n\
         latency = \"1ms\"\n"
    );
    let input = Input { path: "allocations.toml".into(), text, ..Input::default() };
    scenario::read(&input).unwrap_or_else(|e| panic!("{}", scenario::render(&e, &input, false)))
}

// === The generator ===

/// The slot of the thread that sends.
fn generator() -> Option<usize> {
    let tasks = fs::read_dir("/proc/self/task").ok()?.flatten();
    let is_one = |name: &str| name.trim_end() == "generator";
    let thread = tasks
        .filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| is_one(&name)))
        .find_map(|task| task.file_name().to_str()?.parse().ok())?;
    Some(slot_of(thread))
}

#[test]
fn live_a_request_in_the_steady_state_allocates_nothing_on_the_generators_thread() {
    // Aim: memory is taken for batches of reports only, one each 10 ms or 256 reports. Method: allocations of its thread
    // between two moments of a run, beside the requests that ended between them.
    let plan = plan(2000, 3);
    let (mut ended, mut slot, mut marks) = (0_u64, None, Vec::new());
    live::run(&plan, &AtomicBool::new(false), &mut |seen| {
        slot = slot.or_else(generator);
        ended += seen.iter().filter(|seen| matches!(seen, Observation::Ended(_))).count() as u64;
        // The first second makes buffers and queues as large as they get.
        if let Some(slot) = slot.filter(|_| (2000..5500).contains(&ended)) {
            marks.push((ended, COUNTS[slot].load(Ordering::Relaxed)));
        }
    })
    .unwrap();
    let ((from, before), (to, after)) = (marks[0], marks[marks.len() - 1]);
    let (requests, allocations) = (to - from, after - before);
    println!("{allocations} allocations for {requests} requests on the generator's thread");
    assert!(requests > 1000 && allocations > 0, "{marks:?}");
    assert!(allocations * 4 < requests, "{allocations} allocations for {requests} requests");
}

// === The model ===

/// Allocations of this thread so far, and bytes it holds.
fn mine() -> (u64, i64) {
    let slot = slot_of(rustix::thread::gettid().as_raw_pid());
    (COUNTS[slot].load(Ordering::Relaxed), BYTES[slot].load(Ordering::Relaxed))
}

#[test]
fn a_modelled_request_allocates_nothing_and_leaves_nothing_behind() {
    // Aim: neither engine nor recorder take memory for a request or an event once buffers are as large as they get. Method: the
    // second half of a run against the first, folded and walked; a histogram may still grow with its longest time.
    let mut plan = plan(2000, 60);
    plan.engine = Engine::Model;
    for run in [model::run, model::walk] {
        let mut recorder = Recorder::new(&plan);
        let (mut ended, mut half) = (0_u64, (0, 0));
        run(&plan, &AtomicBool::new(false), &mut |seen| {
            for seen in seen {
                recorder.record(seen);
                ended += u64::from(matches!(seen, Observation::Ended(_)));
            }
            if ended < 60_000 {
                half = mine();
            }
        });
        let (allocations, bytes) = mine();
        println!("{} allocations, {} bytes more in 60,000 requests", allocations - half.0, bytes - half.1);
        assert_eq!(ended, 120_000);
        assert!(allocations - half.0 < 300 && bytes - half.1 < 64 * 1024);
        assert_eq!(recorder.finish(Conditions::default()).intended, ended);
    }
}

// === The recorder ===

/// What the recorder of a ten-minute run holds at its end, bytes.
fn held(rate: u32) -> i64 {
    let plan = plan(rate, 600);
    let slot = slot_of(rustix::thread::gettid().as_raw_pid());
    let before = BYTES[slot].load(Ordering::Relaxed);
    let mut recorder = Recorder::new(&plan);
    for seen in
        (0..plan.load.total()).flat_map(|index| observations(index, rate.into(), u32::from(index % 2 == 1)))
    {
        recorder.record(&seen);
    }
    let held = BYTES[slot].load(Ordering::Relaxed) - before;
    assert_eq!(recorder.finish(Conditions::default()).intended, plan.load.total());
    held
}

#[test]
fn a_ten_minute_run_holds_half_a_byte_for_each_request() {
    // Aim: memory does not grow with requests but for four bits each, so that ten minutes at 10,000 a second, 6 million
    // requests, need 3 MB more than at none. Method: the same ten minutes at two rates.
    let (few, many) = (held(50), held(200));
    let requests = 600 * 150;
    println!("{few} bytes for 30,000 requests, {many} for 120,000");
    assert!(many - few <= requests / 2 + 32 * 1024, "{few} and {many} bytes");
    assert!(many < 8 << 20, "{many} bytes");
}
