"""Changes to JSON by someone who knows that it is JSON: GeoJSON and project files."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from typing import Any

Json = Any  # whatever a JSON text says
_HOSTILE: tuple[Json, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    10**400,
    -1e308,
    1e-320,
    float("nan"),
    float("inf"),
    "",
    "\0",
    "\ud800",
    "../../../../etc/passwd",
    "..\\..\\x",
    "file:///etc/passwd",
    "file://server/share/%2e%2e/x.svs",
    "Tumor: ",
    ": ",
    "ROI",
    "Tumor: Predicted",
    "x" * 70_000,
    [],
    {},
    [[]],
    [[[[]]]],
    [None],
    {"": None},
    {"names": [], "color": [1]},
    {"type": "GeometryCollection", "geometries": []},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]},
    [1e300, 1e300],
    ["1", "2"],
)
_MOST_PLACES = 50_000
_KEYS = (
    "type",
    "id",
    "geometry",
    "properties",
    "objectType",
    "classification",
    "entryID",
    "uri",
    "builderType",
    "x",
    "",
)


def mutate_json(data: bytes, chance: random.Random) -> bytes:
    """Return the text with one to three of its values changed.

    The data come back unchanged where they are no JSON, or became too deep to be written.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(chance.choice((1, 1, 2, 3))):
        document = _changed(document, chance)
        if len(list(islice(_places(document), _MOST_PLACES))) == _MOST_PLACES:  # repeats of repeats: enough
            break
    try:
        return _text(document).encode("utf-8", "surrogatepass")
    except RecursionError:  # one hostile nest within another
        return data


def _text(document: Json) -> str:
    return json.dumps(document, ensure_ascii=False)


def _changed(document: Json, chance: random.Random) -> Json:
    places = list(islice(_places(document), _MOST_PLACES))
    if not places or chance.random() < 0.02:
        return deepcopy(chance.choice(_HOSTILE))
    container, key = chance.choice(places)
    _change(container, key, document, chance)
    return document


def _places(document: Json) -> Iterator[tuple[Json, Json]]:
    work = [document]
    while work:
        item = work.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        for key in keys:
            yield item, key
            work.append(item[key])


def _change(container: Json, key: Json, document: Json, chance: random.Random) -> None:
    value = container[key]
    match chance.randrange(8):
        case 0 | 1:
            container[key] = deepcopy(chance.choice(_HOSTILE))
        case 2:
            del container[key]
        case 3:
            container[key] = _nested(value, chance)
        case 4:
            _repeat(container, key, chance)
        case 5:
            other, place = chance.choice(list(islice(_places(document), _MOST_PLACES)))
            container[key] = json.loads(_text(other[place]))
        case 6:
            _rename(container, key, chance)
        case _:
            container[key] = _near(value, chance)


def _nested(value: Json, chance: random.Random) -> Json:
    for _ in range(chance.choice((1, 2, 300))):
        value = [value] if chance.random() < 0.5 else {"childObjects": value}
    return value


def _repeat(container: Json, key: Json, chance: random.Random) -> None:
    if isinstance(container, list):
        container.extend([container[key]] * chance.choice((1, 3, 200)))
    else:
        container[str(key) + "2"] = container[key]


def _rename(container: Json, key: Json, chance: random.Random) -> None:
    if isinstance(container, dict):
        container[chance.choice(_KEYS)] = container.pop(key)
    else:
        chance.shuffle(container)


def _near(value: Json, chance: random.Random) -> Json:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return chance.choice((-value, value + 1, value * 10**9, str(value), [value]))
    if isinstance(value, str):
        return chance.choice((value[:-1], value.upper(), value + value, value + "\x07", [value], {"name": value}))
    return chance.choice((len(value), str(value)[:50], [value], {}))
