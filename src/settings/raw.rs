//! Which variables there are, as text, before anything is checked.
//!
//! Only names from this list are ever read, so a variable of somebody else that is not UTF-8 cannot hurt us.
//! What looks like one of ours and is not in the list is reported: a typo must not silently change a relay.

use std::ffi::OsString;

use serde::Deserialize;

use super::{Problems, Secret};

macro_rules! variables {
    ($($name:ident: $kind:ty,)*) => {
        /// Every variable that is set to something, not yet checked.
        #[derive(Debug, Default, Deserialize)]
        pub struct Raw { $(pub $name: Option<$kind>,)* }

        /// The names as they stand in [`Raw`]; in the environment they are in capitals.
        const NAMES: &[&str] = &[$(stringify!($name),)*];
    };
}

variables! {
    relay_secret: Secret,
    relay_secret_file: String,
    relay_jwks: Secret,
    relay_jwks_file: String,
    relay_audience: String,
    require_call_binding: String,
    require_sealed: String,
    port: String,
    ops_port: String,
    bind: String,
    carriers: String,
    public_url: String,
    twilio_auth_token: Secret,
    plivo_auth_token: Secret,
    twilio_account_sid: String,
    twilio_api_key: String,
    twilio_api_secret: Secret,
    twilio_number: String,
    call_me_numbers: String,
    call_me_secret: Secret,
    allowed_origins: String,
    phone_page: String,
    openai_api_key: Secret,
    deepgram_api_key: Secret,
    groq_api_key: Secret,
    elevenlabs_api_key: Secret,
    openai_base_url: String,
    openai_session_seconds: String,
    deepgram_base_url: String,
    groq_base_url: String,
    elevenlabs_base_url: String,
    twilio_base_url: String,
    upstream_allow: String,
    max_calls: String,
    max_pending: String,
    max_call_seconds: String,
    drain_seconds: String,
    webhook_allow_private: String,
    report_spool_dir: String,
    prices_file: String,
    recording_dir: String,
    recording_max_mb: String,
    log: String,
    log_format: String,
    otel_exporter_otlp_endpoint: String,
    fly_region: String,
    fly_machine_id: String,
    fly_app_name: String,
}

impl Raw {
    /// Takes ours out of the environment. The second part are warnings about names that are nearly ours.
    pub fn read<K: Into<OsString>, V: Into<OsString>>(
        environment: impl IntoIterator<Item = (K, V)>,
        problems: &mut Problems,
    ) -> (Self, Vec<String>) {
        let (mut ours, mut warnings) = (Vec::new(), Vec::new());
        for (name, value) in environment {
            let Ok(name) = name.into().into_string() else { continue };
            if let Some(known) = NAMES.iter().find(|known| known.eq_ignore_ascii_case(&name)) {
                if name != known.to_ascii_uppercase() {
                    warnings.push(format!("{name} is ignored: write it in capitals"));
                    continue;
                }
                match value.into().into_string() {
                    Ok(value) if value.trim().is_empty() => {} // set to nothing is the same as not set
                    Ok(value) => ours.push(((*known).to_owned(), value.trim().to_owned())),
                    Err(_) => problems.add(&name, "is not UTF-8 text", "write it as plain text"),
                }
            } else if (name.starts_with("RELAY_") || name.starts_with("PATCHCORD_")) && !is_link(&name) {
                let cure = match nearest(&name, 4) {
                    Some(known) => format!("did you mean {known}? Otherwise remove it"),
                    None => "remove it, or look for its right name in the README".to_owned(),
                };
                problems.add(&name, "is not a setting of the relay", cure);
            } else if let Some(known) = nearest(&name, name.len() / 6) {
                warnings.push(format!("{name} is not a setting of the relay: did you mean {known}?"));
            }
        }
        // All fields are optional strings, so nothing can fail here; if it ever does, the text of envy's
        // error may hold a value and is not shown.
        let raw = envy::from_iter(ours).unwrap_or_else(|_| {
            problems.add("environment", "could not be read", "report this as a bug");
            Self::default()
        });
        (raw, warnings)
    }
}

/// Docker and Kubernetes announce a service named `relay` with variables such as `RELAY_PORT_8080_TCP_ADDR`.
fn is_link(name: &str) -> bool {
    let tail = name.trim_start_matches("RELAY_").trim_start_matches("PATCHCORD_");
    tail == "PORT"
        || tail.starts_with("PORT_")
        || tail.contains("SERVICE_HOST")
        || tail.contains("SERVICE_PORT")
}

fn nearest(name: &str, most: usize) -> Option<String> {
    let distances = NAMES.iter().map(|known| {
        let known = known.to_ascii_uppercase();
        (distance(name, &known), known)
    });
    distances.filter(|(d, _)| *d <= most).min().map(|(_, known)| known)
}

/// How many letters to add, remove or change to turn one name into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Raw, Vec<String>, String) {
        let mut problems = Problems::default();
        let (raw, warnings) = Raw::read(pairs.iter().copied(), &mut problems);
        (raw, warnings, problems.to_string())
    }

    #[test]
    fn a_variable_set_to_nothing_counts_as_not_set() {
        let (raw, _, _) = read(&[("PORT", ""), ("BIND", "  "), ("MAX_CALLS", " 7 ")]);
        assert_eq!((raw.port, raw.bind, raw.max_calls), (None, None, Some("7".to_owned())));
    }

    #[test]
    fn a_misspelt_name_of_ours_is_a_problem_that_names_the_right_one() {
        let (_, _, problems) = read(&[("RELAY_SECRETS", "x"), ("PATCHCORD_COLOUR", "blue")]);
        assert!(problems.contains("RELAY_SECRETS") && problems.contains("RELAY_SECRET?"), "{problems}");
        assert!(problems.contains("PATCHCORD_COLOUR"), "{problems}");
        assert!(!problems.contains("blue"), "the value must not be shown: {problems}");
    }

    #[test]
    fn names_that_are_nearly_ours_are_a_warning_only() {
        let (_, warnings, problems) = read(&[
            ("OPENAI_APIKEY", "sk"),
            ("port", "1"),
            ("PATH", "/bin"),
            ("LOGNAME", "me"),
            ("LANG", "C"),
        ]);
        assert_eq!(problems, "");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("OPENAI_API_KEY"), "{warnings:?}");
        assert!(warnings[1].contains("capitals"), "{warnings:?}");
    }

    #[test]
    fn what_a_cluster_says_of_a_service_named_relay_is_no_typo() {
        let (_, warnings, problems) = read(&[
            ("RELAY_PORT", "tcp://10.0.0.1:8080"),
            ("RELAY_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("PATCHCORD_SERVICE_HOST", "10.0.0.1"),
            ("RELAY_SERVICE_PORT_HTTP", "8080"),
        ]);
        assert_eq!((problems.as_str(), warnings.len()), ("", 0));
    }

    #[test]
    fn bytes_that_are_not_text_never_panic() {
        let rubbish = || OsString::from_vec(vec![0xff, 0xfe]);
        let mut problems = Problems::default();
        let pairs = vec![(rubbish(), rubbish()), ("HOME".into(), rubbish()), ("PORT".into(), rubbish())];
        Raw::read(pairs, &mut problems);
        assert!(problems.to_string().contains("PORT: is not UTF-8"), "{problems}");
    }
}
