//! Something for each Upstream, or for what each Service has there, found by number: looked up several times for each request.

use gateway_core::id::{ServiceId, UpstreamId};

/// One value for each Upstream, and one for requests that go to none.
#[derive(Clone, Debug)]
pub(super) struct ByUpstream<T>(Vec<T>);

impl<T> Default for ByUpstream<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> ByUpstream<T> {
    /// That of `upstream`, made on first use.
    pub(super) fn of(&mut self, upstream: Option<UpstreamId>) -> &mut T {
        let place = place(upstream);
        if self.0.len() <= place {
            self.0.resize_with(place + 1, T::default);
        }
        &mut self.0[place]
    }

    /// That of `upstream`, if it was ever used.
    pub(super) fn get(&self, upstream: Option<UpstreamId>) -> Option<&T> {
        self.0.get(place(upstream))
    }

    /// All of them, in order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    /// All of them with whose they are, in order.
    pub(super) fn into_all(self) -> impl Iterator<Item = (Option<UpstreamId>, T)> {
        let whose = std::iter::once(None).chain((0..).map(|number| Some(UpstreamId(number))));
        whose.zip(self.0)
    }
}

/// One value for each Service at each Upstream. Several may point at one, and what one of them does there is not the others' doing.
#[derive(Clone, Debug)]
pub(super) struct ByService<T>(Vec<ByUpstream<T>>);

impl<T> Default for ByService<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> ByService<T> {
    /// That of `service` at `upstream`, made on first use.
    pub(super) fn of(&mut self, service: ServiceId, upstream: Option<UpstreamId>) -> &mut T {
        // Configurations number their Services from 0.
        let place = service.0 as usize;
        if self.0.len() <= place {
            self.0.resize_with(place + 1, ByUpstream::default);
        }
        self.0[place].of(upstream)
    }

    /// That of `service` at `upstream`, if it was ever used.
    pub(super) fn get(&self, service: ServiceId, upstream: Option<UpstreamId>) -> Option<&T> {
        self.0.get(service.0 as usize)?.get(upstream)
    }
}

/// Configurations number their Upstreams from 0.
fn place(upstream: Option<UpstreamId>) -> usize {
    upstream.map_or(0, |upstream| upstream.0 as usize + 1)
}
