//! How does a token reach the relay? Each carrier has its ways, and each way its limits.
//!
//! What the real carrier would cut or refuse is not dialled at all: a test that passes here with a token that no real
//! call could carry would prove nothing. Limits that nobody documents are not made up (Twilio's `<Parameter>` values are
//! documented as under 500 characters, but longer ones are known to pass).

use super::{Carrier, DialError, PhoneOptions, dialect::token_parameters};

/// Telnyx: `stream_auth_token`.
const TELNYX_TOKEN: usize = 4000;
pub(super) const TELNYX_HEADER: &str = "x-telnyx-streaming-auth-token";
/// Plivo: `extraHeaders`, written as `a=1,b=2`.
const PLIVO_EXTRA_HEADERS: usize = 512;
/// Exotel: the whole address, and what may be added to it.
const EXOTEL_URL: usize = 600;
const EXOTEL_PAIRS: usize = 3;
const EXOTEL_PAIRS_LENGTH: usize = 256;

/// Where a token is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenWay {
    /// `Authorization: Bearer`, at Telnyx `x-telnyx-streaming-auth-token`.
    Header,
    /// The last segment of the address.
    Path,
    /// `?token=`
    Query,
    /// What the carrier calls parameters, custom parameters, extra headers or headers; they come with `start`.
    Parameters,
}

/// Puts the token in its place.
pub(super) fn put(options: &mut PhoneOptions, token: &str, way: TokenWay) {
    options.token_way = Some(way);
    let (address, query) = match options.url.split_once('?') {
        Some((address, query)) => (address.to_owned(), Some(query.to_owned())),
        None => (options.url.clone(), None),
    };
    match (way, options.carrier) {
        (TokenWay::Header, Carrier::Telnyx { .. }) => {
            options.headers.push((TELNYX_HEADER.to_owned(), token.to_owned()));
        }
        (TokenWay::Header, _) => {
            options.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        (TokenWay::Path, _) => {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            options.url = format!("{}/{token}{query}", address.trim_end_matches('/'));
        }
        (TokenWay::Query, _) => options.url = with_pair(&options.url, "token", token),
        (TokenWay::Parameters, Carrier::Twilio | Carrier::SignalWire) => {
            options.parameters.extend(token_parameters(token));
        }
        (TokenWay::Parameters, _) => options.parameters.push(("token".to_owned(), token.to_owned())),
    }
}

/// The address to dial, or why the carrier would not dial it.
pub(super) fn address(options: &PhoneOptions) -> Result<String, DialError> {
    let carrier = options.carrier;
    let no = |problem: String| DialError::NotCarried { carrier: carrier.route(), problem };
    if let Some(way) = options.token_way {
        can(carrier, way).map_err(|problem| no(problem.to_owned()))?;
    }
    if options.probe.is_some() && !carrier.keeps_bytes() {
        return Err(no(format!("{carrier} changes the sound, and a probe's marks would be lost in it")));
    }
    let mut url = options.url.clone();
    match carrier {
        Carrier::Twilio | Carrier::SignalWire | Carrier::Vonage { .. } => {}
        Carrier::Telnyx { .. } => {
            let long = options
                .headers
                .iter()
                .find(|(name, value)| name == TELNYX_HEADER && value.len() > TELNYX_TOKEN);
            if let Some((_, token)) = long {
                return Err(no(format!(
                    "a token of {} characters, {TELNYX_TOKEN} are the most",
                    token.len()
                )));
            }
        }
        Carrier::Plivo => extra_headers(&options.parameters).map_err(no)?,
        Carrier::Exotel { rate } => {
            let pairs = &options.parameters;
            let length: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
            if pairs.len() > EXOTEL_PAIRS || length > EXOTEL_PAIRS_LENGTH {
                return Err(no(format!(
                    "{} parameters of {length} characters together, {EXOTEL_PAIRS} of {EXOTEL_PAIRS_LENGTH} are the most",
                    pairs.len()
                )));
            }
            if !url.contains("sample-rate=") {
                url = with_pair(&url, "sample-rate", &rate.to_string());
            }
            url = pairs.iter().fold(url, |url, (name, value)| with_pair(&url, name, value));
            if url.len() > EXOTEL_URL {
                return Err(no(format!("an address of {} characters, {EXOTEL_URL} are the most", url.len())));
            }
        }
    }
    Ok(url)
}

/// Plivo takes letters and digits, and not many of them.
fn extra_headers(parameters: &[(String, String)]) -> Result<(), String> {
    let texts = parameters.iter().flat_map(|(name, value)| [name, value]);
    if let Some(text) = texts.into_iter().find(|text| !text.chars().all(|one| one.is_ascii_alphanumeric())) {
        let odd = text.chars().find(|one| !one.is_ascii_alphanumeric());
        return Err(format!(
            "extraHeaders with {:?}, letters and digits are all it takes",
            odd.unwrap_or(' ')
        ));
    }
    // Each pair with its `=`, and a comma between two.
    let length: usize =
        parameters.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>().saturating_sub(1);
    if length > PLIVO_EXTRA_HEADERS {
        return Err(format!("extraHeaders of {length} bytes, {PLIVO_EXTRA_HEADERS} are the most"));
    }
    Ok(())
}

fn can(carrier: Carrier, way: TokenWay) -> Result<(), &'static str> {
    match (carrier, way) {
        (Carrier::Twilio | Carrier::Plivo, TokenWay::Header) => {
            Err("a header of one's own: there is no way to set one")
        }
        (Carrier::Exotel { .. }, TokenWay::Header) => Err("a bearer token: it knows Basic only"),
        (Carrier::Twilio | Carrier::SignalWire, TokenWay::Query) => Err("a query: it cuts it off"),
        (_, TokenWay::Header | TokenWay::Path | TokenWay::Query | TokenWay::Parameters) => Ok(()),
    }
}

