"""The part of JSON Schema that the manifest's schema uses, written down anew for tests."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

SCHEMA = json.loads((files("avdub.jobs") / "manifest.schema.json").read_text(encoding="utf-8"))
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
KNOWN = {
    *("$schema", "title", "description", "$defs", "$ref", "oneOf", "type", "const", "enum"),
    *("required", "additionalProperties", "properties", "items", "minimum", "pattern"),
}


def problems(value: Any, schema: dict[str, Any] = SCHEMA, at: str = "$") -> Iterator[str]:
    """What is wrong with a value, a sentence each."""
    assert schema.keys() <= KNOWN, f"this checker does not know {schema.keys() - KNOWN}"
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from problems(value, SCHEMA["$defs"][name], at)
    if "oneOf" in schema:
        each = [list(problems(value, one, at)) for one in schema["oneOf"]]
        if sum(not found for found in each) != 1:
            yield f"{at} fits not exactly one: {each}"
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{at} is not of type {schema['type']}"
        return
    yield from _of_plain(value, schema, at)
    if isinstance(value, dict):
        yield from _of_object(value, schema, at)
    if isinstance(value, list) and "items" in schema:
        for n, each in enumerate(value):
            yield from problems(each, schema["items"], f"{at}[{n}]")


def _of_plain(value: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    if "const" in schema and value != schema["const"]:
        yield f"{at} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is none of {schema['enum']}"
    if isinstance(value, int | float) and value < schema.get("minimum", value):
        yield f"{at} is below {schema['minimum']}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{at} does not look like {schema['pattern']}"


def _of_object(value: dict[str, Any], schema: dict[str, Any], at: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at} lacks {name}"
    known = schema.get("properties", {})
    more = schema.get("additionalProperties", True)
    for name, each in value.items():
        if name in known:
            yield from problems(each, known[name], f"{at}.{name}")
        elif more is False:
            yield f"{at} has an unknown {name}"
        elif isinstance(more, dict):
            yield from problems(each, more, f"{at}.{name}")


def _is(value: Any, wanted: str | list[str]) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    return any(isinstance(value, TYPES[name]) and not isinstance(value, bool) for name in names)
