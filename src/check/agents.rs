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
    let mut findings = Vec::new();
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

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
