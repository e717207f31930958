//! How well the Targets of an Upstream are, and saying so by hand.

use serde_json::{Value, json};

use super::{Call, Decision, Reply, World};
use crate::entity::{Target, Upstream};
use crate::gateway::TargetHealth;
use crate::id::{TargetId, UpstreamId};
use crate::schema::Entity as _;

/// `/upstreams/{u}/health`.
pub(super) fn of_upstream(world: &World<'_>, key: &str, call: &Call<'_>) -> Result<Decision, Reply> {
    if call.method != "GET" {
        return Err(Reply::not_allowed("GET, HEAD, OPTIONS"));
    }
    let (id, upstream) = world.config.find_upstream(key).ok_or_else(Reply::not_found)?;
    let of_balancer = form_urlencoded::parse(call.query.as_bytes())
        .any(|(key, value)| key == "balancer_health" && value == "1");
    let data = if of_balancer { balancer(world, id, upstream) } else { targets(world, id) };
    let body = json!({ "data": data, "next": null, "node_id": super::info::node_id() });
    Ok(Decision::Reply(Reply::json(200, &body)))
}

/// `/upstreams/{u}/targets/{t}/healthy` and `unhealthy`.
pub(super) fn set(
    world: &World<'_>,
    upstream: &str,
    target: &str,
    healthy: bool,
    call: &Call<'_>,
) -> Result<Decision, Reply> {
    if !matches!(call.method, "PUT" | "POST") {
        return Err(Reply::not_allowed("OPTIONS, POST, PUT"));
    }
    let (id, upstream) = world.config.find_upstream(upstream).ok_or_else(Reply::not_found)?;
    let (target, _) = world.config.find_target(id, target).ok_or_else(Reply::not_found)?;
    if !upstream.healthchecks.are_on() {
        return Err(Reply::message(400, &format!("no healthchecker found for {}", upstream.name)));
    }
    Ok(Decision::SetHealth(vec![target], healthy))
}

fn targets(world: &World<'_>, upstream: UpstreamId) -> Value {
    let one = |(id, target): (TargetId, &Target)| {
        let mut shown = target.to_json(world.config);
        let health = world.gateway.health(id);
        let weight = u64::from(target.weight.get());
        let available = if is_available(health) { weight } else { 0 };
        shown.insert("health".to_owned(), word(health).into());
        let data = json!({
            "host": target.target.host(),
            "port": target.target.port(),
            "dns": "A",
            "nodeWeight": weight,
            "weight": { "total": weight, "available": available, "unavailable": weight - available },
            "addresses": [{
                "ip": target.target.host(),
                "port": target.target.port(),
                "weight": weight,
                "health": word(health),
            }],
        });
        shown.insert("data".to_owned(), data);
        Value::Object(shown)
    };
    world.config.targets_of(upstream).map(one).collect()
}

fn balancer(world: &World<'_>, id: UpstreamId, upstream: &Upstream) -> Value {
    let all = || world.config.targets_of(id);
    let weight = |only_available: bool| -> u64 {
        let counts = all().filter(|(id, _)| !only_available || is_available(world.gateway.health(*id)));
        counts.map(|(_, target)| u64::from(target.weight.get())).sum()
    };
    let (total, available) = (weight(false), weight(true));
    let healthy = total > 0 && available as f64 * 100.0 / total as f64 > upstream.healthchecks.threshold;
    let status = match (upstream.healthchecks.are_on(), healthy) {
        (false, _) => "HEALTHCHECKS_OFF",
        (true, true) => "HEALTHY",
        (true, false) => "UNHEALTHY",
    };
    let hosts = all().map(|(id, target)| {
        json!({
            "host": target.target.host(),
            "port": target.target.port(),
            "weight": target.weight.get(),
            "health": word(world.gateway.health(id)),
        })
    });
    json!({
        "id": upstream.uuid,
        "health": status,
        "balancer_health": if healthy { "HEALTHY" } else { "UNHEALTHY" },
        "details": {
            "healthy": healthy,
            "weight": { "total": total, "available": available, "unavailable": total - available },
            "hosts": hosts.collect::<Vec<_>>(),
        },
    })
}

const fn is_available(health: TargetHealth) -> bool {
    !matches!(health, TargetHealth::Unhealthy)
}

const fn word(health: TargetHealth) -> &'static str {
    match health {
        TargetHealth::Off => "HEALTHCHECKS_OFF",
        TargetHealth::Healthy => "HEALTHY",
        TargetHealth::Unhealthy => "UNHEALTHY",
    }
}
