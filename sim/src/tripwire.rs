//! Catches code that leaves the simulation: reads of the real clock and of system entropy.
//!
//! The libc functions below are defined here, so that in a binary that links the simulator they are the ones that
//! everybody calls. Outside of a simulated step they pass on to the real ones. Inside, they note the call with a
//! backtrace, and the executor fails the run right after the poll that did it.
//!
//! What escapes: instructions that ask the processor (`rdtsc`, `rdrand`), addresses, and std's `RandomState` on a thread
//! that had drawn its keys before. The double run ([`audit`](crate::audit)) is there for those.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::fmt;

/// A call that left the simulation.
pub(crate) struct Trip {
    call: &'static str,
    backtrace: Backtrace,
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of the real system\n{}", self.call, self.backtrace)
    }
}

std::thread_local! {
    /// Whether a simulated step runs on this thread. `const` and without destructor: safe to read anywhere.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    static HAS_TRIPPED: Cell<bool> = const { Cell::new(false) };
    static TRIP: RefCell<Option<Trip>> = const { RefCell::new(None) };
}

/// Runs a simulated step and reports the first call that left the simulation.
#[inline]
pub(crate) fn watch<R>(is_armed: bool, step: impl FnOnce() -> R) -> (R, Option<Trip>) {
    if !is_armed {
        return (step(), None);
    }
    let inside = Inside::enter(true);
    let result = step();
    drop(inside);
    if HAS_TRIPPED.get() {
        HAS_TRIPPED.set(false);
        return (result, TRIP.take());
    }
    (result, None)
}

/// Runs something of the test harness (printing progress, say) that may read the real clock, inside a simulation.
/// Whatever it learns must not reach the code under test.
pub fn outside<R>(action: impl FnOnce() -> R) -> R {
    let _inside = Inside::enter(false);
    action()
}

/// Whether the tripwire is in force in this binary: whether calls arrive here at all.
pub fn is_linked() -> bool {
    let (_, trip) = watch(true, interpose::touch);
    trip.is_some()
}

struct Inside {
    before: bool,
}

impl Inside {
    fn enter(is_inside: bool) -> Self {
        Self { before: IS_INSIDE.replace(is_inside) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        IS_INSIDE.set(self.before);
    }
}

#[cfg_attr(madsim, allow(dead_code))]
#[cold]
fn trip(call: &'static str) {
    // Taking the backtrace may call what we watch.
    IS_INSIDE.set(false);
    if !HAS_TRIPPED.replace(true) {
        let trip = Trip { call, backtrace: Backtrace::force_capture() };
        TRIP.set(Some(trip));
    }
    IS_INSIDE.set(true);
}

#[cfg_attr(madsim, allow(dead_code))]
#[inline]
fn note(call: &'static str) {
    if IS_INSIDE.get() {
        trip(call);
    }
}

// Not under madsim, which defines the same symbols for itself, and two definitions do not link.
#[cfg(all(target_os = "linux", target_env = "gnu", not(madsim)))]
mod interpose {
    use super::note;
    use libc::{
        c_int, c_uint, c_void, clockid_t, pthread_attr_t, pthread_t, size_t, ssize_t, time_t, timespec,
        timeval,
    };
    use std::ffi::CStr;
    use std::sync::atomic::{AtomicPtr, Ordering};

    /// The next definition of a symbol after ours: libc's own.
    struct Real {
        name: &'static CStr,
        found: AtomicPtr<c_void>,
    }

    impl Real {
        const fn new(name: &'static CStr) -> Self {
            Self { name, found: AtomicPtr::new(std::ptr::null_mut()) }
        }

        fn get(&self) -> *mut c_void {
            let found = self.found.load(Ordering::Relaxed);
            if !found.is_null() {
                return found;
            }
            // SAFETY: `name` is a C string; RTLD_NEXT asks for the definition that ours hides.
            let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            if found.is_null() {
                std::process::abort();
            }
            self.found.store(found, Ordering::Relaxed);
            found
        }
    }

    macro_rules! interpose {
        ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty = $text:literal;)*) => {
            $(
                /// Notes the call if it comes from inside a simulation, then does what libc's does.
                ///
                /// # Safety
                /// As libc's function of this name.
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
                    static REAL: Real = Real::new($text);
                    note(stringify!($name));
                    // SAFETY: libc defines this symbol with exactly this signature; the caller answers for the
                    // arguments.
                    unsafe {
                        let real: unsafe extern "C" fn($($type),*) -> $result = std::mem::transmute(REAL.get());
                        real($($argument),*)
                    }
                }
            )*
        };
    }

    interpose! {
        fn clock_gettime(clock: clockid_t, out: *mut timespec) -> c_int = c"clock_gettime";
        fn gettimeofday(out: *mut timeval, zone: *mut c_void) -> c_int = c"gettimeofday";
        fn time(out: *mut time_t) -> time_t = c"time";
        fn getrandom(out: *mut c_void, length: size_t, flags: c_uint) -> ssize_t = c"getrandom";
        fn getentropy(out: *mut c_void, length: size_t) -> c_int = c"getentropy";
        fn nanosleep(wait: *const timespec, rest: *mut timespec) -> c_int = c"nanosleep";
        fn clock_nanosleep(clock: clockid_t, flags: c_int, wait: *const timespec, rest: *mut timespec) -> c_int = c"clock_nanosleep";
        fn pthread_create(
            thread: *mut pthread_t, attributes: *const pthread_attr_t,
            start: extern "C" fn(*mut c_void) -> *mut c_void, argument: *mut c_void
        ) -> c_int = c"pthread_create";
    }

    /// Calls one of them through the linker's name, as everybody does.
    pub(super) fn touch() {
        // SAFETY: a null argument is allowed.
        let now = unsafe { libc::time(std::ptr::null_mut()) };
        std::hint::black_box((
            now,
            clock_gettime as *const (),
            getrandom as *const (),
            pthread_create as *const (),
        ));
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", not(madsim))))]
mod interpose {
    /// On other systems nothing is interposed: clippy's bans and the double run remain.
    pub(super) fn touch() {}
}
