// What makes the form of pictures handier: several at once, each with its progress, dropped and pasted ones too.
// Without this script the form sends itself.

import { make } from "./parts.js";
import { signIn, uploading } from "./sending.js";

/** The name of a file without its extension, if it may be given as a name; else the file keeps its own. */
function nameOf(file, longest) {
  const dot = file.name.lastIndexOf(".");
  const stem = dot > 0 ? file.name.slice(0, dot) : file.name;
  return [...stem].length <= longest ? stem : "";
}

function uploadingPictures(form) {
  const input = form.elements.namedItem("file");
  const field = form.elements.namedItem("name");
  const given = new WeakMap();
  form.querySelector(".hint").hidden = false;
  const uploads = uploading(form, {
    send(request, file) {
      const fields = new FormData();
      fields.append("name", given.get(file) ?? "");
      fields.append("file", file);
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json");
      request.send(fields);
    },
    links(status, answer) {
      if (status === 401) return [signIn(form.dataset.signIn)];
      if (!answer?.url) return [];
      return [make("a", { href: new URL(answer.url, form.action), textContent: "See the one that is there" })];
    },
    async stored(answer, upload) {
      const shown = new CustomEvent("stored", { cancelable: true });
      if (!document.dispatchEvent(shown)) return false; // the page shows it itself
      upload.finish(`Stored as ${answer.name}.`, make("a", { href: form.dataset.gallery, textContent: "Gallery" }));
      return true;
    },
  });
  input.onchange = () => {
    // Of several each keeps its own name.
    field.disabled = input.files.length > 1;
    field.value = input.files.length === 1 ? nameOf(input.files[0], field.maxLength) : "";
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const files = [...input.files];
    if (files.length === 1) given.set(files[0], field.value);
    uploads.add(files);
    form.reset();
    field.disabled = false;
  };
}

const form = document.querySelector("form[data-pictures]");
if (form) uploadingPictures(form);
