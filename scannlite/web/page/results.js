// The grid of results, and the keys that move in it.

const COARSE = 64; // pixels: smaller pictures look better in squares than blurred

export class Results {
  // `list` is the element; `open(place)` shows one large, `leave()` goes back up to the box.
  constructor(list, { open, leave }) {
    this.list = list;
    this.leave = leave;
    this.shown = [];
    this.cards = new Map(); // by row: a picture that stays is not loaded again
    list.addEventListener("keydown", (event) => this.move(event));
    list.addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      if (card) open(this.buttons.indexOf(card));
    });
  }

  get buttons() {
    return [...this.list.querySelectorAll(".card")];
  }

  set busy(busy) {
    this.list.setAttribute("aria-busy", busy);
  }

  show(results) {
    const before = this.cards;
    const focused = this.list.contains(document.activeElement);
    this.shown = results;
    this.cards = new Map(results.map((each) => [each.row, before.get(each.row) ?? card(each)]));
    this.list.replaceChildren(...this.cards.values());
    for (const result of results) {
      const distance = this.cards.get(result.row).querySelector(".distance");
      distance.textContent = result.distance === null ? "" : distanceOf(result);
    }
    this.buttons.forEach((button, place) => (button.tabIndex = place ? -1 : 0));
    if (focused) this.focus(0);
  }

  // Whether there was one to focus.
  focus(place) {
    const buttons = this.buttons;
    const chosen = buttons[place];
    if (!chosen) return false;
    for (const button of buttons) button.tabIndex = button === chosen ? 0 : -1;
    chosen.focus();
    return true;
  }

  move(event) {
    const buttons = this.buttons;
    const place = buttons.indexOf(event.target);
    if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.columns(buttons);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row };
    const ends = { Home: 0, End: buttons.length - 1 };
    if (!(event.key in steps) && !(event.key in ends)) return;
    event.preventDefault();
    const to = ends[event.key] ?? place + steps[event.key];
    if (to < 0 && event.key === "ArrowUp") this.leave();
    else this.focus(Math.min(Math.max(to, 0), buttons.length - 1));
  }

  columns(buttons) {
    const { top } = buttons[0].getBoundingClientRect();
    const below = buttons.findIndex((button) => button.getBoundingClientRect().top > top + 1);
    return below < 0 ? buttons.length : below;
  }
}

export function distanceOf(result) {
  return `distance ${Number(result.distance.toPrecision(4))}`;
}

// Small pictures as they are, squares and all.
export function sharpen(picture) {
  picture.classList.toggle("coarse", picture.naturalWidth <= COARSE);
}

// Metadata and names are anybody's: they become text, never markup.
function card(result) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const words = document.createElement("span");
  const distance = document.createElement("span");
  button.type = "button";
  button.className = "card";
  words.className = "words";
  words.dir = "auto";
  words.append(...breakable(result.metadata));
  distance.className = "distance";
  button.append(words, distance);
  if (result.picture) button.prepend(pictureOf(result, button));
  else button.classList.add("bare");
  item.append(button);
  return item;
}

// Long names may break where their parts end.
function breakable(text) {
  const parts = text.split(/(?<=[_\-./\\])/);
  return parts.flatMap((part, place) => (place ? [document.createElement("wbr"), part] : [part]));
}

function pictureOf(result, button) {
  const picture = document.createElement("img");
  picture.alt = "";
  picture.loading = "lazy";
  picture.decoding = "async";
  picture.draggable = false;
  picture.addEventListener("load", () => sharpen(picture));
  picture.addEventListener("error", () => {
    picture.remove();
    button.classList.add("bare");
  });
  picture.src = result.picture;
  return picture;
}
