//! Named places at which a test program may be ended, to prove what a kill leaves behind.
//!
//! Without the feature `failpoints`, [`reached`] is an empty function and this module does nothing.
//! With it, a program may set one hook that is called with the name of each place as it is reached;
//! the hook decides what happens, such as ending its own process. No place changes what the code
//! around it does. The names stand in `docs/durability.md` of the repository.

/// Tells the hook that a place was reached; nothing without the feature `failpoints`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn reached(_place: &str) {}

/// Tells the hook that a place was reached; nothing without a hook.
#[cfg(feature = "failpoints")]
pub fn reached(place: &str) {
    if let Some(hook) = hooked::HOOK.get() {
        hook(place);
    }
}

#[cfg(feature = "failpoints")]
pub use hooked::on_reach;

#[cfg(feature = "failpoints")]
mod hooked {
    use std::sync::OnceLock;

    type Hook = Box<dyn Fn(&str) + Send + Sync>;

    pub(super) static HOOK: OnceLock<Hook> = OnceLock::new();

    /// Sets the hook of this process; the first one stays. Returns whether it was set.
    pub fn on_reach(hook: impl Fn(&str) + Send + Sync + 'static) -> bool {
        HOOK.set(Box::new(hook)).is_ok()
    }
}
