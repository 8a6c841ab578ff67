// log.js is the view of a log: a window of rows over files of any size. The page holds some hundred rows; scrolling gets others.

import { ask, complain, copy, element, listen, say, tell } from "./wire.js";

/**
 * A row as the dashboard sends it.
 * @typedef {{p: string, e: string, s: string[], l?: string, t?: string, n?: number, x?: number, k?: string, h?: boolean}} Row
 * @typedef {{rows: Row[], from: string, to: string, begin: boolean, end: boolean, at?: string, size: number, files: number, behind: number}} Part
 * @typedef {{rows: Row[], open?: Row[], from: string, to: string, size: number, skipped?: number, lost?: boolean}} News
 */

const most = 1200; // rows that the page holds
const some = 300; // that it asks for at once
const near = 600; // pixels from an edge at which more is asked for

/** @param {number} n @param {string} one @param {string} many */
const count = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** @param {number} n bytes */
function size(n) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return `${i < 3 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

export class LogView {
  /** @param {string} backend its ID @param {() => void} restream begins the page's stream anew */
  constructor(backend, restream) {
    this.backend = backend;
    this.restream = restream;
    this.box = element("log");
    this.list = element("rows");
    this.openLine = element("open");
    this.following = true;
    this.level = "";
    this.query = "";
    this.from = ""; // of the rows
    this.to = "";
    this.begun = false; // nothing comes before the rows
    this.ended = false; // nothing comes after them, but what will be written
    this.total = 0;
    this.busy = false;
    this.turn = new AbortController(); // of what is shown
    this.hunt = new AbortController(); // of the search
    /** @type {string[]} newest first */
    this.places = [];
    this.hits = 0;
    this.current = -1;
    this.hunting = false;
    this.listeners = new AbortController();
    this.wire();
  }

  wire() {
    const options = { signal: this.listeners.signal };
    const on = (/** @type {string} */ id, /** @type {() => void} */ f) => element(id).addEventListener("click", f, options);
    on("follow", () => this.setFollowing(!this.following));
    on("wrap", () => this.toggle("wrap", this.box, "wrap"));
    on("traces", () => this.toggle("traces", this.box, "folded"));
    on("first", () => this.first());
    on("last", () => this.last());
    on("copy", () => this.copy());
    on("download", () => this.download().catch(complain));
    on("older", () => this.next(1).catch(complain));
    on("newer", () => this.next(-1).catch(complain));
    element("level").addEventListener("change", () => {
      this.level = /** @type {HTMLSelectElement} */ (element("level")).value;
      this.reload().catch(complain);
    }, options);
    element("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.search().catch(complain);
    }, options);
    const pattern = /** @type {HTMLInputElement} */ (element("pattern"));
    pattern.addEventListener("search", () => { if (!pattern.value) this.search().catch(complain); }, options);
    this.box.addEventListener("scroll", () => this.scrolled(), { ...options, passive: true });
    this.list.addEventListener("click", (event) => this.clicked(event), options);
  }

  close() {
    this.listeners.abort();
    this.turn.abort();
    this.hunt.abort();
  }

  /** @param {string} death whose deciding line is shown; "": the end */
  async begin(death) {
    if (death) {
      try {
        const { at } = await this.get(`/locate/${encodeURIComponent(death)}`, new URLSearchParams());
        this.setPressed("follow", this.following = false);
        await this.around(at);
        return;
      } catch (why) {
        complain(why);
      }
    }
    await this.end();
  }

  /** What the page's stream is asked for. @returns {Iterable<[string, string]>} */
  wants() {
    if (!this.following) return [];
    return [...this.form(), ["follow", "1"], ["from", this.to]];
  }

  /** @returns {URLSearchParams} how rows are wanted */
  form() {
    const q = new URLSearchParams();
    if (this.level) q.set("level", this.level);
    if (this.query) q.set("q", this.query);
    if (this.query && this.anyCase()) q.set("fold", "1");
    return q;
  }

  anyCase() {
    return /** @type {HTMLInputElement} */ (element("fold")).checked;
  }

  /** @param {string} path @param {URLSearchParams} q @returns {Promise<any>} */
  async get(path, q) {
    const answer = await ask(`/api/b/${this.backend}${path}?${q}`, { signal: this.turn.signal });
    return answer.json();
  }

  /** @param {Record<string, string>} how @returns {Promise<Part>} */
  part(how) {
    const q = this.form();
    q.set("n", String(some));
    for (const [name, value] of Object.entries(how)) q.set(name, value);
    return this.get("/log", q);
  }

  // What is shown.

  /** @param {Part} part */
  replace(part) {
    this.list.replaceChildren();
    this.openLine.replaceChildren();
    this.from = part.from;
    this.to = part.to;
    this.begun = part.begin;
    this.ended = part.end;
    this.total = part.size;
    this.append(part.rows);
    this.tellWhere(part.behind);
    if (!part.rows.length) this.tellNothing();
  }

  tellNothing() {
    const row = document.createElement("div");
    row.className = "row gap";
    row.textContent = this.level ? "No line is that bad." : "The log is empty.";
    this.list.append(row);
  }

  /** @param {number} behind bytes before the first row */
  tellWhere(behind) {
    const text = this.following || this.begun && this.ended ? size(this.total) : `${size(this.total)}, from ${Math.round(100 * behind / Math.max(this.total, 1))} %`;
    element("where").textContent = text;
  }

  async end() {
    this.replace(await this.part({}));
    this.box.scrollTop = this.box.scrollHeight;
  }

  /** Ends what is still asked for: the rows that it belongs to will be gone. */
  anew() {
    this.turn.abort();
    this.turn = new AbortController();
    this.busy = false;
  }

  async reload() {
    this.anew();
    await this.end();
    this.restream();
  }

  first() {
    this.setFollowing(false);
    this.anew();
    this.part({ begin: "1" }).then((part) => {
      this.replace(part);
      this.box.scrollTop = 0;
    }).catch(complain);
  }

  last() {
    if (this.following) {
      this.box.scrollTop = this.box.scrollHeight;
      return;
    }
    this.anew();
    this.end().catch(complain);
  }

  /** @param {string} place */
  async around(place) {
    this.setFollowing(false);
    this.anew();
    const part = await this.part({ around: place });
    this.replace(part);
    this.mark(part.at ?? place);
  }

  /** @param {string} place makes its row the current one */
  mark(place) {
    for (const old of this.list.querySelectorAll(".current")) {
      old.classList.remove("current");
      old.removeAttribute("aria-current");
    }
    const row = this.list.querySelector(`[data-p="${CSS.escape(place)}"]`);
    if (!(row instanceof HTMLElement)) return false;
    row.classList.add("current", "shown");
    row.setAttribute("aria-current", "true");
    this.box.scrollTop += row.getBoundingClientRect().top - this.box.getBoundingClientRect().top - (this.box.clientHeight - row.clientHeight) / 2;
    return true;
  }

  /** @param {Row[]} rows @param {boolean} [above] */
  append(rows, above = false) {
    const pieces = document.createDocumentFragment();
    /** @type {HTMLElement | null} */
    let last = above ? null : /** @type {HTMLElement | null} */ (this.list.lastElementChild);
    for (const row of rows) {
      if (last && row.k && last.dataset.k === row.k && last.classList.contains("entry")) {
        this.more(last, row);
        continue;
      }
      last = this.make(row);
      pieces.append(last);
    }
    if (above) this.list.prepend(pieces);
    else this.list.append(pieces);
  }

  /** A row's element. Texts are texts. @param {Row} row @returns {HTMLElement} */
  make(row) {
    const e = document.createElement("div");
    e.className = ["row", "entry", row.l, row.t, row.h && "hit"].filter(Boolean).join(" ");
    e.dataset.p = row.p;
    e.dataset.e = row.e;
    if (row.k) e.dataset.k = row.k;
    for (let i = 0; i < row.s.length; i += 2) {
      if (!row.s[i + 1]) {
        e.append(row.s[i]);
        continue;
      }
      const span = document.createElement("span");
      span.className = row.s[i + 1];
      span.textContent = row.s[i];
      e.append(span);
    }
    if (row.x) e.append(this.button("left", `… ${size(row.x)} more`));
    if (row.n) this.times(e, row.n);
    if (row.t === "head") e.append(this.button("tell", "fold"));
    return e;
  }

  /** @param {string} name @param {string} text */
  button(name, text) {
    const b = document.createElement(name === "left" ? "span" : "button");
    if (b instanceof HTMLButtonElement) b.type = "button";
    b.className = name;
    b.textContent = text;
    return b;
  }

  /** @param {HTMLElement} e @param {number} n lines that say the same */
  times(e, n) {
    e.dataset.n = String(n);
    let b = e.querySelector("button.times");
    if (!b) {
      b = this.button("times", "");
      e.append(b);
    }
    b.textContent = `×${n.toLocaleString("en")}`;
    b.setAttribute("aria-label", `${count(n, "time", "times")}: show each`);
  }

  /** @param {HTMLElement} e @param {Row} row that says the same */
  more(e, row) {
    this.times(e, Number(e.dataset.n ?? 1) + (row.n ?? 1));
    e.dataset.e = row.e;
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    if (!(event.target instanceof HTMLElement)) return;
    const row = event.target.closest(".row");
    if (!(row instanceof HTMLElement)) return;
    if (event.target.matches("button.times")) this.unfold(row).catch(complain);
    if (event.target.matches("button.tell") && row.dataset.gap) this.around(row.dataset.gap).catch(complain);
    else if (event.target.matches("button.tell")) this.foldTrace(row, event.target);
  }

  /** Shows each of the lines that say the same. @param {HTMLElement} row */
  async unfold(row) {
    const part = await this.part({ after: row.dataset.p ?? "", unfold: "1", n: String(Math.min(Number(row.dataset.n ?? 1), some)) });
    const pieces = document.createDocumentFragment();
    for (const one of part.rows) pieces.append(this.make({ ...one, k: undefined }));
    const rest = Number(row.dataset.n ?? 1) - part.rows.length;
    if (rest > 0) pieces.append(this.gap(`${count(rest, "more line", "more lines")} that say the same`, part.to));
    row.replaceWith(pieces);
  }

  /** @param {HTMLElement} head @param {HTMLElement} button */
  foldTrace(head, button) {
    const fold = button.textContent === "fold";
    for (let e = head.nextElementSibling; e instanceof HTMLElement && e.classList.contains("body"); e = e.nextElementSibling) {
      e.hidden = fold;
      e.classList.toggle("shown", !fold);
    }
    button.textContent = fold ? "unfold" : "fold";
  }

  /** @param {string} text @param {string} place */
  gap(text, place) {
    const e = document.createElement("div");
    e.className = "row gap";
    e.dataset.gap = place;
    e.append(text + " ");
    if (place) e.append(this.button("tell", "show"));
    return e;
  }

  // What is written meanwhile.

  /** @param {News} news */
  heard(news) {
    if (!this.following) return;
    const stuck = this.atBottom();
    this.list.querySelector(".row.gap:only-child")?.remove();
    if (news.lost) this.list.append(this.gap("Lines are missing here: they were rotated away before they could be read.", ""));
    if (news.skipped) this.list.append(this.gap(`${count(news.skipped, "line", "lines")} not shown here: they came too fast to be read`, news.from));
    this.append(news.rows);
    this.openLine.replaceChildren(...(news.open ?? []).map((row) => this.make(row)));
    if (news.to) this.to = news.to;
    this.total = news.size;
    this.tellWhere(0);
    this.trim(true);
    if (stuck) this.box.scrollTop = this.box.scrollHeight;
  }

  atBottom() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 40;
  }

  /** Takes away rows that are too many. @param {boolean} above */
  trim(above) {
    let over = this.list.childElementCount - most;
    if (over <= 0) return;
    const height = this.list.scrollHeight;
    for (; over > 0; over--) (above ? this.list.firstElementChild : this.list.lastElementChild)?.remove();
    if (above) {
      this.begun = false;
      this.from = this.edge(true) ?? this.from;
      this.box.scrollTop -= height - this.list.scrollHeight;
    } else {
      this.ended = false;
      this.to = this.edge(false) ?? this.to;
    }
  }

  /** @param {boolean} first @returns {string | undefined} where the rows begin or end */
  edge(first) {
    const rows = /** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll(".entry"));
    const row = rows[first ? 0 : rows.length - 1];
    return first ? row?.dataset.p : row?.dataset.e;
  }

  scrolled() {
    if (this.following && !this.atBottom() && this.box.scrollTop < this.lastTop) this.setFollowing(false);
    this.lastTop = this.box.scrollTop;
    if (this.busy) return;
    if (this.box.scrollTop < near && !this.begun) this.above();
    else if (this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < near && !this.ended && !this.following) this.below();
  }

  lastTop = 0;

  async above() {
    this.busy = true;
    const { signal } = this.turn;
    try {
      const part = await this.part({ before: this.from });
      const height = this.list.scrollHeight;
      this.append(part.rows, true);
      this.box.scrollTop += this.list.scrollHeight - height;
      this.from = part.from;
      this.begun = part.begin;
      if (!this.following) this.trim(false);
      this.tellWhere(part.behind);
    } catch (why) {
      if (signal.aborted) return;
      this.begun = true; // it was rotated away
      complain(why);
    } finally {
      if (!signal.aborted) this.busy = false;
    }
  }

  async below() {
    this.busy = true;
    const { signal } = this.turn;
    try {
      const part = await this.part({ after: this.to });
      this.append(part.rows);
      this.to = part.to;
      this.ended = part.end;
      this.trim(true);
    } catch (why) {
      if (signal.aborted) return;
      this.ended = true;
      complain(why);
    } finally {
      if (!signal.aborted) this.busy = false;
    }
  }

  // What the person does.

  /** @param {string} id @param {boolean} on */
  setPressed(id, on) {
    element(id).setAttribute("aria-pressed", String(on));
  }

  /** @param {string} id @param {HTMLElement} e @param {string} name */
  toggle(id, e, name) {
    const stuck = this.atBottom();
    this.setPressed(id, e.classList.toggle(name));
    if (stuck) e.scrollTop = e.scrollHeight;
  }

  /** @param {boolean} on */
  setFollowing(on) {
    if (this.following === on) return;
    this.following = on;
    this.setPressed("follow", on);
    if (!on) {
      this.openLine.replaceChildren();
      this.ended = false; // more may have come
      this.restream();
      return;
    }
    this.reload().catch(complain);
  }

  copy() {
    const chosen = String(getSelection() ?? "");
    const rows = [.../** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll(".entry"))];
    const text = chosen || rows.map((row) => [...row.childNodes].filter((n) => !(n instanceof HTMLButtonElement)).map((n) => n.textContent).join("")).join("\n");
    copy(text, chosen ? "The selection is copied." : `${count(rows.length, "line is", "lines are")} copied.`);
  }

  async download() {
    const answer = await tell(`/api/b/${this.backend}/ticket`);
    const { url } = await answer.json();
    location.assign(url); // the browser stores it, and stays here
  }

  async search() {
    this.hunt.abort();
    this.hunt = new AbortController();
    const pattern = /** @type {HTMLInputElement} */ (element("pattern")).value;
    const was = this.query;
    this.query = pattern;
    this.places = [];
    this.hits = 0;
    this.current = -1;
    this.tellHits(0, 0, false);
    if (!pattern) {
      this.hunting = false;
      element("count").textContent = "";
      if (was) await this.reload();
      return;
    }
    this.hunting = true;
    try {
      await this.look(this.hunt.signal, "");
    } catch (why) {
      this.query = "";
      element("count").textContent = why instanceof Error && why.name !== "AbortError" ? why.message : "";
    }
  }

  /** @param {AbortSignal} signal @param {string} before */
  async look(signal, before) {
    const q = new URLSearchParams({ q: this.query });
    if (this.anyCase()) q.set("fold", "1");
    if (before) q.set("before", before);
    const answer = await ask(`/api/b/${this.backend}/search?${q}`, { signal });
    await listen(answer, (event, data) => {
      if (signal.aborted) return;
      if (event === "failed") say(data);
      if (event !== "found") return;
      this.places.push(...(data.places ?? []));
      if (!before) this.hits = data.count;
      this.hunting = !data.end;
      this.tellHits(data.done, data.total, data.end);
      if (this.current < 0 && this.places.length) this.next(1).catch(complain);
    });
  }

  /** @param {number} done @param {number} total @param {boolean} end */
  tellHits(done, total, end) {
    const so = end ? "" : total ? ` … ${Math.round(100 * done / total)} %` : " …";
    const at = this.current >= 0 ? `${(this.current + 1).toLocaleString("en")} of ` : "";
    element("count").textContent = this.hits || !end ? at + count(this.hits, "match", "matches") + so : "no match";
    /** @type {HTMLButtonElement} */ (element("older")).disabled = this.current + 1 >= this.hits;
    /** @type {HTMLButtonElement} */ (element("newer")).disabled = this.current <= 0;
    this.progress = [done, total, end];
  }

  /** @type {[number, number, boolean]} */
  progress = [0, 0, true];

  /** @param {number} step 1: to the next older match, -1: to the next newer one */
  async next(step) {
    const to = this.current + step;
    if (to < 0 || to >= this.hits) return;
    if (to >= this.places.length) { // more than were told
      if (this.hunting) return;
      await this.look(this.hunt.signal, this.places[this.places.length - 1]);
      if (to >= this.places.length) return;
    }
    this.current = to;
    this.tellHits(...this.progress);
    const place = this.places[to];
    const row = this.list.querySelector(`[data-p="${CSS.escape(place)}"]`);
    if (row?.classList.contains("hit")) {
      this.setFollowing(false);
      this.mark(place);
      return;
    }
    await this.around(place);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "checkbox" || event.target instanceof HTMLSelectElement;
    if (event.key === "Escape" && typing) {
      event.preventDefault(); // else the field is emptied, and the search with it
      this.box.focus();
      return;
    }
    if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const keys = {
      "/": () => { /** @type {HTMLInputElement} */ (element("pattern")).select(); element("pattern").focus(); },
      f: () => this.setFollowing(!this.following),
      g: () => this.first(),
      G: () => this.last(),
      n: () => { this.next(1).catch(complain); },
      N: () => { this.next(-1).catch(complain); },
      w: () => this.toggle("wrap", this.box, "wrap"),
      t: () => this.toggle("traces", this.box, "folded"),
    };
    const f = keys[event.key];
    if (!f) return;
    event.preventDefault();
    f();
  }
}
