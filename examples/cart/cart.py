"""A shop's carts, kept in memory that outlives its pods: redis-py, and nothing that knows of Baton.

A cart is a hash with a field for each item. Additions that two pods make at the same time all count. It ends twelve hours
after it was begun.

    GET    /carts/ann                {"apple": 2}
    POST   /carts/ann/apple          one more of it; ?by=3, ?by=-1
    DELETE /carts/ann/apple
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import redis

KEPT = 12 * 3600

# A field that is no item: it has the deadline before there is one.
BEGUN = ""

store = redis.from_url(os.environ.get("BATON_REDIS", "redis://127.0.0.1:6379"), decode_responses=True)


def cart(user):
    fields = store.hgetall(f"carts:{user}").items()
    items = {item: int(count) for item, count in fields if item != BEGUN}
    return {item: count for item, count in items.items() if count > 0}


def add(user, item, by):
    # One round trip: the answer comes when another pod has all of it. A new item gets the deadline of the cart; an item to
    # which two pods have added would take no other.
    pipe = store.pipeline(transaction=False)
    pipe.hsetnx(f"carts:{user}", BEGUN, "")
    pipe.expire(f"carts:{user}", KEPT, nx=True)
    pipe.hincrby(f"carts:{user}", item, by)
    return pipe.execute()[-1]


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _ = self.request_path()
        if path == ["healthz"]:
            return self.answer({})
        self.answer(cart(path[1]))

    def do_POST(self):
        (_, user, item), query = self.request_path()
        self.answer({item: add(user, item, int(query.get("by", ["1"])[0]))})

    def do_DELETE(self):
        (_, user, item), _ = self.request_path()
        store.hdel(f"carts:{user}", item)
        self.answer(cart(user))

    def request_path(self):
        url = urlsplit(self.path)
        return [unquote(part) for part in url.path.strip("/").split("/")], parse_qs(url.query)

    def answer(self, body):
        body = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Shop).serve_forever()
