defmodule Baton do
  @moduledoc """
  The agent beside this app, over Erlang's own HTTP client. Values are any terms.

  A pod is a URL: `BATON_URL` is in the environment of every container that has an agent.
  """

  def pod, do: System.fetch_env!("BATON_URL")

  @doc "The value, or a default."
  def get(map, key, default \\ nil, pod \\ pod()) do
    case fetch(map, key, pod) do
      {:ok, value, _version} -> value
      :error -> default
    end
  end

  @doc "The value with its version, which names it in conditions."
  def fetch(map, key, pod \\ pod()) do
    case request(:get, entry(pod, map, key)) do
      {200, headers, body} -> {:ok, :erlang.binary_to_term(body), headers["etag"]}
      {404, _, _} -> :error
    end
  end

  @doc """
  Puts a value. Options: `if: version` or `if: :absent`, `token: token` of the owner, `init: true` for a default that loses
  to any real value, `claim: true` to own the key, `acks: "all"` and the like.
  """
  def put(map, key, value, options \\ [], pod \\ pod()) do
    {conditions, query} = Keyword.split(options, [:if, :token])
    body = :erlang.term_to_binary(value)

    case request(:put, entry(pod, map, key, query), headers(conditions), body) do
      {status, headers, _} when status in [200, 201] -> {:ok, headers["baton-token"] || headers["etag"]}
      {409, _, _} -> {:error, :not_owner}
      {412, _, _} -> {:error, :changed}
    end
  end

  @doc "Applies a function to the value, again if another process of this pod was faster; answers with what it answers."
  def get_and_update(map, key, default, fun, pod \\ pod()) do
    {old, version} =
      case fetch(map, key, pod) do
        {:ok, value, version} -> {value, version}
        :error -> {default, :absent}
      end

    {answer, new} = fun.(old)

    case put(map, key, new, [if: version], pod) do
      {:ok, _} -> answer
      {:error, :changed} -> get_and_update(map, key, default, fun, pod)
    end
  end

  def delete(map, key, pod \\ pod()) do
    {status, _, _} = request(:delete, entry(pod, map, key))
    status == 204
  end

  @doc "Deletes the value and answers with it, if there is one."
  def take(map, key, pod \\ pod()) do
    case request(:post, action(pod, map, key, "take")) do
      {200, _, body} -> {:ok, :erlang.binary_to_term(body)}
      {404, _, _} -> :error
    end
  end

  @doc "Makes this pod the owner of a key; with `unowned` only if nobody is."
  def claim(map, key, unowned \\ false, pod \\ pod()) do
    case request(:post, action(pod, map, key, "claim") <> if(unowned, do: "?unowned=true", else: "")) do
      {200, headers, _} -> {:ok, headers["baton-token"]}
      {409, _, _} -> {:error, :owned}
    end
  end

  def release(map, key, pod \\ pod()), do: elem(request(:post, action(pod, map, key, "release")), 0) == 204

  @doc "The replica that owns a key, if one does."
  def owner(map, key, pod \\ pod()) do
    {_, headers, _} = request(:get, entry(pod, map, key))
    headers["baton-owner"]
  end

  @doc "The keys of a map that start with a prefix, in their order."
  def keys(map, prefix \\ "", pod \\ pod()) do
    names("#{pod}/v1/maps/#{map}/keys?limit=1000&prefix=#{encode(prefix)}")
  end

  @doc "What lives on this pod."
  def owned(pod \\ pod()) do
    {200, _, body} = request(:get, "#{pod}/v1/owned?limit=1000")
    for [_, key] <- Regex.scan(~r/"key":"([^"]*)"/, body), do: URI.decode(key)
  end

  @doc "Several operations of one key's fields, or of keys of any shards: `{:put, key, value}` or `{:delete, key}`."
  def batch(map, operations, pod \\ pod()) do
    requests =
      for operation <- operations do
        case operation do
          {:put, key, value} ->
            value = Base.encode64(:erlang.term_to_binary(value))
            ~s({"op":"put","map":"#{map}","key":"#{encode(key)}","base64":"#{value}"})

          {:delete, key} ->
            ~s({"op":"delete","map":"#{map}","key":"#{encode(key)}"})
        end
      end

    body = ~s({"atomic":false,"requests":[#{Enum.join(requests, ",")}]})
    {200, _, _} = request(:post, "#{pod}/v1/batch", [], body)
    :ok
  end

  @doc "Any request: its status, headers and body."
  def request(method, url, headers \\ [], body \\ "") do
    url = String.to_charlist(url)
    headers = for {name, value} <- headers, do: {to_charlist(name), to_charlist(value)}
    request = if method in [:get, :delete], do: {url, headers}, else: {url, headers, 'application/octet-stream', body}

    {:ok, {{_, status, _}, headers, body}} = :httpc.request(method, request, [], body_format: :binary)
    {status, Map.new(headers, fn {name, value} -> {to_string(name), to_string(value)} end), body}
  end

  def encode(key), do: URI.encode(key, &URI.char_unreserved?/1)

  defp names(url) do
    {200, _, body} = request(:get, url)
    [_, list] = Regex.run(~r/"keys":\[([^\]]*)\]/, body)
    for [_, key] <- Regex.scan(~r/"([^"]*)"/, list), do: URI.decode(key)
  end

  defp entry(pod, map, key, query \\ []) do
    path = "#{pod}/v1/maps/#{map}/entries/#{encode(key)}"
    if query == [], do: path, else: path <> "?" <> URI.encode_query(query)
  end

  defp action(pod, map, key, action), do: entry(pod, map, key) <> ":" <> action

  defp headers(conditions) do
    for {name, value} <- conditions do
      case {name, value} do
        {:if, :absent} -> {"if-none-match", "*"}
        {:if, version} -> {"if-match", version}
        {:token, token} -> {"baton-token", token}
      end
    end
  end
end
