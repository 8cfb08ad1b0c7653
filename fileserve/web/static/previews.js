// Previews that were not ready when the page came: the server was busy, and tells when to try again.

/** So often one preview is tried again. */
const TRIES = 10;

/** What browsers ask for pictures with, as far as it matters to us. */
const ACCEPT = { Accept: "image/webp,image/*" };

const pause = (seconds) => new Promise((over) => { setTimeout(over, 1000 * seconds); });
const tried = new WeakMap();

/** Show a preview as soon as there is one; the promise is of whether there will be. */
export async function tryAgain(image) {
  const address = image.currentSrc || image.src;
  for (;;) {
    const count = (tried.get(image) ?? 0) + 1;
    tried.set(image, count);
    if (count > TRIES) return false;
    // An error of an image does not tell which.
    const answer = await fetch(address, { headers: ACCEPT }).catch(() => null);
    await answer?.blob().catch(() => null); // else it stays on its way
    if (answer?.ok) break;
    if (answer && answer.status !== 503) return false;
    const wait = Number(answer?.headers.get("Retry-After")) || 2;
    await pause(wait * (1 + Math.random())); // not all at once
  }
  if (image.srcset) image.srcset = image.srcset;
  else image.src = address;
  return true;
}
