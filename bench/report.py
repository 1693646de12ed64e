"""Medians and ratios as a table, and the page that keeps them."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import time
from pathlib import Path

from engines import Podman

NOTES = "\n## What limits the figures\n"


def shown(value, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "bytes":
        return f"{value / (1 << 20):.1f} MiB"
    return f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"


def rows(works, results, names):
    """The title, medians by engine, unit and goal of each row; memory makes two."""
    for work in works:
        samples = results.get(work.key, {})
        title = work.title.format(**vars(work.size))
        if work.unit == "bytes":
            for column, kind in ((0, "RSS"), (1, "PSS")):
                medians = {name: statistics.median(sample[column] for sample in samples[name])
                           for name in names if samples.get(name)}
                yield f"{title}, {kind}", medians, "bytes", work.goal
        else:
            medians = {name: statistics.median(samples[name]) for name in names if samples.get(name)}
            yield title, medians, "s", work.goal


def ratio(medians, peer) -> str:
    if "martlet" not in medians or peer not in medians:
        return "–"
    return f"{medians['martlet'] / medians[peer]:.2f}"


def table(works, results, names) -> list[str]:
    peers = [name for name in names if name != "martlet"]
    heads = ["work", *names, *(f"÷ {peer}" for peer in peers), "to reach, ÷ dockerd", ""]
    lines = ["| " + " | ".join(heads) + " |", "| --- " + "| ---: " * (len(heads) - 2) + "| --- |"]
    for title, medians, unit, goal in rows(works, results, names):
        quotient = ratio(medians, "dockerd")
        verdict = "" if goal is None or quotient == "–" else \
            "reached" if float(quotient) <= goal else "**not reached**"
        lines.append("| " + " | ".join([
            title, *(shown(medians.get(name), unit) for name in names),
            *(ratio(medians, peer) for peer in peers), "" if goal is None else f"≤ {goal}",
            verdict]) + " |")
    return lines


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0].strip()


def machine_facts(load) -> list[str]:
    cpu = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) >> 20
    groups = "cgroup v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "cgroup v1"
    disk = said("findmnt", "-no", "FSTYPE", "-T", "/var/tmp")
    return [
        f"- {time.strftime('%Y-%m-%d %H:%M')} UTC; {os.cpu_count()} × {cpu}, {memory} GiB, {disk}, "
        f"Linux {os.uname().release}, {groups}",
        f"- load average before and after: {load[0]:.1f}, {load[1]:.1f}",
    ]


def facts(engines, load) -> list[str]:
    return [
        *machine_facts(load),
        *(f"- {engine.name}: {engine.version()}" for engine in engines),
        f"- below them: {said('runc', '--version')} "
        + ("of all" if Podman.runtime else f"({said('crun', '--version')} of podman)")
        + ", " + said("conmon", "--version"),
        f"- client: {said('docker', '--version')}",
    ]


def write_page(path: Path, lines, facts_lines, size):
    notes = ""
    if path.exists() and NOTES in path.read_text():
        notes = path.read_text()[path.read_text().index(NOTES):]
    path.write_text("\n".join([
        "# Benchmarks", "",
        "Martlet against dockerd (with its containerd) and podman: the same work on each in turn,",
        "repetition by repetition, on one machine, in one run. `make bench` writes this page;",
        "`bench/run --quick` shows in a few minutes that the bench works, and `--only KEY` runs one row.",
        "",
        f"Medians of {size.runs} repetitions, of {size.heavy} where one takes seconds. A ratio below 1",
        "means that Martlet takes less.", "",
        *facts_lines, "", *lines, "",
        "Clients are the `docker` and `podman` commands, whose own time is in the figures; only the",
        "containers that start at once are started by API requests, one connection each (podman: one",
        "process each). Podman has no daemon, so it has no idle memory. Memory is the sum over the",
        "daemon and what it keeps for its containers (conmon for Martlet and podman; containerd and its",
        "shims for dockerd), without the containers' own processes; PSS counts shared pages once.",
    ]) + "\n" + notes)
