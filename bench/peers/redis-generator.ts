// SPDX-License-Identifier: MIT
// Parties that meet by Redis, a connection each: subscribe, count up, and whoever is the last
// publishes. RESP3 allows all of it on one connection, in one write.
import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";
import { serve } from "../syncd/rpc.ts";

let port = 0;
let round = 0;
const parties: Party[] = [];

const command = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;

class Party {
  readonly socket: Socket;
  /** What has come since the last question. */
  #text = "";
  onText: (text: string) => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
      this.onText(this.#text);
    });
  }

  /** Resolves when the answers contain `wanted`. */
  ask(text: string, wanted: string): Promise<void> {
    this.#text = "";
    this.socket.write(text);
    return new Promise((resolve) => {
      this.onText = (answers) => {
        if (answers.includes(wanted)) resolve();
      };
    });
  }

  forget(): void {
    this.#text = "";
  }
}

async function open(): Promise<Party> {
  const socket = dial({ host: "127.0.0.1", port });
  await once(socket, "connect");
  const party = new Party(socket);
  await party.ask(command("HELLO", "3"), "modules");
  return party;
}

serve({
  port: (given) => {
    port = given;
  },
  async connect(count) {
    while (parties.length < count) {
      const some = Math.min(100, count - parties.length);
      parties.push(...(await Promise.all(Array.from({ length: some }, open))));
    }
    for (const { socket } of parties.splice(count)) socket.destroy();
  },
  /** @returns microseconds from the first write until the last party has the message. */
  play() {
    round += 1;
    const name = `barrier-${round}`;
    const arrive = Buffer.from(command("SUBSCRIBE", name) + command("INCR", name));
    const publish = command("PUBLISH", name, "go");
    // The count of its subscriptions, then the number of the arrival.
    const last = `:1\r\n:${parties.length}\r\n`;
    let left = parties.length;
    const begun = process.hrtime.bigint();
    return new Promise((resolve) => {
      for (const party of parties) {
        party.forget();
        let published = false;
        party.onText = (text) => {
          if (!published && text.includes(last)) {
            published = true;
            party.socket.write(publish);
          }
          if (!text.includes("\r\nmessage\r\n")) return;
          party.onText = () => undefined;
          left -= 1;
          if (left === 0) resolve(Number(process.hrtime.bigint() - begun) / 1_000);
        };
        party.socket.write(arrive);
      }
    });
  },
  async reset() {
    const leave = command("UNSUBSCRIBE", `barrier-${round}`);
    await Promise.all(parties.map((party) => party.ask(leave, "unsubscribe")));
    await parties[0]?.ask(command("DEL", `barrier-${round}`), ":");
  },
});
