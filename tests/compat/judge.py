"""Whether the analysis of a core is exact: by the runtime's marks and by the program itself."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 300
TWICE_BYTES = 4096  # two workers may mark an object at once, and both count it


class Verdict(NamedTuple):
    objects: int
    difference: str = ""  # "": none


def judge(spanwalk: Path, core: Path, exe: Path, truth: dict[str, Any]) -> Verdict:
    """Asks `spanwalk verify`, and believes it only if all that it says fits together."""
    command = [str(spanwalk), "verify", str(core), "--exe", str(exe), "--json"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Verdict(0, f"no answer in {SECONDS} s")
    if done.returncode not in (0, 4):
        return Verdict(0, failure(done.returncode, done.stderr, core.parent))
    try:
        report = json.loads(done.stdout.replace(f"{core.parent}/", ""))
    except ValueError:
        return Verdict(0, f"status {done.returncode} without a report")
    return compare(done.returncode, report, truth)


def failure(status: int, errors: str, folder: Path) -> str:
    """Why a run failed, in the words of the program."""
    said = errors.strip().splitlines()
    if status < 0:
        said.insert(0, f"killed by {signal.Signals(-status).name}")
    words = said[0] if said else f"status {status}, and nothing said"
    return words.removeprefix("spanwalk: ").replace(f"{folder}/", "")


def compare(status: int, report: dict[str, Any], truth: dict[str, Any]) -> Verdict:
    found = [*incomplete(status, report), *marks(report), *counts(report["summary"], truth)]
    version = truth["go_version"].split()[0]
    if report["target"]["runtime"].split()[0] != version:
        found.append(f"taken for {report['target']['runtime']}, and is {version}")
    return Verdict(report["summary"]["replay_objects"], "; ".join(found))


def incomplete(status: int, report: dict[str, Any]) -> list[str]:
    if not status and report["complete"]:
        return []
    said = [warning["message"] for warning in report["warnings"]]
    return said or [f"status {status}, not complete, and no warning"]


def marks(report: dict[str, Any]) -> list[str]:
    """Where the runtime's marks differ."""
    summary, found = report["summary"], []
    if not summary["exact"]:
        found = [
            f"{row['objects']:,} objects, {row['marked_by']}: {row['reason']}"
            for row in report["tables"]["differences"]
        ] or ["not exact, and no difference is shown"]
    twice = summary["heap_marked_bytes"] - summary["marked_bits_bytes"]
    if not 0 <= twice <= TWICE_BYTES:
        found.append(f"the runtime counted {twice:+,} bytes more than its mark bits")
    return found


def counts(summary: dict[str, Any], truth: dict[str, Any]) -> list[str]:
    """Where runtime.MemStats in the program differ. They were read after the last collection, so
    that what is newer may stand between them and the marks, and nothing else."""
    objects, size = (truth["memstats"][name] for name in ("HeapObjects", "HeapAlloc"))
    newer = objects - summary["runtime_objects"]
    if not 0 <= newer <= summary["only_replay_objects"]:
        return [f"the program counted {objects:,} objects, {newer:+,}"]
    if not newer and size != summary["runtime_bytes"]:
        return [f"the program counted {size:,} bytes, not {summary['runtime_bytes']:,}"]
    return []
