"""Sentences for the teacher voices to read: everyday speech, written by a small seeded grammar.

Prompts of real corpora are few and old-fashioned; a dub says modern, short and odd things. The
grammar gives questions, orders, numbers, names and lists; `word_salad` adds rare words so that
every phoneme pair is heard. It must not know any development or test sentence.
"""
# ruff: noqa: SIM905 - long lists of phrases read better as text

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path

SUBJECTS = (
    "the teacher|my neighbour|our old friend|the young doctor|his sister|a tall stranger|"
    "the captain|"
    "her grandmother|the whole team|somebody|the manager|this company|the little boy|"
    "my cousin Anna|"
    "Mister Brown|the new student|that journalist|an engineer|the waiter|everyone in the room|"
    "the woman next door|your father|Peter|Sophie|the pilot|a local farmer|the committee chair"
).split("|")
PAST_VERBS = (
    "found|painted|sold|forgot|opened|carried|finished|described|borrowed|repaired|noticed|brought|"
    "wrapped|published|moved|counted|photographed|cleaned|ordered|watched|bought|lost|hid|measured|"
    "broke|fixed|explained|ignored|replaced|remembered|examined|delivered|collected|pushed"
).split("|")
OBJECTS = (
    "the blue bicycle|a heavy box|three letters|the kitchen window|an expensive camera|"
    "the wrong key|"
    "two bottles of water|a map of the city|the final report|his favourite jacket|"
    "a bunch of flowers|"
    "the broken chair|a small wooden boat|the biggest apple|my phone|the front page|a cup of tea|"
    "several photographs|the black umbrella|an empty bag|the garden gate|a pair of shoes|some soup|"
    "the birthday present|a piece of chocolate|their passports|the purple curtain|half the money|"
    "the television|a very long message|the piano|both pictures|the museum tickets|a box of pepper"
).split("|")
PLACES = (
    "in the kitchen|behind the station|on the way home|near the river|at the airport|"
    "under the table|"
    "in front of the church|outside the hospital|by the sea|on the third floor|in the old library|"
    "across the street|at the market|inside the car|beyond the hills|between the two houses|"
    "at the bottom of the page|in the middle of the village|above the shop|along the beach"
).split("|")
TIMES = (
    "this morning|yesterday|last Friday|an hour ago|before breakfast|after the meeting|"
    "every summer|"
    "in November|on Tuesday evening|at half past seven|during the storm|when the rain stopped|"
    "two weeks later|just in time|as soon as possible|the day before|for the first time|"
    "at midnight|"
    "in the spring of 1998|on the fourth of May|by the end of the year|once again"
).split("|")
ADJECTIVES = (
    "quiet|strange|beautiful|dangerous|simple|warm|very cold|bright|soft|impossible|famous|busy|"
    "cheap|narrow|perfectly round|rather dull|huge|gentle|obvious|unusual|empty|noisy|fresh|thick"
).split("|")
THINGS = (
    "weather|story|music|house|problem|film|road|bread|voice|answer|mountain|picture|journey|"
    "winter|question|coffee|bridge|garden|plan|machine|language|future|boat|game|water|job"
).split("|")
QUESTIONS = (
    "where did {s} put {o}|why was the {t} so {a}|who {v} {o} {w}|can you show me {o}|"
    "would you mind waiting {p}|have you ever seen such a {a} {t}|what happened {w}|"
    "how much is {o}|do you think {s} {v} {o}|is there a {t} {p}|when will {s} come back|"
    "which {t} do you prefer, the {a} one or the {b} one|did you hear that|how old is {s}|"
    "could we meet {p} {w}|are you sure about the {t}|shouldn't we call {s} first"
).split("|")
ORDERS = (
    "please put {o} {p}|don't forget {o}|give {s} {o}|come here and look at the {t}|"
    "leave {o} {p}, thank you|be careful with the {t}|stop worrying about the {t}|"
    "take the second left {p}|tell {s} the truth|let me see {o}|wait, that's my {t}|"
    "just bring {o} and we'll be fine|keep the {t} {a}|never touch {o} again|think about it {w}"
).split("|")
STATEMENTS = (
    "{s} {v} {o} {p}|{s} {v} {o} {w}|{w}, {s} {v} {o}|the {t} was {a} and the {u} was {b}|"
    "I think {s} {v} {o}, but I'm not sure|{s} said that the {t} would be {a}|"
    "we had never heard such a {a} {t}|there is a {a} {t} {p}|if the {t} is {a}, {s} will be happy|"
    "{s} {v} {o}, and {r} {x} {q}|nobody {v} {o} until {s} {x} {q}|it was {a}, {b} and {c}|"
    "I'd rather have {o} than {q}|the {t}, which {s} {v} {w}, was {a}|"
    "maybe the {t} isn't {a} after all|because {s} {v} {o}, we stayed {p}|"
    "my {t} is better than your {u}|you can buy {o} {p} for {n} pounds|"
    "{s} lives {p} with {n} dogs and a parrot|about {n} people came to see the {t}|"
    "chapter {n} describes a {a} {t}|the train leaves at {h} from platform {d}|"
    "in {y}, {s} {v} {o}|he weighs {n} kilos and she weighs {m}|call me on {d}, {e}, {f}, {d}, {e}|"
    "{n} percent of the {t} is {a}|that's {a}|what a {a} {t}|yes, of course|no, not {w}|"
    "thank you very much for {o}|well, {s} {v} {o}|oh, the {t} again|excuse me, this is my {t}"
).split("|")


