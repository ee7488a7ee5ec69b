defmodule Player do
  @moduledoc """
  A GenServer whose state outlives its pod: the agent has each state before the caller gets an answer, and whoever starts
  the player next, on whichever pod, goes on from there. Of two that run at once, the older is refused and stops.
  """
  use GenServer

  def start(name, pod \\ Baton.pod()), do: GenServer.start(__MODULE__, {name, pod})
  def reward(player, points), do: GenServer.call(player, {:reward, points})
  def points(player), do: GenServer.call(player, :points)

  @impl true
  def init({name, pod}) do
    # A default that loses to what another pod has put, and may still be on its way.
    {:ok, _} = Baton.put("players", name, 0, [init: true], pod)
    {:ok, token} = Baton.claim("players", name, false, pod)
    {:ok, %{name: name, pod: pod, token: token, points: Baton.get("players", name, 0, pod)}}
  end

  @impl true
  def handle_call({:reward, points}, _from, state) do
    new = %{state | points: state.points + points}

    case Baton.put("players", state.name, new.points, [token: state.token], state.pod) do
      {:ok, _} -> {:reply, {:ok, new.points}, new}
      {:error, :not_owner} -> {:stop, :normal, {:error, :moved}, state}
    end
  end

  def handle_call(:points, _from, state), do: {:reply, state.points, state}
end
