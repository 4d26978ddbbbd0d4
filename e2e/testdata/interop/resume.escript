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
    case Role of
        "connect" ->
            say("ready 0", []),
            loop(dial(#s{port = list_to_integer(Port), nonce = random()}));
        "listen" ->
            {ok, Listen} = gen_tcp:listen(list_to_integer(Port), [{ip, {127, 0, 0, 1}}, {reuseaddr, true} | ?TCP]),
            {ok, Bound} = inet:port(Listen),
            spawn_link(fun() -> accept(Listen, Self) end),
            say("ready ~b", [Bound]),
            loop(#s{})
    end.

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
    case gen_tcp:recv(Socket, 0, 5000) of
        {ok, <<>>} -> gen_tcp:recv(Socket, 0, 5000);
        _ -> plain
    end.

loop(#s{link = L, received = N} = S) ->
    loop(receive
        {line, Line} -> flush(S#s{next = queue:in(Line, S#s.next)});
        eof -> flush(S#s{ended = true});
        beat -> ack(S); % the heartbeat
        {hello, Socket, Hello} -> flush(hello(Socket, Hello, S));
        {tcp, L, Body} when S#s.escaped -> flush(control(Body, S#s{escaped = false, heard = true}));
        {tcp, L, <<>>} -> S#s{escaped = true};
        {tcp, L, Message} -> say("got ~s", [Message]), ack(S#s{received = N + 1, heard = true});
        {tcp_closed, L} -> down(S);
        _ -> S % of an earlier connection
    end).

down(#s{port = undefined} = S) -> S#s{link = undefined};
down(S) -> timer:sleep(20), dial(S#s{link = undefined}).

dial(#s{number = N, token = T, nonce = Nonce, received = Received, bye = Bye} = S) ->
    Only = case Bye of undefined -> 0; _ -> 2 end, % 2: a new session is of no use
    Flags = min(byte_size(T), 1) + Only,
    Hello = <<"Hnetasync-resume", 1, Flags, (N + 1):64, Nonce/binary, Received:64, ?KEEP:32, -1:32,
              (byte_size(T)), T/binary>>,
    case gen_tcp:connect({127, 0, 0, 1}, S#s.port, ?TCP) of
        {ok, Socket} -> tell(Socket, Hello), flush(welcome(Socket, first(Socket), S#s{number = N + 1}));
        _ -> down(S)
    end.
welcome(Socket, {ok, <<"W", 1, _:7, 1:1, Has:64, _:96, N, Token:N/binary, _/binary>>}, S) ->
    attach(Socket, Has, "true", S#s{token = Token});
welcome(Socket, {ok, <<"W", 1, _:7, 0:1, 0:64, _:96, N, Token:N/binary, _/binary>>}, S) ->
    say("lost ~b", [queue:len(S#s.kept)]), % they may have arrived
    attach(Socket, 0, "false", S#s{token = Token, acked = 0, received = 0, kept = queue:new()});
welcome(Socket, {ok, <<"R", 4, _/binary>>}, #s{bye = L}) when L =/= undefined -> over(Socket);
welcome(Socket, _, S) -> gen_tcp:close(Socket), down(S).

hello(Socket, {ok, <<"Hnetasync-resume", 1, _:6, Only:1, Go:1, Number:64, Nonce:16/binary, Has:64,
                     _:64, N, Token:N/binary, _/binary>>}, #s{nonce = Ours} = S) ->
    Known = Go =:= 1 andalso N > 0 andalso Token =:= S#s.token,
    if
        Nonce =:= Ours, Number =< S#s.number -> refuse(Socket, 2, S); % stale
        Known, Nonce =/= Ours -> refuse(Socket, 3, S); % forbidden
        not Known, Only =:= 1 -> refuse(Socket, 4, S); % nothing to go on with
        not Known, Ours =/= undefined, (S#s.heard orelse Nonce =/= Ours) -> refuse(Socket, 5, S); % full
        Known -> admit(Socket, Has, 1, S#s{number = Number, heard = true});
        true -> admit(Socket, 0, 0, S#s{number = Number, nonce = Nonce, token = random()})
    end;
hello(Socket, {ok, <<"Hnetasync-resume", _/binary>>}, S) -> refuse(Socket, 1, S); % another version
hello(Socket, _, S) -> gen_tcp:close(Socket), S. % a plain peer
refuse(Socket, Code, S) -> tell(Socket, <<"R", Code>>), gen_tcp:close(Socket), S.
admit(Socket, Has, Known, #s{link = Old, received = Received, token = T} = S) ->
    Old =:= undefined orelse gen_tcp:close(Old), % taken over
    tell(Socket, <<"W", 1, Known, Received:64, ?KEEP:32, -1:32, 120:32, (byte_size(T)), T/binary>>),
    attach(Socket, Has, atom_to_list(Known =:= 1), S).

attach(Socket, Has, Resumed, S) -> % what the peer does not have is sent again, before all else
    say("connected resumed=~s", [Resumed]),
    inet:setopts(Socket, [{active, true}]),
    T = acknowledged(Has, S),
    T#s{link = Socket, escaped = false, kept = queue:new(), next = queue:join(T#s.kept, T#s.next)}.
acknowledged(N, #s{acked = Acked, kept = Kept} = S) -> % no other N can be: split fails
    S#s{acked = N, kept = element(2, queue:split(N - Acked, Kept))}.

flush(#s{link = L, kept = Kept, next = Next} = S) ->
    case {queue:is_empty(Next), queue:len(Kept)} of
        _ when L =:= undefined -> S;
        {false, N} when N < ?KEEP ->
            {{value, Message}, Rest} = queue:out(Next),
            gen_tcp:send(L, Message),
            flush(S#s{kept = queue:in(Message, Kept), next = Rest});
        {true, 0} when S#s.ended, S#s.bye =/= L -> tell(L, <<"B", (S#s.acked):64, 0>>), S#s{bye = L};
        _ -> S
    end.

control(<<"A", N:64, _/binary>>, #s{link = L, bye = L} = S) -> acknowledged(N, S), over(L);
control(<<"A", N:64, _/binary>>, S) -> acknowledged(N, S);
control(<<"Q", _/binary>>, S) -> ack(S);
control(<<"B", N:64, _/binary>>, #s{link = L, received = N} = S) -> ack(S), over(L).

ack(#s{link = undefined} = S) -> S;
ack(#s{link = L, received = N} = S) -> tell(L, <<"A", N:64>>), S.
tell(Socket, Body) -> gen_tcp:send(Socket, <<>>), gen_tcp:send(Socket, Body).
over(Socket) ->
    say("over", []),
    gen_tcp:shutdown(Socket, write),
    inet:setopts(Socket, [{active, false}]),
    drain(Socket).
drain(Socket) -> case gen_tcp:recv(Socket, 0, 5000) of {ok, _} -> drain(Socket); _ -> halt(0) end.
random() ->
    {ok, File} = file:open("/dev/urandom", [read, raw, binary]),
    element(2, file:read(File, 16)).
say(Format, Values) -> io:format(Format ++ "~n", Values).
