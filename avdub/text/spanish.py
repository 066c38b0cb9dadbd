"""Spanish words to phonemes: letters to sounds, stress, and what words do to their neighbours.

The phonemes are those that Kokoro's Spanish voices were taught with: IPA with the diphthongs A I W
as single letters, b d ɡ as β ð ɣ where they are soft, and stress before the vowel. Numbers and
abbreviations are words already (`spanish_words`).
"""
# ruff: noqa: SIM905 - long lists of words read better as text

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

CLITICS = frozenset(
    "el la los las lo de del a al en con por sin tras y e o u que si quien se me te le les nos "
    "os mi mis tu tus su sus".split()
)
HALF_STRESSED = frozenset(
    "para sobre donde porque desde como cuando hasta hacia pero entre aunque mientras ante bajo "
    "quienes cuanto cuanta cuantos cuantas nuestro nuestra nuestros nuestras "
    "vuestro vuestra vuestros vuestras".split()
)
MENTE_VERBS = frozenset(
    "vehemente inclemente clemente incremente implemente complemente atormente fermente reglamente "
    "desmente".split()
)

RESPELLED = dict(
    entry.split("=")
    for entry in (
        "méxico=méjico mexicano=mejicano mexicana=mejicana mexicanos=mejicanos "
        "mexicanas=mejicanas texas=tejas oaxaca=oajaca pizza=pitsa pizzas=pitsas jazz=yas "
        "show=shou shows=shous software=sóftuer hardware=járduer email=imeil mail=meil "
        "google=gúguel facebook=féisbuk youtube=yutub twitter=tuíter whatsapp=uatsap "
        "instagram=ínstagram online=onlain marketing=márketing parking=párking "
        "jeans=yins hobby=jobi sandwich=sánduich sándwich=sánduich "
        "washington=uáshinton wifi=uifi web=ueb york=york john=yon johnny=yoni michael=máikel "
        "mike=maik jack=yak james=yeims george=yorsh charlie=chárli smith=esmiz album=álbum "
        "okay=okéi ok=okéi hello=jelou baby=beibi stop=estop spam=espam stress=estrés "
        "ipad=áipad iphone=áifon netflix=nétflix tiktok=tíktok bluetooth=blutuz mozart=mótsart "
        "hollywood=jóliwud shakespeare=shéspir thriller=zríler hacker=jáker hall=jol "
        "william=uíliam hitler=jítler jackson=yakson psoe=pesoe mcdonalds=macdónals "
        "hamburger=jámburguer ballet=balé chalet=chalé jersey=jerséi"
    ).split()
)
_SOFT = "(?=[eiéíy])"
_CONSONANTS = tuple(
    (re.compile(pattern), sounds)
    for pattern, sounds in (
        (r"^(?:ps|x)(?=.)", "s"),
        (r"^[pt](?=[tsnm])|^[mg](?=n)|^h(?=n)", ""),
        (r"ck", "k"),
        (r"ng$", "ŋ"),
        (r"ph", "f"),
        (r"ch", "ʧ"),
        (r"(?<!de)sh", "ʃ"),
        (r"ll$|ll(?=[^aeiouáéíóú])", "l"),
        (r"ll", "ʎ"),
        (r"rr|^r|(?<=[nls])r", "r"),
        (r"r", "ɾ"),
        (rf"qu{_SOFT}", "k"),
        (rf"gu{_SOFT}", "ɡ"),
        (rf"g{_SOFT}|j", "x"),
        (rf"cc{_SOFT}", "kθ"),
        (rf"c{_SOFT}", "θ"),
        (r"zz|tz", "ʦ"),
        (r"ny(?=[aeiouáéíóú])", "ɲ"),
        (r"y(?=[aeiouáéíóú])", "ʝ"),
        (r"(?<=.)p(?=t)", "pː"),
        (r"ss|s(?=s)", "s"),
        (r"(?<=.)x", "ks"),
        *((rf"{c}{c}?", sound) for c, sound in zip("cqkgvbwz", "kkkɡbbwθ", strict=True)),
        *((rf"{c}{c}?", c) for c in "dfptlm"),
        *((c, sound) for c, sound in zip("nsñxç", "nsɲxs", strict=True)),
    )
)
_VOWEL = re.compile("[aeiouáéíóúü]")
_PLAIN = str.maketrans("áéíóúü", "aeiouu")
_GLIDES = {"i": "j", "u": "w"}
_FALLING = {"ai": "I", "ei": "A", "oi": "oɪ", "au": "W", "eu": "eʊ", "ou": "ow", "ui": "uj"}
_CLAUSES = re.compile(r'( ?[;:,.!?—…"()“”][;:,.!?—…"()“” ]*)')
_ALLOPHONES = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"n(?= ?(?:[bp]|f[lɾ]))", "m"),
        (r"n(?= ?ɡ)|n(?=x)", "ŋ"),
        (r"(?:(?<=[^ nmŋ])|(?<=[^ nmŋ] ))b", "β"),
        (r"(?<=[^ nmŋ])d|(?<=[^ nmŋ] )d(?!w[ˈˌ])", "ð"),
        (r"(?:(?<=[^ nmŋ])|(?<=[^ nmŋ] ))ɡ", "ɣ"),
        (r"β(?= ?[tnmdðkɡɣβ]|$)", "b"),
        (r"ɣ(?= ?[nmdð]|$)", "ɡ"),
        (r"ð(?=[^aeiouAIWɛjwɾrsxβˈˌ ]|$| [^aeiouAIWɛˈˌ])", "d"),
    )
)


