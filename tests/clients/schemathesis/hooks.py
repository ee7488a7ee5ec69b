"""What the document cannot say about a request: what is there already, and what goes with what."""

import os
from itertools import count

import requests
import schemathesis

# What a request in the right form is told because of what is there, or is not.
OF_THE_STATE = {"not_an_integer", "overflow", "too_few_members"}

# What a request in the right form is told because of what the form cannot say.
OF_THE_REQUEST = {
    # Which value goes with which operation, and that all keys are of one shard.
    "POST /v1/batch": {"bad_batch", "bad_etag", "bad_key", "bad_field", "several_shards"},
    # A cursor of this list holds a key in the form of the wire.
    "GET /v1/owned": {"bad_cursor"},
    # A presence ends with one thing; and its key and its `ref` together are at most 1,024 bytes.
    "PUT /v1/maps/{map}/presences/{topic}/{key}": {"bad_query", "bad_field"},
    "DELETE /v1/maps/{map}/presences/{topic}/{key}": {"bad_field"},
    # A prefix without a map.
    "GET /v1/watch": {"bad_query"},
}

# The number of no replica, which a pattern would have to leave out of all others.
NOBODY = "0" * 16

session = requests.Session()
turns = count()


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Leaves out answers that are right although the document does not let one expect them."""
    kind = failure.__class__.__name__
    if kind == "AllowHeaderMismatch":
        # What ends like an action may be a key too.
        return "}:" not in case.operation.path
    if kind not in ("RejectedPositiveData", "ServerError"):
        return True
    # An answer to HEAD has no words.
    if response.status_code == 412:
        return False
    headers = [str(value) for value in (case.headers or {}).values()]
    # Schemathesis takes an empty header for one in the right form, whatever its pattern.
    if any(not value.strip() or NOBODY in value for value in headers) or NOBODY in str(case.body):
        return response.status_code != 400
    try:
        code = response.json()["code"]
    except (ValueError, KeyError):
        return True
    return code not in OF_THE_STATE | OF_THE_REQUEST.get(case.operation.label, set())


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts something where every second request looks."""
    place = case.operation.path.split("/")[4:]
    if case.method == "PUT" or not place or place[0] == "keys" or next(turns) % 2:
        return
    path = case.formatted_path
    if "}:" in case.operation.path:
        path = path.rsplit(":", 1)[0]
    if place[0] == "counters":
        path = path.replace("/counters/", "/entries/", 1)
    if len(place) == 1 or (len(place) == 2 and place[0] in ("hashes", "sets", "presences")):
        path += "/ann"
    body = b"{}" if place[0] == "presences" else b"5"
    session.put(os.environ["BATON_URL"] + path, data=body, timeout=20)
