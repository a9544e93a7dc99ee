//! Variables of the environment that the original reads and that are not settings of ours by
//! another name.

use figment::value::Value;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may stand in a part of a URL as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

type Settings = Vec<(&'static str, Value)>;

/// `database.url` from the parts the original takes. Without a host there is none; the other
/// parts default as in the original's image.
pub(super) fn database(variable: &impl Fn(&str) -> Option<String>) -> Settings {
    let Some(host) = variable("ASOBI_DB_HOST") else {
        return Vec::new();
    };
    let part = |name: &str, default: &str| encode(&variable(name).unwrap_or(default.to_owned()));
    let user = part("ASOBI_DB_USER", "postgres");
    let password = variable("ASOBI_DB_PASSWORD").map(|password| format!(":{}", encode(&password)));
    let port = variable("ASOBI_DB_PORT").map(|port| format!(":{port}"));
    let name = part("ASOBI_DB_NAME", "asobi");
    let url = format!(
        "postgres://{user}{}@{}{}/{name}",
        password.unwrap_or_default(),
        encode_host(&host),
        port.unwrap_or_default(),
    );
    vec![("database.url", url.into())]
}

/// `guest.reap_after_seconds`. What is no number fails to load: an operator who misspells it
/// must not learn of it by what was deleted, or was not.
pub(super) fn reap_after(variable: &impl Fn(&str) -> Option<String>) -> Settings {
    let Some(text) = variable("ASOBI_GUEST_REAP_AFTER") else {
        return Vec::new();
    };
    let seconds = match text.trim().parse::<u64>() {
        Ok(seconds) => Value::from(seconds),
        Err(_) => Value::from(text),
    };
    vec![("guest.reap_after_seconds", seconds)]
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, UNRESERVED).to_string()
}

/// A name, an address, or the folder of a socket.
fn encode_host(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => encode(host),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::sqlx::postgres::PgConnectOptions;

    use super::*;

    fn url(variables: &[(&str, &str)]) -> Option<String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let settings = database(&variable);
        settings
            .first()
            .map(|(_, value)| value.as_str().unwrap().to_owned())
    }

    #[test]
    fn parts_make_a_url_whatever_they_hold() {
        assert_eq!(url(&[("ASOBI_DB_USER", "ada")]), None);
        let text = url(&[("ASOBI_DB_HOST", "db")]).unwrap();
        assert_eq!(text, "postgres://postgres@db/asobi");
        let odd = "p@ss:/?#[]%41 \"ä\\$'&=+";
        let text = url(&[
            ("ASOBI_DB_HOST", "db.example"),
            ("ASOBI_DB_PORT", "6432"),
            ("ASOBI_DB_NAME", "my/game"),
            ("ASOBI_DB_USER", "a:b@c"),
            ("ASOBI_DB_PASSWORD", odd),
        ])
        .unwrap();
        let read: PgConnectOptions = text.parse().unwrap();
        assert_eq!((read.get_host(), read.get_port()), ("db.example", 6432));
        assert_eq!(read.get_database(), Some("my/game"));
        assert_eq!(read.get_username(), "a:b@c");
        // The password has no getter; the URL made from the options is one round on.
        use sea_orm::sqlx::ConnectOptions;
        assert!(
            read.to_url_lossy()
                .as_str()
                .contains(&encode(odd).replace('_', "%5F"))
        );
    }

    #[test]
    fn a_host_may_be_an_address_or_a_socket() {
        for (host, read) in [
            ("::1", "[::1]"),
            ("10.0.0.7", "10.0.0.7"),
            ("/run/pg", "%2Frun%2Fpg"),
        ] {
            let text = url(&[("ASOBI_DB_HOST", host)]).unwrap();
            assert_eq!(text, format!("postgres://postgres@{read}/asobi"));
            text.parse::<PgConnectOptions>().unwrap();
        }
    }

    #[test]
    fn retention_is_a_number_or_an_error() {
        let read = |text: &str| reap_after(&|_: &str| Some(text.to_owned()))[0].1.clone();
        assert_eq!(read(" 3600 \n").to_u128(), Some(3600));
        assert_eq!(read("0").to_u128(), Some(0));
        assert_eq!(read("-1").to_u128(), None);
        assert_eq!(read("soon").to_u128(), None);
        assert!(reap_after(&|_: &str| None).is_empty());
    }
}
