// wire.js is how the page speaks with its dashboard: with the secret in a header, and never before the other side has proved that it
// knows it, too.

const kept = "vivarium";

/** @returns {string} the secret: from the address, where it is removed, or what an earlier load of this tab kept */
function takeSecret() {
  const said = location.hash.slice(1);
  if (/^[\w-]{20,}$/.test(said)) {
    sessionStorage.setItem(kept, said);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(kept) ?? "";
}

let secret = takeSecret();
let trusted = false; // whoever answers at our address has proved that it is our dashboard

/** Takes the secret of another address that was opened in this tab. @returns {boolean} there is one */
export function renew() {
  if (location.hash.length < 20) return false;
  secret = takeSecret();
  trusted = false;
  return true;
}

/** From now on the other side has to prove itself again. */
export function distrust() {
  trusted = false;
}

/** A failure that is told to the person as it is. */
export class Refused extends Error {
  /** @param {number} status @param {string} text */
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} an answer that is well
 */
export async function ask(path, init = {}) {
  if (!trusted && await prove() !== "ours") throw new Refused(0, "The dashboard does not answer.");
  const answer = await fetch(path, {
    ...init, headers: { Authorization: "Bearer " + secret }, cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
  }).catch((why) => {
    if (!init.signal?.aborted) distrust();
    throw why;
  });
  if (!answer.ok) throw new Refused(answer.status, (await answer.text()).trim() || answer.statusText);
  return answer;
}

/** @param {string} path @returns {Promise<Response>} */
export const tell = (path) => ask(path, { method: "POST" });

/**
 * Asks whoever answers at our address to prove that it knows the secret: another program may have taken the port.
 * @returns {Promise<"ours" | "other" | "nobody" | "none">} "none": we have no secret ourselves
 */
export async function prove() {
  if (!secret) return "none";
  const nonce = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  /** @type {string} */
  let said;
  try {
    const answer = await fetch("/hello?nonce=" + nonce, { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(5000) });
    said = await answer.text();
  } catch {
    return "nobody";
  }
  const text = new TextEncoder();
  const key = await crypto.subtle.importKey("raw", text.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const sum = new Uint8Array(await crypto.subtle.sign("HMAC", key, text.encode("vivarium dashboard " + nonce)));
  trusted = said === [...sum].map((b) => b.toString(16).padStart(2, "0")).join("");
  return trusted ? "ours" : "other";
}

/**
 * Reads server-sent events until they end.
 * @param {Response} answer
 * @param {(event: string, data: any) => void} heard
 * @param {number} [patience] in ms, without any event; 0: for ever
 * @returns {Promise<void>}
 */
export async function listen(answer, heard, patience = 0) {
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let timer = 0;
  let rest = "";
  try {
    for (;;) {
      if (patience) timer = setTimeout(() => reader.cancel(), patience);
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = /^event: (.*)$/m.exec(block)?.[1] ?? "";
        const data = /^data: (.*)$/m.exec(block)?.[1] ?? "null";
        heard(event, JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

/** @type {{createHTML(html: string): any}} */
const ours = /** @type {any} */ (window).trustedTypes?.createPolicy("vivarium", { createHTML: (/** @type {string} */ html) => html }) ?? {
  createHTML: (/** @type {string} */ html) => html,
};

/**
 * Makes what an element holds like a fragment that the dashboard made, in which every text is escaped.
 * @param {{id: string, html: string}} part
 * @param {boolean} [anew] it is another view: nothing of the one before stays
 */
export function place(part, anew = false) {
  const at = document.getElementById(part.id);
  if (!at) return;
  const along = at.querySelector("nav ul")?.scrollLeft;
  const like = document.createElement("template");
  // eslint-disable-next-line no-restricted-properties -- this is the one place
  like.innerHTML = ours.createHTML(part.html);
  if (anew) at.replaceChildren(like.content);
  else liken(at, like.content);
  for (const list of at.querySelectorAll("nav ul")) { // the backends may be more than fit: the one that is shown is in sight
    if (along !== undefined && list === at.querySelector("nav ul")) list.scrollLeft = along;
    const here = list.querySelector("[aria-current]");
    if (along === undefined && here instanceof HTMLElement) list.scrollLeft = Math.max(0, here.offsetLeft + here.offsetWidth - list.clientWidth);
  }
}

/**
 * Changes only what differs. The elements that stay are the same ones, so that a click whose press and release lie on either side of a change
 * is a click, and so that the focus, a selected text and an opened part stay.
 * @param {Node} now @param {Node} like
 */
function liken(now, like) {
  let at = now.firstChild;
  for (const want of like.childNodes) {
    let found = at;
    while (found && !same(found, want)) found = found.nextSibling;
    if (!found) {
      now.insertBefore(want.cloneNode(true), at);
      continue;
    }
    while (at && at !== found) at = drop(at);
    at = found.nextSibling;
    if (found instanceof Element && want instanceof Element) {
      attributes(found, want);
      liken(found, want);
    } else if (found.nodeValue !== want.nodeValue) {
      found.nodeValue = want.nodeValue;
    }
  }
  while (at) at = drop(at);
}

/** @param {ChildNode} node @returns {ChildNode | null} the one after it */
function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

/** @param {Node} a @param {Node} b */
function same(a, b) {
  return a.nodeName === b.nodeName && nameOf(a) === nameOf(b);
}

/** @param {Node} node @returns {string} what tells it from its neighbours of the same kind */
function nameOf(node) {
  if (!(node instanceof Element)) return "";
  const named = node.id || node.getAttribute("data-key") || node.getAttribute("href");
  return named || (node.nodeName === "DETAILS" && node.querySelector("summary")?.textContent) || "";
}

/** @param {Element} now @param {Element} like */
function attributes(now, like) {
  for (const { name } of [...now.attributes]) {
    if (!like.hasAttribute(name) && !(name === "open" && now.nodeName === "DETAILS")) now.removeAttribute(name);
  }
  for (const { name, value } of like.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
}

/** @param {string} id @returns {HTMLElement} an element that is there */
export function element(id) {
  const e = document.getElementById(id);
  if (!e) throw new Error("no element " + id);
  return e;
}

let quiet = 0;

/** @param {string} text shown to the person for a moment */
export function say(text) {
  element("said").textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => { element("said").textContent = ""; }, 6000);
}

/** @param {unknown} why */
export function complain(why) {
  if (why instanceof DOMException && why.name === "AbortError") return;
  say(why instanceof Refused ? why.message : "The dashboard does not answer.");
}

/** @param {string} text @param {string} done what is said when it is copied */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    say("The browser does not let this page copy: select the text instead.");
  }
}
