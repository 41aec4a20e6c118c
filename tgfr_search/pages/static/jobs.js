// A job that is at work shows how far it is. Without it the page is loaded again by its link.
const live = document.querySelector("[data-live]");
const look = async () => {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("[data-live]");
    if (!next) { location.reload(); return; }
    for (const part of ["progress", ".counts"]) {
      const [old, fresh] = [live, next].map((each) => each.querySelector(part));
      if (old && fresh) old.replaceWith(fresh);
    }
  } catch { /* the service restarts: the next look may reach it */ }
  setTimeout(look, 2000);
};
if (live) setTimeout(look, 2000);
