// How long each answer took, drawn from the relay's own segments: they add up to what the caller waited.

export class Waits {
  constructor(list, legend) {
    this.list = list;
    for (const [name, text] of Object.entries(MEANING)) {
      const entry = document.createElement("li");
      const colour = document.createElement("i");
      colour.className = name;
      entry.append(colour, text);
      legend.append(entry);
    }
  }

  empty() {
    this.list.replaceChildren();
    this.longest = SHORTEST_SCALE;
  }

  turn({ number, silence_ms: silence, segments, interrupted, estimated }) {
    const entry = document.createElement("li");
    const title = document.createElement("p");
    entry.append(title);
    if (segments) {
      const about = estimated ? "about " : "";
      title.textContent = `Turn ${number}: ${about}${silence} ms${interrupted ? ", then interrupted" : ""}`;
      const bar = document.createElement("div");
      bar.className = "bar";
      bar.setAttribute("role", "img");
      bar.setAttribute("aria-label", segments.map(({ name, ms }) => `${MEANING[name] ?? name} ${ms} ms`).join(", "));
      bar.dataset.ms = silence;
      for (const { name, ms } of segments.filter(({ ms }) => ms > 0)) {
        const part = document.createElement("span");
        part.className = name;
        part.title = `${MEANING[name] ?? name}: ${ms} ms`;
        part.style.flexGrow = ms;
        bar.append(part);
      }
      entry.append(bar);
    } else {
      title.textContent = `Turn ${number}: ${interrupted ? "you went on before an answer was heard" : "no answer was heard"}`;
    }
    this.list.prepend(entry);
    this.scale(silence ?? 0);
  }

  /** All bars have one scale, so that a longer one is a longer wait. */
  scale(silence) {
    this.longest = Math.max(this.longest, silence);
    for (const bar of this.list.querySelectorAll(".bar")) {
      bar.style.width = `${(100 * bar.dataset.ms) / this.longest}%`;
    }
  }
}

const MEANING = {
  decided: "until your turn was over",
  thought: "thinking",
  tools: "tools",
  voiced: "finding its voice",
  sent: "inside the relay",
  heard: "on the way to you",
};
const SHORTEST_SCALE = 1000;
