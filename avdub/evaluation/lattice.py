"""Written text that may be read in several ways, and the fewest edits between two such texts.

What is written ("10:30") has readings ("ten thirty", "half past ten"); none of them is an error, so
two texts are as far apart as their nearest readings are.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Reading = tuple[str, ...]  # words; none for what may go unspoken
Written = tuple[Reading, ...]  # one written thing by its readings, the usual one first
Lattice = list[list[tuple[int, str]]]  # by node: (earlier node, label), "" where nothing is said

LONGEST_JOIN = 5  # neighbours that may be one word on the other side: "u s a" and "usa"
_Step = tuple[int, int, str, str]  # the nodes before it in both lattices, and its labels
_EDIT = 1_000_000  # edits come first, then few labels


def readings(*texts: str) -> Written:
    """Readings given as words with blanks between, without repetitions."""
    return tuple(dict.fromkeys(tuple(text.split()) for text in texts))


@dataclass(frozen=True)
class Abbreviations:
    """What a language shortens: `plain` with a dot or without one, `dotted` only with a dot, as
    these are words otherwise."""

    plain: Mapping[str, str | Written]
    dotted: Mapping[str, str]

    def word(self, token: str) -> Written:
        """A word, or what it is short for."""
        word = token.rstrip(".")
        if token.endswith(".") and word in self.dotted:
            return readings(word, self.dotted[word])
        return self._known(word) or readings(word)

    def letters(self, token: str) -> Written:
        """Letters with dots between them: short for something, a word, or spelled."""
        letters = token.replace(".", "")
        return (*self._known(letters), *readings(letters, " ".join(letters)))

    def _known(self, word: str) -> Written:
        found = self.plain.get(word, ())
        return readings(found) if isinstance(found, str) else found


def usual(written: Iterable[Written]) -> list[str]:
    """The words of the first reading of everything."""
    return [word for each in written for word in each[0]]


def word_lattice(written: Sequence[Written], known: Collection[str] = ()) -> Lattice:
    """Words on the arcs. Neighbours that make a word of `known` together may be one word too."""
    lattice: Lattice = [[]]
    borders = [0]
    for each in written:
        borders.append(_append(lattice, each))
    for first in range(len(written)):
        for last in range(first + 2, min(first + LONGEST_JOIN, len(written)) + 1):
            joined = "".join(usual(written[first:last]))
            if joined in known:
                lattice[borders[last]].append((borders[first], joined))
    return lattice


def nearest(wanted: Lattice, got: Lattice) -> tuple[list[str], list[str], int]:
    """The labels of the two nearest readings and the edits between them.

    Substitutions, insertions and deletions count one each; of equally near readings of `wanted`
    one with the fewest labels is taken.
    """
    table: list[list[int]] = []
    back: dict[tuple[int, int], _Step] = {}
    for u in range(len(wanted)):
        table.append([])
        for v in range(len(got)):
            moves = list(_moves(table, wanted[u], got[v], (u, v)))
            cost, back[u, v] = min(moves, default=(0, (0, 0, "", "")))
            table[u].append(cost)
    ours, theirs = list[str](), list[str]()
    u, v = len(wanted) - 1, len(got) - 1
    while u or v:
        u, v, x, y = back[u, v]
        ours.append(x)
        theirs.append(y)
    edits = table[-1][-1] // _EDIT
    return [x for x in reversed(ours) if x], [y for y in reversed(theirs) if y], edits


def distance(a: Sequence[object], b: Sequence[object]) -> int:
    """Levenshtein distance of two sequences."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            cost = min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
            diagonal, row[j] = row[j], cost
    return row[-1]


def _moves(
    table: list[list[int]],
    into_u: list[tuple[int, str]],
    into_v: list[tuple[int, str]],
    at: tuple[int, int],
) -> Iterator[tuple[int, _Step]]:
    """Every last step to the nodes `at`, each after the cost of all up to and with it."""
    u, v = at
    for p, x in into_u:
        yield table[p][v] + (_EDIT + 1 if x else 0), (p, v, x, "")
        for q, y in into_v:
            if x and y:
                yield table[p][q] + 1 + _EDIT * (x != y), (p, q, x, y)
    for q, y in into_v:
        yield table[u][q] + (_EDIT if y else 0), (u, q, "", y)


def _append(lattice: Lattice, alternatives: Iterable[Reading]) -> int:
    """Add one written thing after the last node; the number of the new last node."""
    start, into_end = len(lattice) - 1, list[tuple[int, str]]()
    for labels in alternatives:
        at = start
        for label in labels[:-1]:
            lattice.append([(at, label)])
            at = len(lattice) - 1
        into_end.append((at, labels[-1] if labels else ""))
    lattice.append(into_end)
    return len(lattice) - 1
