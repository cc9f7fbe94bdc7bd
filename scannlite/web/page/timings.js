// Where the time of a question went: the server's stages, the rest of the server, and the way.

const shown = (ms) => `${ms < 10 ? ms.toFixed(2) : ms.toFixed(1)} ms`;

export class Timings {
  constructor(element) {
    this.element = element;
  }

  // `ms` of the stages and of the server as a whole; `prepare` is what the first stage is called.
  show(ms, roundTrip, prepare) {
    const inside = ms.prepare + ms.model + ms.search;
    const parts = [
      ["prepare", prepare, ms.prepare],
      ["model", "model", ms.model],
      ["search", "search", ms.search],
      ["server", "server in all", ms.total, ms.total - inside],
      ["rest", "round trip", roundTrip, roundTrip - ms.total],
    ];
    this.element.querySelector(".bar").replaceChildren(
      ...parts.map(([kind, , whole, own = whole]) => {
        const part = document.createElement("span");
        part.className = kind;
        part.style.flexGrow = Math.max(own, 0);
        return part;
      }),
    );
    this.element.querySelector("dl").replaceChildren(...parts.map(([...part]) => line(...part)));
    this.element.hidden = false;
  }

  hide() {
    this.element.hidden = true;
  }
}

function line(kind, name, ms) {
  const group = document.createElement("div");
  const term = document.createElement("dt");
  const value = document.createElement("dd");
  group.className = kind;
  term.textContent = name;
  value.textContent = shown(ms);
  group.append(term, value);
  return group;
}
