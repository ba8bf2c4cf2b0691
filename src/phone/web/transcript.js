// What is said, as it is said; and struck through what nobody heard.

export class Transcript {
  constructor(list, announce) {
    this.list = list;
    this.announce = announce;
    this.lines = new Map();
  }

  empty() {
    this.lines.clear();
    this.list.replaceChildren();
    this.announce.textContent = "";
  }

  words({ who, item, text, whole }) {
    const line = this.line(who, item);
    if (line.heard !== undefined) return; // late words of a sentence that was cut
    line.said = whole ? text : line.said + text;
    this.show(line);
    // Readers get whole sentences: pieces of words would only stutter.
    if (whole && text) this.tell(`${NAMES[who]}: ${text}`);
  }

  cut({ item, heard }) {
    const line = this.line("agent", item); // it may be cut before its first word is known
    line.heard = heard;
    this.show(line);
    this.tell(heard ? `Interrupted. Heard: ${heard}` : "Interrupted before a word was heard.");
  }

  /** What is known for good when a turn is over. */
  settle({ item, said, heard }) {
    const line = this.line("agent", item);
    line.said = said;
    line.heard = heard ?? undefined;
    this.show(line);
  }

  /** Something that happened and was not said. */
  event(text) {
    const entry = document.createElement("li");
    entry.className = "event";
    entry.textContent = text;
    this.append(entry);
  }

  tell(text) {
    this.announce.textContent = text;
  }

  /** The caller's words may come after the answer to them: lines have the order of the conversation. */
  line(who, item) {
    const known = this.lines.get(item);
    if (known) return known;
    const entry = document.createElement("li");
    entry.className = who;
    entry.dataset.item = item;
    const name = document.createElement("b");
    name.textContent = NAMES[who];
    const words = document.createElement("span");
    entry.append(name, words);
    const line = { entry, words, said: "", heard: undefined };
    this.lines.set(item, line);
    const later = [...this.list.children].find((other) => Number(other.dataset.item) > item);
    this.append(entry, later);
    return line;
  }

  append(entry, before = null) {
    const list = this.list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.insertBefore(entry, before);
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  show({ entry, words, said, heard }) {
    entry.hidden = !said && !heard;
    if (heard === undefined) {
      words.textContent = said;
      return;
    }
    const rest = said.startsWith(heard) ? said.slice(heard.length) : ` ${said}`;
    const unheard = document.createElement("del");
    unheard.textContent = rest;
    const label = document.createElement("span");
    label.className = "unseen";
    label.textContent = " (not heard:) ";
    words.replaceChildren(heard, ...(rest.trim() ? [label, unheard] : []));
    entry.classList.add("cut");
  }
}

const NAMES = { caller: "You", agent: "Agent" };
