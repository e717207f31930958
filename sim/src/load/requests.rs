//! What is sent: templates and their weights. Which template request `k` uses is drawn from the seed, never cycled.

use std::sync::Arc;

use gateway_core::rng;

use super::users::COOKIE;
use super::{Pattern, Users};

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTemplate {
    /// What it is called, if the scenario calls it something.
    pub name: Option<String>,
    /// Upper case.
    pub method: String,
    /// Starts with `/`; may hold a query.
    pub path: Pattern,
    /// Name and value, in file order.
    pub headers: Vec<(String, Pattern)>,
    /// Sent with a `Content-Length` when not empty.
    pub body: Pattern,
    /// Its share is its weight over the sum of weights; at least 1.
    pub weight: u32,
}

impl RequestTemplate {
    /// A plain GET of `path`.
    pub fn get(path: &str) -> Self {
        Self {
            name: None,
            method: "GET".to_owned(),
            path: path.into(),
            headers: vec![],
            body: "".into(),
            weight: 1,
        }
    }

    /// What tables and thresholds call it: its name, else method and path.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{} {}", self.method, self.path))
    }

    /// The header fields of one that some of `users` sends, but for cookies that answers have set: its own, and those with the user's
    /// key that it does not write itself. There is one `Cookie` field (RFC 6265, 5.4), so a key in a cookie joins those that it has.
    pub fn fields(&self, users: &Users) -> Vec<(String, Pattern)> {
        let mut fields = self.headers.clone();
        for (name, key) in users.fields() {
            match fields.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
                None => fields.push((name.to_owned(), key)),
                Some((_, own)) if name == COOKIE && !has_cookie(own, users) => own.join("; ", &key),
                Some(_) => {}
            }
        }
        fields
    }
}

/// Whether a `Cookie` field has one that is called like the cookie of users' keys.
fn has_cookie(field: &Pattern, users: &Users) -> bool {
    field.cookies().iter().any(|(name, _)| Some(name) == users.cookie.as_ref())
}

/// A weighted mix of request kinds; never empty.
#[derive(Clone, Debug)]
pub struct RequestMix {
    /// Shared: a plan is copied, a body may be long.
    templates: Arc<[RequestTemplate]>,
    /// Running sums of weights.
    until: Vec<u64>,
}

impl RequestMix {
    /// A mix of `templates`.
    ///
    /// # Errors
    /// When there is none, or a weight is 0.
    pub fn new(templates: Vec<RequestTemplate>) -> Result<Self, String> {
        if templates.is_empty() {
            return Err("a load needs at least one request".to_owned());
        }
        let mut until = Vec::with_capacity(templates.len());
        let mut sum = 0;
        for template in &templates {
            if template.weight == 0 {
                return Err(format!("the weight of {} {} is 0", template.method, template.path));
            }
            sum += u64::from(template.weight);
            until.push(sum);
        }
        Ok(Self { templates: templates.into(), until })
    }

    /// All kinds, in file order.
    pub fn templates(&self) -> &[RequestTemplate] {
        &self.templates
    }

    /// What part of all requests is of this kind.
    pub fn share(&self, template: &RequestTemplate) -> f64 {
        f64::from(template.weight) / self.until[self.until.len() - 1] as f64
    }

    /// The kind of request `index`: a pure function of (seed, index).
    pub fn kind(&self, seed: u64, index: u64) -> usize {
        if self.templates.len() == 1 {
            return 0;
        }
        let sum = self.until[self.until.len() - 1];
        let drawn = rng::draw(seed, const { rng::fnv1a("load/mix") }, index);
        let point = ((u128::from(drawn) * u128::from(sum)) >> 64) as u64;
        self.until.partition_point(|&until| until <= point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(path: &str, weight: u32) -> RequestTemplate {
        RequestTemplate { weight, ..RequestTemplate::get(path) }
    }

    #[test]
    fn a_mix_keeps_its_weights_and_its_draws() {
        // Aim: shares follow weights and request k is the same kind whenever asked. Method: 40,000 draws at 3:1; the
        // standard deviation is 87, so 400 is far beyond chance, and the seed is fixed anyway.
        let mix = RequestMix::new(vec![template("/a", 3), template("/b", 1)]).unwrap();
        let b = (0..40_000).filter(|&k| mix.kind(7, k) == 1).count();
        assert!(b.abs_diff(10_000) < 400, "{b}");
        assert_eq!(mix.kind(7, 1234), mix.kind(7, 1234));
    }

    #[test]
    fn a_key_stands_beside_what_a_request_says_itself_and_never_against_it() {
        let mut users = Users::new(10, None);
        (users.header, users.cookie) = (Some("x-user".into()), Some("uid".into()));
        let fields = |own: &[(&str, &str)]| {
            let headers = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            let fields = RequestTemplate { headers, ..RequestTemplate::get("/") }.fields(&users);
            fields.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        assert_eq!(fields(&[]), ["x-user: ${user}", "cookie: uid=${user}"]);
        assert_eq!(fields(&[("X-User", "me"), ("a", "b")]), ["X-User: me", "a: b", "cookie: uid=${user}"]);
        assert_eq!(
            fields(&[("Cookie", "theme=dark")]),
            ["Cookie: theme=dark; uid=${user}", "x-user: ${user}"]
        );
        assert_eq!(fields(&[("cookie", "a=b; uid=7")]), ["cookie: a=b; uid=7", "x-user: ${user}"]);
    }

    #[test]
    fn an_empty_mix_and_a_weight_of_zero_are_refused() {
        assert!(RequestMix::new(vec![]).is_err());
        assert!(RequestMix::new(vec![template("/a", 0)]).is_err());
    }
}
