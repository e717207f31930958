//! Each action as the calls of the Admin API that it stands for: what a person with curl or decK would send. Sent over HTTP by
//! the live engine, handed to `gateway_core::admin` by the model, printed by `--dry-run --format deck`.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use gateway_core::entity::{SplitCookie, SplitKey};

use super::action::{
    Action, HeaderMatch, HeaderRoute, MirrorRoute, MirrorTo, SplitRoute, SplitTo, TargetWeight,
};

/// One call of the Admin API.
#[derive(Clone, Debug, PartialEq)]
pub struct AdminCall {
    /// Upper case.
    pub method: &'static str,
    /// Percent-encoded, from the first `/`.
    pub path: String,
    /// JSON; `None` for a call without a body.
    pub body: Option<Value>,
}

impl fmt::Display for AdminCall {
    /// `PATCH /services/shop  {"host":"green"}`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        self.body.as_ref().map_or(Ok(()), |body| write!(f, "  {body}"))
    }
}

impl AdminCall {
    fn patch(path: String, body: Value) -> Self {
        Self { method: "PATCH", path, body: Some(body) }
    }
}

/// The calls that `action` stands for, in the order they are made; none for what is not the gateway's business.
pub fn calls(action: &Action) -> Vec<AdminCall> {
    match action {
        Action::SetHost { service_name, host, .. } => {
            vec![AdminCall::patch(format!("/services/{}", segment(service_name)), json!({ "host": host }))]
        }
        Action::SetWeight { weights, .. } | Action::Drain { weights, .. } => {
            weights.iter().map(set_target).collect()
        }
        Action::SetTarget(weight) => vec![set_target(weight)],
        Action::SetHeaderRoute(route) => header_route(route),
        Action::SetSplit(SplitRoute { service_name, to }) => {
            let split = to.as_ref().map(split);
            let path = format!("/services/{}", segment(service_name));
            vec![AdminCall::patch(path, json!({ "split": split }))]
        }
        Action::SetMirrorRoute(MirrorRoute { service_name, to }) => {
            let mirror = to.as_ref().map(mirror);
            let path = format!("/services/{}", segment(service_name));
            vec![AdminCall::patch(path, json!({ "mirror": mirror }))]
        }
        Action::Patch { path, body } => vec![AdminCall::patch(path.clone(), Value::Object(body.clone()))],
        Action::Start(_)
        | Action::WaitReady { .. }
        | Action::Stop(_)
        | Action::Scaled(_)
        | Action::Pause(_)
        | Action::Analysis { .. }
        | Action::WaitUntil { .. }
        | Action::Promote
        | Action::Abort => Vec::new(),
    }
}

fn mirror(MirrorTo { host, percent, methods, compare, timeout }: &MirrorTo) -> Value {
    let (parts, headers): (Vec<&str>, Vec<&str>) =
        compare.iter().map(String::as_str).partition(|part| matches!(*part, "status" | "body"));
    json!({
        "host": host,
        "percent": percent,
        "methods": methods,
        "compare_status": parts.contains(&"status"),
        "compare_body": parts.contains(&"body"),
        "compare_headers": headers,
        "timeout": timeout.map(|timeout| timeout.as_millis() as u64),
    })
}

fn split(SplitTo { host, percent, key, salt }: &SplitTo) -> Value {
    match key {
        SplitKey::Header(header) => {
            json!({ "host": host, "percent": percent, "header": header, "salt": salt })
        }
        SplitKey::Cookie(SplitCookie { name, max_age, primary_sticky }) => json!({
            "host": host,
            "percent": percent,
            "cookie": name,
            "max_age": max_age.as_secs(),
            "primary_sticky": primary_sticky,
            "salt": salt,
        }),
    }
}

/// The call that gives a target its weight. Without any it gets no requests; sessions that stick to it may end there.
pub(super) fn set_target(weight: &TargetWeight) -> AdminCall {
    AdminCall::patch(target_path(&weight.upstream, &weight.target), json!({ "weight": weight.weight }))
}

/// The call that asks what a target's weight is.
pub(super) fn get_target(upstream: &str, target: &str) -> AdminCall {
    AdminCall { method: "GET", path: target_path(upstream, target), body: None }
}

fn target_path(upstream: &str, target: &str) -> String {
    format!("/upstreams/{}/targets/{}", segment(upstream), segment(target))
}

