#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Derives from the example answers of an API reference which keys they have, and of which type.

    git clone https://opendev.org/openstack/keystone
    python3 testing/shapes/shapes.py keystone/api-ref/source > testing/shapes/keystone.txt

and so with glance and cinder. The tables are those of July 2026.

Nothing but the names of keys and the types of values is kept. `?` after a type: not every item of the list has the key.
Examples that are cut short, or are no JSON for a comma too many, are read as far as they are meant.
"""

import json
import re
import sys
from pathlib import Path

TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object", type(None): "null"}

# A key that is an id is no part of the shape, nor are the names that somebody gave to properties.
IDS = re.compile(r"^[0-9a-f]{6,}$")
NAMED = re.compile(r"^(/objects/\[\]|/namespaces/\[\])?/properties$")
# In a schema they are what it is about, and all that is kept of it: how an attribute is described is everybody's own.
NOTHING = re.compile("(?!)")
ATTRIBUTES = re.compile(r"^/name$|^(/properties/[^/]+(/items|/additionalProperties)?)*/properties(/[^/]+)?$")


def read(path):
    text = path.read_text()
    for mend in (lambda t: t, without_elisions, closed):
        text = mend(text)
        try:
            return json.loads(text)
        except ValueError:
            continue
    return None


def without_elisions(text):
    text = re.sub(r"^\s*(\.\.\.|\[\.\.\.\]|…),?\s*$", "", text, flags=re.M)
    text = re.sub(r"([}\]\"el0-9])(\s*\n\s*[\"{\[])", r"\1,\2", text)
    return re.sub(r",(\s*[}\]])", r"\1", text)


def closed(text):
    stack = []
    for character in re.sub(r'"(\\.|[^"\\])*"', "", text):
        if character in "{[":
            stack.append("}" if character == "{" else "]")
        elif character in "}]" and stack and stack[-1] == character:
            stack.pop()
    return re.sub(r",\s*$", "", text.rstrip()) + "".join(reversed(stack))


def walk(value, path, found, named):
    """Adds to `found`: path -> types."""
    if path:
        found.setdefault(path, set()).add(TYPES[type(value)])
    if isinstance(value, dict) and named.search(path):
        walk_all(value.values(), f"{path}/*", found, named)
    elif isinstance(value, dict):
        for key, item in value.items():
            key = "*" if IDS.match(key) else key
            walk(item, f"{path}/{key}", found, named)
    elif isinstance(value, list):
        walk_all(value, f"{path}/[]", found, named)


def walk_all(items, path, found, named):
    """Items of one kind: a key that some of them lack is optional."""
    of_all = [dict() for _ in items]
    for item, own in zip(items, of_all):
        walk(item, path, own, named)
    for own in of_all:
        for key, types in own.items():
            found.setdefault(key, set()).update(types)
    for key in {key for own in of_all for key in own}:
        parent = key.rsplit("/", 1)[0]
        if any(key not in own and parent in own for own in of_all):
            found[key].add("?")


def main(folder):
    print("# Made by shapes.py beside this file; see there how.")
    for path in sorted(Path(folder).rglob("*.json")):
        if not (path.name.endswith("-response.json") or path.name.startswith("list-") or "/responses/" in str(path)):
            continue
        document = read(path)
        print(f"= {path.relative_to(folder)}")
        if document is None:
            print("! not readable")
            continue
        found = {}
        walk(document, "", found, NOTHING if path.name.startswith("schemas-") else NAMED)
        for key in sorted(found):
            if path.name.startswith("schemas-") and not ATTRIBUTES.match(key):
                continue
            types = sorted(found[key] - {"?"})
            optional = "?" if "?" in found[key] else ""
            print(f"{key} {'|'.join(types)}{optional}")


if __name__ == "__main__":
    main(sys.argv[1])
