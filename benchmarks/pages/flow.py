"""One case from signing in to the released report by two accounts and a reviewer, by one way of working, in a Chromium.

Ways: the mouse; the keyboard alone (Tab, letters, Enter, and the keys that the pages have); the mouse without scripts.
Nothing is reached otherwise: what a way cannot reach ends the run. A file is chosen as the browser's dialog does it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.pages.chromium import Page
from benchmarks.pages.service import PASSWORD
from tgfr_search.app.service.pages.reviews import DECISIONS

WAYS = ("mouse", "keys", "no script")
MOST_TABS = 150
SUBMIT = "main form button.primary"


@dataclass
class Hands:
    """Somebody at a page.

    Attributes:
        page: The tab.
        base: Address of the service.
        way: One of `WAYS`.
        seen: Called with a name for the page that is open.
        asked: Addresses of everything that was loaded since it was last emptied.
    """

    page: Page
    base: str
    way: str
    seen: Callable[[str], None] = lambda name: None
    asked: list[str] = field(default_factory=list)

    def start(self, name: str) -> None:
        """A new browser of an account, which signs in."""
        self.page.call("Emulation.setScriptExecutionDisabled", value=self.way == "no script")
        self.page.call("Network.enable")
        self.page.call("Network.clearBrowserCookies")
        self.page.go(f"{self.base}/login")
        self.write("[name=name]", name)
        self.write("[name=password]", PASSWORD)
        self.go(SUBMIT)

    def reach(self, where: str) -> None:
        """Has what a selector finds in focus, or under the mouse.

        Raises:
            RuntimeError: It cannot be reached.
        """
        found = json.dumps(where)
        if self.way != "keys":
            self.page.value(f"document.querySelector({found}).scrollIntoView({{block: 'center'}}); true")
            return
        for _ in range(MOST_TABS):
            if self.page.value(f"document.activeElement === document.querySelector({found})"):
                return
            self.page.press("Tab")
        raise RuntimeError(f"{self.said('location.href')}: no key leads to {where}")

    def write(self, where: str, text: str) -> None:
        """Writes into a field."""
        self.reach(where)
        if self.way != "keys":
            self.page.click(where)
        self.page.call("Input.insertText", text=text)

    def choose(self, where: str, value: str) -> None:
        """Chooses one of several: `where` finds them all."""
        if self.way != "keys":
            self.reach(f"{where}[value={json.dumps(value)}]")
            self.page.click(f"{where}[value={json.dumps(value)}]")
            return
        self.reach(where)
        self.page.press(" ", code="Space")
        for _ in range(MOST_TABS):
            if self.said("document.activeElement.value") == value:
                return
            self.page.press("ArrowDown")
        raise RuntimeError(f"{self.said('location.href')}: no key leads to {value}")

    def go(self, where: str) -> None:
        """Presses a button or follows a link, and waits for the page."""
        self.reach(where)
        self.page.heard.clear()
        if self.way == "keys":
            self.page.press("Enter")
        else:
            self.page.click(where)
        self.loaded()

    def keys(self, *keys: str) -> None:
        """Presses keys that the page has, the last of which leads on."""
        self.page.heard.clear()
        for key in keys:
            self.page.press(key)
        self.loaded()

    def attach(self, where: str, path: Path) -> None:
        """Chooses a file: what the system's dialog does, which is none of the page."""
        self.reach(where)
        root = self.page.call("DOM.getDocument")["root"]["nodeId"]
        node = self.page.call("DOM.querySelector", nodeId=root, selector=where)["nodeId"]
        self.page.call("DOM.setFileInputFiles", nodeId=node, files=[str(path.resolve())])

    def loaded(self) -> None:
        """Waits for the next page; keeps what it asks for."""
        events = (each["params"] for each in self.page.loaded() if each.get("method") == "Network.requestWillBeSent")
        self.asked += [each["request"]["url"] for each in events]

    def said(self, expression: str) -> Any:
        """What an expression is on the page."""
        return self.page.value(expression)


def examine(hands: Hands, decision: int, conclusion: str, blind: Callable[[str], None] = lambda told: None) -> None:
    """One person's work on the search that is open: analysis, all candidates, unmasking, conclusion.

    Args:
        hands: Of the person.
        decision: Its number, of every candidate.
        conclusion: Its value.
        blind: Called with all that the browser has of candidates before the first is unmasked.
    """
    hands.go(SUBMIT)
    hands.seen("analysis")
    hands.write("main textarea[name=text]", "From the front, evenly lit.")
    hands.go(SUBMIT)
    while hands.said("!!document.querySelector('form.decide input[name=label]')"):
        hands.seen("compare")
        blind(hands.said("document.documentElement.outerHTML + location.href") + "\n".join(hands.asked))
        if hands.way == "keys":
            hands.keys(str(decision), "Enter")
        else:
            hands.choose("form.decide input[name=decision]", DECISIONS[decision - 1])
            hands.go("form.decide button.primary")
    hands.seen("masked")
    blind(hands.said("document.documentElement.outerHTML + location.href") + "\n".join(hands.asked))
    hands.go(SUBMIT)
    hands.seen("unmasked")
    hands.choose("form.decide input[name=conclusion]", conclusion)
    hands.go("form.decide button.primary")


def carry_out(
    hands: Hands, probe: Path, words: str, count: int, blind: Callable[[str], None] = lambda told: None
) -> str:
    """The whole of it; returns the address of the report, which is open.

    Args:
        hands: Of everybody.
        probe: A photo of the unknown.
        words: What a witness said.
        count: Candidates.
        blind: As `examine`.
    """
    hands.start("examiner-1")
    hands.seen("cases")
    hands.write("[name=purpose]", "A fraud")
    hands.write("[name=basis]", "§ 98c StPO")
    hands.go(SUBMIT)
    hands.attach("[name=file]", probe)
    hands.go("form[enctype] button.primary")
    hands.seen("search")
    hands.write("textarea[name=lines]", words)
    hands.reach("[name=top_k]")
    hands.said("document.querySelector('[name=top_k]').select(); true")  # what is there goes
    hands.page.call("Input.insertText", text=str(count))
    hands.go(SUBMIT)
    hands.asked.clear()
    examine(hands, 2, "no candidate", blind)
    hands.start("examiner-2")
    hands.go("a.todo")
    hands.asked.clear()
    examine(hands, 2, "no candidate", blind)
    hands.start("reviewer-1")
    hands.go("a.todo")
    hands.go(SUBMIT)
    hands.seen("report")
    return str(hands.said("location.href"))
