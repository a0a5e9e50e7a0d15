"""spanwalk shell: the program's own reports, at a prompt and from a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, NEWEST, PROGRAM, Result, spanwalk

PROMPT = "spanwalk> "
CORE = "maps-go1.22.12"


@pytest.fixture(scope="module")
def made() -> Any:
    """A committed core: no Go toolchain is needed."""
    return CORES.unpack(CORE)


@pytest.fixture(scope="module")
def planted() -> Any:
    """Two million objects with a planted leak: something to wait for, and a finding."""
    return CORES.make("bigheap", NEWEST, args=["-objects", "2000000"])


def script(text: str, *words: object) -> Result:
    """Runs `spanwalk shell` with these lines on its stdin."""
    done = subprocess.run(
        [str(PROGRAM), "shell", *map(str, words)],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def target(made: Any) -> list[object]:
    """Without an index: tests/test_index.py has those."""
    return [made.core, "--exe", made.exe, "--no-index"]


# ---- from a pipe ----

COMMANDS = [
    ["heap"],
    ["heap", "--json"],
    ["verify"],
    ["heap-types", "--limit", "3"],
    ["leak-roots", "--by=type", "--json"],
    ["leak-roots", "--paths", "2", "--threads", "1"],
    ["find", "main.*", "--limit=2"],
]


def test_reports_are_the_program_s(made: Any) -> None:
    """What the shell prints for a command is, byte for byte, what the program prints."""
    alone = [spanwalk(name, *target(made), *rest).stdout for name, *rest in COMMANDS]
    lines = "\n".join(" ".join(f"'{word}'" for word in command) for command in COMMANDS)
    done = script(lines, *target(made))
    assert done.stderr == ""
    assert done.stdout == "".join(alone)
    assert done.status == 0


def test_words_and_comments(made: Any) -> None:
    lines = """
# nothing but a comment
   \t
heap-types --limit 1 # and behind a command
  "heap-types"  --lim\\it '1'
"""
    done = script(lines, *target(made))
    assert done.stderr == ""
    assert done.stdout == 2 * spanwalk("heap-types", *target(made), "--limit", 1).stdout


@pytest.mark.parametrize(
    ("line", "message", "status"),
    [
        ("leak-rots", "unknown command leak-rots", 2),
        ("heap 'x", "the quote ' is not closed", 2),
        ('heap "x\\"', 'the quote " is not closed', 2),
        ("heap \\", "nothing follows the last backslash", 2),
        ("heap --pid 1", "heap: unknown option --pid", 2),
        ("heap extra", "heap: one argument too many: extra", 2),
        ("quit now", "quit: one argument too many: now", 2),
        ("help me", "unknown command me", 2),
        ("refresh", "refresh: a core does not change", 2),
        ("who-holds 0x10", "no object of the Go heap is at 0x10", 3),
        ("heap --output /nowhere/report", "cannot create /nowhere/report", 3),
    ],
)
def test_errors_name_the_line(made: Any, line: str, message: str, status: int) -> None:
    """The others run all the same, and the gravest status is the shell's."""
    done = script(f"heap\n\n{line}\nheap", *target(made))
    assert f"spanwalk: line 3: {message}" in done.stderr
    assert done.stdout == 2 * spanwalk("heap", *target(made)).stdout
    assert done.status == status


@pytest.mark.needs_go
def test_the_gravest_status_counts(planted: Any) -> None:
    findings = "leak-roots --fail-on P3 --output /dev/null\n"
    assert script(findings, *target(planted)).status == 1
    assert script(f"{findings}bogus\nheap", *target(planted)).status == 2
    assert script("who-holds 1\nbogus\n", *target(planted)).status == 3
    assert script(f"quit\n{findings}", *target(planted)).status == 0


def test_status_tells_of_the_command_before(made: Any) -> None:
    done = script("status\nbogus\nstatus\nheap --output /dev/null\nstatus\n", *target(made))
    assert re.findall("last command: (.*)", done.stdout) == ["0, done", "2, wrong usage", "0, done"]


def test_output_goes_to_a_file(made: Any, tmp_path: Path) -> None:
    path = tmp_path / "a report.json"
    done = script(f"heap --json --output '{path}'\n", *target(made))
    assert (done.stdout, done.stderr, done.status) == ("", "", 0)
    assert path.read_text() == spanwalk("heap", *target(made), "--json").stdout


def test_help(made: Any) -> None:
    done = script("help\nhelp find\nfind --help\n", *target(made))
    assert "leak-roots" in done.stdout
    assert "takes a new view of a running process" in done.stdout
    assert done.stdout.count("usage: find TYPE [options]\n") == 2
    assert "--sysroot" not in done.stdout
    assert "--sysroot" in spanwalk("shell", "--help").stdout
    assert spanwalk("help", "shell").stdout == spanwalk("shell", "--help").stdout
    assert "shell" in spanwalk("help").stdout


