//! Which address may a carrier have signed? It is ours, but not everybody writes it the same.
//!
//! Carriers' own libraries differ in whether the port and a last slash are part of the address.

use crate::settings::BaseUrl;

/// `path` and `query` are the request's own, as they came.
pub(super) fn spellings(
    scheme: &'static str,
    public_url: &BaseUrl,
    path: &str,
    query: Option<&str>,
) -> impl Iterator<Item = String> {
    let authority = public_url.authority();
    let bare = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    let hosts = [bare.to_owned(), format!("{bare}:443"), authority.to_owned()];
    let path = format!("{}{path}", public_url.path());
    let other = match path.strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{path}/"),
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let paths = [path, other];
    let whole = move |host: String| paths.clone().map(|path| format!("{scheme}://{host}{path}{query}"));
    hosts.into_iter().flat_map(whole)
}
