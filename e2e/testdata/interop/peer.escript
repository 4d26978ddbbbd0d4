#!/usr/bin/env escript
%% -*- erlang -*-
%%! +S 1:1 +sbwt none

%% An Erlang peer for the interop tests. The framing is gen_tcp's own
%% {packet,4}: no line of it is written here, which is the point. See README.md
%% beside this file for the arguments, the commands and the lines it prints.

-mode(compile).

-define(FROM_GO, 1).
-define(FROM_PEER, 2).

main(Args) ->
    Options = maps:from_list([list_to_tuple(string:split(A, "=")) || A <- Args]),
    Port = number("port", Options),
    Conf = #{acts => string:lexemes(maps:get("do", Options, ""), ","),
             heartbeat => number("heartbeat", Options),
             sizes => [list_to_integer(S) ||
                          S <- string:lexemes(maps:get("sizes", Options, ""), ",")],
             small => number("small", Options)},
    %% Whatever happens to the test that started us, we do not outlive this.
    spawn(fun() -> timer:sleep(list_to_integer(maps:get("limit", Options, "60")) * 1000), halt(3) end),
    Tcp = [binary, {packet, 4}, {active, false}, {nodelay, true},
           {show_econnreset, true}],
    case maps:get("role", Options) of
        "listen" -> listen(Port, [{ip, {127, 0, 0, 1}}, {reuseaddr, true} | Tcp], Conf);
        "connect" -> spawn(fun() -> connect(Port, Tcp, Conf) end)
    end,
    commands().

number(Key, Options) -> list_to_integer(maps:get(Key, Options, "0")).

commands() ->
    case io:get_line("") of
        "silence\n" -> persistent_term:put(silent, true), commands();
        "quit\n" -> halt(0);
        eof -> halt(0);
        Other -> bad("command ~p", [Other])
    end.

listen(Port, Tcp, Conf) ->
    case gen_tcp:listen(Port, Tcp) of
        {ok, Listen} ->
            {ok, Bound} = inet:port(Listen),
            %% A listening socket closes with its owner: main, which lives to the end.
            spawn(fun() -> accept(Listen, Conf) end),
            say("ready ~b", [Bound]);
        {error, Why} -> bad("listen ~p", [Why])
    end.

%% Whoever accepts owns the socket, so each connection starts its successor.
accept(Listen, Conf) ->
    {ok, Socket} = gen_tcp:accept(Listen),
    spawn(fun() -> accept(Listen, Conf) end),
    connection(Socket, Conf).

connect(Port, Tcp, Conf) ->
    case gen_tcp:connect({127, 0, 0, 1}, Port, Tcp) of
        {ok, Socket} ->
            {ok, Local} = inet:port(Socket),
            say("ready ~b", [Local]),
            connection(Socket, Conf);
        {error, Why} -> bad("connect ~p", [Why])
    end.

connection(Socket, #{heartbeat := Period} = Conf) ->
    case Period of
        0 -> ok;
        _ -> spawn(fun() -> heartbeats(Socket, Period) end)
    end,
    case does("send", Conf) of
        %% On its own, so that two ends which both write first cannot wait for each other.
        true -> spawn(fun() -> speak(Socket, 0, Conf) end);
        false -> ok
    end,
    hear(Socket, 0, 0, Conf).

heartbeats(Socket, Period) ->
    timer:sleep(Period),
    case persistent_term:get(silent, false) of
        true -> ok;
        false ->
            case gen_tcp:send(Socket, <<>>) of
                ok -> heartbeats(Socket, Period);
                {error, _} -> ok
            end
    end.

speak(Socket, Index, Conf) ->
    case Index < total(Conf) of
        true ->
            does("mix", Conf) andalso gen_tcp:send(Socket, <<>>),
            case gen_tcp:send(Socket, payload(?FROM_PEER, Index, Conf)) of
                ok -> speak(Socket, Index + 1, Conf);
                {error, Why} -> bad("send ~b ~p", [Index, Why])
            end;
        false ->
            say("sent ~b", [Index]),
            case does("close", Conf) of
                true -> gen_tcp:close(Socket);
                false -> ok
            end
    end.

hear(Socket, Messages, Empty, Conf) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, <<>>} ->
            say("empty ~b", [Empty + 1]),
            hear(Socket, Messages, Empty + 1, Conf);
        {ok, Payload} ->
            take(Socket, Payload, Messages, Conf),
            hear(Socket, Messages + 1, Empty, Conf);
        {error, closed} -> say("end clean messages=~b empty=~b", [Messages, Empty]);
        {error, Why} -> say("end ~p messages=~b empty=~b", [Why, Messages, Empty])
    end.

take(Socket, Payload, Index, Conf) ->
    case does("check", Conf) of
        true -> check(Payload, Index, Conf);
        false -> ok
    end,
    case does("echo", Conf) of
        true -> gen_tcp:send(Socket, Payload);
        false -> ok
    end.

check(Payload, Index, Conf) ->
    Total = total(Conf),
    Index < Total orelse bad("message ~b of ~b", [Index + 1, Total]),
    Payload =:= payload(?FROM_GO, Index, Conf) orelse
        bad("content of message ~b, ~b bytes", [Index, byte_size(Payload)]),
    Index + 1 =:= Total andalso say("checked ~b", [Total]).

does(Act, #{acts := Acts}) -> lists:member(Act, Acts).

total(#{sizes := Sizes, small := Small}) -> length(Sizes) + Small.

size_of(Index, #{sizes := Sizes}) when Index < length(Sizes) -> lists:nth(Index + 1, Sizes);
size_of(Index, _) -> 1 + Index rem 100.

payload(Origin, Index, Conf) ->
    fill(Origin * 1000003 + Index, size_of(Index, Conf), <<>>).

fill(_, 0, Bytes) -> Bytes;
fill(State, Left, Bytes) ->
    Next = (State * 1664525 + 1013904223) band 16#FFFFFFFF,
    fill(Next, Left - 1, <<Bytes/binary, (Next bsr 24)>>).

say(Format, Values) -> io:format(Format ++ "~n", Values).

bad(Format, Values) ->
    say("bad " ++ Format, Values),
    halt(1).
