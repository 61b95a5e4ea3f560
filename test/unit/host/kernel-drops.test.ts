// SPDX-License-Identifier: MIT
// Goal: what the kernel counts as dropped is read from its tables, of the socket that is meant.
// Method: tables as Linux writes them; a real socket that nobody reads while too much comes.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, test } from "vitest";
import {
  deviceDrops,
  readDeviceDrops,
  readSocketDrops,
  socketDrops,
} from "../../../src/host/kernel-drops.ts";

const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  401: 0100007F:2711 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 900 2 0000000000000000 7
  402: 0200007F:2711 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 901 2 0000000000000000 12
`;

test("drops are those of the address and the port, or of all", () => {
  expect(socketDrops(table, { address: "127.0.0.1", port: 10_001 })).toBe(7);
  expect(socketDrops(table, { address: "127.0.0.2", port: 10_001 })).toBe(12);
  expect(socketDrops(table, { address: "127.0.0.1", port: 10_002 })).toBe(0);
  expect([socketDrops(table), socketDrops("")]).toEqual([19, 0]);
});

test("drops between devices are hexadecimal, of all processors", () => {
  const line = (drops: string): string => `0192344c ${drops} 00000008 00000000`;
  expect(deviceDrops(`${line("0000001f")}\n${line("00000001")}\n`)).toBe(32);
  expect(deviceDrops("")).toBe(0);
  expect(readDeviceDrops()).toBeGreaterThanOrEqual(0);
});

test("a socket that is not read in time has as many drops as did not come", async () => {
  const socket = createSocket({ type: "udp4", recvBufferSize: 4_096 });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const sender = createSocket("udp4");
  const at = { address: "127.0.0.1", port: socket.address().port };
  let received = 0;
  const last = new Promise<void>((resolve) => {
    socket.on("message", (bytes) => {
      if (bytes[0] === 1) resolve();
      else received += 1;
    });
  });
  sender.connect(at.port, at.address);
  await once(sender, "connect");
  expect(readSocketDrops(at)).toBe(0);
  // This turn does not end while they are sent: nobody reads.
  for (let count = 0; count < 200; count += 1) sender.send(Buffer.alloc(1_000));
  const drops = readSocketDrops(at);
  expect(drops).toBeGreaterThan(100);
  const again = setInterval(() => sender.send(Buffer.from([1])), 5);
  await last;
  clearInterval(again);
  expect(received).toBe(200 - drops);
  sender.close();
  socket.close();
});
