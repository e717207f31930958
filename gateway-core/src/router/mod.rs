//! Which Route a request belongs to: built once for each configuration, asked for each request. Serves paths (prefix),
//! hosts and methods; the order among several matches is Kong's, as one number.

mod path;

pub use path::{write_escaped, write_target_path};

use crate::config::Config;
use crate::entity::{PathHandling, Route};
use crate::id::{RouteId, ServiceId};
use crate::request::Head;

/// All Routes of a configuration, best first.
#[derive(Debug, Default)]
pub struct Router {
    rows: Vec<Row>,
}

/// One Route with one of its paths: a Route with several paths competes as several Routes.
#[derive(Debug)]
struct Row {
    route: RouteId,
    service: Option<ServiceId>,
    path: Option<String>,
    hosts: Box<[String]>,
    methods: Box<[String]>,
    strip_path: bool,
    preserve_host: bool,
    path_handling: PathHandling,
    /// Higher goes first.
    priority: u64,
    /// Between equals the older goes first, then the one with the smaller id.
    created_at: u64,
}

/// The Route that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The Route.
    pub route: RouteId,
    /// Its Service; a Route may have none.
    pub service: Option<ServiceId>,
    /// Bytes at the start of the path that the Route cuts off.
    pub stripped: usize,
    /// Whether the client's `Host` is sent on.
    pub preserve_host: bool,
    /// How the Service's path and the request's are joined.
    pub path_handling: PathHandling,
}

impl Router {
    /// The table of `config`. Routes of a Service that is switched off are left out.
    pub fn new(config: &Config) -> Self {
        let mut rows: Vec<Row> = config
            .routes()
            .filter(|(_, route)| {
                route.service.and_then(|id| config.service(id)).is_none_or(|service| service.enabled)
            })
            .flat_map(|(id, route)| rows_of(id, route))
            .collect();
        rows.sort_by(|a, b| {
            b.priority.cmp(&a.priority).then(a.created_at.cmp(&b.created_at)).then(a.route.cmp(&b.route))
        });
        Self { rows }
    }

    /// The first Route that matches in every kind it sets.
    pub fn find(&self, head: &Head<'_>) -> Option<Found> {
        self.rows.iter().find(|row| row.matches(head)).map(|row| Found {
            route: row.route,
            service: row.service,
            stripped: if row.strip_path { row.path.as_ref().map_or(0, String::len) } else { 0 },
            preserve_host: row.preserve_host,
            path_handling: row.path_handling,
        })
    }
}

impl Row {
    fn matches(&self, head: &Head<'_>) -> bool {
        let any = |list: &[String], value: &str| list.is_empty() || list.iter().any(|entry| entry == value);
        self.path.as_ref().is_none_or(|path| head.path.as_bytes().starts_with(path.as_bytes()))
            && any(&self.hosts, head.host)
            && any(&self.methods, head.method)
    }
}

fn rows_of(id: RouteId, route: &Route) -> Vec<Row> {
    let row = |path: Option<&String>| Row {
        route: id,
        service: route.service,
        path: path.cloned(),
        hosts: route.hosts.clone().into(),
        methods: route.methods.clone().into(),
        strip_path: route.strip_path,
        preserve_host: route.preserve_host,
        path_handling: route.path_handling,
        priority: priority(route, path.map_or(0, String::len)),
        created_at: route.created_at,
    };
    if route.paths.is_empty() {
        vec![row(None)]
    } else {
        route.paths.iter().map(|path| row(Some(path))).collect()
    }
}

/// Kong's order among Routes that match, most significant first: how many kinds of matcher are set, whether hosts are
/// among them, the length of the prefix.
fn priority(route: &Route, path_length: usize) -> u64 {
    let kinds = [!route.paths.is_empty(), !route.hosts.is_empty(), !route.methods.is_empty()];
    let count = kinds.iter().filter(|&&set| set).count() as u64;
    count << 61 | u64::from(!route.hosts.is_empty()) << 60 | path_length as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Service;

    /// Name, hosts, methods, paths.
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

    /// The name of the Route that a request finds.
    fn winner(routes: &[Row<'_>], method: &str, host: &str, path: &str) -> Option<String> {
        let mut config = Config::default();
        let service = config.add_service(Service::new("s", "blue")).unwrap();
        let owned = |list: &[&str]| list.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>();
        for (name, hosts, methods, paths) in routes {
            let route = Route::new(name, service);
            config
                .add_route(Route {
                    hosts: owned(hosts),
                    methods: owned(methods),
                    paths: owned(paths),
                    ..route
                })
                .unwrap();
        }
        let found = Router::new(&config).find(&Head { host, ..Head::new(method, path) })?;
        config.routes().find(|(id, _)| *id == found.route).and_then(|(_, route)| route.name.clone())
    }

    #[test]
    fn kongs_worked_examples_without_regex_and_wildcards() {
        let a_host = ("A", &["a.com"][..], &[][..], &[][..]);
        let b_path = ("B", &[][..], &[][..], &["/x"][..]);
        assert_eq!(winner(&[a_host, b_path], "GET", "a.com", "/x").as_deref(), Some("A"));
        let a_method = ("A", &[][..], &["GET"][..], &[][..]);
        assert_eq!(winner(&[a_method, b_path], "GET", "", "/x").as_deref(), Some("B"));
        let b_two = ("B", &["a.com"][..], &["POST"][..], &[][..]);
        assert_eq!(winner(&[a_host, b_two], "POST", "a.com", "/").as_deref(), Some("B"));
        let (short, long) = (("A", &[][..], &[][..], &["/a"][..]), ("B", &[][..], &[][..], &["/a/b"][..]));
        assert_eq!(winner(&[short, long], "GET", "", "/a/b/c").as_deref(), Some("B"));
        let v1 = ("A", &["h1"][..], &[][..], &["/v1"][..]);
        let root = ("B", &["h2"][..], &[][..], &["/"][..]);
        assert_eq!(winner(&[v1, root], "GET", "h2", "/v1").as_deref(), Some("B"));
        assert_eq!(winner(&[("A", &[], &[], &["/plain/a.b"])], "GET", "", "/plain/aab"), None);
        let twins = [("older", &[][..], &[][..], &["/x"][..]), ("younger", &[][..], &[][..], &["/x"][..])];
        assert_eq!(winner(&twins, "GET", "", "/x").as_deref(), Some("older"));
    }

    #[test]
    fn a_prefix_is_cut_only_when_the_route_says_so_and_a_disabled_service_has_no_routes() {
        let mut config = Config::default();
        let service = config.add_service(Service::new("s", "blue")).unwrap();
        config.add_route(Route { paths: vec!["/rou".into()], ..Route::new("r", service) }).unwrap();
        let find = |config: &Config| Router::new(config).find(&Head::new("GET", "/route"));
        assert_eq!(find(&config).map(|found| found.stripped), Some(4));
        let off = Service { enabled: false, ..config.service(service).unwrap().clone() };
        let config = config.with(crate::config::Change::UpdateService(service, off)).unwrap();
        assert_eq!(find(&config), None);
    }
}