@pytest.mark.parametrize(
    ("words", "message", "status"),
    [
        ([], "no target", 2),
        (["/nowhere/core"], "cannot open the core /nowhere/core", 3),
        (["{core}", "--json"], "--json is for one command", 2),
        (["--pid", "999999999999"], "no such process number", 2),
    ],
)
def test_a_shell_without_a_target(made: Any, words: list[str], message: str, status: int) -> None:
    done = script("heap\n", *(word.format(core=made.core) for word in words))
    assert message in done.stderr
    assert (done.stdout, done.status) == ("", status)


def test_interrupt_ends_a_script(made: Any) -> None:
    process = subprocess.Popen(
        [str(PROGRAM), "shell", *map(str, target(made))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdin and process.stdout
    process.stdin.write("status\n")
    assert process.stdout.readline().startswith("core ")
    assert process.stdout.readline().startswith("last command: ")
    process.send_signal(signal.SIGINT)  # while it waits for a line
    # A shell shows both as 130: it had begun to wait for the next line, or not yet.
    assert process.wait(timeout=30) in (130, -signal.SIGINT)
    process.communicate()


# ---- at a terminal ----


class Terminal:
    """`spanwalk shell` on a terminal of its own."""

    def __init__(self, state: Path, *words: object) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            [str(PROGRAM), "shell", *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm", "PATH": "/usr/bin:/bin", "XDG_STATE_HOME": str(state)},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.read = ""
        self.expect(PROMPT)

    def send(self, text: str) -> None:
        os.write(self.master, text.encode())

    def expect(self, text: str, seconds: float = 60) -> str:
        """What came up to `text`, which has to come."""
        end = time.monotonic() + seconds
        while text not in self.read:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.read[-2000:]!r}"
            if select.select([self.master], [], [], left)[0]:
                self.read += os.read(self.master, 65536).decode()
        before, _, self.read = self.read.partition(text)
        return before

    def run(self, line: str) -> str:
        """What a whole line prints up to the next prompt, as lines end in a file."""
        self.send(f"{line}\n")
        self.expect("\r\n")
        return self.expect(PROMPT).replace("\r\n", "\n")

    def end(self, text: str) -> int:
        self.send(text)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def begin(*words: object) -> Terminal:
        opened.append(Terminal(tmp_path, *words))
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


def test_prompt(made: Any, terminal: Callable[..., Terminal]) -> None:
    shell = terminal(*target(made))
    assert "objects hold" in shell.run("heap --limit 1")
    assert "spanwalk: unknown command bogus" in shell.run("bogus")
    assert "last command: 2, wrong usage" in shell.run("status")
    assert shell.end("\x04") == 0


@pytest.mark.parametrize("word", ["quit", "exit"])
def test_quit(made: Any, terminal: Callable[..., Terminal], word: str) -> None:
    assert terminal(*target(made)).end(f"{word}\n") == 0


def test_history_is_kept(made: Any, terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    first = terminal(*target(made))
    first.run("heap-types --limit 1")
    assert first.end("quit\n") == 0
    history = tmp_path / "spanwalk" / "history"
    assert history.read_text() == "heap-types --limit 1\nquit\n"
    assert history.stat().st_mode & 0o777 == 0o600
    second = terminal(*target(made))
    second.send("\x1b[A\x1b[A\n")  # two lines up
    assert "next: leak-roots" in second.expect(PROMPT)


def test_long_history_is_cut(made: Any, terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    history = tmp_path / "spanwalk" / "history"
    history.parent.mkdir()
    history.write_text("".join(f"find t{number}\n" for number in range(2500)))
    assert terminal(*target(made)).end("quit\n") == 0
    lines = history.read_text().split()[1::2]
    assert lines[0] == "t1500"
    assert len(lines) == 1000
    assert history.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("ver\t", "verify "),
        ("leak\t--b\tpa\t", "leak-roots --by package "),
        ("leak-roots --by=ro\t", "leak-roots --by=root "),
        ("heap --js\t", "heap --json "),
        ("help who\t", "help who-holds "),
        ("find main.rec\t", "find main.record "),
        ("find 'main.rec\t", "find 'main.record' "),
        ("find --limit 1 main.rec\t", "find --limit 1 main.record "),
        ("heap --output {folder}/a\t", "heap --output {folder}/a\\ file "),
        ("heap --output={folder}/b\t", "heap --output={folder}/blanks\\ too/"),
    ],
)
def test_completion(
    made: Any, terminal: Callable[..., Terminal], tmp_path: Path, typed: str, completed: str
) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "blanks too").mkdir()
    shell = terminal(*target(made))
    # What is typed goes into the history as it stands.
    shell.send(typed.format(folder=tmp_path) + "#\n")
    shell.expect(PROMPT)
    assert shell.end("quit\n") == 0
    line, _ = (tmp_path / "spanwalk" / "history").read_text().splitlines()
    assert line == completed.format(folder=tmp_path) + "#"


def test_completion_lists_what_there_is(made: Any, terminal: Callable[..., Terminal]) -> None:
    shell = terminal(*target(made))
    shell.send("leak-roots --by \t")
    assert "package  root     type" in shell.expect(f"{PROMPT}leak-roots --by ")
    shell.send("\x03")
    shell.expect(PROMPT)
    shell.send("heap \t")  # nothing can stand there
    shell.expect("\x07")


def test_interrupt_at_the_prompt(made: Any, terminal: Callable[..., Terminal]) -> None:
    shell = terminal(*target(made))
    for _ in range(3):
        shell.send("what is typ\x03")
        shell.expect(PROMPT)
    assert "objects hold" in shell.run("heap")


@pytest.mark.needs_go
def test_interrupt_ends_the_command_only(
    planted: Any, terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    """Ctrl-C in the middle of an analysis; the next command starts afresh and is right."""
    shell = terminal(*target(planted), "--threads", 1)
    for delay in (0.1, 0.2, 0.3, 0.4):
        shell.send("leak-roots\n")
        time.sleep(delay)
        shell.send("\x03")
        shell.expect(PROMPT)
        if "130, interrupted" in shell.run("status"):
            break
    else:
        pytest.fail("it was done before it was interrupted")
    shell.run(f"leak-roots --json --output {tmp_path}/report")
    alone = spanwalk("leak-roots", *target(planted), "--json").stdout
    assert (tmp_path / "report").read_text() == alone
    assert shell.end("\x04") == 0


@pytest.mark.needs_go
def test_interrupt_ends_a_completion(planted: Any, terminal: Callable[..., Terminal]) -> None:
    """The types of a heap take a while; what was typed stays."""
    shell = terminal(*target(planted), "--threads", 1)
    shell.send("find nothing\t")
    time.sleep(0.2)
    shell.send("\x03")
    shell.expect("\x07")
    shell.send("-like-it\n")
    assert "no object has the type nothing-like-it" in shell.expect(PROMPT)


def test_stopped_and_continued(made: Any, terminal: Callable[..., Terminal]) -> None:
    """A line goes on where it was, and keys still mean what they mean to an editor."""
    shell = terminal(*target(made))
    shell.send("he")
    shell.expect("he")
    for _ in range(2):
        shell.process.send_signal(signal.SIGSTOP)
        mode = termios.tcgetattr(shell.master)
        mode[3] |= termios.ICANON | termios.ECHO  # as another program may leave it
        termios.tcsetattr(shell.master, termios.TCSANOW, mode)
        shell.process.send_signal(signal.SIGCONT)
        shell.expect("he")
    shell.send("xx\x7f\x7fap\n")
    assert "objects hold" in shell.expect(PROMPT)


# ---- running processes ----


@pytest.mark.needs_go
def test_a_process_is_seen_as_it_was(start: Callable[..., Any]) -> None:
    """All commands see one moment until `refresh`, and what has ended can be looked at still."""
    process = start("bigheap", NEWEST, args=["-objects", "20000"])
    shell = subprocess.Popen(
        [str(PROGRAM), "shell", "--pid", str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    assert shell.stdin and shell.stdout

    def live() -> int:
        assert shell.stdin and shell.stdout
        shell.stdin.write("heap\nstatus\n")
        text = ""
        while "last command" not in text:
            line = shell.stdout.readline()
            assert line, text
            text += line
        assert f"process {process.pid}, as it was " in text
        match = re.search(r"^live objects +([\d,]+)$", text, re.MULTILINE)
        assert match, text
        return int(match[1].replace(",", ""))

    before = live()
    process.command("drop leak")
    assert live() == before
    shell.stdin.write("refresh\n")
    after = live()
    assert after < before
    process.stop()
    shell.stdin.write("refresh\n")
    assert "has ended" in shell.stdout.readline()
    assert "stays" in shell.stdout.readline()
    assert live() == after
    shell.communicate("quit\n")


@pytest.mark.needs_go
def test_the_prompt_tells_the_age(
    terminal: Callable[..., Terminal], start: Callable[..., Any]
) -> None:
    process = start("lists", NEWEST)
    shell = terminal("--pid", process.pid)
    shell.send("heap\n")
    shell.expect(f"spanwalk {process.pid} (")
    assert re.fullmatch(r"\d+ s", shell.expect(" old)> "))
