//! What a request carries where something looks at it: the values of a header field or of a cookie.

use crate::load::{COOKIE, Pattern, RequestTemplate, Users};
use crate::rollout::Field;

/// The values of `field` in a request that some of `users` sends. Cookies that answers have set are not among them.
pub fn carried(request: &RequestTemplate, users: &Users, field: &Field) -> Vec<Pattern> {
    let name = match field {
        Field::Header(name) => name,
        Field::Cookie(_) => COOKIE,
    };
    let fields = request.fields(users).into_iter();
    let values = fields.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    match field {
        Field::Header(_) => values.collect(),
        Field::Cookie(name) => {
            let cookies = values.flat_map(|value| value.cookies());
            cookies.filter(|(own, _)| own == name).map(|(_, value)| value).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_a_value_and_a_cookie_stands_among_others() {
        let mut users = Users::new(10, None);
        (users.header, users.cookie) = (Some("X-User".into()), Some("uid".into()));
        let headers = vec![("Cookie".to_owned(), "group=b; theme=dark".into())];
        let request = RequestTemplate { headers, ..RequestTemplate::get("/") };
        let of = |field: Field| {
            carried(&request, &users, &field).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(Field::Header("x-user".into())), ["${user}"]);
        assert_eq!(of(Field::Header("x-tester".into())), [""; 0]);
        assert_eq!(of(Field::Cookie("group".into())), ["b"]);
        assert_eq!(of(Field::Cookie("uid".into())), ["${user}"]);
        assert_eq!(of(Field::Cookie("Group".into())), [""; 0], "capitals count");
        assert_eq!(of(Field::Header("cookie".into())), ["group=b; theme=dark; uid=${user}"]);
    }
}
