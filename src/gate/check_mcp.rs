//! Servers of tools that the provider talks to by itself: is there a leg that can?

use std::time::Duration;

use super::{
    Code,
    check::Check,
    config::{Does, Leg, Server, Tool},
    tools::Mcp,
};
use crate::outward::address;

impl Check<'_> {
    pub(super) fn mcp(&mut self, path: &str, asked: Mcp) -> Option<Tool> {
        let Mcp {
            server_label,
            server_url,
            server_description,
            authorization,
            allowed_tools,
            timeout_ms,
            say,
        } = asked;
        let at = |field: &str| format!("{path}.{field}");
        self.described(path, &server_label, None);
        self.text(&at("server_description"), server_description.as_ref(), 1_000);
        self.text(&at("say"), say.as_ref(), 500);
        self.whole(&at("timeout_ms"), timeout_ms, 100, 60_000);
        if allowed_tools.as_ref().is_some_and(|tools| tools.is_empty() || tools.len() > MOST_ALLOWED) {
            let text = format!("must name 1 to {MOST_ALLOWED} tools, or be left out for all");
            self.add(Code::ClaimsValue, &at("allowed_tools"), text);
        }
        for tool in allowed_tools.iter().flatten().take(MOST_ALLOWED) {
            self.name(&at("allowed_tools"), Some(tool), 128);
        }
        // Not we go there, but nobody else should be sent to a neighbour of theirs either.
        let url = address::check(&server_url, self.rules.allow_private);
        let url = url.map_err(|why| self.add(Code::ClaimsUrl, &at("server_url"), why.to_string())).ok()?;
        let server = Server {
            url: url.into(),
            description: server_description,
            authorization,
            allowed: allowed_tools,
        };
        let timeout = Duration::from_millis(timeout_ms.unwrap_or(20_000));
        let say = say.filter(|say| !say.trim().is_empty());
        let does = Does::Elsewhere { server, timeout };
        Some(Tool { name: server_label, description: None, parameters: None, say, does })
    }

    /// Somebody must be able to talk to such a server. A leg that cannot does without.
    pub(super) fn somebody_speaks_mcp(&mut self, tools: &[Tool], legs: &[Leg]) {
        let asked = tools.iter().position(|tool| matches!(tool.does, Does::Elsewhere { .. }));
        if let (Some(index), false) = (asked, legs.iter().any(|leg| matches!(leg, Leg::OpenAi(_)))) {
            let text = "needs an `openai` leg: the others cannot talk to such a server, give them a tool of your app's";
            self.add(Code::ClaimsNotSupported, &format!("tools[{index}].kind"), text);
        }
    }
}

const MOST_ALLOWED: usize = 64;
