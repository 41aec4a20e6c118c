// Features that were compared, and where they are in both faces. A place is kept in face coordinates: from halfway
// between the eyes, in distances between them, whatever the zoom. What is listed here is sent with the decision, and kept
// on the server until then, so that it is there when the page is loaded again; the decision works without it.
const FINE = .01, COARSE = .05; // parts of the pane a key moves the cross by
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SIDES = ["probe", "candidate"];
const LEAVING = 20000; // letters that a browser sends on while the page is left: 64 KiB, as they are escaped

const box = document.querySelector("details.marks");
const sent = document.querySelector("form.decide input[name=marks]");
const stages = Object.fromEntries(SIDES.map((side) => [side, document.querySelector(`.pane.${side} .stage`)]));
const [ax, ay, bx, by] = box.dataset.eyes.split(" ").map(Number);
const [ux, uy, mx, my] = [bx - ax, by - ay, (ax + bx) / 2, (ay + by) / 2], unit = ux * ux + uy * uy;
const inFace = ([x, y]) => [((x - mx) * ux + (y - my) * uy) / unit, ((y - my) * ux - (x - mx) * uy) / unit];
const inPane = ([x, y]) => [mx + x * ux - y * uy, my + x * uy + y * ux];

const marks = JSON.parse(box.dataset.draft);
const list = box.querySelector("ol"), row = box.querySelector("template"), told = box.querySelector(".placing");
const [feature, found, note] = ["feature", "found", "note"].map((name) => box.querySelector(`.${name}`));
let placing = null; // { mark, side, at: [x, y] in parts of the pane }
let pressed = [0, 0];
let kept = JSON.stringify(marks), keeping = Promise.resolve();

// One request after another, so that the last one to arrive is the last state; what is the same is not sent again.
const keep = () => {
  const form = sent.form, now = JSON.stringify(marks), told = box.querySelector(".keeping");
  if (now === kept) return;
  kept = now;
  const body = new URLSearchParams({ csrf: form.elements.csrf.value, label: form.elements.label.value, marks: now });
  keeping = keeping
    .then(() => fetch(box.dataset.keep, { method: "POST", body, redirect: "error", keepalive: now.length < LEAVING }))
    .then((answer) => { if (!answer.ok) throw new Error(answer.status); told.textContent = ""; })
    .catch(() => { kept = ""; told.textContent = told.dataset.failed; });
};

const draw = () => {
  for (const old of document.querySelectorAll(".mark, .aim")) old.remove();
  for (const pane of document.querySelectorAll(".pane")) pane.classList.remove("aimed");
  const put = (side, [x, y], kind, text) => {
    const sign = document.createElement("span");
    sign.className = kind;
    sign.textContent = text;
    sign.style.left = `${100 * x}%`;
    sign.style.top = `${100 * y}%`;
    stages[side].append(sign);
  };
  list.replaceChildren(...marks.map((mark, at) => {
    const item = row.content.firstElementChild.cloneNode(true);
    const words = [feature, found].map((from, which) => [...from.options].find((each) => each.value === [mark.feature, mark.found][which]).text);
    item.querySelector("b").textContent = words.join(": ");
    item.querySelector("span").textContent = mark.note;
    item.querySelector("[data-place]").addEventListener("click", () => place(mark, 0));
    item.querySelector("[data-delete]").addEventListener("click", () => { marks.splice(at, 1); placing = null; draw(); feature.focus(); });
    for (const side of SIDES) if (mark[side] && stages[side]) put(side, inPane(mark[side]), "mark", at + 1);
    return item;
  }));
  box.querySelector(".how-many").textContent = marks.length;
  box.querySelector("[data-add]").disabled = marks.length >= Number(box.dataset.most);
  told.textContent = placing ? told.dataset[placing.side] : "";
  if (placing) {
    put(placing.side, placing.at, "aim", "");
    stages[placing.side].closest(".pane").classList.add("aimed");
  }
  sent.value = marks.length ? JSON.stringify(marks) : "";
  keep();
};

// From side to side, those of which there is a picture; after the last the place of the next feature is asked.
const place = (mark, which) => {
  const side = SIDES.slice(which).find((each) => stages[each]);
  placing = side ? { mark, side, at: mark[side] ? inPane(mark[side]) : [.5, .5] } : null;
  draw();
  if (placing) stages[side].closest(".pane").focus();
  else { note.value = ""; box.querySelector("summary").focus(); } // from where the keys of the decision work
};
const next = () => place(placing.mark, SIDES.indexOf(placing.side) + 1);
const set = (at) => {
  placing.mark[placing.side] = inFace(at).map((each) => Number(each.toFixed(3)));
  next();
};

box.querySelector("[data-add]").addEventListener("click", () => {
  const mark = { feature: feature.value, found: found.value, note: note.value.trim(), probe: null, candidate: null };
  marks.push(mark);
  place(mark, 0);
});
for (const side of SIDES) {
  const pane = stages[side]?.closest(".pane");
  pane?.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY]; });
  pane?.addEventListener("click", (event) => {
    const dragged = Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4;
    if (placing?.side !== side || dragged) return;
    const { left, top, width, height } = stages[side].getBoundingClientRect();
    set([(event.clientX - left) / width, (event.clientY - top) / height]);
  });
}
// Before the keys of viewer and decision, as long as a place is asked for.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (placing && event.target.closest?.(".pane")) {
    const way = KEYS[event.key], step = event.shiftKey ? COARSE : FINE;
    if (way) { placing.at = placing.at.map((each, axis) => each + way[axis] * step); draw(); }
    else if (event.key === "Enter") set(placing.at);
    else if (event.key === "Escape") next();
    else return;
  } else if (event.key === "m" && !event.target.matches?.("input:not([type=radio]), textarea, select")) {
    box.open = true;
    feature.focus();
  } else if (event.key === "Enter" && event.target === note) {
    box.querySelector("[data-add]").click();
  } else return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

box.hidden = false;
box.open = marks.length > 0;
draw();
