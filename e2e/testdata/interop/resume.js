// A netcat whose session goes on over many connections, by docs/resume.md alone: see README.md.
const [assert, crypto, net, readline] = ['assert', 'crypto', 'net', 'readline'].map(require);
const KEEP = 64; // messages that are sent and not acknowledged, of whatever size
const [dialer, port] = [process.argv[2] === 'connect', Number(process.argv[3])];
const out = []; // messages that the peer is not known to have: the first is number acked + 1
let [acked, sent, received, told] = [0, 0, 0, 0];
let [nonce, token, number] = [dialer && crypto.randomBytes(16), Buffer.alloc(0), 0];
let [heard, ended, bye] = [false, false, false]; // a frame since Welcome; stdin; Bye was said
let link = null; // the one connection that counts

const big = (size, n) => Buffer.from(BigInt(n).toString(16).padStart(2 * size, '0'), 'hex');
const count = (b, at) => Number(b.readBigUInt64BE(at));
const frame = (...parts) => Buffer.concat([big(4, Buffer.concat(parts).length), ...parts]);
const control = (kind, ...parts) => Buffer.concat([frame(), frame(Buffer.from(kind), ...parts)]);
const last = (...window) => [big(4, KEEP), big(4, 2 ** 32 - 1), ...window, big(1, token.length), token];
const ack = () => link && link.write(control('A', big(8, told = received)));
const acknowledged = (n) => { assert(acked <= n && n <= sent); acked += out.splice(0, n - acked).length; };
const over = (socket) => socket.on('close', () => process.exit()).end(console.log('over'), link = null);

function flush() {
  for (; link && sent - acked < Math.min(out.length, KEEP); sent++) link.write(frame(out[sent - acked]));
  if (!link || link.bye || !ended || out.length > 0) return;
  link.bye = bye = true;
  link.write(control('B', big(8, sent), big(1, 0)));
}
function attach(socket, n, resumed) { // what the peer does not have is sent again, before all else
  acknowledged(n);
  [link, sent, told] = [socket, n, received];
  console.log(`connected resumed=${resumed}`);
}
function hello(socket, b) { // the listener's side, with one session and no other
  if (!b.toString('latin1').startsWith('Hnetasync-resume')) return socket.destroy();
  const [its, theirs] = [b.subarray(26, 42), b.subarray(59, 59 + b[58])];
  const known = (b[17] & 1) === 1 && token.length > 0 && theirs.equals(token);
  const code = b[16] !== 1 ? 1 // another version
    : nonce && its.equals(nonce) && count(b, 18) <= number ? 2 // stale
    : known && !its.equals(nonce) ? 3 // forbidden
    : !known && b[17] & 2 ? 4 // nothing to go on with
    : !known && nonce && (heard || !its.equals(nonce)) ? 5 : 0; // full
  if (code) return socket.end(control('R', big(1, code)));
  if (link) link.destroy(); // taken over
  [nonce, number, heard, token] = [its, count(b, 18), known, known ? token : crypto.randomBytes(16)];
  attach(socket, known ? count(b, 42) : 0, known);
  socket.write(control('W', big(1, 1), big(1, known), big(8, received), ...last(big(4, 120))));
}
function welcome(socket, b) { // the dialer's side
  if (b[0] === 82 && b[1] === 4 && bye) return over(socket); // the answer to Bye was lost
  if (b[0] !== 87 || b[1] !== 1) return socket.destroy();
  const resumed = (b[2] & 1) === 1;
  if (!resumed) console.log(`lost ${out.splice(0, sent - acked).length}`); // they may have arrived
  if (!resumed) [acked, sent, received] = [0, 0, 0];
  token = b.subarray(24, 24 + b[23]);
  attach(socket, count(b, 3), resumed);
}
function take(socket, escaped, b) {
  heard = true;
  if (!escaped && ++received) return console.log(`got ${b}`);
  const kind = String.fromCharCode(b[0]);
  if (kind === 'A') acknowledged(count(b, 1));
  if (kind === 'Q' || kind === 'B') ack();
  if (kind === 'B' || (kind === 'A' && socket.bye)) over(socket);
}
function serve(socket) {
  let [rest, escaped, n] = [Buffer.alloc(0), false, 0];
  socket.on('error', () => {}).on('close', () => { if (link === socket) link = null; });
  return socket.setNoDelay().setTimeout(5000, () => socket.destroy()).on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (; rest.length >= 4 && rest.length >= (n = 4 + rest.readUInt32BE()); rest = rest.subarray(n)) {
      if (socket.writableEnded) return;
      if (!escaped && n > 4 && link !== socket) return socket.destroy(); // a plain peer
      if (link === socket && (escaped || n > 4)) take(socket, escaped, rest.subarray(4, n));
      else if (escaped) (dialer ? welcome : hello)(socket, rest.subarray(4, n));
      escaped = n === 4 && !escaped;
    }
    if (received > told) ack();
    flush();
  });
}
function dial() {
  const flags = (token.length > 0 ? 1 : 0) + (bye ? 2 : 0); // 2: a new session is of no use
  serve(net.connect(port, '127.0.0.1')).on('close', () => setTimeout(dial, 20)).write(control('H',
    Buffer.from('netasync-resume'), big(1, 1), big(1, flags), big(8, ++number), nonce, big(8, received), ...last()));
}
readline.createInterface(process.stdin)
  .on('line', (line) => flush(out.push(Buffer.from(line)))).on('close', () => flush(ended = true));
setInterval(ack, 250); // the heartbeat, too
if (dialer) dial(console.log('ready 0'));
else net.createServer(serve).listen(port, '127.0.0.1', function () { console.log('ready', this.address().port); });
