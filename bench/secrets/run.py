#!/usr/bin/env python
"""Recall, precision and speed of redaction beside gitleaks and detect-secrets: same files, same run.

Usage: run.py [RESULT.json] [--labelled FOLDER] [--logs ARCHIVE.tar.xz]

Without --labelled the set is generated from templates (`generated.py`), and the output says so. FOLDER holds source files
and `labels.jsonl` with a line for each label: {"path": "a/b.py", "line": 3, "secret": true}. A tool finds a line when any
of its findings touches it. Recall: secret lines found of all. Precision: secret lines among all lines that a tool reports
anywhere in the folder. The logs are ordinary CI logs: every finding in them counts as a false replacement, real ones too.
The peers come from the package index into `peer/.venv` once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.secrets.generated import generated
from bot.redaction import Redactor

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = HERE / "peer" / ".venv"
LOGS = ROOT.parent / "shared" / "data" / "ci-logs-dev.tar.xz"

Lines = Mapping[str, frozenset[int]]
"""Line numbers (from one) that a tool reports, by path."""

Labels = Mapping[tuple[str, int], bool]


@dataclass(frozen=True)
class Figures:
    """What one tool reaches. ``mb_per_second``: a whole run of its command over the logs."""

    recall: float
    precision: float
    found: int
    false: int
    mb_per_second: float | None = None
    false_per_10_mb: float | None = None


def command_of(name: str, folder: Path, report: Path) -> list[str]:
    """What is run, in ``folder``. ``report``: where gitleaks writes what the others print."""
    if name == "conductor":
        files = map(str, files_of(folder))
        return [sys.executable, "-m", "bot.cli.main", "redact", "--json", *files]
    if name == "gitleaks":
        options = ["--no-banner", "--exit-code", "0", "--log-level", "error", "--report-format", "json"]
        return [str(PEERS / "bin/gitleaks"), "dir", str(folder), *options, "--report-path", str(report)]
    return [str(PEERS / "bin/detect-secrets"), "scan", "--all-files", "--no-verify", "."]


def files_of(folder: Path) -> list[Path]:
    """Every file of a folder, in order."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def run(name: str, folder: Path) -> tuple[Lines, float]:
    """What a tool reports with its defaults, asking no network, and how many seconds its command took."""
    with tempfile.TemporaryDirectory() as scratch:
        report, printed = Path(scratch, "report.json"), Path(scratch, "printed")
        command = command_of(name, folder, report)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with printed.open("wb") as output:
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=output, stderr=subprocess.DEVNULL, cwd=folder, env=environment)
            seconds = time.perf_counter() - started
        found: dict[str, set[int]] = {}
        for path, numbers in READERS[name](folder, report if name == "gitleaks" else printed):
            found.setdefault(path, set()).update(numbers)
    return {path: frozenset(numbers) for path, numbers in found.items()}, seconds


def read_conductor(folder: Path, printed: Path) -> Iterator[tuple[str, range]]:
    """Lines of `conductor redact --json`: one file a line, spans in characters."""
    for path, line in zip(files_of(folder), printed.read_text().splitlines(), strict=True):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        for match in json.loads(line)["found"]:
            first = text.count("\n", 0, match["start"]) + 1
            last = first + text.count("\n", match["start"], match["end"])
            yield str(path.relative_to(folder)), range(first, last + 1)


def read_gitleaks(folder: Path, report: Path) -> Iterator[tuple[str, range]]:
    """Lines of gitleaks' report."""
    for one in json.loads(report.read_text()):
        yield str(Path(one["File"]).relative_to(folder)), range(one["StartLine"], one["EndLine"] + 1)


def read_detect_secrets(_folder: Path, printed: Path) -> Iterator[tuple[str, range]]:
    """Lines of detect-secrets' baseline."""
    for path, ones in json.loads(printed.read_text())["results"].items():
        for one in ones:
            yield str(Path(path)), range(one["line_number"], one["line_number"] + 1)


READERS: Mapping[str, Callable[[Path, Path], Iterator[tuple[str, range]]]] = {
    "conductor": read_conductor,
    "gitleaks": read_gitleaks,
    "detect-secrets": read_detect_secrets,
}


