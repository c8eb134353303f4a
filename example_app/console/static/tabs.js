// Shows one of the panels, by a click, an arrow key or the address.
// WAI-ARIA Authoring Practices, "Tabs".

const tabs = [...document.querySelectorAll("[role=tab]")];
const MOVES = {
  ArrowRight: (at) => (at + 1) % tabs.length,
  ArrowLeft: (at) => (at + tabs.length - 1) % tabs.length,
  Home: () => 0,
  End: () => tabs.length - 1,
};

/** Wire the tabs, and show the panel that the address names. */
export function begin() {
  for (const [at, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const move = MOVES[event.key];
      if (!move) return;
      event.preventDefault();
      const next = tabs[move(at)];
      choose(next);
      next.focus();
    });
  }
  const named = () => tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash);
  window.addEventListener("hashchange", () => named() && show(named()));
  show(named() ?? tabs[0]);
}

/** Show the panel with the id `id`, and go to its tab. */
export function open(id) {
  const tab = tabs.find((each) => each.getAttribute("aria-controls") === id);
  choose(tab);
  tab.focus();
}

// Not called at the start: a new fragment moves the start of keyboard navigation into the panel.
function choose(tab) {
  show(tab);
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
}

function show(shown) {
  for (const tab of tabs) {
    const panel = document.getElementById(tab.getAttribute("aria-controls"));
    const chosen = tab === shown;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    panel.hidden = !chosen;
  }
  document.dispatchEvent(new Event("panel"));
}
