"""The page at /docs: the HTTP interface in words and examples, made from its OpenAPI description.

No script and nothing from elsewhere, so that it opens offline and under the content security policy.
"""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

METHODS = ("get", "post", "patch", "put", "delete")
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem }
:root { color-scheme: light dark }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.1rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top; font-weight: inherit }
tr + tr { border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent) }
pre { padding: .6rem .8rem; overflow: auto; border-radius: .4rem }
pre { background: color-mix(in srgb, currentColor 7%, transparent) }
summary { cursor: pointer }
"""


def reference_page(description: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI description."""
    info, schemas = description["info"], description.get("components", {}).get("schemas", {})
    routes = "".join(
        route(method.upper(), path, operations[method], schemas)
        for path, operations in description["paths"].items()
        for method in METHODS
        if method in operations
    )
    shapes = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{prose(schema.get('description', ''))}</p>{fields(schema)}</details>"
        for name, schema in sorted(schemas.items())
    )
    title = escape(f"{info['title']} {info['version']}: HTTP interface")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs/style.css"></head>'
        f"<body><h1>{title}</h1><p>{prose(info.get('description', ''))}</p>"
        f'<p>For programs: <a href="/openapi.json">/openapi.json</a></p>{routes}<h2>Shapes</h2>{shapes}</body></html>'
    )


def route(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """One route: what it does, what it takes, what it gives."""
    parts = [f"<h2><code>{method} {escape(path)}</code></h2>", f"<p><b>{escape(operation.get('summary', ''))}.</b> "]
    parts.append(f"{prose(operation.get('description', ''))}</p>")
    rows = [
        (parameter["name"], kind_of(parameter["schema"]), parameter["schema"].get("description", ""))
        for parameter in operation.get("parameters", [])
    ]
    if rows:
        parts.append(table(rows))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        parts.append(f"<p>Takes {linked(body)}.</p>")
        parts += [f"<pre>{escape(example)}</pre>" for example in curls(method, path, body, schemas)]
    for status, given in operation.get("responses", {}).items():
        schema = given.get("content", {}).get("application/json", {}).get("schema")
        if status.startswith("2"):
            parts.append(f"<p>Gives {status}{' ' + linked(schema) if schema else ''}.</p>")
    return "".join(parts)


def curls(method: str, path: str, body: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    """A command for each example of the body's shape."""
    for name in names_in(body):
        for example in schemas.get(name, {}).get("examples", []):
            data = json.dumps(example, ensure_ascii=False)
            yield f"curl -X {method} http://127.0.0.1:8000{path} -H 'Content-Type: application/json' -d '{data}'"


def names_in(schema: Any) -> Iterator[str]:
    """Names of the shapes that a schema points to."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from names_in(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from names_in(value)


def fields(schema: Mapping[str, Any]) -> str:
    needed = set(schema.get("required", []))
    rows = [
        (name + ("" if name in needed else "?"), kind_of(field), field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]
    return table(rows) if rows else ""


def kind_of(schema: Mapping[str, Any]) -> str:
    """The type of a field in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(option) for option in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "any"))


def linked(schema: Mapping[str, Any]) -> str:
    """The type with links to its shapes."""
    text = escape(kind_of(schema))
    for name in dict.fromkeys(names_in(schema)):
        text = text.replace(escape(name), f'<a href="#{escape(name)}"><code>{escape(name)}</code></a>', 1)
    return text


def table(rows: list[tuple[str, str, str]]) -> str:
    lines = (
        f"<tr><th><code>{escape(name)}</code></th><td>{escape(kind)}</td><td>{prose(text)}</td></tr>"
        for name, kind, text in rows
    )
    return f"<table>{''.join(lines)}</table>"


def prose(text: str) -> str:
    """Text with `code` marked as code."""
    pieces = escape(text).split("`")
    return "".join(piece if place % 2 == 0 else f"<code>{piece}</code>" for place, piece in enumerate(pieces))
