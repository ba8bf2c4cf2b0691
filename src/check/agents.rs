//! Whether an agent works: key, model and voice of each of its legs.

use std::{fs, time::Duration};

use serde_json::Value;

use super::{
    Finding,
    Finding::{Bad, Fine, Odd},
};
use crate::{
    bridge::{Exchange, rehearsal},
    costs::without_price,
    gate::Config,
    relay,
    settings::Settings,
};

pub(super) async fn look(settings: &Settings, path: &str) -> Vec<Finding> {
    let (exchange, config) = match read(settings, path) {
        Ok(agent) => agent,
        Err(why) => return vec![Bad(format!("{path}: {why}"))],
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

fn read(settings: &Settings, path: &str) -> Result<(Exchange, Config), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot be read ({error})"))?;
    let claims: Value = serde_json::from_str(&text).map_err(|error| format!("is not JSON ({error})"))?;
    let exchange = relay::exchange(settings)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let config = exchange.gate.config_of(&claims).map_err(|refusal| refusal.to_string())?;
    Ok((exchange, config))
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
