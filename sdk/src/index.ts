// The app's side of Patchcord: a token and the carrier's answer for each call, and proof of who reports and calls tools.

export type {
  Agent, CallRules, CallToken, ConfigReference, Hearing, Idle, Keys, Leg, Record as RecordTo, Report as ReportTo, ReportEvent, Speaking, Thinking, Tool, Turn, TwilioKey,
} from "./call-token.js";
export type { CallClaims, Lifetime } from "./claims.js";
export { type ErrorCode, PatchcordError } from "./error.js";
export type * from "./messages.js";
export { callToken, sealCall, signCall, type TokenOptions } from "./token.js";
export { type Identified, type Message, verifyReport, verifyTool, type VerifyOptions } from "./webhook.js";
export { type ConfigKeeper, verifyConfigRequest } from "./config.js";
export { connectTwiml, type ConnectOptions } from "./twiml.js";
export type { CallOptions, Travel } from "./travel.js";
export type { AnswerOptions } from "./xml.js";
export { type CallControlOptions, type CallControlStream, connectCallControl, connectTexml, type TexmlOptions } from "./telnyx.js";
export { connectCxml, type CxmlOptions } from "./signalwire.js";
export { connectPlivo, type PlivoOptions } from "./plivo.js";
export { connectExotel, type ExotelOptions } from "./exotel.js";
export { connectNcco, type NccoConnect, type NccoOptions } from "./vonage.js";
