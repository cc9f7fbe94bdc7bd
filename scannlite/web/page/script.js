// The page: one question at a time, from a text or a picture, and its answer.

import { askFile, askInfo, askPicture, askText, whole } from "./questions.js";
import { Results } from "./results.js";
import { Timings } from "./timings.js";
import { Viewer } from "./viewer.js";

const PAUSE = 60; // ms after the last key: an answer takes less
const PATIENCE = 150; // ms until what is shown is dimmed, being old
const STAY = 500; // ms until the address follows the question
const COUNTS = [12, 24, 48, 96];

const byId = (id) => document.getElementById(id);
const box = byId("box");
const counted = new Intl.NumberFormat("en");

let info = null; // of the server
let question = null; // { text } or { picture: Blob, name }
let underWay = null; // the AbortController of the last question
let waiting = 0;
let remembering = 0;

const results = new Results(byId("results"), {
  open: (place) => viewer.open(results.shown, place),
  leave: () => box.hidden || box.focus(),
});
const viewer = new Viewer(byId("viewer"), {
  similar: searchSimilar,
  closed: (place) => results.focus(place),
});
const timings = new Timings(byId("timings"));

// ---- asking ------------------------------------------------------------------------------------

// What the box and the settings say now; a picture stays in question until something is typed.
function askNow() {
  const text = box.value.trim();
  if (text !== (question?.text ?? "")) {
    forgetPicture();
    question = text ? { text } : null;
  }
  ask();
  remember();
}

function askSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(askNow, PAUSE);
}

async function ask() {
  clearTimeout(waiting);
  underWay?.abort();
  if (!question) {
    underWay = null;
    return showStart();
  }
  const mine = (underWay = new AbortController());
  const began = performance.now();
  const slow = setTimeout(() => (results.busy = true), PATIENCE);
  try {
    const answer = await send(question, mine.signal);
    if (mine === underWay) show(answer, performance.now() - began);
  } catch (error) {
    if (mine === underWay) showError(error);
  } finally {
    clearTimeout(slow);
  }
}

function send(asked, signal) {
  const settings = { k: byId("k").value };
  if (info.leaves) settings.leaves = byId("leaves").value;
  return asked.picture
    ? askPicture(asked.picture, info.most_bytes, settings, signal)
    : askText(asked.text, settings, signal);
}

function searchPicture(picture, name) {
  if (!info) return;
  if (!info.takes.includes("image")) {
    showError(new Error("This searcher takes no pictures: start it with --image-embedder."));
    return;
  }
  forgetPicture();
  box.value = "";
  question = { picture, name };
  byId("chip-picture").hidden = false;
  byId("chip-picture").src = URL.createObjectURL(picture);
  byId("chip-name").textContent = name;
  byId("chip").hidden = false;
  byId("hint").hidden = true;
  viewer.close();
  ask();
  remember();
}

async function searchSimilar(result) {
  try {
    searchPicture(await askFile(result.picture), result.metadata);
  } catch (error) {
    viewer.close();
    showError(error);
  }
}

function forgetPicture() {
  if (question?.picture) URL.revokeObjectURL(byId("chip-picture").src);
  byId("chip").hidden = true;
  byId("hint").hidden = !box.hidden;
}

// ---- showing -----------------------------------------------------------------------------------

function show(answer, roundTrip) {
  byId("error").hidden = true;
  byId("start").hidden = true;
  results.busy = false;
  results.show(answer.results);
  timings.show(answer.ms, roundTrip, question.picture ? "decode" : "tokenise");
  const count = answer.results.length;
  const what = question.picture ? `the picture ${question.name}` : `“${question.text}”`;
  byId("status").textContent = count
    ? `${counted.format(count)} nearest to ${what}`
    : "Nothing found: more leaves searched may help.";
}

function showStart() {
  byId("error").hidden = true;
  results.busy = false;
  timings.hide();
  results.show(info.some);
  byId("start").hidden = false;
  byId("status").textContent = info.some.length
    ? `${counted.format(info.some.length)} of ${counted.format(info.rows)}, to begin with`
    : "This index is empty.";
}

function showError(error) {
  results.busy = false;
  const line = byId("error");
  line.textContent = error.message;
  line.hidden = false;
}

