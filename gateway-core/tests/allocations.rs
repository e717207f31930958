//! What a proxied request allocates on the gateway's worker thread: a bound that a change may not silently go beyond.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/closed_loop.rs"]
mod closed_loop;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gateway_core::gateway::{Attempt, Finished};
use gateway_core::shell::{Hooks, Observer};
use http::HeaderMap;

/// Allocations of one request in the steady state, at most.
const PER_REQUEST_MAX: u64 = 4;
/// Requests until buffers, maps and pools have their size.
const WARM_UP: usize = 500;
/// Requests that are counted.
const COUNTED: usize = 2000;

/// The system's allocator, counting for each thread by itself.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is going away is not counted any more.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; it hands everything on")]
// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Passes the worker's own count on with each request, from its thread.
struct Reader(Arc<AtomicU64>);

impl Observer for Reader {
    fn request(&self, _: &HeaderMap) -> u64 {
        self.0.store(COUNT.with(Cell::get), Ordering::SeqCst);
        0
    }
    fn picked(&self, _: u64, _: &Attempt) {}
    fn finished(&self, _: u64, _: Finished) {}
}

#[test]
fn a_proxied_request_allocates_no_more_than_its_bound() {
    let seen = Arc::<AtomicU64>::default();
    let told = Arc::clone(&seen);
    let observer = move |_| Rc::new(Reader(Arc::clone(&told))) as Rc<dyn Observer>;
    let hooks = Hooks { observer: Arc::new(observer), ..Hooks::default() };
    let shell = closed_loop::gateway(closed_loop::target(), hooks);
    // Counted between the first request of each of two connections, so that a connection's own costs are in.
    closed_loop::ask(shell.proxy_addr(), WARM_UP);
    let before = seen.load(Ordering::SeqCst);
    closed_loop::ask(shell.proxy_addr(), COUNTED);
    let all = seen.load(Ordering::SeqCst) - before;
    let per_request = all as f64 / COUNTED as f64;
    println!("{per_request:.2} allocations per request on the worker's thread");
    assert!(all > 0, "the worker is counted at all");
    assert!(all <= PER_REQUEST_MAX * COUNTED as u64, "{per_request:.2} allocations per request");
}
