//! Where a call stands with the token gate.
//!
//! A token in the request is known before the carrier has named its call; one in `start` comes with the name.
//! A configuration may have to be fetched in between. Whatever the order: the leg is dialled when the
//! configuration is known, the call begins when token and stream were compared and the token was marked as
//! used, and each of the two happens once.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use call::{Input, Started};

use super::{Exchange, order, switchboard::Ticket};
use crate::{
    gate::{Code, Config, Pass, Refusal, travel},
    http::Slot,
};

pub(super) struct Desk {
    exchange: Exchange,
    state: State,
    started: Option<Box<Started>>,
    /// How a token travels with this carrier.
    token_goes: &'static str,
    /// Room for this call, for as long as it has a desk.
    slot: Slot,
    known: Option<(Arc<Config>, String)>,
    /// For which call the token was made.
    sub: Option<String>,
}

enum State {
    /// The token is to come in `start`.
    Waiting,
    /// The configuration is being fetched.
    Fetching(Fetching),
    /// The leg may be dialled; the stream has not started.
    Known(Box<Pass>),
    Done,
}

impl Desk {
    pub fn new(exchange: Exchange, ticket: Ticket, slot: Slot) -> Self {
        let state = match ticket.pass {
            Some(pass) => fetch(&exchange, pass),
            None => State::Waiting,
        };
        let token_goes = ticket.carrier.token_goes;
        Self { exchange, state, started: None, token_goes, slot, known: None, sub: None }
    }

    /// The carrier's stream has started.
    pub fn started(&mut self, started: Box<Started>) {
        self.started = Some(started);
    }

    /// The call's name by its token, for a carrier that does not say it.
    pub fn call_by_token(&self) -> Option<&str> {
        self.sub.as_deref().filter(|_| self.started.as_ref().is_some_and(|started| started.unnamed))
    }

    /// What the token asks for, and who made it; once the gate has read it.
    pub fn config(&self) -> Option<(&Arc<Config>, &str)> {
        self.known.as_ref().map(|(config, issuer)| (config, issuer.as_str()))
    }

    /// The gate's next word to the call.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Input, Refusal>> {
        match &mut self.state {
            State::Waiting => {
                let Some(started) = &self.started else { return Poll::Pending };
                match open(&self.exchange, self.token_goes, started) {
                    Ok(pass) => {
                        self.state = fetch(&self.exchange, pass);
                        self.poll(cx)
                    }
                    Err(refusal) => self.refuse(refusal),
                }
            }
            State::Fetching(fetching) => match ready!(fetching.as_mut().poll(cx)) {
                Ok((pass, config)) => {
                    let token = Input::Token(Box::new(order::for_call(&config)));
                    self.sub.clone_from(&pass.sub);
                    self.known = Some((Arc::new(config), pass.iss.clone()));
                    self.slot.confirm();
                    self.state = State::Known(Box::new(pass));
                    Poll::Ready(Ok(token))
                }
                Err(refusal) => self.refuse(refusal),
            },
            State::Known(pass) => {
                let Some(started) = &self.started else { return Poll::Pending };
                let gate = &self.exchange.gate;
                match pass.bound_to(started).and_then(|()| gate.admit(pass, SystemTime::now())) {
                    Ok(()) => {
                        self.state = State::Done;
                        Poll::Ready(Ok(Input::Admitted))
                    }
                    Err(refusal) => self.refuse(refusal),
                }
            }
            State::Done => Poll::Pending,
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Poll<Result<Input, Refusal>> {
        self.state = State::Done;
        Poll::Ready(Err(refusal))
    }
}

type Fetching = Pin<Box<dyn Future<Output = Result<(Pass, Config), Refusal>> + Send>>;

/// The token in `start`, compared with the call at once: nothing is dialled for somebody else's token.
fn open(exchange: &Exchange, token_goes: &str, started: &Started) -> Result<Pass, Refusal> {
    let Some(carried) = travel::in_start(&started.parameters)? else {
        let text = format!("no token came with this call. {token_goes}");
        return Err(Refusal::new(Code::TokenMissing, text));
    };
    let pass = exchange.gate.open(&carried.token, SystemTime::now())?;
    pass.bound_to(started)?;
    Ok(pass)
}

fn fetch(exchange: &Exchange, mut pass: Pass) -> State {
    let exchange = exchange.clone();
    State::Fetching(Box::pin(async move {
        let config = pass.take_config(&exchange.fetcher).await?;
        Ok((pass, config))
    }))
}
