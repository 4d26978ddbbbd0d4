// A netcat whose session goes on over many connections, by docs/resume.md alone: see README.md.
const [assert, crypto, net, readline] = ['assert', 'crypto', 'net', 'readline'].map(require);
const [dialer, at] = [process.argv[2] === 'connect', { host: '127.0.0.1', port: Number(process.argv[3]) }];
const KEEP = 64; // messages that are sent and not acknowledged, of whatever size
let [out, acked, sent, received] = [[], 0, 0, 0]; // out: messages from number acked + 1 on
let [nonce, token, number, heard] = [crypto.randomBytes(16), Buffer.alloc(0), 0, false];
let [link, bye, ended] = [null, null, false]; // the one connection that counts; that of Bye; stdin

const big = (size, n) => Buffer.from(BigInt(n).toString(16).padStart(2 * size, '0'), 'hex');
const count = (b, at) => Number(b.readBigUInt64BE(at));
const frame = (...parts) => Buffer.concat([big(4, Buffer.concat(parts).length), ...parts]);
const control = (kind, ...parts) => Buffer.concat([frame(), frame(Buffer.from(kind), ...parts)]);
const last = (...window) => [big(4, KEEP), big(4, 2 ** 32 - 1), ...window, big(1, token.length), token];
const ack = () => link && link.write(control('A', big(8, received)));
const acknowledged = (n) => { assert(acked <= n && n <= sent); [out, acked] = [out.slice(n - acked), n]; };
const over = (socket) => socket.on('close', () => process.exit()).end(console.log('over'), link = null);
function hello(socket, b) { // there is one session and no other
  const [its, theirs] = [b.subarray(26, 42), b.subarray(59, 59 + b[58])];
  const [same, known] = [its.equals(nonce), (b[17] & 1) === 1 && token.length > 0 && theirs.equals(token)];
  assert(b.length > 16 && b.toString('latin1', 0, 16) === 'Hnetasync-resume');
  assert(b[16] !== 1 || (count(b, 18) > 0 && b[58] <= 64 && theirs.length === b[58]));
  const code = b[16] !== 1 ? 1 // another version
    : same && count(b, 18) <= number ? 2 : known && !same ? 3 // stale, forbidden
    : !known && b[17] & 2 ? 4 : !known && token.length > 0 && (heard || !same) ? 5 : 0; // unknown, full
  if (code) return socket.end(control('R', big(1, code)));
  if (link) link.destroy(); // taken over
  [nonce, number, heard] = [its, count(b, 18), known];
  attach(socket, known ? count(b, 42) : 0, known, known ? token : crypto.randomBytes(16));
  socket.write(control('W', big(1, 1), big(1, known), big(8, received), ...last(big(4, 120))));
}
function welcome(socket, b) {
  const [resumed, theirs] = [(b[2] & 1) === 1, b.subarray(24, 24 + b[23])];
  assert(b[1] === 1 && b[23] > 0 && b[23] <= 64 && theirs.length === b[23]);
  if (!resumed) console.log(`lost ${sent - acked}`); // they may have arrived
  if (!resumed) [out, acked, sent, received] = [out.slice(sent - acked), 0, 0, 0];
  attach(socket, count(b, 3), resumed, theirs);
}
function attach(socket, n, resumed, itsToken) {
  if (n < acked || n > sent) process.exit(1); else acknowledged(n); // 1: an end is not what it was
  [link, sent, token] = [socket, n, itsToken]; // what the peer does not have is sent again
  console.log(`connected resumed=${resumed}`);
}
const refused = (socket, b) => (b[1] === 4 && bye ? over(socket) : socket.destroy()); // 4: Bye has arrived
const first = dialer ? { W: welcome, R: refused } : { H: hello }; // what begins a connection
const later = { // and what goes on with it
  message(socket, b) { received++; console.log(`got ${b}`); ack(); },
  A(socket, b) { acknowledged(count(b, 1)); if (socket === bye) over(socket); },
  B(socket, b) { assert(b.length > 9 && count(b, 1) === received); ack(); over(socket); },
  Q: ack,
};
function serve(socket) {
  let [rest, escaped, n] = [Buffer.alloc(0), false, 0];
  socket.on('error', () => {}).on('close', () => { if (link === socket) link = null; });
  return socket.setNoDelay().setTimeout(5000, () => socket.destroy()).on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    try {
      while (socket.writable && rest.length > 3 && rest.length >= (n = 4 + rest.readUInt32BE())) {
        const [kind, b] = [escaped ? String.fromCharCode(rest[4]) : 'message', rest.subarray(4, n)];
        assert(!escaped || (b.length > 0 && b.length <= 512));
        heard ||= socket === link; // since Welcome
        if (escaped || n > 4) (socket === link ? later : first)[kind](socket, b);
        [escaped, rest] = [n === 4 && !escaped, rest.subarray(n)];
      }
    } catch (wrong) { socket.destroy(console.error(wrong)); } // the session stays
    flush();
  });
}
function flush() {
  for (; link && sent - acked < Math.min(out.length, KEEP); sent++) link.write(frame(out[sent - acked]));
  if (link && link !== bye && ended && !out[0]) (bye = link).write(control('B', big(8, sent), big(1, 0)));
}
function dial() {
  serve(net.connect(at)).on('close', () => setTimeout(dial, 20)).write(control('Hnetasync-resume', big(1, 1),
    big(1, (token.length > 0) + 2 * (bye !== null)), big(8, ++number), nonce, big(8, received), ...last()));
}
readline.createInterface(process.stdin)
  .on('line', (line) => flush(out.push(Buffer.from(line)))).on('close', () => flush(ended = true));
setInterval(ack, 250); // the heartbeat, too
if (dialer) dial(console.log('ready 0'));
else net.createServer(serve).listen(at, function () { console.log('ready', this.address().port); });
