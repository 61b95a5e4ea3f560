// SPDX-License-Identifier: MIT
// One end of a probe: `receive ADDRESS PORT` says "ready", and when its input has ended, which says
// how many were sent, and all have come or nothing has for a while: what came when.
// `send ADDRESS PORT PACKETS BYTES GAP_US` says how many it sent; with `told` behind that it sends
// so many at most, and until its input ends.
import { createSocket } from "node:dgram";

const [role, address = "", port = "0", ...sending] = process.argv.slice(2);
const [packets = "0", bytes = "100", gapUs = "0", until] = sending;

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
/** Longer than any link of the tests, or a busy or an emulated machine, holds a packet back. */
const quietMs = process.env["MUSTER_TEST_LINKS"] === "netem" ? 2_000 : 1_000;
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
  let sent = "";
  process.stdin.setEncoding("utf8").on("data", (text: string) => {
    sent += text;
  });
  process.stdin.on("end", () => {
    const endedUs = nowUs();
    const look = setInterval(() => {
      const isQuiet = nowUs() - Math.max(lastUs, endedUs) > quietMs * 1_000;
      if (!isQuiet && arrivals.length < Number(sent)) return;
      clearInterval(look);
      process.stdout.write(`${JSON.stringify(arrivals)}\n`, () => process.exit(0));
    }, 20);
  });
} else {
  const socket = createSocket({ type: "udp4", sendBufferSize: 4 << 20 });
  const packet = Buffer.alloc(Number(bytes));
  let packetsMax = Number(packets);
  if (until === "told") {
    process.stdin.resume().on("end", () => {
      packetsMax = 0;
    });
  }
  socket.connect(Number(port), address, () => {
    const startUs = nowUs();
    let id = 0;
    const turn = (): void => {
      const dueCount = Number(gapUs) === 0 ? id + 16 : (nowUs() - startUs) / Number(gapUs);
      while (id < Math.min(packetsMax, dueCount)) {
        packet.writeUInt32LE(id++, 0);
        packet.writeDoubleLE(nowUs(), 4);
        socket.send(packet);
      }
      if (id < packetsMax) {
        if (Number(gapUs) > napUs) Atomics.wait(word, 0, 0, Number(gapUs) / 2_000);
        setImmediate(turn);
        return;
      }
      process.stdout.write(String(id));
      socket.close();
    };
    turn();
  });
}
