"""Two dubs started at once, on one cache and one output.

`python -m tests.together` does so several times and tells how each ended; exit code 1 if an output
was not the whole one, a second replaced a first unasked, or the cache was damaged.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.kills import OUTPUT, Rig

REFUSED = ("appeared while it was being made", "another run is writing", "already exists")
FORCED = 2  # pairs of runs with --force, over an older output


def at_once(rig: Rig, name: str, *more: str) -> tuple[list[str], list[str]]:
    """How two dubs of the same ended, and what is wrong; with --force, over an older output."""
    folder = rig.folder(name)
    forced = "--force" in more
    if forced:
        (folder / OUTPUT).write_bytes(b"an older output")
    runs = [rig.run(folder, *more) for _ in range(2)]
    ends, wrong = [], []
    for run in runs:
        code, shown = run.end()
        reason = next((words for words in REFUSED if words in shown), "")
        lines = [line.split(":")[0] for line in shown.splitlines() if line]
        if code == 0:
            ends.append("done")
        elif code == 3 and reason and lines == ["error", "hint"]:
            ends.append(reason)
        else:
            wrong.append(f"exit code {code}: {shown}")
    n_done = ends.count("done")
    if n_done == 0 or (n_done == 2 and not forced):
        wrong.append(f"{n_done} of two were done")
    wrong += rig.differences(folder) + rig.cache_faults(folder.with_suffix(".cache"))
    return ends, wrong


def main() -> int:
    """Start two at once as often as asked, and some with --force; print how they ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.together")
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    root = Path(tempfile.mkdtemp(prefix="together"))
    how: dict[str, Counter[str]] = {"": Counter(), "--force": Counter()}
    n_wrong = 0
    try:
        rig = Rig(root)
        for n in range(times + FORCED):
            option = "--force" if n >= times else ""
            ends, wrong = at_once(rig, f"pair{n}", *option.split())
            how[option][" and ".join(sorted(ends))] += 1
            n_wrong += bool(wrong)
            if wrong:
                sys.stderr.write(f"pair {n} {option}: {wrong}\n")
    finally:
        shutil.rmtree(root)
    print("| two at once | they ended with | times |\n|---|---|---|")
    for option, ends_of in how.items():
        for words, count in ends_of.items():
            print(f"| {option or 'no --force'} | {words} | {count} |")
    print(f"\n{times + FORCED} pairs, {n_wrong} went wrong.")
    return bool(n_wrong)


if __name__ == "__main__":
    raise SystemExit(main())
