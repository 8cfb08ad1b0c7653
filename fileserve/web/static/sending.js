// Files on their way to the server: dropped, pasted or picked, a few at once, each with its progress, what went
// wrong with it, and a way to try again.

import { make, say, sentence, shown } from "./parts.js";

/** So many uploads run at once; the others wait. */
const AT_ONCE = 3;

/** Whether another try may end otherwise; 0 is no answer. */
function passes(status) {
  return status === 0 || status === 401 || status === 408 || status === 429 || status >= 500;
}

class Upload {
  constructor(file) {
    this.file = file;
    this.name = shown(file.name);
    this.bar = make("progress", { max: 1, value: 0, ariaLabel: this.name });
    this.note = make("span", { className: "note" });
    this.retry = make("button", { type: "button", textContent: "Retry", hidden: true });
    this.leave = make("button", { type: "button", textContent: "Cancel" });
    this.retry.ariaLabel = `Retry ${this.name}`;
    this.row = make("li", {}, make("bdi", { className: "name", textContent: this.name, title: this.name }),
      make("span", { className: "buttons" }, this.retry, this.leave), this.bar, this.note);
    this.tell("Waiting");
  }

  tell(text) {
    this.note.textContent = text;
    this.row.classList.remove("failed");
    this.retry.hidden = true;
    this.ended = "";
    this.offer("Cancel");
  }

  offer(word) {
    this.leave.textContent = word;
    this.leave.ariaLabel = `${word} ${this.name}`;
  }

  /** Say what went wrong, and where that leads to. */
  fail(text, again, ...links) {
    this.note.replaceChildren(text, ...links.flatMap((link) => [" ", link]));
    this.row.classList.add("failed");
    this.retry.hidden = !again;
    this.ended = again ? "failed" : "refused";
    if (!again) this.offer("Dismiss");
    say(`${this.name}: ${text}`);
  }

  /** Say that it is stored, and where. */
  finish(text, link) {
    this.note.replaceChildren(text, " ", link);
    this.row.classList.add("done");
    this.leave.hidden = true;
  }

  /** Send the file as the page does it; the promise is of what the server answers when it is stored. */
  send(how) {
    const request = this.request = new XMLHttpRequest();
    this.tell("0 %");
    return new Promise((ended) => {
      const failed = (text, status, links = []) => {
        this.fail(text, passes(status), ...links);
        ended(null);
      };
      request.upload.onprogress = ({ loaded, total }) => {
        this.bar.value = total ? loaded / total : 1;
        this.note.textContent = loaded < total ? `${Math.floor(100 * loaded / total)} %` : "Saving…";
      };
      request.onload = () => {
        const { status, response } = request;
        if (status === 201) ended(response);
        else failed(sentence(status, response), status, how.links(status, response));
      };
      request.onerror = () => failed("The connection to the server was lost.", 0);
      request.onabort = () => ended(null);
      request.responseType = "json";
      how.send(request, this.file);
    });
  }
}

class Uploads {
  constructor(form, how) {
    this.form = form;
    this.how = how;
    this.largest = Number(form.dataset.upload);
    this.waiting = [];
    this.running = 0;
    this.count = { stored: 0, refused: 0, failed: 0 };
    this.list = make("ul", { className: "sending", ariaLabel: "Uploads" });
  }

  add(files) {
    this.list.isConnected || this.form.append(this.list);
    for (const file of files) {
      const upload = new Upload(file);
      this.list.append(upload.row);
      upload.retry.onclick = () => this.queue(upload);
      upload.leave.onclick = () => this.leave(upload);
      if (file.size <= this.largest) this.queue(upload);
      else {
        upload.fail("This file is too large.", false);
        this.count.refused += 1;
      }
    }
    this.tell();
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
    const answer = await upload.send(this.how);
    this.running -= 1;
    this.next();
    if (answer) {
      this.count.stored += 1;
      if (!await this.how.stored(answer, upload)) upload.row.remove();
    } else if (upload.ended) this.count[upload.ended] += 1;
    this.tell();
  }

  /** When all is over, say how it went; what failed alone said so itself. */
  tell() {
    if (this.running || this.waiting.length) return;
    const { stored, refused, failed } = this.count;
    this.count = { stored: 0, refused: 0, failed: 0 };
    if (!stored) return;
    if (refused || failed) {
      const others = [refused && `${refused} refused`, failed && `${failed} failed`].filter(Boolean);
      say([`${stored} uploaded`, ...others].join(", "));
    } else say(stored === 1 ? "The file is uploaded." : `${stored} files are uploaded.`);
  }

  leave(upload) {
    this.waiting = this.waiting.filter((each) => each !== upload);
    upload.request?.abort();
    upload.row.remove();
    this.form.querySelector("input[type=file]").focus();
  }
}

/** What was dropped or pasted, but for folders: a browser can't send one as it is. */
function carried(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const files = items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile());
  if (files.length < items.length) say("Folders can't be uploaded: open them and pick the files.");
  return files.filter(Boolean);
}

/**
 * Let a form send files by themselves, also dropped and pasted ones.
 *
 * how.send(request, file) opens and sends; how.links(status, answer) leads on from a refusal; how.stored(answer,
 * upload) shows what was stored, and is true where the row of the upload stays. The caller adds what is picked.
 */
export function uploading(form, how) {
  const uploads = new Uploads(form, how);
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
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
    uploads.add(carried(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    const text = event.target.closest?.("input") && event.clipboardData.types.includes("text/plain");
    const files = text ? [] : carried(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    uploads.add(files);
  });
  window.addEventListener("beforeunload", (event) => {
    if (uploads.running) event.preventDefault();
  });
  return uploads;
}

/** The link by which somebody signs in whose session is over; what he picked stays here meanwhile. */
export function signIn(address) {
  return make("a", { href: address, target: "_blank", textContent: "Sign in" });
}
