// The synchronised viewer. Both faces lie at the same place in their pictures (same distance between the eyes), so one
// transform, in parts of the picture, moves both alike. The page is whole without it: two pictures side by side.
const BLINK_MS = 500; // a change twice a second; never more than three (WCAG 2.3.1)
const still = matchMedia("(prefers-reduced-motion: reduce)");

for (const viewer of document.querySelectorAll(".viewer")) {
  const panes = [...viewer.querySelectorAll(".pane")];
  const controls = viewer.querySelector(".controls");
  const over = panes.at(-1);
  const mix = viewer.querySelector(".mix");
  let zoom = 1, x = 0, y = 0, mode = "side", timer = 0;

  const draw = () => {
    const reach = (zoom - 1) / 2;
    x = Math.max(-reach, Math.min(reach, x));
    y = Math.max(-reach, Math.min(reach, y));
    for (const pane of panes) {
      const picture = pane.querySelector("img");
      if (picture) picture.style.transform = `translate(${100 * x}%, ${100 * y}%) scale(${zoom})`;
    }
    const part = mix ? Number(mix.value) : 50;
    over.style.clipPath = mode === "swipe" ? `inset(0 0 0 ${part}%)` : "";
    over.style.opacity = mode === "overlay" ? part / 100 : 1;
    over.style.visibility = "";
  };
  const zoomBy = (factor) => { zoom = Math.max(1, Math.min(12, zoom * factor)); x *= factor; y *= factor; draw(); };
  const panBy = (dx, dy) => { x += dx; y += dy; draw(); };
  const reset = () => { zoom = 1; x = y = 0; draw(); };
  const set = (next) => {
    mode = next;
    viewer.dataset.mode = next;
    clearInterval(timer);
    for (const button of viewer.querySelectorAll("[data-set]")) button.setAttribute("aria-pressed", String(button.dataset.set === next));
    draw();
    if (next === "blink") {
      let shown = true;
      timer = setInterval(() => { shown = !shown; over.style.visibility = shown ? "" : "hidden"; }, still.matches ? 2 * BLINK_MS : BLINK_MS);
    }
  };
  const ways = { left: [.08, 0], right: [-.08, 0], up: [0, .08], down: [0, -.08] };
  const modes = ["side", "swipe", "overlay", "blink"];

  if (controls) {
    controls.hidden = false;
    controls.addEventListener("click", (event) => {
      const given = event.target.dataset;
      if (given.set) set(given.set);
      if (given.zoom) zoomBy(Number(given.zoom));
      if (given.pan) panBy(...ways[given.pan]);
      if ("reset" in given) reset();
    });
    mix.addEventListener("input", draw);
  }
  for (const pane of panes) {
    pane.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15); }, { passive: false });
    pane.addEventListener("pointerdown", (event) => { event.preventDefault(); pane.setPointerCapture(event.pointerId); });
    pane.addEventListener("pointermove", (event) => {
      if (pane.hasPointerCapture(event.pointerId)) panBy(event.movementX / pane.clientWidth, event.movementY / pane.clientHeight);
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=radio]), textarea, select")) return;
    const acts = {
      z: () => zoomBy(1.25), u: () => zoomBy(.8), 0: reset,
      m: () => controls && set(modes[(modes.indexOf(mode) + 1) % modes.length]),
      b: () => controls && set(mode === "blink" ? "side" : "blink"),
    };
    if (event.key in acts) acts[event.key]();
    const way = event.key.startsWith("Arrow") && ways[event.key.slice(5).toLowerCase()];
    if (way && event.target.closest(".pane, body") && !event.target.matches("input")) { event.preventDefault(); panBy(...way); }
  });
}
