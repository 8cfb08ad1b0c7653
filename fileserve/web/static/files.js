// What makes the pages of files handier: uploads with their progress, links copied and files deleted without
// leaving the page. Without this script all of that works by forms and links.

const API = new URL(document.querySelector("script[data-api]").dataset.api, document.baseURI);

/** So many uploads run at once; the others wait. */
const AT_ONCE = 3;

/** Make an element; what is no attribute of its own is its content. */
function make(tag, properties, ...content) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...content);
  return element;
}

/** A name as one line that hides nothing, as the server's pages show it. */
function shown(name) {
  return name.replace(/[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]/g, "\ufffd");
}

/** What a refusal says. */
function sentence(status, answer) {
  if (status === 401) return "You are not signed in any more. Sign in again, then retry.";
  return answer?.detail ?? `The server answered ${status}.`;
}

// Telling what happened, to eyes and to screen readers.

const said = make("p", { className: "said" });
said.setAttribute("role", "status");
document.body.append(said);
let silence = 0;

function say(text) {
  clearTimeout(silence);
  said.textContent = text;
  silence = setTimeout(() => { said.textContent = ""; }, 8000);
}

/** Ask something in a dialog; the promise is of whether the answer is yes. */
function ask(yes, ...content) {
  const dialog = make("dialog", {}, ...content, make("div", { className: "buttons" },
    make("button", { type: "button", className: "second", textContent: yes ? "Cancel" : "Close", onclick: () => dialog.close() }),
    ...yes ? [make("button", { type: "button", className: "danger", textContent: yes, onclick: () => dialog.close("yes") })] : [],
  ));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((answered) => {
    dialog.onclose = () => {
      dialog.remove();
      answered(dialog.returnValue === "yes");
    };
  });
}

// The listing, which the server writes anew.

let stale = false;
let renewal = null;

/** Do what the server can't: tell the time of here, and copy. */
function finish() {
  const local = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("time")) time.textContent = local.format(new Date(time.dateTime));
  for (const link of document.querySelectorAll("a[data-link]")) {
    link.textContent = "Copy link";
    link.ariaLabel &&= link.ariaLabel.replace(/^Link to/, "Copy link to");
  }
}

/** Show the listing as it is now; who asks while it comes gets the one after. */
function renew(address) {
  stale = true;
  renewal ??= fetchListing(address).finally(() => { renewal = null; });
  return renewal;
}

async function fetchListing(address) {
  while (stale) {
    stale = false;
    const answer = await fetch(address).catch(() => null);
    if (!answer) return say("The server can't be reached, so the list may be out of date.");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const listing = page.getElementById("listing");
    if (!listing) return location.reload(); // signed out, or the server is ill: it shall say so itself
    document.getElementById("listing").replaceWith(document.adoptNode(listing));
    history.replaceState(null, "", address);
    finish();
  }
}

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
  await renew(location.href);
  document.getElementById("listing").focus();
  say("The file is deleted.");
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-link], a[data-delete]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const done = link.dataset.link ? copyLink(link) : remove(link);
  done.catch(() => say("The server can't be reached."));
});

// Uploads.

class Upload {
  constructor(file) {
    this.file = file;
    this.name = shown(file.name);
    this.bar = make("progress", { max: 1, value: 0, ariaLabel: this.name });
    this.note = make("span", { className: "note" });
    this.retry = make("button", { type: "button", textContent: "Retry", hidden: true });
    this.leave = make("button", { type: "button", textContent: "Cancel" });
    this.retry.ariaLabel = `Retry ${this.name}`;
    this.leave.ariaLabel = `Cancel ${this.name}`;
    this.row = make("li", {}, make("bdi", { className: "name", textContent: this.name, title: this.name }),
      make("span", { className: "buttons" }, this.retry, this.leave), this.bar, this.note);
    this.tell("Waiting");
  }

  tell(text, failed = false) {
    this.note.textContent = text;
    this.row.classList.toggle("failed", failed);
    this.retry.hidden = !failed;
    if (failed) say(`${this.name}: ${text}`);
  }

  /** Send the file; the promise is of whether it is stored. */
  send() {
    const request = this.request = new XMLHttpRequest();
    this.tell("0 %");
    return new Promise((ended) => {
      const failed = (text) => { this.tell(text, true); ended(false); };
      request.upload.onprogress = ({ loaded, total }) => {
        this.bar.value = total ? loaded / total : 1;
        this.note.textContent = loaded < total ? `${Math.floor(100 * loaded / total)} %` : "Saving…";
      };
      request.onload = () => {
        if (request.status === 201) ended(true);
        else failed(sentence(request.status, request.response));
      };
      request.onerror = () => failed("The connection to the server was lost.");
      request.onabort = () => ended(false);
      request.responseType = "json";
      request.open("PUT", new URL(`files/${encodeURIComponent(this.file.name)}`, API));
      request.send(this.file);
    });
  }
}

class Uploads {
  constructor(form) {
    this.form = form;
    this.largest = Number(form.dataset.upload);
    this.waiting = [];
    this.running = 0;
    this.stored = 0;
    this.list = make("ul", { className: "sending", ariaLabel: "Uploads" });
  }

  add(files) {
    this.list.isConnected || this.form.append(this.list);
    for (const file of files) {
      const upload = new Upload(file);
      this.list.append(upload.row);
      upload.retry.onclick = () => this.queue(upload);
      upload.leave.onclick = () => this.cancel(upload);
      if (file.size > this.largest) upload.tell("This file is too large.", true);
      else this.queue(upload);
    }
  }

  queue(upload) {
    upload.tell("Waiting");
    this.waiting.push(upload);
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) this.run(this.waiting.shift());
  }

  async run(upload) {
    this.running += 1;
    const stored = await upload.send();
    this.running -= 1;
    this.next();
    if (!stored) return;
    this.stored += 1;
    await renew("./");
    upload.row.remove();
    if (this.running || this.waiting.length || !this.stored) return;
    say(this.stored === 1 ? "The file is uploaded." : `${this.stored} files are uploaded.`);
    this.stored = 0;
  }

  cancel(upload) {
    this.waiting = this.waiting.filter((each) => each !== upload);
    upload.request?.abort();
    upload.row.remove();
    this.form.querySelector("input[type=file]").focus();
  }
}

/** What was dropped, but for folders: a browser can't send one as it is. */
function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const files = items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile());
  if (files.length < items.length) say("Folders can't be uploaded: open them and pick the files.");
  return files.filter(Boolean);
}

function uploading(form) {
  const uploads = new Uploads(form);
  const input = form.querySelector("input[type=file]");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  form.classList.add("live");
  form.querySelector("button").replaceWith(make("span", { className: "hint", textContent: "or drop them here" }));
  input.onchange = () => {
    uploads.add([...input.files]);
    input.value = "";
  };
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    form.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) form.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    form.classList.remove("over");
    uploads.add(dropped(event.dataTransfer));
  });
  window.addEventListener("beforeunload", (event) => {
    if (uploads.running) event.preventDefault();
  });
}

finish();
const form = document.querySelector("form[data-upload]");
if (form) uploading(form);
