// The line to the relay: a carrier's media stream, as Twilio speaks it, over a WebSocket.
//
// The token travels in `start`, in pieces, as a carrier brings it. Then a refusal comes as a close with its code, which
// a browser may read; the answer to a refused upgrade it may not.

export class Line {
  constructor({ token, callSid, accountSid, on }) {
    this.on = on;
    this.token = token;
    this.callSid = callSid;
    this.accountSid = accountSid;
    this.streamSid = `MZ${hex(16)}`;
    this.sequence = 0;
    this.chunk = 0;
    this.opened = false;
    this.left = false;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/stream/browser?news=1`);
    this.socket.onopen = () => this.start();
    this.socket.onmessage = ({ data }) => this.read(data);
    this.socket.onclose = ({ code, reason }) => this.closed(code, reason);
  }

  start() {
    this.opened = true;
    this.send({ event: "connected", protocol: "Call", version: "1.0.0" }, false);
    this.send({
      event: "start",
      start: {
        accountSid: this.accountSid,
        streamSid: this.streamSid,
        callSid: this.callSid,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
        customParameters: pieces(this.token),
      },
    });
    this.on.open();
  }

  /** 20 ms of the caller. Its time is the sound's own, also when a frame has to be left out. */
  frame(bytes) {
    if (!this.opened || this.left) return;
    const timestamp = String(this.chunk * 20);
    this.chunk += 1;
    if (this.socket.bufferedAmount > MOST_UNSENT) return;
    const payload = btoa(String.fromCharCode(...bytes));
    this.send({ event: "media", media: { track: "inbound", chunk: String(this.chunk), timestamp, payload } });
  }

  mark(name) {
    this.send({ event: "mark", mark: { name } });
  }

  key(digit) {
    this.send({ event: "dtmf", dtmf: { track: "inbound_track", digit } });
  }

  /** The relay closes then, after its last word about the call; one that does not is left. */
  hangUp() {
    if (this.left) return;
    this.send({ event: "stop", stop: { accountSid: this.accountSid, callSid: this.callSid } });
    this.left = true;
    if (!this.opened) return this.socket.close();
    this.patience = setTimeout(() => this.socket.close(1000), PATIENCE);
  }

  send(message, numbered = true) {
    if (this.left || this.socket.readyState !== WebSocket.OPEN) return;
    if (numbered) {
      this.sequence += 1;
      message.sequenceNumber = String(this.sequence);
      message.streamSid = this.streamSid;
    }
    this.socket.send(JSON.stringify(message));
  }

  read(text) {
    const message = JSON.parse(text);
    if (message.streamSid !== this.streamSid) return this.on.odd("a message for another stream");
    if (message.event === "media") this.on.audio(Uint8Array.from(atob(message.media.payload), (c) => c.charCodeAt(0)));
    else if (message.event === "mark") this.on.mark(message.mark.name);
    else if (message.event === "clear") this.on.clear();
    else if (message.event === "news") this.on.news(message.news);
    else this.on.odd(`a message that no carrier knows: ${message.event}`);
  }

  closed(code, reason) {
    clearTimeout(this.patience);
    const { opened, left } = this;
    this.left = true;
    this.on.closed({ code, reason, opened, left });
  }
}

export function hex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A token as stream parameters. Twilio cuts values at 500 characters, names included. */
function pieces(token) {
  if (token.length <= PIECE) return { token };
  const all = token.match(new RegExp(`.{1,${PIECE}}`, "g"));
  if (all.length > MOST_PIECES) return { token };
  return { tn: String(all.length), ...Object.fromEntries(all.map((piece, i) => [`t${i}`, piece])) };
}

const PIECE = 480;
const MOST_PIECES = 99;
// A second or two of sound that the network did not take: later it is of no use.
const MOST_UNSENT = 32 * 1024;
// The relay says goodbye within its own second.
const PATIENCE = 3000;
