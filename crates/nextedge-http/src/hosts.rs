//! Which hosts a client may talk to: credentials never leave them.

use nextedge_core::{Error, ErrorKind, Result};
use url::{Host, Url};

/// The pinned hosts of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostPins(Vec<Pin>);

#[derive(Clone, Debug)]
struct Pin {
    host: String,
    reach: PinReach,
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PinReach {
    Exact,
    Subdomains,
}

impl HostPins {
    /// Adds `host`, `host:port` or `*.host`.
    pub(crate) fn add(&mut self, text: &str) -> Result<()> {
        let (reach, name) = match text.strip_prefix("*.") {
            Some(name) => (PinReach::Subdomains, name),
            None => (PinReach::Exact, text),
        };
        let refuse = || {
            Error::new(ErrorKind::Config, "allowed host is not a host name")
                .with_context("host", text)
                .with_action("write `host`, `host:port` or `*.host`, without scheme and path")
        };
        let url = Url::parse(&format!("https://{name}")).map_err(|_| refuse())?;
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !plain || name.contains(['/', '@', '*']) {
            return Err(refuse());
        }
        self.0.push(Pin {
            host: url.host_str().ok_or_else(refuse)?.to_owned(),
            reach,
            port: url.port(),
        });
        Ok(())
    }

    /// Adds the host of a base URL.
    pub(crate) fn add_url(&mut self, url: &Url) {
        if let Some(host) = url.host_str() {
            self.0.push(Pin {
                host: host.to_owned(),
                reach: PinReach::Exact,
                port: url.port_or_known_default(),
            });
        }
    }

    /// Refuses a URL that is not https (loopback may be http) or whose host is not pinned.
    pub(crate) fn check(&self, url: &Url) -> Result<()> {
        check_scheme(url)?;
        if self.0.iter().any(|pin| pin.allows(url)) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, "host is not allowed")
            .with_context("host", url.host_str().unwrap_or_default())
            .with_action("name it among the client's allowed hosts, or correct the base url"))
    }
}

impl Pin {
    fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let named = match self.reach {
            PinReach::Exact => host == self.host,
            PinReach::Subdomains => host
                .strip_suffix(self.host.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        };
        let port = match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            None => is_loopback(url) || url.port_or_known_default() == Some(443),
        };
        named && port
    }
}

/// Refuses a URL whose traffic could be read on the way, or that carries credentials itself.
pub(crate) fn check_scheme(url: &Url) -> Result<()> {
    let fault = match url.scheme() {
        "https" => None,
        "http" if is_loopback(url) => None,
        _ => Some("only https is allowed; http only to this machine"),
    };
    let fault = match fault {
        None if !url.username().is_empty() || url.password().is_some() => {
            Some("a url must not hold credentials")
        }
        None if url.query().is_some() || url.fragment().is_some() => {
            Some("a base url has neither query nor fragment")
        }
        fault => fault,
    };
    match fault {
        None => Ok(()),
        Some(fault) => Err(Error::new(ErrorKind::Config, fault)
            .with_context("host", url.host_str().unwrap_or_default())),
    }
}

/// Joins a base and a path; the path can neither leave the host nor climb.
pub(crate) fn join(base: &Url, path: &str) -> Result<Url> {
    let climbs = path.split(['/', '\\']).any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    });
    if !path.starts_with('/') || climbs || path.contains(['?', '#']) {
        return Err(Error::new(
            ErrorKind::Invalid,
            "path must begin with / and hold neither dot segments nor a query",
        ));
    }
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_pinned_hosts_over_safe_transport_are_allowed() {
        let mut pins = HostPins::default();
        for text in [
            "api.example.com",
            "*.my.example.net",
            "127.0.0.1",
            "x.example.com:8443",
        ] {
            pins.add(text).unwrap();
        }
        for (url, allowed) in [
            ("https://api.example.com/", true),
            ("https://API.example.com/", true),
            ("http://api.example.com/", false),
            ("https://api.example.com:444/", false),
            ("https://api.example.com.evil.org/", false),
            ("https://evil.org/", false),
            ("https://a.my.example.net/", true),
            ("https://my.example.net/", false),
            ("https://evilmy.example.net/", false),
            ("http://127.0.0.1:9999/", true),
            ("http://127.0.0.2:9999/", false),
            ("https://x.example.com:8443/", true),
            ("https://x.example.com/", false),
            ("https://user:pw@api.example.com/", false),
            ("ftp://api.example.com/", false),
        ] {
            assert_eq!(
                pins.check(&Url::parse(url).unwrap()).is_ok(),
                allowed,
                "{url}"
            );
        }
    }

    #[test]
    fn pins_that_are_no_host_are_refused() {
        for text in [
            "",
            "https://x.org",
            "x.org/path",
            "a@x.org",
            "*.*.org",
            "x.org?y",
        ] {
            assert!(HostPins::default().add(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_never_leaves_the_base() {
        let base = Url::parse("https://api.example.com/v1/").unwrap();
        assert_eq!(
            join(&base, "/a/b").unwrap().as_str(),
            "https://api.example.com/v1/a/b"
        );
        assert_eq!(
            join(&base, "//evil.org").unwrap().host_str(),
            Some("api.example.com")
        );
        for path in [
            "a",
            "/../x",
            "/a/%2e%2E/x",
            "/a/./b",
            "/a\\..\\b",
            "/a?b",
            "/a#b",
        ] {
            assert!(join(&base, path).is_err(), "{path}");
        }
    }
}
