//! What may a client ask for, and what may it send?

use serde_json::Value;

const FLUX: &[&str] = &[
    "model",
    "encoding",
    "sample_rate",
    "eot_threshold",
    "eager_eot_threshold",
    "eot_timeout_ms",
    "keyterm",
    "language_hint",
    "numerals",
    "profanity_filter",
    "redact",
    "mip_opt_out",
    "tag",
];
const NOVA: &[&str] = &[
    "model",
    "encoding",
    "sample_rate",
    "channels",
    "multichannel",
    "language",
    "language_hint",
    "interim_results",
    "endpointing",
    "utterance_end_ms",
    "vad_events",
    "smart_format",
    "no_delay",
    "punctuate",
    "numerals",
    "profanity_filter",
    "dictation",
    "filler_words",
    "keyterm",
    "keywords",
    "redact",
    "replace",
    "search",
    "mip_opt_out",
    "version",
    "tag",
    "extra",
];
const FLUX_VOICE: &[&str] =
    &["model", "encoding", "sample_rate", "speed", "expressivity", "mip_opt_out", "tag"];
const AURA: &[&str] = &["model", "encoding", "sample_rate", "speed", "mip_opt_out", "container"];

/// Which service a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Nova,
    Flux,
    Aura,
    FluxVoice,
}

/// Why the upgrade is refused: status, code and words.
pub(super) type Refusal = (u16, &'static str, String);

pub(super) fn check_query(service: Service, query: &[(String, String)]) -> Result<(), Refusal> {
    let known = match service {
        Service::Nova => NOVA,
        Service::Flux => FLUX,
        Service::Aura => AURA,
        Service::FluxVoice => FLUX_VOICE,
    };
    let find = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if let Some((name, _)) = query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err((400, "INVALID_QUERY_PARAMETER", format!("Unknown query parameter {name}")));
    }
    if find("encoding") != Some("mulaw") || find("sample_rate") != Some("8000") {
        return Err((
            400,
            "INVALID_QUERY_PARAMETER",
            "encoding=mulaw and sample_rate=8000 are expected here".into(),
        ));
    }
    let model = find("model").unwrap_or("");
    let is_known = match service {
        Service::Nova => model.starts_with("nova-"),
        Service::Flux => matches!(model, "flux-general-en" | "flux-general-multi"),
        Service::Aura => model.starts_with("aura-") && !model.ends_with("-nobody"),
        Service::FluxVoice => ["flux-kit-en", "flux-haley-en", "flux-alexis-en"].contains(&model),
    };
    if !is_known {
        return Err((
            403,
            "INSUFFICIENT_PERMISSIONS",
            format!("Project does not have access to model {model}"),
        ));
    }
    let steps = find("speed").map(|speed| speed.parse::<f64>().unwrap_or(0.0) * 20.0);
    if service == Service::FluxVoice
        && steps.is_some_and(|steps| !(10.0..=30.0).contains(&steps) || (steps - steps.round()).abs() > 1e-6)
    {
        return Err((400, "SPEED_INCREMENT_INVALID", "speed is 0.5 to 1.5 in steps of 0.05".into()));
    }
    let number = |name: &str| find(name).and_then(|text| text.parse::<f64>().ok());
    let (eot, eager) = (number("eot_threshold").unwrap_or(0.7), number("eager_eot_threshold"));
    if !(0.5..=1.0).contains(&eot) || eager.is_some_and(|eager| !(0.3..=0.9).contains(&eager) || eager > eot)
    {
        return Err((400, "INVALID_QUERY_PARAMETER", "a threshold is out of its range".into()));
    }
    if find("utterance_end_ms").is_some() && find("interim_results") != Some("true") {
        return Err((400, "INVALID_QUERY_PARAMETER", "utterance_end_ms needs interim_results".into()));
    }
    Ok(())
}

/// The type of a client's message, or what is wrong with it.
pub(super) fn kind(text: &str, allowed: &[(&'static str, &[&str])]) -> Result<(&'static str, Value), String> {
    let value: Value = serde_json::from_str(text).map_err(|_| format!("not JSON: {}", beginning(text)))?;
    let object = value.as_object().ok_or_else(|| format!("no object: {}", beginning(text)))?;
    let named = object.get("type").and_then(Value::as_str).unwrap_or("");
    let (kind, fields) = allowed
        .iter()
        .find(|(kind, _)| *kind == named)
        .copied()
        .ok_or_else(|| format!("unknown message {named:?}"))?;
    match object.keys().find(|field| *field != "type" && !fields.contains(&field.as_str())) {
        Some(field) => Err(format!("{kind} has an unknown field {field}")),
        None => Ok((kind, value)),
    }
}

/// What a voice would stumble over.
pub(super) fn unspeakable(text: &str) -> Option<&'static str> {
    if text.contains(['*', '#', '`', '|']) {
        return Some("marks for the eye");
    }
    if text.contains("](") || text.contains("http") {
        return Some("a link");
    }
    text.chars().any(|c| matches!(u32::from(c), 0x1f000..=0x1faff)).then_some("a picture")
}

fn beginning(text: &str) -> String {
    text.chars().take(80).collect()
}
