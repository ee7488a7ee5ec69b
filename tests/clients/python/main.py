"""redis-py with its default settings."""

import os
import time

import redis

here = redis.from_url(os.environ["BATON_REDIS"], decode_responses=True)
peer = redis.from_url(os.environ["BATON_REDIS_PEER"], decode_responses=True)


def soon(holds, what):
    """Waits until something has come to the other pod."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def strings_are_kept_with_their_deadlines_on_both_pods():
    assert here.set("py:ann", "apple", ex=100)
    assert here.set("py:ann", "pear", nx=True) is None
    soon(lambda: peer.get("py:ann") == "apple", "the other pod has not got it")
    assert 98 <= peer.ttl("py:ann") <= 100
    assert here.mset({"py:a": 1, "py:b": 2}) and here.mget("py:a", "py:b", "py:c") == ["1", "2", None]
    assert here.getdel("py:a") == "1" and here.get("py:a") is None


def additions_count():
    assert here.incr("py:n") == 1 and here.incrby("py:n", 41) == 42
    soon(lambda: peer.get("py:n") == "42", "the sum has not come")
    assert peer.decr("py:n") == 41


def hashes_sets_and_sorted_sets_hold_what_they_are_given():
    assert here.hset("py:cart", mapping={"apple": 2, "pear": 1}) == 2
    assert here.hincrby("py:cart", "apple", 3) == 5 and here.hgetall("py:cart") == {"apple": "5", "pear": "1"}
    assert here.sadd("py:tags", "a", "b") == 2 and here.smembers("py:tags") == {"a", "b"}
    assert here.zadd("py:board", {"ann": 3, "bob": 1.5}) == 2
    assert here.zrange("py:board", 0, -1, withscores=True) in ([("bob", 1.5), ("ann", 3.0)], [["bob", 1.5], ["ann", 3.0]])
    assert here.zincrby("py:board", 2, "ann") == 5


def a_pipeline_and_a_transaction_answer_in_order():
    pipe = here.pipeline(transaction=False)
    assert pipe.set("py:p", 1).incr("py:p").get("py:p").execute() == [True, 2, "2"]
    pipe = here.pipeline(transaction=True)
    assert pipe.set("py:p", 5).incr("py:p").execute() == [True, 6]


def a_watched_key_that_changes_ends_the_transaction():
    here.set("py:w", 1)
    with here.pipeline() as pipe:
        pipe.watch("py:w")
        here.set("py:w", 2)
        pipe.multi()
        pipe.set("py:w", 3)
        try:
            pipe.execute()
            raise AssertionError("it was executed")
        except redis.WatchError:
            pass


def messages_reach_subscribers_of_the_other_pod():
    listener = peer.pubsub()
    listener.subscribe("py-news")
    assert listener.get_message(timeout=30)["type"] == "subscribe"
    here.publish("py-news", "hello")
    message = listener.get_message(timeout=30)
    assert message and message["data"] == "hello", message
    listener.close()


def a_scan_yields_each_key_once():
    here.mset({f"py:scan:{n}": n for n in range(200)})
    found = list(here.scan_iter("py:scan:*", count=17))
    assert len(found) == 200 and len(set(found)) == 200, len(found)


def what_cannot_be_kept_is_refused_in_words():
    try:
        here.lpush("py:list", 1)
        raise AssertionError("it was taken")
    except redis.ResponseError as error:
        assert "not supported" in str(error), error
    try:
        here.hset("py:ann", "field", 1)
        raise AssertionError("it was taken")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error), error


def main():
    print(f"client redis-py {redis.__version__}")
    checks = [value for value in globals().values() if callable(value) and getattr(value, "__module__", None) == "__main__"]
    for check in checks:
        if check in (soon, main):
            continue
        try:
            check()
            print(f"ok {check.__name__}")
        except Exception as error:  # noqa: BLE001: whatever it is, the others are still of interest
            print(f"not ok {check.__name__}: {type(error).__name__}: {error}")


main()
