// Makes calls and serves them on one connection, by docs/call.md: see README.md.
const [assert, crypto, net, readline] = ['assert', 'crypto', 'net', 'readline'].map(require);
const [REQUEST, REPLY, FAILURE, CANCEL, LATER] = [1, 2, 3, 4, 8]; // from LATER on: ignored
const least = { [REQUEST]: 26, [REPLY]: 18, [FAILURE]: 19, [CANCEL]: 18 }; // bytes
const [FAILED, BUSY] = [Buffer.of(1), Buffer.of(128)];
const [SERVED, UNANSWERED, LARGEST, TIMER] = [256, 65536, 4 << 20, 2 ** 31 - 1]; // TIMER: in ms
const [me, unanswered, executing] = [crypto.randomBytes(8), new Set(), new Map()];
let [socket, last, refusing, other] = [null, 0n, 0, me]; // other: whose calls we serve
const say = console.log;
const u64 = (n) => Buffer.from(BigInt(n).toString(16).padStart(16, '0'), 'hex');
const write = (b, sent) => socket.write(Buffer.concat([u64(b.length).subarray(4), b]), sent);
const send = (kind, id, rest, sent) => write(Buffer.concat([Buffer.of(16 + kind, 0), ...id, ...rest]), sent);
function serve(id, key, timeout, request) {
  assert(timeout < 2n ** 63n && !executing.has(key) && !id[0].equals(me), 'a wrong request');
  [other] = id;
  if (executing.size >= SERVED) {
    assert(++refusing <= UNANSWERED, 'too many requests');
    return send(FAILURE, id, [BUSY], () => refusing--);
  }
  const stop = () => executing.get(key)('deadline');
  const timer = timeout > 0n && setTimeout(stop, Math.min(Math.ceil(Number(timeout) / 1e6), TIMER));
  executing.set(key, handle(request, timeout, (kind, ...rest) => {
    clearTimeout(timer);
    if (executing.delete(key)) send(kind, id, rest);
  }));
}
function handle(request, timeout, answer) { // returns how to stop it; the first answer counts
  const [what, name] = request.toString().split(' ');
  if (what === 'wait') say(`waiting ${name} ${timeout}`);
  else if (what === 'fail') setImmediate(answer, FAILURE, FAILED, request.subarray(5));
  else setTimeout(answer, crypto.randomInt(20), REPLY, Buffer.from('re '), request);
  return (why) => { say(`stopped ${name} ${why}`); answer(FAILURE, FAILED, Buffer.from(why)); };
}
function read(b) {
  const [kind, id, key] = [b[0] & 15, [b.subarray(2, 10), b.subarray(10, 18)], b.toString('hex', 2, 18)];
  assert(b[0] >> 4 === 1, 'another version');
  if (kind >= LATER) return;
  assert(b.length >= least[kind], 'too short, or of no kind');
  if (kind === REQUEST) serve(id, key, b.readBigUInt64BE(18), b.subarray(26));
  else if (kind === CANCEL) executing.get(key)?.('cancel');
  else if (id[0].equals(me)) ended(b.readBigUInt64BE(10), kind === REPLY ? 'reply' : `failure ${b[18]}`, b);
}
function ended(number, what, b) { // a call of ours
  assert(number > 0 && number <= last, 'an answer to a call that was not made');
  if (unanswered.delete(number)) say(`${number} ${what} ${b.subarray(least[b[0] & 15])}`); // else it is late
}
function begin(connection) {
  let [rest, why, n] = [Buffer.alloc(0), 'well', 0];
  socket = connection;
  write(Buffer.alloc(0)); setInterval(write, 1000, Buffer.alloc(0)); // heartbeats, the first at once
  socket.setNoDelay().on('error', (error) => { why = error.message; }).on('close', () => {
    for (const [key, stop] of executing) if (executing.delete(key)) stop('gone'); // no answer is sent
    say(`over ${why}`);
  }).on('data', (chunk) => {
    try {
      for (rest = Buffer.concat([rest, chunk]); rest.length > 3; rest = rest.subarray(n)) {
        assert((n = 4 + rest.readUInt32BE()) <= 4 + LARGEST, 'too long');
        if (rest.length < n) return;
        if (n > 4) read(rest.subarray(4, n));
      }
    } catch (wrong) { socket.destroy(wrong); }
  });
}
const commands = {
  call(timeout, ...words) { // the number of the call is how many there were, with it
    unanswered.add(++last);
    send(REQUEST, [me, u64(last)], [u64(timeout), Buffer.from(words.join(' '))]);
  },
  cancel: (number) => send(CANCEL, [me, u64(number)], []),
  reply: (number) => send(REPLY, [other, u64(number)], []), // to a call that was not made, for instance
};
readline.createInterface(process.stdin).on('close', () => process.exit())
  .on('line', (line) => { const [what, ...rest] = line.split(' '); commands[what](...rest); });
const at = { host: '127.0.0.1', port: process.argv[3] };
function ready() { say(`ready ${this.address().port}`); }
function accept(connection) { begin(connection); say('connected'); this.close(); } // and no other
if (process.argv[2] === 'connect') begin(net.connect(at, ready));
else net.createServer(accept).listen(at, ready);
