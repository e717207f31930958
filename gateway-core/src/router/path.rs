//! The path sent on to a target: the Service's path and what the Route leaves of the request's, joined as Kong joins them
//! (`path_handling` v0). Pure.

/// Appends to `out` the path for a request to `path` of which the Route cuts the first `stripped` bytes, when the Service's
/// own path is `service`.
pub fn write_target_path(out: &mut Vec<u8>, service: Option<&str>, path: &str, stripped: usize) {
    let service = service.unwrap_or("/");
    let rest = without_dots(path.get(stripped..).unwrap_or(path));
    let rest = if stripped == 0 && path == "/" { "" } else { rest };
    let base = service.strip_suffix('/').unwrap_or(service);
    out.extend_from_slice(base.as_bytes());
    if rest.is_empty() {
        // The whole path was matched: a slash at the end stays if the request or a bare "/" asks for it.
        let of_request = stripped > 0 && path.ends_with('/') && (stripped > 1 || service.ends_with('/'));
        let of_service = stripped == 0 && service.ends_with('/');
        if base.is_empty() || of_request || of_service {
            out.push(b'/');
        }
        return;
    }
    out.push(b'/');
    out.extend_from_slice(rest.strip_prefix('/').unwrap_or(rest).as_bytes());
}

/// What follows a cut must not climb: a leading `./` or `../` goes, and a lone `.` or `..` becomes nothing.
fn without_dots(rest: &str) -> &str {
    match rest {
        "." | ".." => "",
        _ => rest.strip_prefix("../").or_else(|| rest.strip_prefix("./")).unwrap_or(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_kong_joins_them() {
        // Aim: Kong's worked rows for v0. Columns: Service path, Route path, strip_path, request, result.
        for (service, route, strip, request, expected) in [
            ("/", "/route", true, "/route", "/"),
            ("/", "/route", true, "/route/", "/"),
            ("/", "/route", true, "/routereq", "/req"),
            ("/srv", "/rou", false, "/roureq", "/srv/roureq"),
            ("/srv", "/rou", true, "/roureq", "/srv/req"),
            ("/srv/", "/rou", true, "/rou", "/srv"),
            ("/service", "/", true, "/", "/service"),
            ("/service", "/", false, "/", "/service"),
            ("/service", "/", true, "/route", "/service/route"),
            ("/service", "/route", true, "/route", "/service"),
            ("/service", "/route", true, "/route/", "/service/"),
            ("/service", "/route/", true, "/route/req", "/service/req"),
            ("/service/", "/route", true, "/route/", "/service/"),
            ("/service/", "/route", false, "/route", "/service/route"),
            ("/service", "", true, "/route/", "/service/route/"),
            ("/service", "/route", true, "/route../req", "/service/req"),
        ] {
            let mut out = Vec::new();
            let stripped = if strip { route.len() } else { 0 };
            write_target_path(&mut out, Some(service), request, stripped);
            let seen = String::from_utf8(out).unwrap();
            assert_eq!(seen, expected, "{service} {route} strip={strip} {request}");
        }
        let mut out = Vec::new();
        write_target_path(&mut out, None, "/anything/x", 0);
        assert_eq!(out, b"/anything/x");
    }
}
