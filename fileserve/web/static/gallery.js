// What makes the pages of a gallery handier: pictures in front of the page, deletion without leaving it, and tiles
// that fill in when more is known. Without this script all of that works by links and forms.

import { Lightbox } from "./lightbox.js";
import { Listing, ask, make, say, sentence, tellLocalTime, wantsTheLink } from "./parts.js";
import { tryAgain } from "./previews.js";

const PENDING = "li[data-pending]";

/** After so many seconds in all, what is not known yet is left alone. */
const PATIENCE = 60;

const pause = (seconds) => new Promise((over) => { setTimeout(over, 1000 * seconds); });
const pictures = () => [...document.querySelectorAll("#listing a[data-preview]")];
const lightbox = new Lightbox(pictures);

// The listing, of which the tiles stay that are the same in the new one: their pictures are there already.

const listing = new Listing((fresh, old) => {
  const same = new Map();
  for (const tile of old.querySelectorAll(`li[data-tile]:not(${PENDING})`)) same.set(tile.dataset.tile, tile);
  const focused = document.activeElement;
  const around = focused.closest("li[data-tile]")?.dataset.tile;
  for (const tile of fresh.querySelectorAll("li[data-tile]")) {
    const known = same.get(tile.dataset.tile);
    if (known) tile.replaceWith(known);
  }
  old.replaceWith(fresh);
  if (around) (focused.isConnected ? focused : tileOf(around)?.querySelector("a"))?.focus({ preventScroll: true });
  finish();
});

function tileOf(address) {
  return document.querySelector(`li[data-tile="${CSS.escape(address)}"]`);
}

function finish() {
  tellLocalTime();
  for (const image of document.querySelectorAll("#listing img")) {
    image.onerror = () => showLater(image);
    if (image.complete && !image.naturalWidth) showLater(image);
  }
  fillIn();
}

let filling = false;

async function fillIn() {
  if (filling) return;
  filling = true;
  for (let wait = 1, waited = 0; waited < PATIENCE && document.querySelector(PENDING); wait *= 2) {
    await pause(wait);
    waited += wait;
    if (document.querySelector(PENDING)) await listing.renew(location.href);
  }
  filling = false;
}

// Previews.

async function showLater(image) {
  const link = image.closest("a");
  if (link.classList.contains("waiting")) return;
  link.classList.add("waiting");
  if (!await tryAgain(image)) {
    image.replaceWith(make("span", { className: "unseen", textContent: image.alt }),
      make("span", { className: "kind", textContent: "No preview" }));
    delete link.dataset.preview;
  }
  link.classList.remove("waiting");
}

// Deletion.

async function remove(link) {
  const tile = link.closest("li");
  const name = make("bdi", { textContent: link.dataset.name });
  if (!await ask("Delete", make("p", {}, "Delete ", name, " for good?"))) return;
  const answer = await fetch(link.dataset.delete, { method: "DELETE", headers: { Accept: "application/json" } });
  const why = await answer.json().catch(() => null);
  if (!answer.ok && answer.status !== 404) return say(sentence(answer.status, why));
  const next = tile.nextElementSibling ?? tile.previousElementSibling;
  tile.remove();
  if (next) {
    next.querySelector("a").focus();
    await listing.renew(location.href);
  } else await leavePage();
  say("The picture is deleted.");
}

/** The last tile of the page is gone. */
async function leavePage() {
  const before = listing.section.querySelector("a[rel=prev]");
  if (before) await listing.renew(before.href);
  else listing.section.replaceChildren(make("p", { className: "empty", textContent: "No pictures any more." }));
  listing.section.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#listing a");
  if (!link || wantsTheLink(event)) return;
  if (link.dataset.delete) remove(link).catch(() => say("The server can't be reached."));
  else if (link.dataset.preview) lightbox.open(link);
  else return;
  event.preventDefault();
});

document.addEventListener("stored", (event) => {
  event.preventDefault(); // it is shown here
  listing.renew("./");
});

finish();
