// What the agent's words wait on until they are played, as at a carrier: audio and marks in their order. A mark comes
// back when everything before it was played. A clear throws the rest away, and all its marks come back at once.

export class Tape {
  constructor() {
    this.pieces = [];
    this.read = 0;
    this.queued = 0;
    this.played = 0;
    this.marks = [];
  }

  /** Adds audio behind what waits. Says how many samples had no room. */
  play(bytes) {
    const room = MOST_AUDIO - (this.queued - this.played);
    const taken = bytes.subarray(0, Math.max(0, room));
    if (taken.length > 0) this.pieces.push(taken);
    this.queued += taken.length;
    return bytes.length - taken.length;
  }

  /** Adds a mark behind what waits. False when there are too many. */
  mark(name) {
    if (this.marks.length >= MOST_MARKS) return false;
    this.marks.push({ at: this.queued, name });
    return true;
  }

  /** The next byte to play, or undefined when the tape has run dry. */
  next() {
    const piece = this.pieces[0];
    if (!piece) return undefined;
    const byte = piece[this.read++];
    this.played += 1;
    if (this.read === piece.length) {
      this.pieces.shift();
      this.read = 0;
    }
    return byte;
  }

  /** The names of the marks that playback has reached. */
  reached() {
    let count = 0;
    while (count < this.marks.length && this.marks[count].at <= this.played) count += 1;
    return this.marks.splice(0, count).map((mark) => mark.name);
  }

  /** Throws away what was not played; the names of all marks that waited. */
  clear() {
    this.pieces = [];
    this.read = 0;
    this.queued = this.played;
    return this.marks.splice(0).map((mark) => mark.name);
  }
}

// Ten minutes, as carriers keep.
const MOST_AUDIO = 600 * 8000;
// One for each 6 ms of them.
const MOST_MARKS = 100_000;
