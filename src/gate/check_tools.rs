//! The tools and reports of a call, from claims as they were written.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    check::Check,
    config::{Does, Reporting, Tool},
    refusal::Code,
    tools::{self, Event, Function, Knowledge, Plain, Report, Transfer},
};
use crate::outward::{address, report_secret::ReportSecret};

impl Check<'_> {
    pub(super) fn tools(&mut self, asked: Vec<tools::Tool>) -> Vec<Tool> {
        if asked.len() > MOST_TOOLS {
            self.add(Code::ClaimsValue, "tools", format!("has more than {MOST_TOOLS} entries"));
            return Vec::new();
        }
        let asks = |tool: &tools::Tool| matches!(tool, tools::Tool::Function(_) | tools::Tool::Knowledge(_));
        if asked.iter().any(asks) && !self.rules.signs {
            let text = "need a relay that can sign its requests: set RELAY_SECRET, also beside RELAY_JWKS";
            self.add(Code::ClaimsNotSupported, "tools", text);
            return Vec::new();
        }
        let mut known: Vec<Tool> = Vec::new();
        for (index, tool) in asked.into_iter().enumerate() {
            let path = format!("tools[{index}]");
            let Some(tool) = self.tool(&path, tool) else { continue };
            if known.iter().any(|other| other.name == tool.name) {
                self.add(Code::ClaimsValue, &format!("{path}.name"), "is the name of another tool as well");
            }
            known.push(tool);
        }
        known
    }

    fn tool(&mut self, path: &str, asked: tools::Tool) -> Option<Tool> {
        match asked {
            tools::Tool::Function(function) => self.function(path, function),
            tools::Tool::Knowledge(knowledge) => self.knowledge(path, knowledge),
            tools::Tool::HangUp(plain) => self.hang_up(path, plain),
            tools::Tool::Transfer(transfer) => self.transfer(path, transfer),
            tools::Tool::SendDtmf(plain) => self.send_dtmf(path, plain),
            tools::Tool::Mcp(mcp) => self.mcp(path, mcp),
        }
    }

    fn function(&mut self, path: &str, asked: Function) -> Option<Tool> {
        let Function { name, description, parameters, url, timeout_ms, say } = asked;
        let at = |field: &str| format!("{path}.{field}");
        self.described(path, &name, description.as_ref());
        self.text(&at("say"), say.as_ref(), 500);
        self.whole(&at("timeout_ms"), timeout_ms, 100, 60_000);
        let size = parameters.as_ref().map_or(0, |schema| json!(schema).to_string().len());
        if size > LONGEST_SCHEMA {
            self.add(Code::ClaimsValue, &at("parameters"), "is longer than 16 kB");
        }
        let url = address::check(&url, self.rules.allow_private);
        let url = url.map_err(|why| self.add(Code::ClaimsUrl, &at("url"), why.to_string())).ok()?;
        let say = say.filter(|say| !say.trim().is_empty());
        let timeout = Duration::from_millis(timeout_ms.unwrap_or(8_000));
        Some(Tool { name, description, parameters, say, does: Does::Ask { url, timeout } })
    }

    fn transfer(&mut self, path: &str, asked: Transfer) -> Option<Tool> {
        let Transfer { name, description, targets } = asked;
        let name = name.unwrap_or_else(|| "transfer".into());
        let usual = "Hands the caller to somebody else. Say so first, in the same answer.";
        let description = description.unwrap_or_else(|| usual.into());
        self.described(path, &name, Some(&description));
        let at = format!("{path}.targets");
        if targets.is_empty() || targets.len() > MOST_TARGETS {
            self.add(Code::ClaimsValue, &at, format!("must have 1 to {MOST_TARGETS} entries"));
        }
        for (target, number) in targets.iter().take(MOST_TARGETS) {
            self.name(&at, Some(target), 64);
            self.name(&at, Some(number), 128);
        }
        if self.dials {
            self.can_be_dialled(&at, &targets);
        }
        let names: Vec<&String> = targets.keys().collect();
        let parameters = json!({
            "type": "object",
            "properties": { "target": { "type": "string", "enum": names } },
            "required": ["target"],
        });
        let (description, parameters) = (Some(description), parameters.as_object().cloned());
        Some(Tool { name, description, parameters, say: None, does: Does::Transfer { targets } })
    }

    fn hang_up(&mut self, path: &str, asked: Plain) -> Option<Tool> {
        let name = asked.name.unwrap_or_else(|| "hang_up".into());
        let usual = "Ends the call. Say goodbye first, in the same answer.";
        let description = asked.description.unwrap_or_else(|| usual.into());
        self.described(path, &name, Some(&description));
        let does = Does::HangUp;
        Some(Tool { name, description: Some(description), parameters: None, say: None, does })
    }

    fn send_dtmf(&mut self, path: &str, asked: Plain) -> Option<Tool> {
        let name = asked.name.unwrap_or_else(|| "send_dtmf".into());
        let usual = "Presses keys on the phone's key pad, for menus that ask for them.";
        let description = asked.description.unwrap_or_else(|| usual.into());
        self.described(path, &name, Some(&description));
        let digits = "0-9, * and #, in their order; a comma waits half a second.";
        let parameters = json!({
            "type": "object",
            "properties": { "digits": { "type": "string", "description": digits } },
            "required": ["digits"],
        });
        let (description, parameters) = (Some(description), parameters.as_object().cloned());
        Some(Tool { name, description, parameters, say: None, does: Does::SendDtmf })
    }

    pub(super) fn report(&mut self, asked: &Report) -> Option<Reporting> {
        let events = asked.events.as_deref().unwrap_or(&[Event::CallEnded]);
        let secret = asked.secret.as_ref().map(|secret| ReportSecret::parse(secret.expose_secret()));
        if secret == Some(None) {
            let text = "is not `whsec_` and base64 of 24 to 64 bytes behind it, as Standard Webhooks have it";
            self.add(Code::ClaimsValue, "report.secret", text);
        }
        if secret.is_none() && !self.rules.signs {
            let text = "needs `secret`, or a relay that can sign its requests: set RELAY_SECRET, also beside RELAY_JWKS";
            self.add(Code::ClaimsNotSupported, "report", text);
        }
        let url = address::check(&asked.url, self.rules.allow_private);
        let url = url.map_err(|why| self.add(Code::ClaimsUrl, "report.url", why.to_string())).ok()?;
        let [started, turns, ended] =
            [Event::CallStarted, Event::TurnEnded, Event::CallEnded].map(|event| events.contains(&event));
        Some(Reporting { url, secret: secret.flatten(), started, turns, ended })
    }

    pub(super) fn described(&mut self, path: &str, name: &str, description: Option<&String>) {
        // What the models take as a name.
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
            let text = "must be 1 to 64 letters, digits, `_` or `-`";
            self.add(Code::ClaimsValue, &format!("{path}.name"), text);
        }
        self.text(&format!("{path}.description"), description, 4_000);
    }

    /// A function of one question.
    fn knowledge(&mut self, path: &str, asked: Knowledge) -> Option<Tool> {
        let Knowledge { name, description, url, timeout_ms, say } = asked;
        let question = json!({
            "type": "object",
            "properties": { "question": { "type": "string", "description": "What the caller wants to know, on its own." } },
            "required": ["question"],
        });
        let parameters = question.as_object().cloned();
        self.function(path, Function { name, description, parameters, url, timeout_ms, say })
    }
}

const MOST_TARGETS: usize = 50;

/// Models get worse at choosing long before that.
const MOST_TOOLS: usize = 64;

const LONGEST_SCHEMA: usize = 16 << 10;
