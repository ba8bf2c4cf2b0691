//! The browser phone: a page that calls this relay as a carrier does.
//!
//! It speaks Twilio's media stream on `/stream/browser` with a real token, so what works here works on the telephone.
//! In `demo` it may have tokens for the demo's agents, and for nobody else; elsewhere its user brings one. What happens
//! in its call comes on the call's own socket ([`news`]).

mod agents;
pub mod news;
mod pages;

use std::{fmt, sync::Arc};

use hyper::{Method, StatusCode};
use serde_json::json;
use warp::reply::Response;

pub use self::agents::{Agent, Answerer, Mint};
use crate::http::Refused;

/// Switched on. The default knows nobody to call: its user must bring a token.
#[derive(Clone, Default)]
pub struct Phone {
    agents: Arc<[Agent]>,
    mint: Option<Mint>,
}

impl Phone {
    /// With agents that may be called from the page alone. `mint` makes a token of an agent's fields for one call.
    pub fn with(agents: Vec<Agent>, mint: Mint) -> Self {
        Self { agents: agents.into(), mint: Some(mint) }
    }

    /// What lies at `/phone` and below. `allowed`: the page that asks may have tokens.
    pub fn answer(
        &self,
        method: &Method,
        path: &str,
        allowed: impl FnOnce() -> bool,
    ) -> Result<Response, Refused> {
        let parts: Vec<&str> = path.split('/').collect();
        match (&parts[..], method) {
            (["token", agent, leg, call], &Method::POST) => {
                if !allowed() {
                    return Err(Refused::origin());
                }
                let token = self.token(agent, leg, call)?;
                Ok(pages::json(&json!({ "token": token })))
            }
            (["token", _, _, _], _) => Err(Refused::method("POST")),
            (["agents"], &Method::GET | &Method::HEAD) => {
                Ok(pages::json(&json!({ "agents": agents::public(&self.agents) })))
            }
            ([name], &Method::GET | &Method::HEAD) => pages::file(name).ok_or_else(Refused::not_found),
            ([_], _) => Err(Refused::method("GET, HEAD")),
            _ => Err(Refused::not_found()),
        }
    }

    /// A token for one call to one of the agents.
    fn token(&self, agent: &str, leg: &str, call: &str) -> Result<String, Refused> {
        let unknown = || {
            let text = "this relay gives tokens for its demo agents only, and this is none of them";
            Refused::new(StatusCode::NOT_FOUND, "agent_unknown", text)
        };
        let mint = self.mint.as_ref().ok_or_else(unknown)?;
        let claims = agents::find(&self.agents, agent, leg).ok_or_else(unknown)?;
        if !agents::is_call(call) {
            let text = "a call's id is up to 64 letters, digits, `_` and `-`";
            return Err(Refused::new(StatusCode::BAD_REQUEST, "bad_request", text));
        }
        Ok(mint(claims, call))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phone").field("agents", &self.agents.len()).finish_non_exhaustive()
    }
}
