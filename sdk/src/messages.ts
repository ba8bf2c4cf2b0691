// What a relay tells its app. Relays of later versions may say more: fields and events that are not here are no error.

/** A tool of the app is called, or something is looked up (`knowledge`, with one argument: `question`). */
export interface ToolCall<Arguments = { [name: string]: unknown }, Context = unknown> {
  call: Pick<CallNames, "id" | "carrier_call_id" | "agent_id">;
  /** Which tool, as the token named it. */
  name: string;
  arguments: Arguments;
  /** What the token carried. */
  context: Context;
}

export type Report<Context = unknown> = CallStarted<Context> | TurnEnded<Context> | CallAction<Context> | CallEnded<Context>;

/** Caller and agent are connected. */
export type CallStarted<Context = unknown> = Event<"call.started", { call: CallNames; context: Context }>;

/** One turn of the caller and what became of the answer. */
export type TurnEnded<Context = unknown> = Event<
  "turn.ended",
  {
    call: CallNames;
    context: Context;
    /** Counts the turns: reports may cross on their way. */
    turn: number;
    at_ms: number;
    caller: string;
    agent: { said: string; heard: string };
    interrupted: boolean;
    tools: ToolLine[];
    /** `null` when no answer was heard. */
    latency: Latency | null;
  }
>;

/** The app is asked to take the caller. Answer 2xx only when it will. */
export type CallAction<Context = unknown> = Event<
  "call.action",
  {
    call: CallNames;
    context: Context;
    action: "transfer" | (string & {});
    /** The name the agent chose, and the number behind it. */
    target: string;
    number: string;
  }
>;

/** Everything there is to know of a call. */
export type CallEnded<Context = unknown> = Event<
  "call.ended",
  {
    call: CallNames;
    context: Context;
    started_at: string;
    ended_at: string;
    seconds: number;
    /** Whether caller and agent ever were. */
    connected: boolean;
    reason: EndReason;
    /** Who said what the caller heard: the carrier with its marks each time, or, at least in part, the relay's clock. */
    heard_by: "marks" | "clock";
    legs: LegUse[];
    /** `null` when none was asked for. */
    recording: Recording | null;
    transcript: (SpokenLine | ToolLine)[];
    latency: (({ turn: number; at_ms: number } & Latency) | { turn: number; at_ms: number; silence_ms: null })[];
    usage: Usage[];
    cost: Cost;
    counts: Counts;
  }
>;

interface Event<Type extends string, Data> {
  type: Type;
  /** RFC 3339. */
  timestamp: string;
  data: Data;
}

export interface CallNames {
  /** The relay's name for the call. */
  id: string;
  /** The carrier's, such as Twilio's `CallSid`. */
  carrier_call_id: string;
  account_id: string | null;
  agent_id: string | null;
  region: string | null;
  machine: string | null;
}

export type EndReason =
  | "caller_hung_up"
  | "agent_hung_up"
  | "transferred"
  | "idle"
  | "max_duration"
  | "leg_failed"
  | "carrier_lost"
  | "drained"
  | "never_started"
  | "refused"
  | "internal"
  | (string & {});

export interface LegUse {
  kind: "openai" | "cascade" | "echo" | (string & {}) | null;
  from_ms: number;
  outcome: "used" | "failed" | "renewed" | (string & {});
  /** Whose side it was, and why. */
  failure: { provider: string; kind: string; detail: string } | null;
}

export interface Recording {
  outcome: "uploaded" | "failed" | "none" | (string & {});
  complete: boolean;
  from_ms: number | null;
  seconds: number;
  bytes: number;
  attempts: number;
  failure: { kind: string; detail: string } | null;
}

export interface SpokenLine {
  role: "caller" | "agent";
  at_ms: number;
  said: string;
  /** Of an agent's line that was interrupted only the part that reached the caller. */
  heard: string;
  interrupted: boolean;
}

export interface ToolLine {
  role: "tool";
  at_ms: number;
  name: string;
  arguments: unknown;
  result: unknown;
}

/** What the caller waited, and the segments that add up to it. */
export interface Latency {
  silence_ms: number;
  decided_ms: number;
  thought_ms: number;
  tools_ms: number;
  voiced_ms: number;
  sent_ms: number;
  heard_ms: number;
  thought_ahead: boolean;
  estimated: boolean;
}

interface Priced {
  provider: string;
  model: string;
  option?: string;
}

/** What is zero is left out. */
export interface Usage extends Priced {
  text_tokens_in?: number;
  text_tokens_cached?: number;
  audio_tokens_in?: number;
  audio_tokens_cached?: number;
  image_tokens_in?: number;
  image_tokens_cached?: number;
  text_tokens_out?: number;
  audio_tokens_out?: number;
  seconds?: number;
  characters?: number;
  untold_answers?: number;
}

/** An estimate, in US dollars. */
export interface Cost {
  usd: number;
  /** The date of the oldest price in it. */
  prices_of: string | null;
  lines: (Priced & { what: string; count: number; price: number; per: string; usd: number })[];
  /** What has no price and is not in the sum. */
  unpriced: (Priced & { what: string[] })[];
}

export interface Counts {
  turns: number;
  replies: number;
  interruptions: number;
  tools: number;
  keys: number;
  frames_in: number;
  frames_out: number;
  frames_dropped: number;
  /** Frames of the carrier's that came out of order, twice or not at all, and what was put right. */
  frames_mended: number;
  gaps_ms: number;
}
