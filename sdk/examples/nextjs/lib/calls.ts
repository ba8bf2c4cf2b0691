// The calls of late, in memory: enough for one process that shows what arrives. An app of yours has a database.

import type { CallEnded } from "patchcord";

export interface Call {
  id: string;
  from: string;
  began: string;
  /** To whom the caller goes on, if so. */
  transferTo?: string;
  ended?: CallEnded["data"];
}

interface Book {
  calls: Map<string, Call>;
}

// Routes and pages are built apart, and share nothing but this.
const shared = globalThis as { patchcordCalls?: Book };

function book(): Book {
  return (shared.patchcordCalls ??= { calls: new Map() });
}

/** Notes something about a call, also when it was not known yet: reports may cross on their way. */
export function note(id: string, news: Partial<Omit<Call, "id">>): void {
  const { calls } = book();
  const known = calls.get(id) ?? { id, from: "", began: new Date().toISOString() };
  calls.set(id, { ...known, ...news });
  for (const oldest of calls.keys()) {
    if (calls.size <= KEPT) break;
    calls.delete(oldest);
  }
}

export function find(id: string): Call | undefined {
  return book().calls.get(id);
}

/** The newest first. */
export function recent(): Call[] {
  return [...book().calls.values()].reverse();
}

/** A page of them. */
const KEPT = 50;
