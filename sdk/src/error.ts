// What went wrong, for code (`code`) and for people (`message`). Neither holds a secret or a token.

export type ErrorCode =
  /** `secret` is not there, or none of its secrets has that `kid`. */
  | "secret_missing"
  /** A secret of fewer than 32 bytes, which a relay does not take either. */
  | "secret_short"
  /** `secret` is not written as such a secret is. */
  | "secret_malformed"
  /** A claim that cannot be right. */
  | "claims"
  /** Keys or secrets would be readable on their way. */
  | "secrets_readable"
  /** Too long for the relay, or for what should carry it. */
  | "too_large"
  /** An address that the carrier would cut or refuse. */
  | "url"
  /** A message that has not all of its signature's headers, or a request without a token. */
  | "message_unsigned"
  /** A message or token that is not from whom it should be, or was changed. */
  | "message_signature"
  /** A message or token from too long ago, or from the future. */
  | "message_time"
  /** A message that is signed rightly and is not what was expected at this address. */
  | "message_kind";

export class PatchcordError extends Error {
  override readonly name = "PatchcordError";

  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}
