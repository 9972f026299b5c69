"""Draw the pictures of README and docs, `make pictures`: run the programs on two pages among the images.

The picture of a page is taken by Chromium, and left as it is where there is none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"


def run(page: Path) -> None:
    """Run the programs on a page, one after the other; they write the pictures below them."""
    text = page.read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "pictures"}
    for program in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        before = text.count("\n", 0, program.start(1))  # so that a mark knows its line on the page
        exec(compile("\n" * before + program[1], str(page), "exec"), names)


def photograph(page: Path, step: int, size: str) -> None:
    """Take a picture of a page at a step."""
    chromium = shutil.which("chromium")
    if chromium is not None:
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={size}"]
        address = f"{page.resolve().as_uri()}#{step}"
        subprocess.run([chromium, *options, "--screenshot=page.png", address], check=True, capture_output=True)


if __name__ == "__main__":
    os.chdir(IMAGES)
    run(DOCS / "pictures.md")
    run(DOCS / "quick-start.md")
    photograph(Path("expression.html"), step=7, size="1100,480")
    for page in IMAGES.glob("*.html"):
        page.unlink()
