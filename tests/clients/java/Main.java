import java.net.URI;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;

/** Jedis with its default settings. */
public class Main {
    static final URI HERE = URI.create(System.getenv("BATON_REDIS"));
    static final URI PEER = URI.create(System.getenv("BATON_REDIS_PEER"));

    interface Body {
        void run(Jedis here, Jedis peer) throws Exception;
    }

    static void ensure(boolean holds, Object what) {
        if (!holds) throw new AssertionError(what);
    }

    /** Waits until something has come to the other pod. */
    static void soon(BooleanSupplier holds, String what) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!holds.getAsBoolean()) {
            ensure(System.nanoTime() < deadline, what);
            Thread.sleep(10);
        }
    }

    static void check(String name, Body body) {
        try (Jedis here = new Jedis(HERE); Jedis peer = new Jedis(PEER)) {
            body.run(here, peer);
            System.out.println("ok " + name);
        } catch (Throwable why) {
            System.out.println("not ok " + name + ": " + why);
        }
    }

    public static void main(String[] args) {
        System.out.println("client Jedis " + args[0]);
        check("strings are kept with their deadlines on both pods", (here, peer) -> {
            ensure("OK".equals(here.set("ja:ann", "apple", SetParams.setParams().ex(100))), "it is not set");
            ensure(here.set("ja:ann", "pear", SetParams.setParams().nx()) == null, "it is set again");
            soon(() -> "apple".equals(peer.get("ja:ann")), "the other pod has not got it");
            ensure(peer.ttl("ja:ann") >= 98, "it has another deadline");
        });
        check("additions count", (here, peer) -> {
            ensure(here.incrBy("ja:n", 42) == 42, "another sum");
            soon(() -> "42".equals(peer.get("ja:n")), "the sum has not come");
        });
        check("hashes, sets and sorted sets hold what they are given", (here, peer) -> {
            here.hset("ja:cart", Map.of("apple", "2", "pear", "1"));
            ensure(here.hgetAll("ja:cart").equals(Map.of("apple", "2", "pear", "1")), here.hgetAll("ja:cart"));
            here.sadd("ja:tags", "a", "b");
            ensure(here.smembers("ja:tags").equals(Set.of("a", "b")), here.smembers("ja:tags"));
            here.zadd("ja:board", Map.of("ann", 3.0, "bob", 1.5));
            ensure(here.zrange("ja:board", 0, -1).equals(List.of("bob", "ann")), here.zrange("ja:board", 0, -1));
        });
        check("a pipeline and a transaction answer in order", (here, peer) -> {
            var pipe = here.pipelined();
            pipe.set("ja:p", "1");
            var sum = pipe.incr("ja:p");
            pipe.sync();
            ensure(sum.get() == 2, sum.get());
            var transaction = here.multi();
            transaction.set("ja:p", "5");
            transaction.incr("ja:p");
            List<Object> done = transaction.exec();
            ensure(done.get(1).equals(6L), done);
        });
        check("a watched key that changes ends the transaction", (here, peer) -> {
            here.watch("ja:w");
            try (Jedis other = new Jedis(HERE)) {
                other.set("ja:w", "2");
            }
            var transaction = here.multi();
            transaction.set("ja:w", "3");
            ensure(transaction.exec() == null, "it was executed");
        });
        check("messages reach subscribers of the other pod", (here, peer) -> {
            var message = new CompletableFuture<String>();
            var listener = new JedisPubSub() {
                @Override
                public void onSubscribe(String channel, int count) {
                    here.publish(channel, "hello");
                }

                @Override
                public void onMessage(String channel, String text) {
                    message.complete(text);
                    unsubscribe();
                }
            };
            var thread = new Thread(() -> peer.subscribe(listener, "ja-news"));
            thread.start();
            ensure("hello".equals(message.get(30, TimeUnit.SECONDS)), "another message");
            thread.join();
        });
        check("a scan yields each key once", (here, peer) -> {
            for (int n = 0; n < 200; n++) here.set("ja:scan:" + n, "" + n);
            var found = new HashSet<String>();
            int count = 0;
            String cursor = ScanParams.SCAN_POINTER_START;
            do {
                var page = here.scan(cursor, new ScanParams().match("ja:scan:*").count(17));
                found.addAll(page.getResult());
                count += page.getResult().size();
                cursor = page.getCursor();
            } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
            ensure(count == 200 && found.size() == 200, count);
        });
        check("what cannot be kept is refused in words", (here, peer) -> {
            try {
                here.lpush("ja:list", "1");
                throw new AssertionError("it was taken");
            } catch (JedisDataException error) {
                ensure(error.getMessage().contains("not supported"), error);
            }
            try {
                here.hset("ja:ann", "field", "1");
                throw new AssertionError("it was taken");
            } catch (JedisDataException error) {
                ensure(error.getMessage().startsWith("WRONGTYPE"), error);
            }
        });
    }
}
