// Go-redis with its default settings.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

func connect(variable string) *redis.Client {
	options, err := redis.ParseURL(os.Getenv(variable))
	if err != nil {
		panic(err)
	}
	return redis.NewClient(options)
}

func ensure(holds bool, what ...any) {
	if !holds {
		panic(fmt.Sprint(what...))
	}
}

// Waits until something has come to the other pod.
func soon(holds func() bool, what string) {
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		ensure(time.Now().Before(deadline), what)
	}
}

func main() {
	here, peer := connect("BATON_REDIS"), connect("BATON_REDIS_PEER")
	fmt.Println("client go-redis", strings.TrimPrefix(redis.Version(), "v"))
	check("strings are kept with their deadlines on both pods", func() {
		ensure(here.Set(ctx, "go:ann", "apple", 100*time.Second).Err() == nil, "it is not set")
		taken, err := here.SetNX(ctx, "go:ann", "pear", 0).Result()
		ensure(err == nil && !taken, err)
		soon(func() bool { return peer.Get(ctx, "go:ann").Val() == "apple" }, "the other pod has not got it")
		ensure(peer.TTL(ctx, "go:ann").Val() >= 98*time.Second, "it has another deadline")
		ensure(errors.Is(here.Get(ctx, "go:nothing").Err(), redis.Nil), "there is something")
	})
	check("additions count", func() {
		ensure(here.IncrBy(ctx, "go:n", 42).Val() == 42, "another sum")
		soon(func() bool { return peer.Get(ctx, "go:n").Val() == "42" }, "the sum has not come")
	})
	check("hashes, sets and sorted sets hold what they are given", func() {
		ensure(here.HSet(ctx, "go:cart", "apple", 2, "pear", 1).Val() == 2, "not two")
		cart := here.HGetAll(ctx, "go:cart").Val()
		ensure(reflect.DeepEqual(cart, map[string]string{"apple": "2", "pear": "1"}), cart)
		ensure(here.SAdd(ctx, "go:tags", "a", "b").Val() == 2 && here.SIsMember(ctx, "go:tags", "a").Val(), "no members")
		here.ZAdd(ctx, "go:board", redis.Z{Score: 3, Member: "ann"}, redis.Z{Score: 1.5, Member: "bob"})
		board := here.ZRangeWithScores(ctx, "go:board", 0, -1).Val()
		ensure(len(board) == 2 && board[0].Member == "bob" && board[0].Score == 1.5, board)
	})
	check("a pipeline and a transaction answer in order", func() {
		piped, err := here.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Set(ctx, "go:p", 1, 0)
			pipe.Incr(ctx, "go:p")
			return nil
		})
		ensure(err == nil && piped[1].(*redis.IntCmd).Val() == 2, err)
		done, err := here.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Set(ctx, "go:p", 5, 0)
			pipe.Incr(ctx, "go:p")
			return nil
		})
		ensure(err == nil && done[1].(*redis.IntCmd).Val() == 6, err)
	})
	check("a watched key that changes ends the transaction", func() {
		err := here.Watch(ctx, func(tx *redis.Tx) error {
			ensure(here.Set(ctx, "go:w", 2, 0).Err() == nil, "it is not set")
			_, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
				return pipe.Set(ctx, "go:w", 3, 0).Err()
			})
			return err
		}, "go:w")
		ensure(errors.Is(err, redis.TxFailedErr), err)
	})
	check("messages reach subscribers of the other pod", func() {
		listener := peer.Subscribe(ctx, "go-news")
		defer listener.Close()
		_, err := listener.Receive(ctx)
		ensure(err == nil, err)
		here.Publish(ctx, "go-news", "hello")
		message, err := listener.ReceiveMessage(ctx)
		ensure(err == nil && message.Payload == "hello", err)
	})
	check("a scan yields each key once", func() {
		for n := range 200 {
			here.Set(ctx, fmt.Sprint("go:scan:", n), n, 0)
		}
		found := map[string]bool{}
		count := 0
		for keys := here.Scan(ctx, 0, "go:scan:*", 17).Iterator(); keys.Next(ctx); count++ {
			found[keys.Val()] = true
		}
		ensure(count == 200 && len(found) == 200, count)
	})
	check("what cannot be kept is refused in words", func() {
		err := here.LPush(ctx, "go:list", 1).Err()
		ensure(err != nil && strings.Contains(err.Error(), "not supported"), err)
		err = here.HSet(ctx, "go:ann", "field", 1).Err()
		ensure(err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE"), err)
	})
}

func check(name string, body func()) {
	defer func() {
		if why := recover(); why != nil {
			fmt.Printf("not ok %s: %v\n", name, why)
			return
		}
		fmt.Println("ok", name)
	}()
	body()
}
