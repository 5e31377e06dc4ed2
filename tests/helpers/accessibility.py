"""What axe, the engine of accessibility tests, finds on pages that Chromium lays out on a phone."""

from __future__ import annotations

import functools
import html
import http.server
import importlib.util
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from browser import PHONE, program

# One page after the other in a frame of a phone's width, over HTTP as a reader has them.
_FRAME = """<!doctype html><iframe id="f" style="width:{width}px;height:740px;border:0"></iframe>
<pre id="out"></pre><script>
const frame = document.getElementById("f"), found = {{}};
async function look(page) {{
  await new Promise((done) => {{ frame.onload = done; frame.src = page; }});
  const inside = frame.contentDocument, script = inside.createElement("script");
  script.src = "/axe.js";
  await new Promise((done) => {{ script.onload = done; inside.head.append(script); }});
  const result = await frame.contentWindow.axe.run(inside, {{resultTypes: ["violations"]}});
  const serious = result.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  found[page] = {{
    width: inside.documentElement.scrollWidth, rules: result.passes.length,
    barriers: serious.flatMap((one) => one.nodes.map(
      (node) => one.id + ": " + node.target.join(" ") + ": " + node.html.slice(0, 120))),
  }};
}}
(async () => {{
  try {{ for (const page of {pages}) await look(page); }}
  catch (error) {{ found.error = String(error); }}
  document.getElementById("out").textContent = JSON.stringify(found);
}})();
</script>"""


@dataclass(frozen=True)
class Page:
    """One page on a phone.

    Attributes:
        width: Of its content in CSS pixels.
        rules: How many of axe's rules it passed.
        barriers: axe's serious and critical findings, each with where it is.
    """

    width: int
    rules: int
    barriers: list[str]


def examine(pages: Sequence[Path], root: Path, *, dark: bool = False) -> dict[str, Page]:
    """Look at pages below a folder; the test is skipped where there is no Chromium.

    Args:
        pages: HTML files.
        root: The folder that is served; two files are added to it.
        dark: Whether the reader's system is dark.

    Returns:
        By path below the root.
    """
    browser = program()
    names = [page.relative_to(root).as_posix() for page in pages]
    (root / "axe.js").write_text(_engine().read_text(encoding="utf-8"), encoding="utf-8")
    frame = _FRAME.format(width=PHONE, pages=json.dumps([f"/{name}" for name in names]))
    (root / "frame-of-a-phone.html").write_text(frame, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={root / 'profile'}"]
    flags += ["--blink-settings=preferredColorScheme=0"] if dark else []
    flags += [f"--virtual-time-budget={20_000 * len(names)}", "--dump-dom"]
    with _served(root) as address:
        done = subprocess.run(
            [browser, *flags, f"{address}/frame-of-a-phone.html"],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found and found[1], done.stderr
    looked = json.loads(html.unescape(found[1]))
    assert "error" not in looked, looked["error"]
    return {name: Page(**looked[f"/{name}"]) for name in names}


def _engine() -> Path:
    """axe: the file that AXE_CORE names, or that of axe-core-python."""
    if "AXE_CORE" in os.environ:
        return Path(os.environ["AXE_CORE"])
    package = importlib.util.find_spec("axe_core_python")
    assert package and package.origin
    return Path(package.origin).with_name("axe.min.js")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a test's output is for its failures."""


@contextmanager
def _served(root: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
