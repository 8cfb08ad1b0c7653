// What makes the pages of files handier: uploads with their progress, links copied and files deleted without
// leaving the page. Without this script all of that works by forms and links.

import { Listing, ask, make, say, sentence, tellLocalTime, wantsTheLink } from "./parts.js";
import { signIn, uploading } from "./sending.js";

const API = new URL(document.querySelector("script[data-api]").dataset.api, document.baseURI);

// The listing, which the server writes anew.

/** Do what the server can't: tell the time of here, and copy. */
function finish() {
  tellLocalTime();
  for (const link of document.querySelectorAll("a[data-link]")) {
    link.textContent = "Copy link";
    link.ariaLabel &&= link.ariaLabel.replace(/^Link to/, "Copy link to");
  }
}

const listing = new Listing((fresh, old) => {
  old.replaceWith(fresh);
  finish();
});

// Links and deletion.

async function copyLink(link) {
  const answer = await fetch(new URL(`get-url/${encodeURIComponent(link.dataset.link)}`, API));
  const text = await answer.json();
  if (!answer.ok) return say(sentence(answer.status, text));
  try {
    await navigator.clipboard.writeText(text);
    say("The link is copied. It works for a day.");
  } catch { // not allowed, or no clipboard without TLS
    const field = make("input", { value: text, readOnly: true, ariaLabel: "Link" });
    const asked = ask("", make("p", {}, "This link works for a day."), field);
    field.select();
    await asked;
  }
}

async function remove(link) {
  const name = make("bdi", { textContent: link.dataset.name });
  if (!await ask("Delete", make("p", {}, "Delete ", name, " for good?"))) return;
  const answer = await fetch(new URL(encodeURIComponent(link.dataset.delete), API), { method: "DELETE" });
  if (!answer.ok && answer.status !== 404) return say(sentence(answer.status, await answer.json()));
  await listing.renew(location.href);
  listing.section.focus();
  say("The file is deleted.");
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-link], a[data-delete]");
  if (!link || wantsTheLink(event)) return;
  event.preventDefault();
  const done = link.dataset.link ? copyLink(link) : remove(link);
  done.catch(() => say("The server can't be reached."));
});

// Uploads.

function uploadingFiles(form) {
  const input = form.querySelector("input[type=file]");
  const uploads = uploading(form, {
    send(request, file) {
      request.open("PUT", new URL(`files/${encodeURIComponent(file.name)}`, API));
      request.send(file);
    },
    links: (status) => status === 401 ? [signIn(form.dataset.signIn)] : [],
    stored: async () => { await listing.renew("./"); },
  });
  form.classList.add("live");
  form.querySelector("button").replaceWith(make("span", { className: "hint", textContent: "or drop them here" }));
  input.onchange = () => {
    uploads.add([...input.files]);
    input.value = "";
  };
}

finish();
const form = document.querySelector("form[data-upload]");
if (form) uploadingFiles(form);
