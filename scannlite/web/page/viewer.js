// One result, large.

import { distanceOf, sharpen } from "./results.js";

export class Viewer {
  // `similar(result)` searches with its picture; `closed(place)` is told where one was last.
  constructor(dialog, { similar, closed }) {
    this.dialog = dialog;
    this.results = [];
    this.place = 0;
    this.takesPictures = false; // whether the server does
    this.part = (id) => dialog.querySelector(`#${id}`);
    this.picture = this.part("viewer-picture");
    this.picture.addEventListener("load", () => sharpen(this.picture));
    this.picture.addEventListener("error", () => (this.picture.hidden = true));
    this.part("previous").addEventListener("click", () => this.step(-1));
    this.part("next").addEventListener("click", () => this.step(1));
    this.part("close").addEventListener("click", () => this.close());
    this.part("similar").addEventListener("click", () => similar(this.results[this.place]));
    dialog.addEventListener("close", () => closed(this.place));
    dialog.addEventListener("click", (event) => event.target === dialog && this.close());
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.step(step);
    });
  }

  open(results, place) {
    this.results = results;
    this.show(place);
    this.dialog.showModal();
    this.part("viewer-words").focus();
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  step(by) {
    const to = this.place + by;
    if (to >= 0 && to < this.results.length) this.show(to);
  }

  show(place) {
    const result = this.results[place];
    this.place = place;
    this.picture.hidden = !result.picture;
    if (result.picture) this.picture.src = result.picture;
    this.part("viewer-words").textContent = result.metadata;
    const facts = [`${place + 1} of ${this.results.length}`, `row ${result.row}`];
    if (result.distance !== null) facts.push(distanceOf(result));
    this.part("viewer-facts").textContent = facts.join(" · ");
    this.part("previous").disabled = place === 0;
    this.part("next").disabled = place === this.results.length - 1;
    this.part("similar").hidden = !(result.picture && this.takesPictures);
  }
}