def install_peers() -> None:
    """Brings the peers, pinned, into their own environment, once."""
    wanted = (HERE / "peer" / "requirements.txt").read_text()
    stamp = PEERS / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    venv.create(PEERS, with_pip=True, clear=True)
    pip = [str(PEERS / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq"]
    subprocess.run([*pip, "-r", str(HERE / "peer" / "requirements.txt")], check=True)
    stamp.write_text(wanted)


def write_generated(folder: Path) -> Labels:
    """Writes the generated set and says where its secrets are."""
    labels: dict[tuple[str, int], bool] = {}
    for sample in generated():
        path = folder / sample.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(sample.lines) + "\n")
        labels |= {(sample.name, line): secret for line, secret in sample.labels.items()}
    return labels


def read_labels(folder: Path) -> Labels:
    """The labels of a folder's ``labels.jsonl``."""
    found = map(json.loads, (folder / "labels.jsonl").read_text().splitlines())
    return {(one["path"], one["line"]): one["secret"] for one in found}


def score(labels: Labels, lines: Lines) -> Figures:
    """Recall and precision by line."""
    secrets = {place for place, secret in labels.items() if secret}
    reported = {(path, line) for path, numbers in lines.items() for line in numbers if path != "labels.jsonl"}
    found, false = len(secrets & reported), len(reported - secrets)
    return Figures(found / len(secrets), found / max(1, found + false), found, false)


def in_process(folder: Path) -> float:
    """MB a second of one `Redactor` in one thread, without the command's start."""
    texts = [path.read_bytes().decode("utf-8", "surrogateescape") for path in files_of(folder)]
    redactor = Redactor()
    started = time.perf_counter()
    for text in texts:
        redactor.redact(text)
    return sum(map(len, texts)) / 1e6 / (time.perf_counter() - started)


def measure(labelled: Path, labels: Labels, logs: Path | None) -> dict[str, Figures]:
    """Every tool on the labelled folder and on the logs, one after the other."""
    size = sum(path.stat().st_size for path in files_of(logs)) / 1e6 if logs else 0.0
    figures: dict[str, Figures] = {}
    for name in READERS:
        figures[name] = score(labels, run(name, labelled)[0])
        if logs is not None:
            lines, seconds = run(name, logs)
            false = sum(len(numbers) for numbers in lines.values()) / size * 10
            figures[name] = replace(figures[name], mb_per_second=size / seconds, false_per_10_mb=false)
    return figures


def main() -> None:
    """Measures, prints and, where asked, writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", nargs="?", type=Path)
    parser.add_argument("--labelled", type=Path)
    parser.add_argument("--logs", type=Path, default=LOGS)
    given = parser.parse_args()
    install_peers()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.labelled.resolve() if given.labelled else Path(scratch, "labelled")
        labels = read_labels(folder) if given.labelled else write_generated(folder)
        logs = Path(scratch, "logs") if given.logs.is_file() else None
        if logs is not None:
            with tarfile.open(given.logs) as archive:
                archive.extractall(logs, filter="data")
        figures = measure(folder, labels, logs)
        alone = None if logs is None else in_process(logs)
    source = f"the labelled folder {given.labelled}" if given.labelled else "a set GENERATED from templates"
    print(f"secrets: {sum(labels.values())} secret lines and {len(labels) - sum(labels.values())} others of {source}")
    for name, one in figures.items():
        print(
            f"  {name:15} recall {one.recall:.3f}  precision {one.precision:.3f}  ({one.found} found, {one.false} false)"
        )
    if logs is None:
        print(f"no CI logs at {given.logs}: speed and false replacements are not measured")
    else:
        print(f"CI logs of {given.logs.name}: whole command, all its threads")
        for name, one in figures.items():
            print(f"  {name:15} {one.mb_per_second:6.1f} MB/s  {one.false_per_10_mb:6.2f} lines reported per 10 MB")
        print(f"  conductor in one process and thread, without its start: {alone:.1f} MB/s")
    if given.result:
        shown = {name: asdict(one) for name, one in figures.items()}
        given.result.write_text(json.dumps({"figures": shown, "in_process_mb_per_second": alone}, indent=2) + "\n")


if __name__ == "__main__":
    main()
