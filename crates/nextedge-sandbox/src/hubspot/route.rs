//! From a raw request to the handler: path styles, the token, the limits.

use axum::http::Method;
use bytes::Bytes;

use super::call::{Answer, Call, Part, Poison, Version};
use super::error::ApiError;
use super::limits::Lane;
use super::{Hubspot, STATIC_TOKEN};
use super::{associations, files, objects, owners, pipelines, properties, schemas};

/// A request as the server hands it over.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Percent-decoded path segments.
    pub(crate) path: Vec<&'a str>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) body: Bytes,
    pub(crate) parts: Vec<Part>,
    pub(crate) poison: Option<Poison>,
    pub(crate) base: String,
}

/// The part of the API a path belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Objects,
    Associations,
    Properties,
    Pipelines,
    Owners,
    Schemas,
    Files,
    AccountInfo,
}

impl Hubspot {
    /// Answers one request, and the rate headers that go with any answer.
    pub(crate) fn answer(&self, request: Request<'_>) -> (Answer, Vec<(&'static str, String)>) {
        if let ["hubfs", id, ..] = request.path.as_slice() {
            let id = (*id).to_owned();
            let call = call(request, Version::V3);
            return (files::hosted(self, &call, &id), Vec::new());
        }
        if request.bearer != Some(STATIC_TOKEN) {
            return (Err(not_authenticated()), Vec::new());
        }
        let path = request.path.clone();
        let Some((family, version, rest)) = family(&path) else {
            return (Err(ApiError::unknown_path()), Vec::new());
        };
        let headers = match self.limiter.take(lane(family, &rest)) {
            Ok(headers) => headers,
            Err(error) => return (Err(error), Vec::new()),
        };
        let call = call(request, version);
        let answer = match family {
            Family::Objects => objects::route(self, &call, &rest),
            Family::Associations => associations::route(self, &call, &rest),
            Family::Properties => properties::route(self, &call, &rest),
            Family::Pipelines => pipelines::route(self, &call, &rest),
            Family::Owners => owners::route(self, &call, &rest),
            Family::Schemas => schemas::route(self, &call, &rest),
            Family::Files => files::route(self, &call, &rest),
            Family::AccountInfo => owners::details(self, &call, &rest),
        };
        (answer, headers)
    }
}

fn call(request: Request<'_>, version: Version) -> Call {
    Call {
        method: request.method,
        version,
        query: request.query,
        body: request.body,
        parts: request.parts,
        poison: request.poison,
        base: request.base,
    }
}

/// Recognises every style of path: `/crm/v3/objects/…`, `/crm/objects/2026-09/…` and so on.
fn family<'a>(path: &[&'a str]) -> Option<(Family, Version, Vec<&'a str>)> {
    let (family, version, rest) = match path {
        ["crm", name, version, rest @ ..] if crm(name).is_some() => (crm(name)?, version, rest),
        ["crm", version, name, rest @ ..] => (crm(name)?, version, rest),
        ["crm-object-schemas", version, "schemas", rest @ ..] => (Family::Schemas, version, rest),
        ["files", version, rest @ ..] => (Family::Files, version, rest),
        ["account-info", version, rest @ ..] => (Family::AccountInfo, version, rest),
        _ => return None,
    };
    let version = Version::parse(version)?;
    let linked = rest.get(2) == Some(&"associations") || family == Family::Associations;
    // v3 answers associations in another, older shape; v4 has nothing but associations.
    let served = match version {
        Version::V3 => !linked,
        Version::V4 => linked,
        Version::March2026 | Version::September2026 => true,
    };
    let rest = rest.iter().copied().filter(|one| !one.is_empty()).collect();
    served.then_some((family, version, rest))
}

fn crm(name: &str) -> Option<Family> {
    match name {
        "objects" => Some(Family::Objects),
        "associations" => Some(Family::Associations),
        "properties" => Some(Family::Properties),
        "pipelines" => Some(Family::Pipelines),
        "owners" => Some(Family::Owners),
        "schemas" => Some(Family::Schemas),
        _ => None,
    }
}

fn lane(family: Family, rest: &[&str]) -> Lane {
    match (family, rest) {
        (Family::Objects, [_, "search"]) => Lane::Search,
        (Family::Objects, [_, _, "associations", ..]) | (Family::Associations, _) => {
            Lane::Associations
        }
        _ => Lane::General,
    }
}

/// The path a request is counted under: ids replaced, so that counters stay few.
pub(crate) fn counter_path(path: &str) -> String {
    let masked: Vec<&str> = path
        .split('/')
        .map(|part| {
            let id = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if id { "{id}" } else { part }
        })
        .collect();
    masked.join("/")
}

fn not_authenticated() -> ApiError {
    ApiError::new(
        401,
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_style_leads_to_its_family() {
        for (path, wanted) in [
            (
                "crm/v3/objects/contacts",
                Some((Family::Objects, Version::V3)),
            ),
            (
                "crm/objects/v3/contacts",
                Some((Family::Objects, Version::V3)),
            ),
            (
                "crm/objects/2026-09/contacts/batch/upsert",
                Some((Family::Objects, Version::September2026)),
            ),
            (
                "crm/v4/objects/contacts/1/associations/deals",
                Some((Family::Objects, Version::V4)),
            ),
            ("crm/v4/objects/contacts", None),
            (
                "crm/v4/associations/contacts/deals/batch/read",
                Some((Family::Associations, Version::V4)),
            ),
            (
                "crm/associations/v4/contacts/deals/labels",
                Some((Family::Associations, Version::V4)),
            ),
            (
                "crm/associations/2026-03/contacts/deals/labels",
                Some((Family::Associations, Version::March2026)),
            ),
            ("crm/v3/owners/", Some((Family::Owners, Version::V3))),
            (
                "crm/owners/2026-09",
                Some((Family::Owners, Version::September2026)),
            ),
            (
                "crm-object-schemas/v3/schemas",
                Some((Family::Schemas, Version::V3)),
            ),
            (
                "files/2026-09/files/7/signed-url",
                Some((Family::Files, Version::September2026)),
            ),
            (
                "account-info/2026-09/details",
                Some((Family::AccountInfo, Version::September2026)),
            ),
            ("crm/objects/2026-09-beta/contacts", None),
            ("crm/objects/v1/contacts", None),
        ] {
            let parts: Vec<&str> = path.split('/').collect();
            let got = family(&parts).map(|(family, version, _)| (family, version));
            assert_eq!(got, wanted, "{path}");
        }
    }
}