@dataclass(frozen=True)
class Nucleus:
    """A vowel that bears a syllable: its sounds, its letter, and whether spelling counts it."""

    sounds: str
    letter: str
    counts: bool = True


Piece = str | Nucleus  # consonants and glides, or a vowel


def to_phonemes(text: str, seseo: bool = False) -> str:
    """Words and punctuation, numbers written out → phonemes. `seseo`: as in Latin America."""
    said = []
    for n, part in enumerate(_CLAUSES.split(text)):
        said.append(part if n % 2 else _clause(part.split()))
    phonemes = "".join(said).strip()
    return phonemes.replace("sθ", "s").translate(_LATIN_AMERICAN) if seseo else phonemes


_LATIN_AMERICAN = str.maketrans("θʎ", "sʝ")


def _clause(words: Sequence[str]) -> str:
    """What is said in one breath: weak words lean on the next, so the last is never weak."""
    said = []
    for n, word in enumerate(words):
        mark = "ˈ"
        if n < len(words) - 1 or word in ("y", "e", "u"):
            mark = "" if word in CLITICS else "ˌ" if word in HALF_STRESSED else "ˈ"
        said.append(_word(word, mark))
    phonemes = " ".join(said)
    for pattern, sound in _ALLOPHONES:
        phonemes = pattern.sub(sound, phonemes)
    return phonemes


@cache
def _word(word: str, mark: str) -> str:
    """One lower-case word with `mark` before its stressed vowel; b d ɡ n as if it stood alone."""
    word = RESPELLED.get(word, word)
    stem = word.removesuffix("mente")
    is_adverb = len(word) > len(stem) > 2 and stem[-1] in "aelrnzs" and word not in MENTE_VERBS
    pieces = _pieces(stem if is_adverb else word)
    stressed = {_stressed(word if not is_adverb else stem, pieces)}
    if is_adverb:
        stressed.add(len(pieces) + 1)
        pieces += ["m", Nucleus("e", "é"), "nt", Nucleus("e", "e")]
    return "".join(_with_stress(pieces, stressed, mark))


def _with_stress(pieces: Sequence[Piece], stressed: set[int], mark: str) -> list[str]:
    """The sounds, with the main stresses as `mark` and every other free vowel half-stressed."""
    nuclei = [n for n, piece in enumerate(pieces) if isinstance(piece, Nucleus)]
    marks = dict.fromkeys(stressed & set(nuclei), mark)
    hard = [Nucleus(letter, letter, counts=False) for letter in "iu"]
    for before, here, after in zip([-1, *nuclei], nuclei, nuclei[1:], strict=False):
        is_free = not {before, here, after} & marks.keys() and pieces[here] not in hard
        if mark == "ˈ" and is_free:
            marks[here] = "ˌ"
    said = []
    for n, piece in enumerate(pieces):
        sounds = piece if isinstance(piece, str) else piece.sounds
        if marks.get(n) == "ˈ" and _is_open_e(pieces, n):
            sounds = "ɛ"
        said.append(marks.get(n, "") + sounds)
    return said


