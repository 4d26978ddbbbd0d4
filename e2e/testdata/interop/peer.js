// A Node peer for the interop tests, on `net` alone. Its framing is the
// shortest thing that a Node programmer would write. See README.md beside this
// file for the arguments, the commands and the lines it prints.

'use strict';

const { once } = require('events');
const net = require('net');
const readline = require('readline');

const FROM_GO = 1;
const FROM_PEER = 2;
const HEADER = 4;

const options = new Map(process.argv.slice(2).map((arg) => arg.split('=')));
const number = (key) => Number(options.get(key) || 0);
const list = (key) => (options.get(key) || '').split(',').filter((item) => item !== '');

const acts = new Set(list('do'));
const sizes = list('sizes').map(Number);
const total = sizes.length + number('small');
const heartbeat = number('heartbeat');
let silent = false;

function say(line) {
  process.stdout.write(line + '\n');
}

function bad(line) {
  process.stdout.write('bad ' + line + '\n', () => process.exit(1));
}

function payload(origin, index) {
  const bytes = Buffer.alloc(index < sizes.length ? sizes[index] : 1 + (index % 100));
  let state = origin * 1000003 + index;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function frame(bytes) {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(bytes.length);
  return Buffer.concat([header, bytes]);
}

// splitter calls back once per whole frame, however the bytes are cut. Chunks
// are joined only when a frame is complete, so a large one is copied once.
function splitter(onFrame) {
  let chunks = [];
  let have = 0;
  let want = HEADER;
  return (chunk) => {
    chunks.push(chunk);
    have += chunk.length;
    if (have < want) return;
    let bytes = Buffer.concat(chunks);
    want = HEADER;
    while (bytes.length >= HEADER) {
      want = HEADER + bytes.readUInt32BE(0);
      if (bytes.length < want) break;
      onFrame(bytes.subarray(HEADER, want));
      bytes = bytes.subarray(want);
      want = HEADER;
    }
    chunks = [bytes];
    have = bytes.length;
  };
}

function check(bytes, index) {
  if (index >= total) {
    bad(`message ${index + 1} of ${total}`);
  } else if (!bytes.equals(payload(FROM_GO, index))) {
    bad(`content of message ${index}, ${bytes.length} bytes`);
  } else if (index + 1 === total) {
    say(`checked ${total}`);
  }
}

function connection(socket) {
  let messages = 0;
  let empty = 0;
  let why = 'clean';
  socket.setNoDelay(true);
  socket.on('data', splitter((bytes) => {
    if (bytes.length === 0) {
      say(`empty ${++empty}`);
      return;
    }
    if (acts.has('check')) check(bytes, messages);
    messages++;
    if (acts.has('echo')) socket.write(frame(bytes));
  }));
  const timer = heartbeat && setInterval(() => {
    if (!silent && socket.writable) socket.write(frame(Buffer.alloc(0)));
  }, heartbeat);
  socket.on('error', (err) => { why = err.code; });
  socket.on('close', () => {
    clearInterval(timer);
    say(`end ${why} messages=${messages} empty=${empty}`);
  });
  if (acts.has('send')) speak(socket);
}

// speak holds back while the socket does.
async function speak(socket) {
  for (let i = 0; i < total; i++) {
    if (acts.has('mix')) socket.write(frame(Buffer.alloc(0)));
    if (!socket.write(frame(payload(FROM_PEER, i)))) await once(socket, 'drain');
  }
  say(`sent ${total}`);
  if (acts.has('close')) socket.end();
}

// Whatever happens to the test that started us, we do not outlive this.
setTimeout(() => process.exit(3), (number('limit') || 60) * 1000);

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === 'silence') silent = true;
    else if (line === 'quit') process.exit(0);
    else bad(`command ${line}`);
  })
  .on('close', () => process.exit(0));

const address = { host: '127.0.0.1', port: number('port') };
if (options.get('role') === 'listen') {
  const server = net.createServer(connection);
  server.on('error', (err) => bad(`listen ${err.code}`));
  server.listen(address, () => say(`ready ${server.address().port}`));
} else {
  const socket = net.connect(address);
  const refused = (err) => bad(`connect ${err.code}`);
  socket.on('error', refused);
  socket.on('connect', () => {
    socket.off('error', refused);
    say(`ready ${socket.localPort}`);
    connection(socket);
  });
}
