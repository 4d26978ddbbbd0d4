#!/usr/bin/env escript
%%! +S 1:1 +sbwt none
%% A netcat whose session goes on over many connections, by docs/resume.md alone: see README.md.
-mode(compile).
-define(KEEP, 64). % messages that are sent and not acknowledged, of whatever size
-define(TCP, [binary, {packet, 4}, {active, false}, {nodelay, true}, {send_timeout, 5000}]).
-record(s, {dial, ended = false, % dial: false, true, or the connection that waits for its Welcome
            link, bye, only = 0, % the connection that counts; that of Bye; 2 when it was said
            out = [], acked = 0, sent = 0, received = 0, heard = false, % out: from number acked + 1 on
            nonce = rand:bytes(16), number = 0, token = <<>>}). % for secrets: crypto:strong_rand_bytes
main(["connect", Port]) ->
    run(true, 0, fun() -> gen_tcp:connect({127, 0, 0, 1}, list_to_integer(Port), ?TCP) end, 1);
main(["listen", Port]) ->
    {ok, Listen} = gen_tcp:listen(list_to_integer(Port), [{ip, {127, 0, 0, 1}}, {reuseaddr, true} | ?TCP]),
    {ok, Bound} = inet:port(Listen), run(false, Bound, fun() -> gen_tcp:accept(Listen) end, 16).
run(Dial, Port, Open, AtOnce) ->
    Main = self(),
    ok = io:setopts([binary, {encoding, latin1}]), say("ready ~b", [Port]),
    [spawn_link(fun() -> connections(Open, Main) end) || _ <- lists:seq(1, AtOnce)],
    spawn_link(fun() -> lines(Main) end), timer:send_interval(250, beat),
    loop(#s{dial = Dial}).
lines(Main) -> Main ! (Read = file:read_line(standard_io)), Read =:= eof orelse lines(Main).
connections(Open, Main) -> % one after another
    case Open() of {ok, L} -> Main ! {open, L}, frames(message, L, Main); _ -> timer:sleep(20) end,
    connections(Open, Main).
frames(Kind, L, Main) ->
    case gen_tcp:recv(L, 0, 5000) of
        {ok, <<>>} when Kind =:= message -> frames(control, L, Main);
        {ok, B} when Kind =:= message; byte_size(B) =< 512 -> Main ! {Kind, L, B}, frames(message, L, Main);
        _ -> gen_tcp:close(L), Main ! {closed, L}, timer:sleep(20)
    end.
loop(S) -> loop(flush(receive {control, L, B} -> take(L, B, S); Event -> take(Event, S) end)).
take({ok, Line}, S) -> S#s{out = S#s.out ++ [string:chomp(Line)]};
take(eof, S) -> S#s{ended = true};
take({message, L, B}, #s{link = L, received = N} = S) ->
    say("got ~s", [B]), ack(S#s{received = N + 1, heard = true});
take({message, L, _}, S) -> gen_tcp:close(L), S; % a plain peer
take({closed, L}, #s{link = L} = S) -> S#s{link = undefined};
take({open, L}, #s{dial = Dial, number = N, token = T} = S) when Dial =/= false ->
    tell(L, <<"Hnetasync-resume", 1, (min(byte_size(T), 1) + S#s.only), (N + 1):64, (S#s.nonce)/binary,
              (S#s.received):64, ?KEEP:32, -1:32, (byte_size(T)), T/bits>>, S#s{number = N + 1, dial = L});
take(_, S) -> ack(S). % the heartbeat
take(L, <<"W", 1, _:7, 1:1, Has:64, _:96, N, T:N/binary, _/bits>>, #s{dial = L} = S) when N > 0, N =< 64 ->
    attach(L, Has, true, S#s{token = T});
take(L, <<"W", 1, _:7, 0:1, 0:64, _:96, N, T:N/binary, _/bits>>, #s{dial = L} = S) when N > 0, N =< 64 ->
    say("lost ~b", [S#s.sent - S#s.acked]), % they may have arrived
    attach(L, 0, false, (acknowledged(S#s.sent, S))#s{token = T, acked = 0, received = 0});
take(L, <<"R", 4, _/bits>>, #s{dial = L, only = 2}) -> over(L); % Bye has arrived
take(L, <<"Hnetasync-resume", 1, _:6, Only:1, Go:1, Number:64, Nonce:16/binary, Has:64, _:64, N, T:N/binary,
          _/bits>>, #s{dial = false, link = Old, received = Got} = S) when Number > 0, N =< 64, L =/= Old ->
    {Same, Known} = {Nonce =:= S#s.nonce, Go =:= 1 andalso N > 0 andalso T =:= S#s.token},
    case [2 || Same, Number =< S#s.number] ++ [3 || Known, not Same] ++ [4 || not Known, Only =:= 1] ++
         [5 || not Known, S#s.token =/= <<>>, S#s.heard orelse not Same] of % stale, forbidden, unknown, full
        [Code | _] -> refuse(L, Code, S);
        [] -> Old =:= undefined orelse gen_tcp:close(Old), % taken over
            {Bit, From, New} = case Known of true -> {1, Has, T}; false -> {0, 0, rand:bytes(16)} end,
            tell(L, <<"W", 1, Bit, Got:64, ?KEEP:32, -1:32, 120:32, (byte_size(New)), New/binary>>, S),
            attach(L, From, Known, S#s{number = Number, nonce = Nonce, token = New})
    end;
take(L, <<"Hnetasync-resume", V, _/bits>>, #s{dial = false} = S) when V =/= 1 -> refuse(L, 1, S);
take(L, <<"A", N:64, _/bits>>, #s{link = L, acked = Acked, sent = Sent} = S) when Acked =< N, N =< Sent ->
    L =:= S#s.bye andalso over(L), acknowledged(N, S#s{heard = true});
take(L, <<"Q", _/bits>>, #s{link = L} = S) -> ack(S#s{heard = true});
take(L, <<"B", N:64, _, _/bits>>, #s{link = L, received = N} = S) -> ack(S), over(L);
take(L, Wrong, S) -> L =/= S#s.link orelse io:format(standard_error, "~p~n", [Wrong]), gen_tcp:close(L), S.
refuse(L, Code, S) -> tell(L, <<"R", Code>>, S), gen_tcp:close(L), S.
attach(L, Has, Resumed, S) when S#s.acked =< Has, Has =< S#s.sent -> % else an end is not what it was
    say("connected resumed=~s", [Resumed]),
    (acknowledged(Has, S))#s{link = L, dial = S#s.dial =/= false, sent = Has}. % the rest is sent again
acknowledged(N, S) -> S#s{acked = N, out = lists:nthtail(N - S#s.acked, S#s.out)}.
flush(#s{link = L, sent = N, acked = A, out = O} = S) when is_port(L), N - A < ?KEEP, N - A < length(O) ->
    gen_tcp:send(L, lists:nth(N - A + 1, O)),
    flush(S#s{sent = N + 1});
flush(#s{link = L, sent = N, out = [], ended = true, bye = B} = S) when is_port(L), L =/= B ->
    tell(L, <<"B", N:64, 0>>, S#s{bye = L, only = 2});
flush(S) -> S.
ack(S) -> S#s.link =:= undefined orelse tell(S#s.link, <<"A", (S#s.received):64>>, S), S.
tell(L, Body, S) -> gen_tcp:send(L, <<>>), gen_tcp:send(L, Body), S.
over(L) -> say("over", []), gen_tcp:shutdown(L, write), receive {closed, L} -> halt(0) end.
say(Format, Values) -> io:format(Format ++ "~n", Values).
