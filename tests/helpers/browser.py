"""A page as a real browser lays it out on a phone, where a browser is installed."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PHONE = 360  # CSS pixels, the width of most phones
# The page in a frame of a phone's width, so that its own media queries hold, and what is in it.
_FRAME = """<!doctype html><iframe id="f" style="width:{width}px;height:740px;border:0"
src="{page}"></iframe><pre id="out"></pre><script>
document.getElementById("f").addEventListener("load", (event) => {{
  const page = event.target.contentDocument;
  const nameless = [...page.querySelectorAll("button")].filter(
    (button) => !(button.textContent.trim() || button.ariaLabel));
  document.getElementById("out").textContent = JSON.stringify({{
    width: page.documentElement.scrollWidth, height: page.documentElement.scrollHeight,
    buttons: page.querySelectorAll("button").length, nameless: nameless.length,
  }});
}});
</script>"""


def program() -> str:
    """The path of Chromium or its relatives; the test is skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("needs Chromium")
    return browser


def on_a_phone(page: Path) -> dict[str, int]:
    """Width and height of a page's content in CSS pixels, its buttons, and those without a name.

    The test is skipped where there is no Chromium.
    """
    browser = program()
    frame = page.with_name("phone.html")
    frame.write_text(_FRAME.format(width=PHONE, page=page.name), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    flags += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [browser, *flags, "--dump-dom", frame.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout)
    assert found and found[1], done.stderr
    measured: dict[str, int] = json.loads(html.unescape(found[1]))
    return measured