function showLeaves() {
  const share = `${counted.format(byId("leaves").value)} of ${counted.format(info.leaves)}`;
  byId("leaves-value").textContent = share;
}

// ---- the address follows, so that a question can be kept and sent -------------------------------

function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const query = new URLSearchParams();
    if (question?.text) query.set("q", question.text);
    if (byId("k").value !== String(info.k)) query.set("k", byId("k").value);
    if (info.leaves && byId("leaves").value !== String(info.leaves_to_search)) {
      query.set("leaves", byId("leaves").value);
    }
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  }, STAY);
}

// ---- beginning ---------------------------------------------------------------------------------

async function begin() {
  try {
    info = await askInfo();
  } catch (error) {
    return showError(error);
  }
  const said = new URLSearchParams(location.search);
  document.title = `${info.title} · scannlite`;
  byId("about").textContent = `${counted.format(info.rows)} rows in ${info.title}`;
  offerKinds();
  offerSettings(said);
  offerExamples();
  const text = said.get("q")?.trim();
  if (text && !box.hidden) {
    box.value = text;
    question = { text };
  }
  ask();
}

function offerKinds() {
  const texts = info.takes.includes("text");
  const pictures = info.takes.includes("image");
  viewer.takesPictures = pictures;
  for (const id of ["box", "slash", "slash-key"]) byId(id).hidden = !texts;
  byId("choose").hidden = !pictures;
  byId("hint").hidden = texts;
  box.placeholder = info.pictures ? "Describe a picture" : "Search";
  const ways = [];
  if (texts) ways.push("Type what you are looking for.");
  if (pictures) ways.push("A picture that you drop, paste or choose finds others like it.");
  byId("invitation").textContent = ways.join(" ");
  if (texts) box.focus();
}

function offerSettings(said) {
  const k = whole(said.get("k"), info.most_results) ?? info.k;
  const counts = new Set([...COUNTS, info.k, k]);
  for (const count of [...counts].sort((a, b) => a - b)) byId("k").add(new Option(count, count));
  byId("k").value = k;
  if (!info.leaves || info.leaves < 2) return;
  byId("leaves-setting").hidden = false;
  byId("leaves").max = info.leaves;
  byId("leaves").value = whole(said.get("leaves"), info.leaves) ?? info.leaves_to_search;
  showLeaves();
}

function offerExamples() {
  for (const text of info.examples) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.dir = "auto";
    button.addEventListener("click", () => {
      box.value = text;
      box.focus();
      askNow();
    });
    byId("examples").append(button);
  }
}

// ---- hands -------------------------------------------------------------------------------------

box.addEventListener("input", (event) => {
  if (!event.isComposing) askSoon();
});
box.addEventListener("compositionend", askSoon);
box.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" && results.focus(0)) event.preventDefault();
});
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  askNow();
});
byId("leaves").addEventListener("input", () => {
  showLeaves();
  askSoon();
});
byId("k").addEventListener("change", askNow);
byId("chip").addEventListener("click", () => {
  forgetPicture();
  question = null;
  ask();
  (box.hidden ? byId("choose") : box).focus();
});
byId("chip-picture").addEventListener("error", (event) => (event.target.hidden = true));
byId("choose").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) searchPicture(file, file.name);
  event.target.value = ""; // the same file may be chosen again
});

document.addEventListener("keydown", (event) => {
  const elsewhere = event.target.closest("input:not([type=range]), select, textarea, dialog");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || elsewhere) return;
  if (box.hidden) return;
  event.preventDefault();
  box.focus();
  box.select();
});
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData?.files ?? [];
  if (!file) return;
  event.preventDefault();
  searchPicture(file, file.name);
});

const holdsFile = (event) => event.dataTransfer?.types.includes("Files");
const endDrag = () => (byId("drop").hidden = true);
let dragging = 0;
document.addEventListener("dragover", (event) => {
  if (!holdsFile(event)) return;
  event.preventDefault(); // else the browser would open the file
  byId("drop").hidden = false;
  clearTimeout(dragging); // while it is in the air this comes every third of a second or oftener
  dragging = setTimeout(endDrag, 2 * STAY);
});
document.addEventListener("dragleave", (event) => event.relatedTarget ?? endDrag());
document.addEventListener("drop", (event) => {
  endDrag();
  if (!holdsFile(event)) return;
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) searchPicture(file, file.name);
});

begin();
