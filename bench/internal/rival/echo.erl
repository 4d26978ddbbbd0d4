%% The echo server in Erlang: a process for each connection, {packet,4} for the framing. It is run by the
%% benchmark, says where it listens in one line of JSON and ends with its standard input.
-module(echo).
-export([start/1]).

start([Host, Port]) ->
    {ok, Ip} = inet:parse_address(Host),
    {ok, L} = gen_tcp:listen(list_to_integer(Port),
                             [binary, {ip, Ip}, {packet, 4}, {active, false}, {nodelay, true},
                              {reuseaddr, true}, {backlog, 4096}]),
    {ok, {Addr, Bound}} = inet:sockname(L),
    [spawn(fun() -> accept(L) end) || _ <- lists:seq(1, 4)],
    io:format("{\"event\":\"ready\",\"addr\":\"~s:~b\"}~n", [inet:ntoa(Addr), Bound]),
    answer().

%% There are no figures of Go's runtime to tell, but the question wants an answer.
answer() ->
    case io:get_line("") of
        eof -> halt(0, [{flush, true}]);
        _ -> io:format("{\"event\":\"figures\"}~n"), answer()
    end.

accept(L) ->
    {ok, S} = gen_tcp:accept(L),
    Pid = spawn(fun() -> receive go -> inet:setopts(S, [{active, 100}]), echo(S) end end),
    ok = gen_tcp:controlling_process(S, Pid),
    Pid ! go,
    accept(L).

echo(S) ->
    receive
        {tcp, S, Message} -> ok = gen_tcp:send(S, Message), echo(S);
        {tcp_passive, S} -> inet:setopts(S, [{active, 100}]), echo(S);
        {tcp_closed, S} -> ok;
        {tcp_error, S, _} -> ok
    end.
