# What Elixir's libraries for replicated state give, done with Baton over Erlang's own HTTP client: each row of
# docs/coming-from-elixir.md names a check of these.

root = Path.expand("../../../examples/elixir", __DIR__)
Code.require_file("baton.ex", root)
Code.require_file("player.ex", root)
{:ok, _} = Application.ensure_all_started(:inets)

defmodule Checks do
  import Baton

  def peer, do: System.fetch_env!("BATON_URL_PEER")

  @doc "Waits until something has come to the other pod."
  def soon(holds, left \\ 3000) do
    cond do
      holds.() -> true
      left == 0 -> raise "it does not come"
      true -> Process.sleep(10) && soon(holds, left - 1)
    end
  end

  def ensure(true), do: :ok
  def ensure(other), do: raise("it is #{inspect(other)}")
  def same(got, expected), do: if(got === expected, do: :ok, else: raise("#{inspect(got)} is not #{inspect(expected)}"))

  @doc "Asks whoever has started this program for something about agents."
  def ask(what) do
    IO.puts(what)
    IO.gets("")
  end

  @doc "Watches from now on, for as long as this process lives."
  def follow(query, pod) do
    %URI{host: host, port: port} = URI.parse(pod)
    {:ok, socket} = :gen_tcp.connect(to_charlist(host), port, [:binary, active: true])
    :ok = :gen_tcp.send(socket, "GET /v1/watch?#{query} HTTP/1.0\r\n\r\n")
    event(~r/event: start/)
  end

  def event(pattern, seen \\ "") do
    if seen =~ pattern do
      seen
    else
      receive do
        {:tcp, _, text} -> event(pattern, seen <> text)
      after
        30_000 -> raise "no such event: #{seen}"
      end
    end
  end

  def all do
    [
      {"DeltaCrdt: put, get and delete",
       fn ->
         put("delta", "a", %{n: 1})
         soon(fn -> get("delta", "a", nil, peer()) == %{n: 1} end)
         ensure(delete("delta", "a"))
         soon(fn -> get("delta", "a", nil, peer()) == nil end)
       end},
      {"DeltaCrdt: merge, take, drop, to_map",
       fn ->
         batch("merged", for(n <- 1..9, do: {:put, "k#{n}", n}))
         soon(fn -> length(keys("merged", "", peer())) == 9 end)
         same(for(key <- ["k1", "k9"], into: %{}, do: {key, get("merged", key)}), %{"k1" => 1, "k9" => 9})
         batch("merged", for(n <- 1..8, do: {:delete, "k#{n}"}))
         same(for(key <- keys("merged"), into: %{}, do: {key, get("merged", key)}), %{"k9" => 9})
       end},
      {"DeltaCrdt: changes of two fields at once are both kept",
       fn ->
         field = fn pod, name -> "#{pod}/v1/maps/delta/hashes/cart/#{name}" end
         {201, _, _} = request(:put, field.(pod(), "apple"), [], "1")
         {201, _, _} = request(:put, field.(peer(), "pear"), [], "2")
         soon(fn -> match?({200, _, "2"}, request(:get, field.(pod(), "pear"))) end)
         soon(fn -> match?({200, _, "1"}, request(:get, field.(peer(), "apple"))) end)
       end},
      {"DeltaCrdt: on_diffs",
       fn ->
         follow("map=diffs", peer())
         put("diffs", "a", 1)
         event(~r/event: change\ndata: .*"key":"a"/)
       end},
      {"DeltaCrdt: set_neighbours; Horde: members",
       fn ->
         {200, _, body} = request(:get, pod() <> "/v1/members")
         ensure(body =~ "client-1" and body =~ "client-2")
       end},
      {"Horde.Registry: register, lookup, unregister, and a name that is taken",
       fn ->
         put("names", "game-1", "lobby")
         {:ok, _} = claim("names", "game-1", true)
         same(claim("names", "game-1", true), {:error, :owned})
         me = owner("names", "game-1")
         soon(fn -> owner("names", "game-1", peer()) == me end)
         same(claim("names", "game-1", true, peer()), {:error, :owned})
         ensure(release("names", "game-1"))
         soon(fn -> owner("names", "game-1", peer()) == nil end)
       end},
      {"Horde.Registry: update_value, by the owner alone",
       fn ->
         {:ok, old} = put("names", "game-2", 1, claim: true, acks: "all")
         {:ok, new} = claim("names", "game-2", false, peer())
         soon(fn -> put("names", "game-2", 2, token: old) == {:error, :not_owner} end)
         {:ok, _} = put("names", "game-2", 3, [token: new], peer())
       end},
      {"Horde.DynamicSupervisor: start_child, which_children, terminate_child",
       fn ->
         {:ok, _} = put("children", "worker-1", :state, claim: true)
         ensure("worker-1" in owned())
         ensure(delete("children", "worker-1"))
         ensure("worker-1" not in owned())
       end},
      {"Phoenix.Presence: track, update, list, get_by_key, untrack, and the diffs",
       fn ->
         seat = pod() <> "/v1/maps/phoenix/presences/lobby/ann?ref=tab"
         topic = peer() <> "/v1/maps/phoenix/presences/lobby"
         follow("events=presence&map=phoenix", peer())
         {201, _, _} = request(:put, seat, [], ~s({"mood":"fine"}))
         event(~r/"joins":{"ann":{"metas":\[{"mood":"fine"/)
         {200, _, _} = request(:put, seat, [], ~s({"mood":"away"}))
         event(~r/"joins":{"ann":{"metas":\[{"mood":"away".*"leaves":{"ann":{"metas":\[{"mood":"fine"/)
         {200, _, list} = request(:get, topic)
         {200, _, one} = request(:get, topic <> "/ann")
         ensure(list =~ ~s("ann":{"metas":[{"mood":"away") and one =~ ~s({"metas":[{"mood":"away"))
         {204, _, _} = request(:delete, seat)
         event(~r/"joins":{},"leaves":{"ann"/)
       end},
      {"Phoenix.Tracker: what is tracked ends with the process that is",
       fn ->
         follow("events=presence&map=tracker", peer())
         seat = pod() <> "/v1/maps/tracker/presences/lobby/bob?session=elixir"

         tracked =
           spawn(fn ->
             follow("events=members&session=elixir", pod())
             {201, _, _} = request(:put, seat)
             receive do: (:never -> :ok)
           end)

         event(~r/"joins":{"bob"/)
         Process.exit(tracked, :kill)
         event(~r/"leaves":{"bob"/)
       end},
      {"Aviato.Agent: get, put, update and get_and_update, none of them lost",
       fn ->
         put("agent", "n", 0)

         tasks =
           for _ <- 1..20, do: Task.async(fn -> get_and_update("agent", "n", 0, fn n -> {n, n + 1} end) end)

         same(tasks |> Enum.map(&Task.await(&1, 60_000)) |> Enum.sort(), Enum.to_list(0..19))
         same(get("agent", "n"), 20)
         same(get("agent", "nothing", :default), :default)
       end},
      {"Aviato.Agent: init puts no default over what is there",
       fn ->
         put("agent", "theme", "dark", acks: "all")
         put("agent", "theme", "light", [init: true], peer())
         same(get("agent", "theme", nil, peer()), "dark")
       end},
      {"Aviato.Events: store once, flight_events in order, all_events",
       fn ->
         put("events", "ba-1/2", "landed", if: :absent)
         put("events", "ba-1/1", "took off", if: :absent)
         put("events", "kl-7/1", "took off", if: :absent)
         same(put("events", "ba-1/1", "again", if: :absent), {:error, :changed})
         same(for(key <- keys("events", "ba-1/"), do: get("events", key)), ["took off", "landed"])
         same(length(keys("events")), 3)
       end},
      {"StateHandoff: stash, and pick up once, on another pod",
       fn ->
         put("stash", "worker-7", %{step: 3}, acks: "all")
         same(take("stash", "worker-7", peer()), {:ok, %{step: 3}})
         same(take("stash", "worker-7", peer()), :error)
       end},
      {"state keeper: a player that dies goes on with its points, on another pod too",
       fn ->
         {:ok, player} = Player.start("ann")
         same(Player.reward(player, 10), {:ok, 10})
         Process.exit(player, :kill)
         {:ok, again} = Player.start("ann")
         same(Player.points(again), 10)
         ensure("ann" in owned())
         soon(fn -> get("players", "ann", nil, peer()) == 10 end)
         {:ok, elsewhere} = Player.start("ann", peer())
         same(Player.reward(elsewhere, 5), {:ok, 15})
         soon(fn -> "ann" not in owned() end)
         same(Player.reward(again, 1), {:error, :moved})
       end},
      {"a GenServer's state survives a rollout, which ends the pod that it was on",
       fn ->
         {:ok, player} = Player.start("bob")
         same(Player.reward(player, 7), {:ok, 7})
         [_, new] = Regex.run(~r/BATON_URL=(\S+)/, ask("add"))
         ask("hold")
         Process.exit(player, :kill)
         ask("end")
         {:ok, again} = Player.start("bob", new)
         same(Player.reward(again, 1), {:ok, 8})
       end}
    ]
  end
end

IO.puts("client elixir #{System.version()}")

for {name, check} <- Checks.all() do
  # Each in a process of its own: what it watches ends with it.
  attempt = fn ->
    try do
      check.()
      "ok #{name}"
    rescue
      error -> "not ok #{name}: #{Exception.message(error) |> String.replace("\n", " ") |> String.slice(0, 300)}"
    end
  end

  attempt |> Task.async() |> Task.await(120_000) |> IO.puts()
end
