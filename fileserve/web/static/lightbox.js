// One picture of a gallery in front of the page: by keys, buttons and swipes.

import { make } from "./parts.js";
import { tryAgain } from "./previews.js";

/** A pointer that moves so far to a side turns to the next picture, in CSS pixels. */
const SWIPE = 50;

const KEYS = { ArrowLeft: "previous", ArrowRight: "next", Home: "first", End: "last" };

/** Shows the pictures of some links: each has the address of a large preview, and a tile around it. */
export class Lightbox {
  #links;
  #now = null;
  #near = [];

  /** What links() returns are the present ones, in order. */
  constructor(links) {
    this.#links = links;
    this.frame = make("div", { className: "frame" });
    this.name = make("h2", { id: "pictured" });
    this.facts = make("div", { className: "seen" });
    this.original = make("a", { textContent: "Open the original" });
    this.place = make("p", { className: "place" });
    this.place.setAttribute("role", "status");
    this.close = this.#button("Close", "close", () => this.dialog.close());
    this.previous = this.#button("Previous picture", "previous", () => this.#turn("previous"));
    this.next = this.#button("Next picture", "next", () => this.#turn("next"));
    this.close.autofocus = true;
    this.dialog = make("dialog", { className: "lightbox" },
      this.close, this.previous, this.frame, this.next,
      make("div", { className: "about" }, this.name, this.facts, this.original, this.place));
    this.dialog.setAttribute("aria-labelledby", this.name.id);
    this.#listen();
    document.body.append(this.dialog);
  }

  #button(label, className, onclick) {
    return make("button", { type: "button", className, ariaLabel: label, onclick });
  }

  #listen() {
    this.dialog.onkeydown = (event) => {
      const where = KEYS[event.key];
      if (!where || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#turn(where);
    };
    this.dialog.onclose = () => this.#left();
    let began = null;
    this.frame.onpointerdown = (event) => { began = event.isPrimary ? event : null; };
    this.frame.onpointercancel = () => { began = null; };
    this.frame.onpointerup = (event) => {
      if (!began) return;
      const [across, along] = [event.clientX - began.clientX, event.clientY - began.clientY];
      began = null;
      if (Math.abs(across) > Math.max(SWIPE, Math.abs(along))) this.#turn(across < 0 ? "next" : "previous");
      else if (event.target === this.frame && Math.hypot(across, along) < 5) this.dialog.close(); // beside the picture
    };
  }

  open(link) {
    this.#show(link);
    this.dialog.showModal();
  }

  #turn(where) {
    const links = this.#links();
    const at = links.indexOf(this.#now);
    const to = { previous: at - 1, next: at + 1, first: 0, last: links.length - 1 }[where];
    if (links[to] && to !== at) this.#show(links[to]);
  }

  #show(link) {
    this.#now = link;
    const links = this.#links();
    const at = links.indexOf(link);
    const tile = link.closest("li");
    const name = tile.querySelector("bdi").textContent;
    const [width, height] = link.dataset.pixels.split("x");
    const picture = make("img", { alt: name, width, height, draggable: false, src: link.dataset.preview });
    picture.onerror = async () => {
      if (!await tryAgain(picture)) picture.replaceWith(make("p", { textContent: "There is no preview of this picture." }));
    };
    this.frame.replaceChildren(picture);
    this.name.replaceChildren(make("bdi", { textContent: name }));
    this.facts.replaceChildren(tile.querySelector("dl").cloneNode(true));
    this.original.href = link.href;
    this.place.replaceChildren(make("span", { className: "unseen", textContent: `${name}, ` }), `${at + 1} of ${links.length}`);
    // Not disabled: what has the focus keeps it.
    this.previous.ariaDisabled = String(at === 0);
    this.next.ariaDisabled = String(at === links.length - 1);
    this.#near = [links[at + 1], links[at - 1]].filter(Boolean).map((each) => make("img", { src: each.dataset.preview }));
  }

  #left() {
    this.frame.replaceChildren();
    this.#near = [];
    const link = this.#now.isConnected ? this.#now : this.#links()[0];
    link?.focus();
    link?.scrollIntoView({ block: "nearest" });
  }
}
