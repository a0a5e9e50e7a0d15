"""The example of README.md, replayed: each command of its console block prints what stands below.

After a change of what is printed: SPANWALK_UPDATE=1 make check-python PYTEST_ARGS="-k readme"
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess

from conftest import BUILD, ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def replay(block: str) -> str:
    """The block with what its commands print now."""
    lines = []
    for command in commands(block):
        words = [re.sub(r"^build/", f"{BUILD}/", word) for word in shlex.split(command)]
        done = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        lines.append(f"$ {command}\n{done.stdout}")
    return "".join(lines)


def test_readme_example() -> None:
    text = README.read_text()
    blocks = BLOCK.findall(text)
    assert blocks
    for block in blocks:
        now = replay(block)
        if os.environ.get("SPANWALK_UPDATE") == "1":
            text = text.replace(block, now)
            README.write_text(text)
        else:
            assert now == block
