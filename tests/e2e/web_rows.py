"""Rows of the DICOMweb tables: what a section of the standard asks of a server, in one request.

    {"section": "PS3.18 8.3.4", "what": "…", "request": ("GET", path, {header: value}), "expect": {…}}

expect, all of which must hold: status (one or several), type (media type), warning (a part of it, or None),
count (of a JSON array), has and lacks (keys in every item of it), values (of its first item: {key: Value}),
order ([Value of a key, in this order]), and check (a function of the answer that raises). Written with
row(); tests/peers/compare.py runs them against other servers.
"""
import pytest


def row(section, what, request, **expect):
    if isinstance(request, str):
        request = ("GET", request, {})
    return {"section": section, "what": what, "request": request, "expect": expect}


def get(path, accept=0, **headers):
    """accept: None for none at all."""
    if accept != 0:
        headers["Accept"] = accept
    return ("GET", path, headers)


def parametrize(rows):
    return pytest.mark.parametrize("row", rows, ids=["%s %s" % (r["section"], r["what"]) for r in rows])


def pending(*rows):
    """Not there yet: reported, but no failure."""
    for r in rows:
        r["pending"] = True
    return list(rows)


def value(item, key):
    return item.get(key, {}).get("Value")


def send(client, r):
    method, path, headers = r["request"][:3]
    body = r["request"][3] if len(r["request"]) > 3 else None
    return client(method, path, body, **{k.replace("-", "_"): v for k, v in headers.items()})


def check_json(expect, answer):
    items = answer.json() if answer.status != 204 else []
    if "count" in expect:
        assert len(items) == expect["count"], "%d items: %.300r" % (len(items), items)
    for item in items:
        for key in expect.get("has", ()):
            assert key in item, "no %s in %.600r" % (key, item)
        for key in expect.get("lacks", ()):
            assert key not in item, "%s is in an item" % key
    for key, wanted in expect.get("values", {}).items():
        assert value(items[0], key) == wanted, "%s: %r" % (key, items[0].get(key))
    for key, wanted in expect.get("order", {}).items():
        found = [value(i, key)[0] for i in items]
        assert found == wanted, "%s: %r" % (key, found)


def check(client, r):
    if not r.get("pending"):
        return check_now(client, r)
    try:
        return check_now(client, r)
    except AssertionError as e:
        pytest.xfail("pending: " + str(e)[:100])


def check_now(client, r):
    expect, answer = r["expect"], send(client, r)
    status = expect.get("status", 200)
    assert answer.status in ([status] if isinstance(status, int) else status), repr(answer)
    if "type" in expect:
        assert answer.type == expect["type"], answer.header("content-type")
    if "warning" in expect:
        found = answer.header("warning")
        if expect["warning"] is None:
            assert found is None, found
        else:
            assert found and expect["warning"] in found, found
    if {"count", "has", "lacks", "values", "order"} & set(expect):
        check_json(expect, answer)
    if "check" in expect:
        expect["check"](answer)
