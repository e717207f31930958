//! What a rollout that was given up has left behind: how the configuration after its way back differs from the one before it. A pure
//! comparison of the two.

use gateway_core::config::Config;
use gateway_core::entity::Service;

use crate::mock::FaultKind;
use crate::plan::Plan;
use crate::rollout::judge::Side;

/// In words, each difference: Routes and Services that came or went, Services that lead elsewhere, targets with another weight.
pub(super) fn of(plan: &Plan, after: &Config) -> Vec<String> {
    let before = &plan.gateway.config;
    let mut left = routes(before, after);
    for (id, service) in before.services() {
        match after.service(id) {
            Some(now) => left.extend(service_differs(service, now)),
            None => left.push(format!("service {} is gone", name_of(service))),
        }
    }
    let came = after.services().filter(|(id, _)| before.service(*id).is_none());
    left.extend(came.map(|(_, service)| format!("service {} is there", name_of(service))));
    left.extend(weights(plan, after));
    left
}

fn routes(before: &Config, after: &Config) -> Vec<String> {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "without a name".to_owned());
    let came = after.routes().filter(|(id, _)| before.route(*id).is_none());
    let went = before.routes().filter(|(id, _)| after.route(*id).is_none());
    let came = came.map(|(_, route)| format!("route {} is there", name(&route.name)));
    came.chain(went.map(|(_, route)| format!("route {} is gone", name(&route.name)))).collect()
}

fn service_differs(before: &Service, now: &Service) -> Vec<String> {
    let name = name_of(before);
    let mut differs = Vec::new();
    if before.host != now.host {
        differs.push(format!("service {name} leads to {}", now.host));
    }
    if before.split != now.split {
        differs.push(format!("service {name} divides users as it did not before"));
    }
    if before.mirror != now.mirror {
        differs.push(format!("service {name} has copies sent as it had not before"));
    }
    differs
}

fn name_of(service: &Service) -> &str {
    service.name.as_deref().unwrap_or("without a name")
}

/// Weights of the targets of both versions. Those that a fault takes out and brings back are its matter, and an old target without a
/// weight may get one: somebody must serve.
fn weights(plan: &Plan, after: &Config) -> Vec<String> {
    let faults = plan.picked_faults();
    let is_taken_out = |mock: u32| {
        let leaves = faults.all().iter().filter(|fault| fault.kind == FaultKind::Deregister);
        leaves.clone().any(|fault| fault.mocks.contains(&(mock as usize)))
    };
    let side = |mock: u32| plan.rollout.sides.get(mock as usize).copied().flatten();
    let mocks = plan.mocks_of_targets();
    let differs = plan.gateway.config.targets().filter_map(|(id, before)| {
        let mock = mocks.get(id)?;
        let side = side(mock).filter(|_| !is_taken_out(mock))?;
        let now = after.target(id).map(|target| target.weight.get());
        let was = before.weight.get();
        let is_fine = now == Some(was) || (side == Side::Stable && was == 0);
        let now = now.map_or_else(|| "is gone".to_owned(), |now| format!("has weight {now}, not {was}"));
        (!is_fine).then(|| format!("target {} {now}", before.target))
    });
    differs.collect()
}

#[cfg(test)]
mod tests {
    use gateway_core::config::Change;
    use gateway_core::entity::{Mirror, Route};
    use gateway_core::id::{ServiceId, TargetId};
    use gateway_core::weight::Weight;

    use super::*;
    use crate::measure::rehearsal::how_to;

    #[test]
    fn each_kind_of_leftover_is_said_and_what_is_as_before_is_not() {
        // Aim: weights, Routes, hosts and mirrors. Method: one of each is left, and a Service; then all goes back.
        let mut plan = how_to(10.0, 1, &[]);
        plan.rollout.sides = vec![Some(Side::Stable), Some(Side::Canary), None, None];
        let (id, mut config) = (ServiceId(0), plan.gateway.config.clone());
        let before = config.service(id).unwrap().clone();
        let left = Service { host: "green".into(), mirror: Some(Mirror::new("green")), ..before.clone() };
        let preview = config.add_service(Service::new("preview", "green")).unwrap();
        let route =
            config.add_route(Route { paths: vec!["/x".into()], ..Route::new("testers", preview) }).unwrap();
        for change in [
            Change::UpdateService(id, left),
            Change::SetWeight(TargetId(1), Weight::new(7)),
            Change::SetWeight(TargetId(2), Weight::new(7)),
        ] {
            config.change(change).unwrap();
        }
        let expected = [
            "route testers is there",
            "service example-service leads to green",
            "service example-service has copies sent as it had not before",
            "service preview is there",
            "target httpbin.org:80 has weight 7, not 50",
        ];
        assert_eq!(of(&plan, &config), expected, "a target of neither version is nobody's business");
        for change in [
            Change::DeleteRoute(route),
            Change::DeleteService(preview),
            Change::UpdateService(id, before),
            Change::SetWeight(TargetId(1), Weight::new(50)),
        ] {
            config.change(change).unwrap();
        }
        assert_eq!(of(&plan, &config), [""; 0]);
    }
}
