// Decisions by keyboard: 1 to 5 choose, Enter locks, ? helps. The form works without it.
const form = document.querySelector("form.decide");
const help = document.getElementById("help");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, select, input:not([type=radio])")) return;
  const choice = form?.querySelector(`input[data-key="${CSS.escape(event.key)}"]`);
  if (choice) {
    choice.checked = true;
    choice.focus();
  } else if (event.key === "Enter" && !event.target.matches("button, a, summary") && form?.querySelector("input[data-key]:checked")) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "?" && help) {
    help.open = !help.open;
  }
});
