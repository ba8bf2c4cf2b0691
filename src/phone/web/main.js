// The phone: its buttons, and what happens when they are pressed.

import { agents, claims, token } from "./agents.js";
import { Line, hex } from "./line.js";
import { Sound } from "./sound.js";
import { Transcript } from "./transcript.js";
import { Waits } from "./waits.js";
import { closing, unopened } from "./words.js";

const at = (id) => document.getElementById(id);
const transcript = new Transcript(at("transcript"), at("announce"));
const waits = new Waits(at("waits"), at("legend"));
let listed = [];
/** The call that is being placed or goes on; each has its own, so nothing late belongs to the next one. */
let call = null;

async function dial(microphone) {
  if (call) return;
  const mine = (call = { line: null, sound: null, ended: null });
  problem("");
  transcript.empty();
  waits.empty();
  busy(true);
  status("Calling …");
  try {
    const whom = await chosen();
    const on = (told) => call === mine && heard(mine, told);
    const sound = await Sound.open({ microphone, on });
    if (call !== mine) return sound.close(); // hung up meanwhile
    mine.sound = sound;
    // Only now: a demo's token lives for a minute, and a person may take longer to allow the microphone.
    const pass = whom.token ?? (await token(whom.agent, whom.leg, whom.callSid));
    if (call !== mine) return;
    mine.line = new Line({ ...whom, token: pass, on: events(mine) });
  } catch (error) {
    if (call !== mine) return;
    hungUp(mine, "Not in a call.");
    problem(error.message);
    at("no-microphone").hidden = !error.silent;
  }
}

async function chosen() {
  const pasted = at("token").value.trim();
  const fresh = `AC${hex(16)}`;
  if (at("own").open && pasted) {
    const { sub, acct } = claims(pasted);
    return { token: pasted, callSid: sub ?? at("call-id").value.trim(), accountSid: acct ?? fresh };
  }
  if (!listed.length) throw new Error("Paste a token first: this relay lets nobody call without one.");
  return { agent: at("agent").value, leg: at("leg").value, callSid: `CA${hex(16)}`, accountSid: fresh };
}

/** What the sound thread tells. */
function heard(mine, { what, frame, level, name }) {
  if (what === "frame") {
    at("you").value = level;
    mine.line?.frame(frame);
  } else if (what === "level") at("them").value = level;
  else if (what === "mark") mine.line?.mark(name);
  else if (what === "lost") problem("The agent speaks faster than anybody can listen: more than ten minutes waited to be played.");
  else if (what === "no-microphone") problem("The microphone is gone. The call goes on, but nobody hears you.");
}

/** What the relay tells. */
function events(mine) {
  const ours = (act) => (told) => call === mine && act(told);
  return {
    open: ours(() => status("The line is open …")),
    audio: ours((audio) => mine.sound.play(audio)),
    mark: ours((name) => mine.sound.mark(name)),
    clear: ours(() => mine.sound.clear()),
    odd: ours((what) => problem(`The relay sent ${what}.`)),
    news: ours((news) => NEWS[news.kind]?.(news, mine)),
    closed: ours(async (close) => {
      const ended = mine.ended;
      hungUp(mine, ended ? `The call is over: ${ended.text}.` : "The call is over.");
      if (close.left) return; // as the caller wished
      const why = close.opened ? closing(close, ended) : await unopened();
      if (!call) problem(why); // and not about the next call
    }),
  };
}

const NEWS = {
  live: () => status("Connected. Say something."),
  words: (words) => transcript.words(words),
  cut: (cut) => transcript.cut(cut),
  interrupted: () => transcript.event("you talked over the agent: its playback was cleared"),
  key: ({ key }) => transcript.event(`you pressed ${key}`),
  idle: () => transcript.event("nobody speaks"),
  tool: ({ outcome, after_ms: ms }) => transcript.event(`a tool was called: ${outcome}, after ${ms} ms`),
  leg_lost: ({ why }) => transcript.event(`the agent was lost (${why}): another one takes over`),
  leg_renewed: () => transcript.event("the agent's session is renewed"),
  not_recorded: () => transcript.event("you could not be told of the recording: nothing is recorded"),
  retry: ({ why }) => transcript.event(`an answer failed (${why}): asking again`),
  turn: (turn) => {
    waits.turn(turn);
    turn.answer.forEach((line) => transcript.settle(line));
  },
  ended: (ended, mine) => {
    mine.ended = ended;
    ended.cut.forEach((line) => transcript.settle(line));
  },
};

function hungUp(mine, text) {
  mine.sound?.close();
  call = null;
  busy(false);
  status(text);
  newCallId();
}

function hangUp() {
  const mine = call;
  if (!mine) return;
  if (!mine.line) return hungUp(mine, "Not in a call.");
  mine.sound?.clear();
  mine.line.hangUp();
  status("Hanging up …");
}

function press(key) {
  if (call?.line) call.line.key(key);
}

function busy(on) {
  const focused = document.activeElement;
  at("call").disabled = at("whom").disabled = on;
  at("hang-up").disabled = at("mute").disabled = at("keys").disabled = !on;
  at("no-microphone").hidden = true;
  at("mute").setAttribute("aria-pressed", "false");
  at("you").value = at("them").value = 0;
  // A button that is switched off loses the keyboard: hand it to the one that is needed next.
  if (on && (focused === at("call") || focused === at("no-microphone"))) at("hang-up").focus();
  if (!on && (focused === at("hang-up") || focused === document.body)) at("call").focus();
}

function status(text) {
  at("status").textContent = text;
}

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

function newCallId() {
  at("call-id").value = `CA${hex(16)}`;
  recipe();
}

function recipe() {
  at("recipe").textContent = `patchcord token --agent agent.json --call ${at("call-id").value} --seal`;
}

function showLegs() {
  const agent = listed.find(({ id }) => id === at("agent").value);
  at("leg").replaceChildren(...agent.legs.map(({ id, name }) => new Option(name, id)));
  at("about").textContent = agent.about;
}

at("dial").addEventListener("submit", (event) => {
  event.preventDefault();
  dial(true);
});
at("no-microphone").addEventListener("click", () => dial(false));
at("hang-up").addEventListener("click", hangUp);
at("mute").addEventListener("click", () => {
  const muted = at("mute").getAttribute("aria-pressed") !== "true";
  at("mute").setAttribute("aria-pressed", String(muted));
  call?.sound?.mute(muted);
});
at("keys").addEventListener("click", ({ target }) => target.matches("button") && press(target.textContent));
document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input, textarea, select");
  if (call && !writing && !event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey && /^[0-9*#]$/.test(event.key)) press(event.key);
});
at("agent").addEventListener("change", showLegs);
at("call-id").addEventListener("input", recipe);
window.addEventListener("pagehide", hangUp);

newCallId();
try {
  listed = await agents();
} catch (error) {
  problem(error.message);
}
at("listed").hidden = !listed.length;
at("own").open = !listed.length;
if (listed.length) {
  at("agent").replaceChildren(...listed.map(({ id, name }) => new Option(name, id)));
  showLegs();
}
document.body.dataset.ready = "yes";