fn with_pair(url: &str, name: &str, value: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{}={}", escaped(name), escaped(value))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use TokenWay::{Header, Parameters, Path, Query};

    fn with(carrier: &str, way: TokenWay, length: usize) -> PhoneOptions {
        let options = PhoneOptions::new("ws://a/x?y=1").carrier(Carrier::parse(carrier).unwrap());
        options.token_by(way, &"k".repeat(length))
    }

    #[test]
    fn a_token_travels_as_its_carrier_carries_tokens() {
        let natural = |carrier: &str| {
            let options =
                PhoneOptions::new("ws://a/x?y=1").carrier(Carrier::parse(carrier).unwrap()).token("to.k-en");
            let address = address(&options).unwrap();
            (address, options.headers, options.parameters)
        };
        let plain = "ws://a/x?y=1".to_owned();
        let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let bearer = header("authorization", "Bearer to.k-en");
        assert_eq!(natural("twilio"), (plain.clone(), vec![], token_parameters("to.k-en")));
        assert_eq!(natural("telnyx-pcma"), (plain.clone(), header(TELNYX_HEADER, "to.k-en"), vec![]));
        assert_eq!(natural("signalwire"), (plain.clone(), bearer.clone(), vec![]));
        assert_eq!(natural("vonage"), (plain, bearer, vec![]));
        assert_eq!(natural("plivo").0, "ws://a/x/to.k-en?y=1");
        assert_eq!(natural("exotel-16000").0, "ws://a/x/to.k-en?y=1&sample-rate=16000");
        assert_eq!(with("telnyx", Query, 2).url, "ws://a/x?y=1&token=kk");
        let exotel = with("exotel", Parameters, 2).parameter("a b", "&");
        assert_eq!(address(&exotel).unwrap(), "ws://a/x?y=1&sample-rate=8000&token=kk&a%20b=%26");
    }

    #[test]
    fn what_fits_is_carried_and_one_character_more_is_not() {
        let table = [
            ("telnyx", Header, 4000),
            ("plivo", Parameters, 512 - "token=".len()),
            ("exotel", Parameters, 256 - "token".len()),
            ("exotel", Path, 600 - "ws://a/x/?y=1&sample-rate=8000".len()),
        ];
        for (carrier, way, most) in table {
            assert!(address(&with(carrier, way, most)).is_ok(), "{carrier} {way:?}");
            let refused = address(&with(carrier, way, most + 1)).unwrap_err().to_string();
            assert!(refused.contains(carrier) && refused.contains("are the most"), "{refused}");
        }
        let four = (0..4)
            .fold(PhoneOptions::new("ws://a").carrier(Carrier::Exotel { rate: 8000 }), |options, n| {
                options.parameter(&n.to_string(), "1")
            });
        assert!(address(&four).is_err());
    }

    #[test]
    fn a_way_that_a_carrier_does_not_have_is_refused() {
        let table = [
            ("twilio", Header),
            ("twilio", Query),
            ("signalwire", Query),
            ("plivo", Header),
            ("exotel", Header),
        ];
        for (carrier, way) in table {
            assert!(
                matches!(address(&with(carrier, way, 1)), Err(DialError::NotCarried { .. })),
                "{carrier} {way:?}"
            );
        }
        let signed = PhoneOptions::new("ws://a").carrier(Carrier::Plivo).token_by(Parameters, "a.b");
        assert!(address(&signed).unwrap_err().to_string().contains("'.'"));
    }
}
