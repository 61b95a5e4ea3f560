// SPDX-License-Identifier: MIT
// One end of a probe: `receive ADDRESS PORT PACKETS` says "ready", and at the end of its input,
// when all have come or nothing has for a while, what came when;
// `send ADDRESS PORT PACKETS BYTES GAP_US` says how many it sent.
import { createSocket } from "node:dgram";

const [role, address = "", port = "0", packets = "0", bytes = "100", gapUs = "0"] =
  process.argv.slice(2);

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
/** Longer than any link of the tests, or a busy machine, holds a packet back. */
const quietMs = 1_000;
/** Packets that are farther apart are waited for asleep. */
const napUs = 200;
const word = new Int32Array(new SharedArrayBuffer(4));

if (role === "receive") {
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
  const arrivals: { id: number; sentUs: number; receivedUs: number }[] = [];
  let lastUs = 0;
  socket.on("message", (packet) => {
    lastUs = nowUs();
    arrivals.push({
      id: packet.readUInt32LE(0),
      sentUs: packet.readDoubleLE(4),
      receivedUs: lastUs,
    });
  });
  socket.bind(Number(port), address, () => process.stdout.write("ready\n"));
  process.stdin.resume().on("end", () => {
    const endedUs = nowUs();
    const look = setInterval(() => {
      const isQuiet = nowUs() - Math.max(lastUs, endedUs) > quietMs * 1_000;
      if (!isQuiet && arrivals.length < Number(packets)) return;
      clearInterval(look);
      process.stdout.write(`${JSON.stringify(arrivals)}\n`, () => process.exit(0));
    }, 20);
  });
} else {
  const socket = createSocket({ type: "udp4", sendBufferSize: 4 << 20 });
  const packet = Buffer.alloc(Number(bytes));
  socket.connect(Number(port), address, () => {
    const startUs = nowUs();
    let id = 0;
    const turn = (): void => {
      const dueCount = Number(gapUs) === 0 ? id + 16 : (nowUs() - startUs) / Number(gapUs);
      while (id < Math.min(Number(packets), dueCount)) {
        packet.writeUInt32LE(id++, 0);
        packet.writeDoubleLE(nowUs(), 4);
        socket.send(packet);
      }
      if (id < Number(packets)) {
        if (Number(gapUs) > napUs) Atomics.wait(word, 0, 0, napUs / 2_000);
        setImmediate(turn);
        return;
      }
      process.stdout.write(String(id));
      socket.close();
    };
    turn();
  });
}
