// Questions to the server, and what went wrong in one sentence.

// What there is to search.
export async function askInfo() {
  return (await answerTo("/api/info")).answer;
}

// The rows nearest to a text.
export function askText(text, settings, signal) {
  return timed(answerTo(`/api/search?${new URLSearchParams({ q: text, ...settings })}`, { signal }));
}

// The rows nearest to a picture.
export async function askPicture(picture, mostBytes, settings, signal) {
  if (picture.size > mostBytes) {
    // The server would say the same, but only after it had been sent in part.
    throw new Error(`The picture must have at most ${mostBytes / 1e6} MB.`);
  }
  const body = { method: "POST", body: picture, signal };
  return timed(answerTo(`/api/search-image?${new URLSearchParams(settings)}`, body));
}

// The content of a picture that the server shows.
export async function askFile(address) {
  const response = await reached(address);
  if (!response.ok) throw new Error("This picture cannot be read any more.");
  return response.blob();
}

async function timed(asked) {
  const { answer, headers } = await asked;
  return { results: answer.results, ms: milliseconds(headers.get("Server-Timing") ?? "") };
}

async function answerTo(address, options) {
  const response = await reached(address, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return { answer, headers: response.headers };
}

async function reached(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer: is “scannlite serve” still running?");
  }
}

// { prepare: 0.02, ... } of "prepare;dur=0.020, ...".
function milliseconds(header) {
  const stages = header.matchAll(/([\w-]+);dur=([\d.]+)/g);
  return Object.fromEntries([...stages].map(([, name, ms]) => [name, Number(ms)]));
}

// The number that a text is, or null where it is none from 1 to `most`.
export function whole(text, most) {
  const number = Number(text);
  return Number.isInteger(number) && number >= 1 && number <= most ? number : null;
}