def _is_open_e(pieces: Sequence[Piece], n: int) -> bool:
    """Whether a stressed e is closed by n: "gente", not "tren"; a written accent keeps it."""
    here, after = pieces[n], "".join(p if isinstance(p, str) else "." for p in pieces[n + 1 :])
    is_plain = isinstance(here, Nucleus) and here.letter == here.sounds == "e"
    return is_plain and re.match(r"n[^.jw]", after) is not None


def _stressed(word: str, pieces: Sequence[Piece]) -> int:
    """Which piece bears the stress by the rules of spelling; -1 where there is no vowel."""
    nuclei = [(n, piece) for n, piece in enumerate(pieces) if isinstance(piece, Nucleus)]
    for n, piece in nuclei:
        if piece.letter in "áéíóú":
            return n
    counted = [n for n, piece in nuclei if piece.counts] or [n for n, _ in nuclei]
    is_early = re.search("[aeiouns]h?$|[^aeiou]y$", word) is not None and len(counted) > 1
    return counted[-2 if is_early else -1] if counted else -1


def _pieces(word: str) -> list[Piece]:
    """A word's sounds before stress. Of weak vowels beside others some glide, some do not."""
    pieces: list[Piece] = []
    at = 0
    while at < len(word):
        if word[at] == "h" and not word.startswith("ch", at - 1):
            at += 1
        elif _VOWEL.match(word, at) or (word[at] == "y" and not _VOWEL.match(word, at + 1)):
            at += _vowel(word, at, pieces)
        else:
            at += _consonant(word, at, pieces)
    return pieces


def _consonant(word: str, at: int, pieces: list[Piece]) -> int:
    """Append the consonant at `at`; returns how many letters it took."""
    for pattern, sounds in _CONSONANTS:
        found = pattern.match(word, at)
        if found and (at == 0 or not pattern.pattern.startswith("^(")):
            pieces.append(sounds)
            return len(found[0])
    return 1


def _vowel(word: str, at: int, pieces: list[Piece]) -> int:
    """Append the vowel at `at`, with a glide that falls from it; returns the letters it took."""
    letter, after = word[at], word[at + 1 : at + 2]
    plain = "i" if letter == "y" else letter.translate(_PLAIN)
    sounds_next = _VOWEL.match(after) is not None
    if letter in "iuü" and sounds_next and after.translate(_PLAIN) != plain:
        if letter == "ü" or _is_hard_to_glide(pieces):
            pieces.append(Nucleus(plain, letter, counts=False))
        else:
            pieces.append(_GLIDES[plain])
        return 1
    falls = after in ("i", "u") or (after == "y" and at + 2 == len(word))
    glides_on = _VOWEL.match(word[at + 2 : at + 3]) is not None
    pair = plain + ("i" if after == "y" else after)
    if letter not in "áéíóú" and falls and not glides_on and pair in _FALLING:
        pieces.append(Nucleus(_FALLING[pair], letter))
        return 2
    leans = letter in "iuy" and re.search("[aeoáéó]h?$", word[:at]) is not None
    pieces.append(Nucleus(plain, letter, counts=not leans))
    return 1


def _is_hard_to_glide(pieces: Sequence[Piece]) -> bool:
    """A weak vowel stays one after rr, a first l or a group with l or r: "ruido", "cliente"."""
    if not pieces or not isinstance(pieces[-1], str):
        return False
    if len(pieces) == 1 and pieces[0] in ("l", "ʎ"):
        return True
    last = pieces[-1]
    before = pieces[-2] if len(pieces) > 1 else None
    return last == "r" or (last in ("ɾ", "l") and isinstance(before, str) and before not in "jw")
