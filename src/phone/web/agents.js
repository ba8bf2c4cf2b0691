// Whom this relay lets a page call without a token of its own: the demo's agents, and otherwise nobody.

import { Problem } from "./sound.js";

export async function agents() {
  try {
    const answer = await fetch("/phone/agents", { cache: "no-store" });
    return (await answer.json()).agents ?? [];
  } catch {
    throw new Problem("The relay cannot be reached. Does it still run?");
  }
}

export async function token(agent, leg, call) {
  const path = ["phone", "token", agent, leg, call].map(encodeURIComponent).join("/");
  let answer, body;
  try {
    answer = await fetch(`/${path}`, { method: "POST", cache: "no-store" });
    body = await answer.json();
  } catch {
    throw new Problem("The relay cannot be reached. Does it still run?");
  }
  if (!answer.ok) throw new Problem(`${body.error.message} (${body.error.code})`);
  return body.token;
}

/** What a signed token says for itself; of a sealed one only the relay can know. */
export function claims(token) {
  try {
    const parts = token.split(".");
    if (parts.length !== 3) return {};
    return JSON.parse(atob(parts[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}
