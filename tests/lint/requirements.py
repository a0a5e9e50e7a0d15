"""Prints what one of pyproject.toml's optional-dependencies lists, for `pip install -r`: the tools
can be installed without building the project. `python3 tests/lint/requirements.py dev`"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path


def requirements(project: str, group: str) -> list[str]:
    # tomllib is there from Python 3.11 on only.
    section = project.split("[project.optional-dependencies]", 1)[1]
    match = re.search(rf"^{re.escape(group)} = (\[.*?\])", section, re.MULTILINE | re.DOTALL)
    if not match:
        raise SystemExit(f"pyproject.toml has no group {group}")
    return ast.literal_eval(match[1])


if __name__ == "__main__":
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    print(*requirements(project.read_text(), sys.argv[1]), sep="\n")
