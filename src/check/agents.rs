//! Whether an agent works: key, model and voice of each of its legs.

use std::time::Duration;

use super::{
    Finding,
    Finding::{Bad, Fine, Odd},
};
use crate::{
    agent_file::{AgentFile, Faults},
    bridge::{Exchange, rehearsal},
    costs::without_price,
    gate::Config,
    relay,
    settings::Settings,
    standalone::Standalone,
};

pub(super) async fn look(settings: &Settings, path: &str) -> Vec<Finding> {
    let (exchange, config) = match read(settings, path) {
        Ok((exchange, Some(config))) => (exchange, config),
        Ok((_, None)) => {
            let text = "its configuration is fetched when somebody calls, so nothing could be tried";
            return vec![Odd(format!("{path}: {text}"))];
        }
        Err(faults) => return faults.into_iter().map(Bad).collect(),
    };
    let mut findings: Vec<Finding> = webhook(settings, path).into_iter().collect();
    for (index, leg) in config.legs.iter().enumerate() {
        let name = format!("{path}: legs[{index}] ({})", leg.kind());
        match rehearsal::rehearse(&exchange, &config, leg).await {
            Ok(times) => {
                let answer =
                    times.answer.map(|after| format!(", answers after {}", ms(after))).unwrap_or_default();
                findings.push(Fine(format!(
                    "{name}: ready after {}, speaks after {}{answer}",
                    ms(times.ready),
                    ms(times.voice)
                )));
                let unpriced = without_price(&exchange.prices, &config, index);
                findings.extend(unpriced.iter().map(|of| {
                    Odd(format!(
                        "{name}: {of} has no price, so the cost in reports will lack it: see PRICES_FILE"
                    ))
                }));
            }
            Err(trouble) => findings.push(Bad(format!("{name}: {trouble}"))),
        }
    }
    findings
}

fn read(settings: &Settings, path: &str) -> Result<(Exchange, Option<Config>), Vec<String>> {
    let file = AgentFile::read(path).map_err(|Faults(faults)| faults)?;
    let exchange = relay::exchange(settings)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let config = file.config(&exchange.gate).map_err(|Faults(faults)| faults)?;
    Ok((exchange, config))
}

/// Where Twilio would ask, if the settings are those of a relay that answers itself.
fn webhook(settings: &Settings, path: &str) -> Option<Finding> {
    let public = settings.public_url.as_ref().filter(|_| settings.twilio_auth_token.is_some())?;
    let standalone = AgentFile::read(path).and_then(|file| Standalone::new(settings, file));
    Some(match standalone {
        Ok(_) => Fine(format!("`serve --agent` would answer Twilio's webhook at {}", public.http("/twiml"))),
        Err(faults) => Odd(format!("`serve --agent` would not start: {faults}")),
    })
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
