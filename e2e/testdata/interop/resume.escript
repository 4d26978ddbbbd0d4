#!/usr/bin/env escript
%% -*- erlang -*-
%%! +S 1:1 +sbwt none
%% A netcat whose session goes on over many connections, by docs/resume.md alone: see README.md.
-mode(compile).
-define(KEEP, 64). % messages that are sent and not acknowledged, of whatever size
-define(TCP, [binary, {packet, 4}, {active, false}, {nodelay, true}, {send_timeout, 5000}]).
-record(s, {port, link, acked = 0, received = 0, nonce, number = 0, token = <<>>,
            kept = queue:new(), next = queue:new(), % messages that are sent, and those that are not
            heard = false, escaped = false, % a frame since Welcome; the last one was empty
            ended = false, bye}). % stdin; the link on which Bye was said

main([Role, Port]) ->
    Self = self(),
    ok = io:setopts([binary, {encoding, latin1}]),
    spawn_link(fun() -> lines(Self) end),
    timer:send_interval(250, beat),
    loop(start(Role, list_to_integer(Port), Self)).
start("connect", Port, _) ->
    say("ready 0", []),
    dial(#s{port = Port, nonce = rand:bytes(16)}); % where it matters, by crypto:strong_rand_bytes
start("listen", Port, Self) ->
    {ok, Listen} = gen_tcp:listen(Port, [{ip, {127, 0, 0, 1}}, {reuseaddr, true} | ?TCP]),
    {ok, Bound} = inet:port(Listen),
    spawn_link(fun() -> accept(Listen, Self) end),
    say("ready ~b", [Bound]),
    #s{}.
lines(Main) ->
    case file:read_line(standard_io) of
        {ok, Line} -> Main ! {line, string:chomp(Line)}, lines(Main);
        eof -> Main ! eof
    end.
accept(Listen, Main) ->
    {ok, Socket} = gen_tcp:accept(Listen),
    spawn_link(fun() -> accept(Listen, Main) end),
    Hello = first(Socket),
    gen_tcp:controlling_process(Socket, Main),
    Main ! {hello, Socket, Hello}.
first(Socket) -> % the control frame that a connection begins with
    case gen_tcp:recv(Socket, 0, 5000) of {ok, <<>>} -> gen_tcp:recv(Socket, 0, 5000); _ -> plain end.

loop(#s{link = L, received = N} = S) ->
    loop(receive
        {line, Line} -> flush(S#s{next = queue:in(Line, S#s.next)});
        eof -> flush(S#s{ended = true});
        beat -> ack(S); % the heartbeat
        {hello, Socket, Hello} -> flush(hello(Socket, Hello, S));
        {tcp, L, Body} when S#s.escaped -> flush(control(Body, S#s{escaped = false, heard = true}));
        {tcp, L, <<>>} -> S#s{escaped = true};
        {tcp, L, Message} -> say("got ~s", [Message]), ack(S#s{received = N + 1, heard = true});
        {tcp_closed, L} -> down(S#s{link = undefined});
        _ -> S % of an earlier connection
    end).
down(#s{port = undefined} = S) -> S;
down(S) -> timer:sleep(20), dial(S).

dial(#s{number = N, token = T, nonce = Nonce, received = Received, bye = Bye} = S) ->
    Only = case Bye of undefined -> 0; _ -> 1 end, % a new session is of no use
    Hello = <<"Hnetasync-resume", 1, 0:6, Only:1, (min(byte_size(T), 1)):1, (N + 1):64, Nonce/binary,
              Received:64, ?KEEP:32, -1:32, (byte_size(T)), T/binary>>,
    case gen_tcp:connect({127, 0, 0, 1}, S#s.port, ?TCP) of
        {ok, L} -> tell(L, Hello), flush(welcome(L, first(L), S#s{number = N + 1}));
        _ -> down(S)
    end.
welcome(L, {ok, <<"W", 1, _:7, 1:1, Has:64, _:96, N, Token:N/binary, _/binary>>}, S) ->
    attach(L, Has, true, S#s{token = Token});
welcome(L, {ok, <<"W", 1, _:7, 0:1, 0:64, _:96, N, Token:N/binary, _/binary>>}, S) ->
    say("lost ~b", [queue:len(S#s.kept)]), % they may have arrived
    attach(L, 0, false, S#s{token = Token, acked = 0, received = 0, kept = queue:new()});
welcome(L, {ok, <<"R", 4, _/binary>>}, #s{bye = B}) when B =/= undefined -> over(L);
welcome(L, _, S) -> gen_tcp:close(L), down(S).

hello(L, {ok, <<"Hnetasync-resume", 1, _:6, Only:1, Go:1, Number:64, Nonce:16/binary, Has:64,
                _:64, N, Token:N/binary, _/binary>>}, #s{nonce = Ours, link = Old} = S) ->
    Known = Go =:= 1 andalso N > 0 andalso Token =:= S#s.token,
    if
        Nonce =:= Ours, Number =< S#s.number -> refuse(L, 2, S); % stale
        Known, Nonce =/= Ours -> refuse(L, 3, S); % forbidden
        not Known, Only =:= 1 -> refuse(L, 4, S); % nothing to go on with
        not Known, Ours =/= undefined, (S#s.heard orelse Nonce =/= Ours) -> refuse(L, 5, S); % full
        true ->
            Old =:= undefined orelse gen_tcp:close(Old), % taken over
            T = if Known -> Token; true -> rand:bytes(16) end,
            tell(L, <<"W", 1, 0:7, (bit(Known)):1, (S#s.received):64, ?KEEP:32, -1:32, 120:32,
                      (byte_size(T)), T/binary>>),
            attach(L, Has * bit(Known), Known, S#s{number = Number, nonce = Nonce, token = T})
    end;
hello(L, {ok, <<"Hnetasync-resume", _/binary>>}, S) -> refuse(L, 1, S); % another version
hello(L, _, S) -> gen_tcp:close(L), S. % a plain peer
refuse(L, Code, S) -> tell(L, <<"R", Code>>), gen_tcp:close(L), S.
bit(Flag) -> case Flag of true -> 1; false -> 0 end.

attach(L, Has, Resumed, S) -> % what the peer does not have is sent again, before all else
    say("connected resumed=~s", [Resumed]),
    inet:setopts(L, [{active, true}]),
    T = acknowledged(Has, S),
    T#s{link = L, escaped = false, kept = queue:new(), next = queue:join(T#s.kept, T#s.next)}.
acknowledged(N, #s{acked = Acked, kept = Kept} = S) -> % split fails of a number that cannot be
    S#s{acked = N, kept = element(2, queue:split(N - Acked, Kept))}.
flush(#s{link = undefined} = S) -> S;
flush(#s{link = L, kept = Kept, next = Next} = S) ->
    case {queue:out(Next), queue:len(Kept)} of
        {{{value, Message}, Rest}, N} when N < ?KEEP ->
            gen_tcp:send(L, Message),
            flush(S#s{kept = queue:in(Message, Kept), next = Rest});
        {{empty, _}, 0} when S#s.ended, S#s.bye =/= L -> tell(L, <<"B", (S#s.acked):64, 0>>), S#s{bye = L};
        _ -> S
    end.

control(<<"A", N:64, _/binary>>, #s{link = L, bye = L} = S) -> acknowledged(N, S), over(L);
control(<<"A", N:64, _/binary>>, S) -> acknowledged(N, S);
control(<<"Q", _/binary>>, S) -> ack(S);
control(<<"B", N:64, _/binary>>, #s{link = L, received = N} = S) -> ack(S), over(L).
ack(#s{link = undefined} = S) -> S;
ack(#s{link = L, received = N} = S) -> tell(L, <<"A", N:64>>), S.
tell(L, Body) -> gen_tcp:send(L, <<>>), gen_tcp:send(L, Body).
over(L) -> say("over", []), gen_tcp:shutdown(L, write), inet:setopts(L, [{active, false}]), drain(L).
drain(L) -> case gen_tcp:recv(L, 0, 5000) of {ok, _} -> drain(L); _ -> halt(0) end.
say(Format, Values) -> io:format(Format ++ "~n", Values).
