// main.js shows the view that the address names, and keeps it as it is now for as long as the page is open.

import { ask, complain, copy, distrust, element, listen, place, prove, Refused, renew, say, tell } from "./wire.js";
import { LogView } from "./log.js";

/** @typedef {{backend: string, view: string, death: string, at: string}} Place what is shown */

/** @returns {Place} */
function here() {
  const [, backend = "", view = "", death = ""] = /^\/b\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?/.exec(location.pathname) ?? [];
  return { backend, view, death, at: new URLSearchParams(location.search).get("death") ?? "" };
}

/** @type {LogView | null} */
let log = null;
/** @type {AbortController} */
let turn = new AbortController(); // of the view: what it asked for ends with it

/**
 * Shows the view of the address.
 * @param {boolean} moved the person came here from another view
 * @returns {Promise<void>}
 */
async function show(moved) {
  turn.abort();
  turn = new AbortController();
  const mine = turn.signal;
  log?.close();
  log = null;
  const at = here();
  document.body.dataset.view = at.view;
  point(at);
  if (at.view) {
    try {
      const path = at.death ? `/api/b/${at.backend}/report/${encodeURIComponent(at.death)}` : `/api/b/${at.backend}/view/${at.view}`;
      const answer = await ask(path, { signal: mine });
      place(await answer.json(), true);
    } catch (why) {
      if (mine.aborted) return;
      if (why instanceof Refused && why.status === 404) return go("/");
      complain(why);
    }
    if (mine.aborted) return;
    if (at.view === "log" && document.getElementById("log")) {
      log = new LogView(at.backend, restream);
      await log.begin(at.at).catch(complain);
    }
    if (at.death) shown();
  }
  if (moved) element("main").focus({ preventScroll: true });
  if (moved) scrollTo(0, 0);
  restream();
}

/** Marks the view in the list of views, before the dashboard does. @param {Place} at */
function point(at) {
  const path = `/b/${at.backend}` + (at.view && "/" + at.view);
  for (const link of document.querySelectorAll(".views a")) {
    if (link instanceof HTMLAnchorElement && link.pathname === path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** The copy buttons of a report. */
function shown() {
  for (const button of document.querySelectorAll("button[data-copies]")) {
    if (button instanceof HTMLElement) button.hidden = false;
  }
}

/** @param {string} path @returns {Promise<void>} */
function go(path) {
  history.pushState(null, "", path);
  return show(true);
}

// The stream. It says what changes, and that the page is there.

let stream = new AbortController();
let running = 0;

/** Begins the stream anew: what is shown has changed. */
function restream() {
  stream.abort();
  stream = new AbortController();
  follow(stream.signal, ++running);
}

/** @param {AbortSignal} signal @param {number} number */
async function follow(signal, number) {
  for (let failures = 0; !signal.aborted; failures++) {
    if (failures > 0) await new Promise((done) => { setTimeout(done, Math.min(500 * 2 ** failures, 5000)); });
    if (signal.aborted || number !== running) return;
    if (failures > 0) {
      const who = await prove();
      if (signal.aborted) return;
      if (who !== "ours") {
        lost(who);
        continue;
      }
    }
    try {
      const at = here();
      const q = new URLSearchParams({ b: at.backend, view: at.view });
      for (const [name, value] of log?.wants() ?? []) q.set(name, value);
      const answer = await ask("/api/stream?" + q, { signal });
      found();
      failures = 0;
      await listen(answer, heard, 40000);
    } catch (why) {
      if (signal.aborted) return;
      if (why instanceof Refused && why.status === 401) return lost("none");
    }
    if (signal.aborted) return;
    if (yielded) return lost("enough");
    lost("nobody");
  }
}

let yielded = false; // there are more pages than a browser has connections for

addEventListener("focus", () => {
  if (!yielded) return;
  yielded = false;
  restream();
});

/** @param {string} event @param {any} data */
function heard(event, data) {
  switch (event) {
    case "parts":
      for (const part of data) place(part);
      break;
    case "title":
      document.title = data;
      break;
    case "log":
      log?.heard(data);
      break;
    case "failed":
      if (data) say(data);
      break;
    case "yield":
      yielded = true;
      break;
  }
}

const again = "choose Dashboard… in the menu, or run “vivarium dashboard”.";
const troubles = {
  none: `This page has no key to the dashboard: ${again}`,
  other: `This dashboard has ended, and another program answers at its address: ${again}`,
  nobody: `The dashboard does not answer: what you see is how it was. If it has ended, ${again}`,
  enough: "Other tabs show the dashboard now: what you see is how it was. Click here to go on.",
};

/** @param {keyof typeof troubles} who answers */
function lost(who) {
  distrust();
  const link = element("link");
  link.hidden = false;
  link.textContent = troubles[who];
}

function found() {
  element("link").hidden = true;
}

// What the person does.

/** @param {HTMLElement} button */
async function act(button) {
  const { act: what = "", backend = "" } = button.dataset;
  button.setAttribute("aria-disabled", "true");
  try {
    if (what === "stacks") {
      const answer = await tell(`/api/b/${backend}/stacks`);
      place(await answer.json());
    } else {
      await tell(`/api/b/${backend}/do/${what}`);
    }
  } catch (why) {
    complain(why);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** @param {HTMLButtonElement} button */
async function examine(button) {
  button.disabled = true;
  const bar = /** @type {HTMLProgressElement} */ (element("progress"));
  bar.hidden = false;
  try {
    const answer = await ask(`/api/b/${button.dataset.doctor}/doctor`, { method: "POST", signal: turn.signal });
    await listen(answer, (event, data) => {
      if (event === "progress") bar.value = data;
      if (event === "part") place(data);
    });
    shown();
  } catch (why) {
    complain(why);
  } finally {
    button.disabled = false;
    bar.hidden = true;
  }
}

document.addEventListener("click", (event) => {
  const at = event.target instanceof Element ? event.target.closest("a[data-go], button") : null;
  if (at instanceof HTMLAnchorElement) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return; // a new tab has no key: it says so
    event.preventDefault();
    go(at.pathname + at.search);
  } else if (at instanceof HTMLButtonElement) {
    if (at.dataset.act && at.getAttribute("aria-disabled") !== "true") act(at);
    if (at.dataset.copy) copy(at.dataset.copy, "Copied.");
    if (at.dataset.doctor) examine(at);
    if (at.dataset.copies) copy(/** @type {HTMLTextAreaElement} */ (element(at.dataset.copies)).value, "Copied.");
  }
});
document.addEventListener("keydown", (event) => log?.key(event));
addEventListener("popstate", () => show(true));
addEventListener("hashchange", () => { if (renew()) begin(); });
addEventListener("pagehide", () => stream.abort());
addEventListener("pageshow", (event) => { if (event.persisted) restream(); });

async function begin() {
  const who = await prove();
  if (who === "ours") {
    await show(false);
    return;
  }
  lost(who);
  if (who !== "none") restream();
}

begin();
