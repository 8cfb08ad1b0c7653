// What the scripts of several pages share: making elements, telling what happened, asking, and listings that the
// server writes anew.

/** Make an element; what is no attribute of its own is its content. */
export function make(tag, properties, ...content) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...content);
  return element;
}

/** A name as one line that hides nothing, as the server's pages show it. */
export function shown(name) {
  return name.replace(/[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]/g, "\ufffd");
}

/** What a refusal says. */
export function sentence(status, answer) {
  if (status === 401) return "You are not signed in any more. Sign in again, then retry.";
  return answer?.detail ?? `The server answered ${status}.`;
}

// Telling what happened, to eyes and to screen readers.

const said = make("p", { className: "said" });
said.setAttribute("role", "status");
document.body.append(said);
let silence = 0;

export function say(text) {
  clearTimeout(silence);
  said.textContent = text;
  silence = setTimeout(() => { said.textContent = ""; }, 8000);
}

/** Ask something in a dialog; the promise is of whether the answer is yes. */
export function ask(yes, ...content) {
  const dialog = make("dialog", { className: "asking" }, ...content, make("div", { className: "buttons" },
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

/** Whether a click wants the link itself, in another tab or window. */
export function wantsTheLink(event) {
  return event.button || event.ctrlKey || event.metaKey || event.shiftKey;
}

/** Tell the time of here, which the server can't. */
export function tellLocalTime() {
  const local = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("time")) time.textContent = local.format(new Date(time.dateTime));
}

/** The section #listing, which the server writes anew. */
export class Listing {
  #stale = false;
  #renewal = null;
  #took;

  /** What took(fresh, old) does puts the fresh section in the place of the old one. */
  constructor(took) {
    this.#took = took;
  }

  get section() {
    return document.getElementById("listing");
  }

  /** Show the listing as it is now; who asks while it comes gets the one after. */
  renew(address) {
    this.#stale = true;
    this.#renewal ??= this.#fetch(address).finally(() => { this.#renewal = null; });
    return this.#renewal;
  }

  async #fetch(address) {
    while (this.#stale) {
      this.#stale = false;
      const answer = await fetch(address).catch(() => null);
      if (!answer) return say("The server can't be reached, so the list may be out of date.");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("listing");
      if (!fresh) return location.reload(); // signed out, or the server is ill: it shall say so itself
      this.#took(document.adoptNode(fresh), this.section);
      history.replaceState(null, "", address);
    }
  }
}
