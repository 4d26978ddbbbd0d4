// Makes and serves calls, by docs/call.md alone: see README.md.
'use strict';
const [assert, crypto, net, readline] = ['assert', 'crypto', 'net', 'readline'].map(require);

const [REQUEST, REPLY, FAILURE, CANCEL] = [0x11, 0x12, 0x13, 0x14];
const [ERROR, BUSY] = [1, 128];
const HEAD = 18; // kind, flags, end, call
const ROOM = 50; // requests that are worked on at once

const me = crypto.randomBytes(8);
const calls = new Map(); // ours that have no answer, by number: who waits
const work = new Map(); // the other end's, by both numbers: how to stop it
let [socket, last, theirs] = [null, 0n, null]; // theirs: the other end's number, once it has made a call

function u64(n) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(n));
  return bytes;
}

function send(kind, end, call, ...rest) {
  const body = Buffer.concat([Buffer.from([kind, 0]), end, u64(call), ...rest.map((r) => Buffer.from(r))]);
  socket.write(Buffer.concat([u64(body.length).subarray(4), body]));
}

function call(request, { timeout = 0, cancelled = false } = {}) {
  last += 1n;
  const answer = new Promise((resolve) => calls.set(last, resolve));
  send(REQUEST, me, last, u64(timeout * 1e6), request);
  if (cancelled) send(CANCEL, me, last);
  return answer;
}

function execute(end, number, key, timeout, request) {
  const [, verb, text] = /^(\S*) ?(.*)$/s.exec(request.toString('latin1'));
  const answer = (kind, ...rest) => { // once
    if (!work.delete(key)) return;
    send(kind, end, number, ...rest);
    if (verb === 'wait') console.log('stopped');
  };
  if (verb === 'echo') answer(REPLY, request.subarray(5));
  else if (verb === 'left') answer(REPLY, String(timeout));
  else if (verb === 'fail') answer(FAILURE, [ERROR], text);
  else { // wait: until it is cancelled, or its time is over
    const stop = () => answer(FAILURE, [ERROR], 'stopped');
    work.set(key, stop);
    if (timeout > 0n) setTimeout(stop, Number(timeout / 1000000n));
  }
}

function message(m) {
  assert(m.length >= HEAD && m[0] >> 4 === 1, 'no message of version 1');
  const [kind, end, number, key] = [m[0], m.subarray(2, 10), m.readBigUInt64BE(10), m.toString('hex', 2, HEAD)];
  if (kind === REQUEST) {
    assert(m.length >= HEAD + 8 && !end.equals(me) && !work.has(key) && m[HEAD] < 128, 'no request');
    if (work.size >= ROOM) return send(FAILURE, end, number, [BUSY]);
    work.set(key, null);
    theirs = end;
    execute(end, number, key, m.readBigUInt64BE(HEAD), m.subarray(HEAD + 8));
  } else if (kind === CANCEL) {
    const stop = work.get(key);
    if (stop) stop();
  } else if (kind === REPLY || kind === FAILURE) {
    assert(kind === REPLY || m.length > HEAD, 'no failure');
    if (!end.equals(me)) return; // for an end that was here before
    assert(number > 0n && number <= last, 'an answer to nothing');
    if (calls.has(number)) calls.get(number)(kind === REPLY ? { reply: m.subarray(HEAD) } : { code: m[HEAD], text: m.toString('utf8', HEAD + 1) });
    calls.delete(number);
  } else assert(kind >= 0x18, 'no kind');
}

function serve(accepted) {
  let got = Buffer.alloc(0);
  socket = accepted.on('close', () => { console.log('end'); process.exit(0); });
  socket.on('error', () => {}).on('data', (chunk) => {
    got = Buffer.concat([got, chunk]);
    for (let n; got.length >= 4 && got.length >= 4 + (n = got.readUInt32BE()); got = got.subarray(4 + n)) {
      if (n > 0) message(got.subarray(4, 4 + n)); // an empty one is a heartbeat
    }
  });
  readline.createInterface({ input: process.stdin }).on('line', command);
}

const told = (a) => (a.reply ? `reply ${a.reply}` : `failure ${a.code} ${a.text}`);
async function command(line) {
  const [, verb, text] = /^(\S+) ?(.*)$/.exec(line);
  if (verb === 'call') console.log(told(await call(text)));
  else if (verb === 'cancel') console.log(told(await call(text, { cancelled: true })));
  else if (verb === 'hurry') console.log(told(await call(text, { timeout: 20 }))); // milliseconds
  else if (verb === 'stray') send(REPLY, text === 'theirs' ? theirs : crypto.randomBytes(8), 1000n);
  else { // many: at once, and each gets its own reply
    await Promise.all(Array.from({ length: Number(text) }, async (_, i) => {
      const request = `${i} ` + 'x'.repeat((i * 7919) % 5000);
      assert.equal((await call(request)).reply.toString(), request);
    }));
    console.log('all');
  }
}

const [role, port] = process.argv.slice(2);
if (role === 'connect') serve(net.connect(Number(port), '127.0.0.1', () => console.log('ready 0')));
else net.createServer(serve).listen(0, '127.0.0.1', function () { console.log(`ready ${this.address().port}`); });
