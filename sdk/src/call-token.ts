// Made of schema/call-token.schema.json by `npm run types`. Change it there, in the relay.

/** The claims of a Patchcord call token. */
export interface CallToken {
  /** The carrier's account id. */
  acct?: string | null;
  agent?: Agent | null;
  /** Flat form: the agent's id. The flat form is one `openai` leg, for apps that have just these five values. */
  agentId?: string | null;
  /** Must name this relay (`RELAY_AUDIENCE`). */
  aud: OneOrMany;
  call?: CallRules | null;
  /** Instead of `agent` to `context`: where the relay fetches them. */
  config?: ConfigReference | null;
  /** Anything. Returned in every report and tool call. */
  context?: unknown;
  /** Until when a call may begin with it: at most 15 minutes after `iat`. */
  exp: number;
  /** When the token was made, in seconds since 1970. */
  iat: number;
  /** The main app, such as `https://app.example.com`. Returned in reports, a label in metrics. */
  iss: string;
  /** A unique name for this token. A machine takes it only once. */
  jti?: string | null;
  keys?: Keys | null;
  /** The AI legs. The first is used, the others are its fallbacks. */
  legs?: Leg[] | null;
  /** From when on a call may begin with it. */
  nbf?: number | null;
  /** Flat form: the OpenAI key. */
  openAIKey?: string | null;
  /** Flat form: the agent's prompt. */
  prompt?: string | null;
  /** Take this call in that region of the relay. */
  region?: string | null;
  report?: Report | null;
  /** The carrier's call id, such as Twilio's `CallSid`. Needed unless `REQUIRE_CALL_BINDING=false`. */
  sub?: string | null;
  /** Flat form: see `agent.temperature`. */
  temperature?: number | null;
  /** What the agent can do besides talking. */
  tools?: Tool[] | null;
  /** The version of this format. */
  v?: number | null;
  /** Flat form: the agent's voice. */
  voice?: string | null;
}

export interface Agent {
  /** Such as `Scottish`. Only for voices that can be told: `openai` legs. */
  accent?: string | null;
  /** What the agent says first. Without one it waits for the caller. */
  greeting?: string | null;
  /** Your own name for the agent. Returned in reports. */
  id?: string | null;
  /** BCP 47, such as `en` or `pt-BR`. */
  language?: string | null;
  /** Such as `warm and unhurried`. Only for voices that can be told: `openai` legs. */
  manner?: string | null;
  prompt?: string | null;
  /** Of the voice's usual speed. Each voice has its own limits within these. */
  speed?: number | null;
  /** Accepted because apps send it. OpenAI's Realtime API no longer takes a temperature, so `openai` legs leave it out. */
  temperature?: number | null;
  voice?: string | null;
}

/** In which header the provider's key is sent. */
export type Auth = "bearer" | "api-key";

/** Rules of the call. */
export interface CallRules {
  /** Spoken when the call cannot go on and a voice is left. */
  error_message?: string | null;
  idle?: Idle | null;
  /** Whether the caller can talk over the agent. `true` when left out. */
  interruptible?: boolean | null;
  /** The longest call. Never more than the relay's `MAX_CALL_SECONDS`. */
  max_seconds?: number | null;
  record?: Record | null;
  /** Spoken 30 seconds before `max_seconds` is over. */
  warning_message?: string | null;
}

export interface ConfigReference {
  /** SHA-256 of the JSON's bytes, in hex or base64url. */
  sha256: string;
  /** An https address. The relay sends the call token as `Authorization: Bearer`. */
  url: string;
}

/** How soon `semantic_vad` takes the caller's turn for finished. */
export type Eagerness = "low" | "medium" | "high" | "auto";

/** How long a reasoning model thinks before it speaks. */
export type Effort = "minimal" | "low" | "medium" | "high" | "xhigh";

/** Speech to text. */
export interface Hearing {
  /** The relay's own address of the provider, or one whose host is in `UPSTREAM_ALLOW`. */
  base_url?: string | null;
  /** Flux: how sure it must be to begin an answer ahead of time. Never when left out. */
  eager_eot_threshold?: number | null;
  /** Flux: how sure it must be that a turn is over. */
  eot_threshold?: number | null;
  /** Flux: the silence that ends a turn in any case. */
  eot_timeout_ms?: number | null;
  /** Words that are likely in this call, such as names. */
  keyterms?: string[] | null;
  /**
   * Deepgram: `flux-general-en` when left out; `flux-…` ends turns by itself, `nova-…` by silence. ElevenLabs:
   * `scribe_v2_realtime` when left out.
   */
  model?: string | null;
  provider: HearingProvider;
  /** Nova and ElevenLabs: the silence that ends a turn. 300 for Nova and 500 for ElevenLabs when left out. */
  silence_ms?: number | null;
}

export type HearingProvider = "deepgram" | "elevenlabs";

/** What to do when nobody speaks. */
export interface Idle {
  after_seconds: number;
  /** Spoken one after the other, each after another `after_seconds`. */
  say?: string[] | null;
  /** When all is said. `nothing` when left out. */
  then?: Then | null;
}

/** Keys of providers. What is left out is taken from the relay's own settings. */
export interface Keys {
  deepgram?: string | null;
  elevenlabs?: string | null;
  groq?: string | null;
  openai?: string | null;
  /** A restricted key, so that the relay can transfer and hang up over Twilio's REST API. */
  twilio?: TwilioKey | null;
}

