//! Of which Services the steps so far have asked that the new version answers: one may be switched while another waits. Goes by steps
//! alone, whatever came of them.

use gateway_core::config::Config;
use gateway_core::id::ServiceId;

use crate::rollout::{Action, HeaderRoute};

/// Whose requests may meet the new version.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Those of any Service.
    everybody: bool,
    /// Those of these.
    services: Vec<ServiceId>,
    /// Those of Services that a header route brought along: of none that was there at the start, and was numbered so far.
    testers_from: Option<u32>,
}

impl Asked {
    /// Those of any Service, or of none.
    pub(super) fn by(everybody: bool) -> Self {
        Self { everybody, ..Self::default() }
    }

    /// A step begins; `config` is that of the start.
    pub(super) fn begins(&mut self, action: &Action, config: &Config) {
        match action {
            _ if !action.leads_to_the_new() => {}
            Action::SetHost { service, .. } => self.services.push(*service),
            Action::SetHeaderRoute(HeaderRoute { to: Some(to), .. }) => {
                let of_name =
                    config.services().find(|(_, service)| service.name.as_deref() == Some(&to.service));
                if let Some((service, _)) = of_name {
                    self.services.push(service);
                } else {
                    let last = config.services().map(|(id, _)| id.0).max();
                    self.testers_from = Some(last.map_or(0, |last| last + 1));
                }
            }
            // Weights, keys and whatever else lead there within a Service.
            _ => self.everybody = true,
        }
    }

    /// Whether requests of this Service may.
    pub(super) fn is_of(&self, service: ServiceId) -> bool {
        self.everybody
            || self.services.contains(&service)
            || self.testers_from.is_some_and(|first| service.0 >= first)
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::entity::Service;

    use super::*;
    use crate::rollout::{Field, HeaderMatch};

    #[test]
    fn one_service_may_be_asked_while_another_waits() {
        let mut config = Config::default();
        let [eu, us] = ["eu", "us"].map(|name| config.add_service(Service::new(name, "v1")).unwrap());
        let host =
            |service, name: &str| Action::SetHost { service, service_name: name.into(), host: "v2".into() };
        let testers = |service: &str| {
            let to = HeaderMatch {
                field: Field::Header("x-tester".into()),
                values: vec!["yes".into()],
                routes: vec![serde_json::Map::new()],
                service: service.into(),
                host: "v2".into(),
            };
            Action::SetHeaderRoute(HeaderRoute::set("testers".into(), to))
        };
        let mut asked = Asked::by(false);
        let mut after = |action: &Action| {
            asked.begins(action, &config);
            [eu, us, ServiceId(7)].map(|service| asked.is_of(service))
        };
        assert_eq!(after(&Action::Promote), [false, false, false]);
        assert_eq!(after(&testers("eu-v2")), [false, false, true], "it will be numbered when it is there");
        assert_eq!(after(&host(eu, "eu")), [true, false, true]);
        assert_eq!(after(&testers("us")), [true, true, true]);
        assert!(Asked::by(true).is_of(us));
    }
}