def make_sentences(n: int, seed: int) -> list[str]:
    """`n` distinct sentences; the same seed gives the same list."""
    rng = random.Random(seed)
    kinds = ((STATEMENTS, "."), (STATEMENTS, "."), (QUESTIONS, "?"), (ORDERS, "."))
    found: dict[str, None] = {}
    while len(found) < n:
        forms, end = kinds[rng.randrange(len(kinds))]
        body = rng.choice(forms).format(**_fill(rng))
        ending = "!" if end == "." and rng.random() < 0.07 else end
        found[body[0].upper() + body[1:] + ending] = None
    return list(found)


def word_salad(words: Sequence[str], n: int, seed: int) -> list[str]:
    """`n` lists of five to nine dictionary words, for phoneme coverage."""
    rng = random.Random(seed)
    plain = sorted(w for w in words if w.isascii() and w.isalpha() and w.islower() and len(w) > 2)
    lines = []
    for _ in range(n):
        picked = rng.sample(plain, rng.randint(5, 9))
        if len(picked) > 6:
            picked[3] += ","
        lines.append(" ".join(picked).capitalize() + ".")
    return lines


def _fill(rng: random.Random) -> dict[str, str]:
    a, b, c = rng.sample(ADJECTIVES, 3)
    t, u = rng.sample(THINGS, 2)
    s, r = rng.sample(SUBJECTS, 2)
    o, q = rng.sample(OBJECTS, 2)
    v, x = rng.sample(PAST_VERBS, 2)
    numbers = {k: str(rng.randint(2, 99)) for k in "nm"} | {
        k: str(rng.randint(0, 9)) for k in "def"
    }
    hour = f"{rng.randint(1, 12)}:{rng.choice(('15', '30', '45', '10', '52'))}"
    year = str(rng.randint(1850, 2030))
    words = dict(a=a, b=b, c=c, t=t, u=u, s=s, r=r, o=o, q=q, v=v, x=x, h=hour, y=year)
    return words | numbers | {"p": rng.choice(PLACES), "w": rng.choice(TIMES)}


def read_prompts(listings: Sequence[Path]) -> list[str]:
    """The texts of `file|text` listings."""
    lines = (line for listing in listings for line in listing.read_text("utf-8").splitlines())
    return [line.split("|", 1)[1] for line in lines if "|" in line]


def sentences_for(prompts: Sequence[str], counts: tuple[int, int, int], seed: int) -> list[str]:
    """Prompts (all of them, or a sample), grammar sentences and word lists, `counts` of each."""
    n_prompts, n_made, n_words = counts
    rng = random.Random(seed)
    chosen = list(prompts) if n_prompts >= len(prompts) else rng.sample(list(prompts), n_prompts)
    return chosen + make_sentences(n_made, seed) + word_salad(_dictionary(), n_words, seed)


def _dictionary() -> list[str]:
    import hibari

    file = Path(hibari.__file__).parent / "assets" / "lexicon_us_gold.json.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lexicon:
        return list(json.load(lexicon))
