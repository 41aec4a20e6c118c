// The synchronised viewer. All is in face coordinates: both faces lie at the same place in their panes, at the same
// distance between the eyes, so one transform, in parts of the pane, moves both alike. The photo as it was received is
// laid under the same transform by the similarity of the face's points. The page is whole without it: two pictures side
// by side, and a link to the photo.
const BLINK_MS = 500; // a change twice a second; never more than three (WCAG 2.3.1)
const STEP = .08, FARTHEST = .2, NEAREST = 12;
const WAYS = { left: [STEP, 0], right: [-STEP, 0], up: [0, STEP], down: [0, -STEP] };
const MODES = ["side", "swipe", "overlay", "blink"];
const still = matchMedia("(prefers-reduced-motion: reduce)");

for (const viewer of document.querySelectorAll(".viewer")) {
  const panes = [...viewer.querySelectorAll(".pane")];
  const over = panes.at(-1);
  const controls = viewer.querySelector(".controls");
  const mix = viewer.querySelector(".mix");
  const photo = viewer.querySelector(".received");
  let zoom = 1, x = 0, y = 0, mode = "side", timer = 0, together = true, received = false;
  let own = [0, 0]; // of the last pane alone, where it does not move together with the other

  const draw = () => {
    const reach = received || zoom < 1 ? 4 * zoom : (zoom - 1) / 2; // a photo goes on beyond its face
    x = Math.max(-reach, Math.min(reach, x));
    y = Math.max(-reach, Math.min(reach, y));
    for (const pane of panes) {
      const stage = pane.querySelector(".stage");
      const [dx, dy] = pane === over && panes.length > 1 ? own : [0, 0];
      if (!stage) continue;
      stage.style.transform = `translate(${100 * (x + dx)}%, ${100 * (y + dy)}%) scale(${zoom})`;
      stage.style.setProperty("--zoom", zoom); // what is drawn on a face keeps its size
    }
    const part = mix ? Number(mix.value) : 50;
    over.style.clipPath = mode === "swipe" ? `inset(0 0 0 ${part}%)` : "";
    over.style.opacity = mode === "overlay" ? part / 100 : 1;
    over.style.visibility = "";
  };
  const zoomBy = (factor) => {
    const next = Math.max(received ? FARTHEST : 1, Math.min(NEAREST, zoom * factor)), real = next / zoom;
    zoom = next; x *= real; y *= real; own = own.map((each) => each * real);
    draw();
  };
  const panBy = (dx, dy) => {
    if (together) { x += dx; y += dy; } else own = [own[0] + dx, own[1] + dy];
    draw();
  };
  const press = (button, on) => button?.setAttribute("aria-pressed", String(on));
  const reset = () => { zoom = 1; x = y = 0; own = [0, 0]; draw(); };
  const set = (next) => {
    mode = next;
    viewer.dataset.mode = next;
    clearInterval(timer);
    for (const button of viewer.querySelectorAll("[data-set]")) press(button, button.dataset.set === next);
    draw();
    if (next === "blink") {
      let shown = true;
      timer = setInterval(() => { shown = !shown; over.style.visibility = shown ? "" : "hidden"; }, still.matches ? 2 * BLINK_MS : BLINK_MS);
    }
  };
  const receive = () => {
    if (!photo) return;
    received = !received;
    if (!photo.src) {
      const [a, b, c, d, right, down] = photo.dataset.place.split(" ").map(Number);
      photo.style.transform = `translate(${100 * right}%, ${100 * down}%) matrix(${a}, ${b}, ${c}, ${d}, 0, 0)`;
      photo.src = photo.dataset.src;
    }
    photo.hidden = !received;
    press(viewer.querySelector("[data-received]"), received);
    if (!received) zoom = Math.max(1, zoom);
    draw();
  };
  const lock = () => {
    together = !together;
    press(viewer.querySelector("[data-lock]"), together);
  };

  if (controls) {
    controls.hidden = false;
    controls.addEventListener("click", (event) => {
      const given = event.target.closest("button")?.dataset ?? {};
      if (given.set) set(given.set);
      if (given.zoom) zoomBy(Number(given.zoom));
      if (given.pan) panBy(...WAYS[given.pan]);
      if ("reset" in given) reset();
      if ("received" in given) receive();
      if ("lock" in given) lock();
    });
    mix?.addEventListener("input", draw);
  }
  for (const pane of panes) {
    pane.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15); }, { passive: false });
    pane.addEventListener("pointerdown", (event) => { event.preventDefault(); pane.focus(); pane.setPointerCapture(event.pointerId); });
    pane.addEventListener("pointermove", (event) => {
      if (pane.hasPointerCapture(event.pointerId)) panBy(event.movementX / pane.clientWidth, event.movementY / pane.clientHeight);
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=radio]), textarea, select")) return;
    const acts = { z: () => zoomBy(1.25), u: () => zoomBy(.8), 0: reset, o: receive };
    if (over !== panes[0]) {
      acts.v = () => set(MODES[(MODES.indexOf(mode) + 1) % MODES.length]);
      acts.b = () => set(mode === "blink" ? "side" : "blink");
      acts.l = lock;
    }
    acts[event.key]?.();
    const way = event.key.startsWith("Arrow") && WAYS[event.key.slice(5).toLowerCase()];
    if (way && event.target.closest(".pane, body") && !event.target.matches("input")) { event.preventDefault(); panBy(...way); }
  });
}