fn header_route(route: &HeaderRoute) -> Vec<AdminCall> {
    let paths = route.names().map(|name| format!("/routes/{}", segment(&name)));
    let Some(HeaderMatch { field, values, routes, service, host }) = &route.to else {
        // A Service goes once no Route leads to it.
        let services = route.leaves.iter().map(|name| format!("/services/{}", segment(name)));
        let gone = paths.chain(services);
        return gone.map(|path| AdminCall { method: "DELETE", path, body: None }).collect();
    };
    let put = |path, body| AdminCall { method: "PUT", path, body: Some(body) };
    let (name, values) = field.route_match(values);
    let twin = |(path, of): (String, &Map<String, Value>)| {
        let mut fields = of.clone();
        let headers = fields.entry("headers").or_insert_with(|| json!({}));
        headers[name] = json!(values);
        fields.insert("service".to_owned(), json!({ "name": service }));
        put(path, Value::Object(fields))
    };
    let service = put(format!("/services/{}", segment(service)), json!({ "host": host }));
    std::iter::once(service).chain(paths.zip(routes).map(twin)).collect()
}

/// What stands for itself in a segment of a path (RFC 3986).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Field;
    use gateway_core::id::ServiceId;

    fn written(action: &Action) -> Vec<String> {
        calls(action).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_verb_is_the_call_a_person_would_send() {
        let host =
            Action::SetHost { service: ServiceId(0), service_name: "a b".into(), host: "green".into() };
        assert_eq!(written(&host), [r#"PATCH /services/a%20b  {"host":"green"}"#]);
        let weight =
            |target: &str, weight| TargetWeight { upstream: "u".into(), target: target.into(), weight };
        let weights =
            Action::SetWeight { share: 0.05, weights: vec![weight("v2:80", 5), weight("v1:80", 95)] };
        let expected = [
            r#"PATCH /upstreams/u/targets/v2:80  {"weight":5}"#,
            r#"PATCH /upstreams/u/targets/v1:80  {"weight":95}"#,
        ];
        assert_eq!(written(&weights), expected);
        assert!(written(&Action::Promote).is_empty());
    }

    #[test]
    fn a_mirror_is_a_field_of_the_service() {
        let to = MirrorTo {
            host: "v2".into(),
            percent: 25.0,
            methods: vec!["GET".into()],
            compare: vec!["status".into(), "content-type".into()],
            timeout: Some(std::time::Duration::from_millis(250)),
        };
        let set = |to| Action::SetMirrorRoute(MirrorRoute { service_name: "shop".into(), to });
        let expected = r#"PATCH /services/shop  {"mirror":{"compare_body":false,"compare_headers":["content-type"],"compare_status":true,"host":"v2","methods":["GET"],"percent":25.0,"timeout":250}}"#;
        assert_eq!(written(&set(Some(to))), [expected]);
        assert_eq!(written(&set(None)), [r#"PATCH /services/shop  {"mirror":null}"#]);
    }

    #[test]
    fn a_header_route_is_a_service_and_a_route_for_each_of_its_own_and_goes_as_these() {
        let to = HeaderMatch {
            field: Field::Header("x-tester".into()),
            values: vec!["yes".into()],
            routes: [json!({ "paths": ["/"] }), json!({ "paths": ["/eu"], "headers": { "x-eu": ["1"] } })]
                .map(|fields| fields.as_object().cloned().unwrap())
                .to_vec(),
            service: "shop-canary".into(),
            host: "canary".into(),
        };
        let set = Action::SetHeaderRoute(HeaderRoute::set("testers".into(), to));
        let expected = [
            r#"PUT /services/shop-canary  {"host":"canary"}"#,
            r#"PUT /routes/testers  {"headers":{"x-tester":["yes"]},"paths":["/"],"service":{"name":"shop-canary"}}"#,
            r#"PUT /routes/testers-2  {"headers":{"x-eu":["1"],"x-tester":["yes"]},"paths":["/eu"],"service":{"name":"shop-canary"}}"#,
        ];
        assert_eq!(written(&set), expected);
        let unset = HeaderRoute::unset("testers".into(), 2, vec!["shop-canary".into()]);
        assert_eq!(
            written(&Action::SetHeaderRoute(unset)),
            ["DELETE /routes/testers", "DELETE /routes/testers-2", "DELETE /services/shop-canary"]
        );
    }
}