/** An AI leg, told apart by `kind`. */
export type Leg = {
  /** How the key is sent. `api-key` for hosts of Azure, else `bearer`. */
  auth?: Auth | null;
  /** The relay's own address of OpenAI, or one whose host is in `UPSTREAM_ALLOW`, such as Azure's. */
  base_url?: string | null;
  kind: "openai";
  max_output_tokens?: number | null;
  /** `gpt-realtime-2.1-mini` when left out. */
  model?: string | null;
  noise_reduction?: NoiseReduction | null;
  reasoning?: Reasoning | null;
  /** How the caller's words become text; `false` switches it off. */
  transcription?: TranscriptionOrOff;
  turn?: Turn | null;
} | {
  kind: "cascade";
  llm: Thinking;
  stt: Hearing;
  tts: Speaking;
  /** Who notices that the caller speaks. When left out: whoever is first, confirmed by the other. */
  vad?: Vad | null;
} | {
  kind: "echo";
  /** How long the caller must be silent before the echo. 600 when left out. */
  pause_ms?: number | null;
};

/** Which kind of microphone the caller's noise is filtered for. */
export type NoiseReduction = "near_field" | "far_field";

export type OneOrMany = string | string[];

export interface Reasoning {
  effort: Effort;
}

export interface Record {
  /** Where the recording is PUT when the call is over: an https address, usually presigned. */
  put_url: string;
  /** Said before anything else. The recording begins when the caller has heard it. */
  say?: string | null;
}

/** Where the main app hears of the call. */
export interface Report {
  /** `call.ended` when left out. `call.action` comes whenever there is one. */
  events?: ReportEvent[] | null;
  /** Signs the reports: `whsec_` and base64 of 24 to 64 bytes. Derived from `RELAY_SECRET` when left out. */
  secret?: string | null;
  /** An https address. */
  url: string;
}

export type ReportEvent = "call.started" | "turn.ended" | "call.action" | "call.ended";

/** Text to speech. */
export interface Speaking {
  /** The relay's own address of the provider, or one whose host is in `UPSTREAM_ALLOW`. */
  base_url?: string | null;
  /** ElevenLabs: `eleven_flash_v2_5` when left out. Deepgram's voices are their own models. */
  model?: string | null;
  provider: SpeakingProvider;
  /** Such as `aura-2-thalia-en` or `flux-kit-en` at Deepgram; a voice id at ElevenLabs. */
  voice: string;
}

export type SpeakingProvider = "deepgram" | "elevenlabs";

export type Then = "hang_up" | "nothing";

/** The language model. */
export interface Thinking {
  /**
   * The relay's own address of the provider, or one whose host is in `UPSTREAM_ALLOW`: any server that speaks
   * chat completions.
   */
  base_url?: string | null;
  /** More fields of the request as the provider names them; `null` takes one of ours out. */
  extra?: { [name: string]: unknown } | null;
  /** The longest answer in tokens, thoughts included. */
  max_tokens?: number | null;
  /** Such as `openai/gpt-oss-20b` at Groq or `gpt-6-luna` at OpenAI. */
  model: string;
  provider: ThinkingProvider;
  /** How long it thinks before it speaks. As short as the model allows when left out. */
  reasoning?: ThinkingEffort | null;
}

export type ThinkingEffort = "none" | "minimal" | "low" | "medium" | "high";

export type ThinkingProvider = "groq" | "openai";

/** Something the agent can do, told apart by `kind`. Without one it is a function of the main app. */
export type Tool = {
  description?: string | null;
  kind?: "function";
  name: string;
  /** A JSON Schema. */
  parameters?: { [name: string]: unknown } | null;
  /** Spoken while the caller waits. */
  say?: string | null;
  /** 8000 when left out. */
  timeout_ms?: number | null;
  /** An https address. */
  url: string;
} | {
  description?: string | null;
  kind: "knowledge";
  name: string;
  /** Spoken while the caller waits. */
  say?: string | null;
  /** 8000 when left out. */
  timeout_ms?: number | null;
  /** An https address. */
  url: string;
} | {
  /** When the agent should do it. */
  description?: string | null;
  kind: "hang_up";
  name?: string | null;
} | {
  description?: string | null;
  kind: "transfer";
  name?: string | null;
  /** Names the agent can choose from, and the numbers behind them. */
  targets: { [name: string]: string };
} | {
  /** When the agent should do it. */
  description?: string | null;
  kind: "send_dtmf";
  name?: string | null;
} | {
  /** All of them when left out. */
  allowed_tools?: string[] | null;
  /** What the server takes as its key. Seal the token then. */
  authorization?: string | null;
  kind: "mcp";
  /** Spoken while the caller waits. */
  say?: string | null;
  server_description?: string | null;
  /** Your own name for it. */
  server_label: string;
  /** An https address. */
  server_url: string;
  /** How long a call of one of its tools may take; 20000 when left out. */
  timeout_ms?: number | null;
};

export interface Transcription {
  /** `gpt-transcribe` when left out. */
  model?: string | null;
}

export type TranscriptionOrOff = Transcription | boolean | null;

export interface Turn {
  /** `semantic_vad`: how soon to answer. */
  eagerness?: Eagerness | null;
  /** `server_vad` when left out. */
  mode?: TurnMode | null;
  /** `server_vad`: how much audio before the detected speech belongs to it. */
  prefix_padding_ms?: number | null;
  /** `server_vad`: the silence that ends a turn. 500 when left out. */
  silence_ms?: number | null;
  /** `server_vad`: how loud speech must be. */
  threshold?: number | null;
}

export type TurnMode = "server_vad" | "semantic_vad";

export interface TwilioKey {
  /** `AC…`: the account whose call it is. Must be `acct` when the token has that. */
  account_sid: string;
  /** `SK…`: an API key that may update calls. */
  api_key: string;
  api_secret: string;
}

/** Who notices that the caller speaks. */
export type Vad = "local" | "provider";
