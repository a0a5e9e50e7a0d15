"""`pip install .` builds what `make` builds and installs it: the Python module, one file for the
stable ABI of Python 3.9 and later, the package of its type stubs, and the program `spanwalk`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

from distutils.command.build_scripts import build_scripts  # setuptools' own copy of it

HERE = Path(__file__).resolve().parent


def version() -> str:
    header = (HERE / "native/command/version.h").read_text()
    match = re.search(r'SW_VERSION "(.+)"', header)
    assert match
    return match[1]


def make(folder: str, target: str) -> Path:
    """Has the Makefile build one file into a folder; returns the file."""
    built = Path(folder).resolve() / target
    jobs = f"-j{os.cpu_count() or 1}"
    subprocess.run(
        ["make", "-C", HERE, jobs, f"BUILD={built.parent}", f"PYTHON={sys.executable}", built],
        check=True,
    )
    return built


class BuildModule(build_ext):
    def build_extension(self, ext: Extension) -> None:
        built = make(self.build_temp, "spanwalk.abi3.so")
        target = Path(self.get_ext_fullpath(ext.name))
        stubs = target.parent / "spanwalk-stubs"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(built, target)
        if not self.inplace:
            stubs.mkdir(exist_ok=True)
            shutil.copy2(HERE / "native/python/spanwalk.pyi", stubs / "__init__.pyi")


class BuildProgram(build_scripts):
    """The program goes where scripts go."""

    def run(self) -> None:
        built = make(self.get_finalized_command("build").build_temp, "spanwalk")
        Path(self.build_dir).mkdir(parents=True, exist_ok=True)
        shutil.copy2(built, self.build_dir)

    def get_source_files(self) -> list[str]:
        return []


class StableWheel(bdist_wheel):
    def finalize_options(self) -> None:
        self.py_limited_api = "cp39"
        super().finalize_options()


setup(
    version=version(),
    ext_modules=[Extension("spanwalk", sources=[], py_limited_api=True)],
    # The source of the one script, which BuildProgram builds; a name is needed for it to run.
    scripts=["native/cli/main.c"],
    packages=[],
    cmdclass={
        "build_ext": BuildModule,
        "build_scripts": BuildProgram,
        "bdist_wheel": StableWheel,
    },
)
