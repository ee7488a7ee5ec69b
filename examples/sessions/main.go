// Games that run on one pod each, and on another when that pod ends: Go's standard library and the agent's HTTP API.
//
// The pod that starts a game owns it. When the pod ends or crashes, one survivor is told `adopted`, with the game as it was
// and a token. The token goes with every write, so that a pod that was taken for dead and was not cannot disturb the game.
//
//	POST /games/{id}    starts a game here
//	GET  /games         what runs here: {"chess-1": 17}, the moves of each
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

var agent = environment("BATON_URL", "http://127.0.0.1:7070")

// A Game as the group keeps it.
type Game struct {
	Moves int `json:"moves"`
}

// Entry is a row of a list, or what an event shows of a key.
type Entry struct {
	Map   string `json:"map"`
	Key   string `json:"key"`
	JSON  *Game  `json:"json"`
	Token string `json:"token"`
	New   *struct {
		JSON *Game `json:"json"`
	} `json:"new"`
	Owner *struct {
		Token string `json:"token"`
	} `json:"owner"`
}

// Table has the games that run here, each with the token of the last who was told to run it.
type Table struct {
	sync.Mutex
	games  map[string]Game
	tokens map[string]string
}

func main() {
	table := &Table{games: map[string]Game{}, tokens: map[string]string{}}
	started := make(chan struct{})
	go table.follow(started)
	<-started
	http.HandleFunc("POST /games/{id}", func(out http.ResponseWriter, request *http.Request) {
		id := request.PathValue("id")
		token, status := put(url.PathEscape(id)+"?claim=true", Game{}, "If-None-Match", "*")
		if status == http.StatusCreated {
			table.run(id, Game{}, token)
		}
		out.WriteHeader(status)
	})
	http.HandleFunc("GET /games", func(out http.ResponseWriter, _ *http.Request) {
		table.Lock()
		defer table.Unlock()
		moves := map[string]int{}
		for id, game := range table.games {
			moves[id] = game.Moves
		}
		json.NewEncoder(out).Encode(moves)
	})
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(":"+environment("PORT", "8080"), nil))
}

// Runs a game from where it was.
func (table *Table) run(id string, game Game, token string) {
	table.Lock()
	running := table.tokens[id]
	if token > running {
		table.games[id], table.tokens[id] = game, token
	}
	table.Unlock()
	if token > running {
		go table.play(id, game, token)
	}
}

// A move every tenth of a second. A move is one when another pod has it, too.
func (table *Table) play(id string, game Game, token string) {
	for range time.Tick(100 * time.Millisecond) {
		game.Moves++
		_, status := put(url.PathEscape(id), game, "Baton-Token", token)
		table.Lock()
		mine := table.tokens[id] == token
		if mine && status < 300 {
			table.games[id] = game
		}
		table.Unlock()
		if status == http.StatusConflict || !mine {
			table.stop(id, token)
			return
		}
		if status >= 300 {
			game.Moves--
		}
	}
}

// It runs elsewhere, or not at all.
func (table *Table) stop(id, token string) {
	table.Lock()
	defer table.Unlock()
	if table.tokens[id] == token {
		delete(table.games, id)
		delete(table.tokens, id)
	}
}

// Follows what this pod is to run. The watch comes first and the list then, so that nothing is missed.
func (table *Table) follow(started chan struct{}) {
	for {
		watch, err := http.Get(agent + "/v1/watch?map=games&events=adopted,released")
		if err == nil {
			table.resume()
			if started != nil {
				close(started)
				started = nil
			}
			table.read(watch)
			watch.Body.Close()
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func (table *Table) read(watch *http.Response) {
	lines := bufio.NewScanner(watch.Body)
	lines.Buffer(nil, 16<<20)
	var kind string
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			kind = text
		case "data":
			var event Entry
			if json.Unmarshal([]byte(text), &event) == nil {
				table.hear(kind, event)
			}
		}
	}
}

func (table *Table) hear(kind string, event Entry) {
	id, _ := url.PathUnescape(event.Key)
	switch {
	case kind == "adopted" && event.New != nil && event.New.JSON != nil:
		table.run(id, *event.New.JSON, event.Token)
		confirm(event.Key, event.Token)
	case kind == "released":
		table.stop(id, event.Token)
	case kind == "resync":
		table.resume()
	}
}

// Goes on with what this pod owns: after a crash of this process, and where the watch has lost something.
func (table *Table) resume() {
	cursor := ""
	for {
		var page struct {
			Owned  []Entry `json:"owned"`
			Cursor string  `json:"cursor"`
		}
		answer, err := http.Get(agent + "/v1/owned?values=plain&limit=1000" + cursor)
		if err != nil {
			return
		}
		err = json.NewDecoder(answer.Body).Decode(&page)
		answer.Body.Close()
		for _, row := range page.Owned {
			if row.Map == "games" && row.JSON != nil && row.Owner != nil {
				id, _ := url.PathUnescape(row.Key)
				table.run(id, *row.JSON, row.Owner.Token)
				confirm(row.Key, row.Owner.Token)
			}
		}
		if err != nil || page.Cursor == "" {
			return
		}
		cursor = "&cursor=" + page.Cursor
	}
}

// Puts a game, with one header; the answer has the token of a claim.
func put(path string, game Game, header, value string) (string, int) {
	body, _ := json.Marshal(game)
	return send("PUT", path, body, header, value)
}

func confirm(key, token string) {
	send("POST", key+":confirm", nil, "Baton-Token", token)
}

func send(method, path string, body []byte, header, value string) (string, int) {
	request, err := http.NewRequest(method, fmt.Sprint(agent, "/v1/maps/games/entries/", path), bytes.NewReader(body))
	if err != nil {
		return "", http.StatusBadRequest
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(header, value)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", http.StatusServiceUnavailable
	}
	answer.Body.Close()
	return answer.Header.Get("Baton-Token"), answer.StatusCode
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
