// SPDX-License-Identifier: MIT
// The Muster servers of a run: real `muster serve`, all with the one log on the brokers, each with
// the doors of sessions, of the sync server and of Testground.
import { join } from "node:path";
import { until } from "../wait.ts";
import { stream } from "./brokers.ts";
import { Member } from "./member.ts";
import type { Network } from "./network.ts";

export interface ServerAddresses {
  /** Of sessions. */
  readonly url: string;
  readonly syncHost: string;
  readonly syncPort: number;
  readonly testgroundUrl: string;
}

/** The scope of barriers of the sync servers. */
export const syncScope = "old/sync";
/** Its status when the brokers are not there at its start: it ends, and says what to do. */
const noBroker = 73;
/** What a server says then: start it again. */
const replaced = "than NATS has delivered before";
const [httpPort, syncPort, testgroundPort] = [8470, 16534, 5050];

export class Servers {
  readonly members: readonly Member[];
  readonly addresses: readonly ServerAddresses[];
  /** Ends of servers that found that the brokers had replaced what they had delivered. */
  readonly replacements: string[] = [];

  constructor(options: {
    readonly network: Network;
    readonly folder: string;
    readonly dist: string;
    readonly count: number;
    readonly brokers: readonly string[];
    readonly onSurprise: (what: string) => void;
  }) {
    const { network, folder, dist, count, brokers, onSurprise } = options;
    const indexes = Array.from({ length: count }, (_, index) => index);
    const hosts = indexes.map((index) => network.address(21 + index, "front"));
    this.addresses = hosts.map((host) => ({
      url: `http://${host}:${httpPort}`,
      syncHost: host,
      syncPort,
      testgroundUrl: `ws://${host}:${testgroundPort}`,
    }));
    this.members = indexes.map((index) => {
      const [name, host] = [`m${index + 1}`, hosts[index]];
      network.add(name, 21 + index, ["back", "front"]);
      const program = [process.execPath, "--disable-warning=ExperimentalWarning"];
      const command = network.within(name, [
        ...[...program, join(dist, "programs/muster.js"), "serve"],
        ...["--state", join(folder, name), "--name", name],
        ...["--log", `nats://${brokers.join(",")}/${stream}?replicas=3`],
        ...["--listen", `http=${host}:${httpPort}`],
        ...["--listen", `syncd=${host}:${syncPort},scope=${syncScope}`],
        ...["--listen", `testground=${host}:${testgroundPort}`],
      ]);
      const logFile = join(folder, `${name}.log`);
      return new Member({
        ...{ name, command, logFile, onSurprise },
        startsAgainAfter: (code, lines) => {
          const isReplaced = lines.includes(replaced);
          if (isReplaced) this.replacements.push(`${name}: ${lines}`);
          return code === noBroker || isReplaced;
        },
      });
    });
  }

  /** Resolves when each says that clients may come. */
  async start(): Promise<void> {
    for (const member of this.members) member.start();
    await this.ready();
  }

  async ready(): Promise<void> {
    for (const member of this.members) {
      await until(`${member.name} is ready`, () => this.isReady(member));
    }
  }

  async isReady(member: Member): Promise<boolean> {
    const { url = "" } = this.addresses[this.members.indexOf(member)] ?? {};
    try {
      const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) });
      return answer.ok;
    } catch {
      return false;
    }
  }

  /** Parties that wait, as each server counts them. */
  async waiters(): Promise<readonly number[]> {
    return Promise.all(
      this.addresses.map(async ({ url }) => {
        const figures = await (await fetch(`${url}/metrics`)).text();
        return Number(/^muster_waiters (\d+)$/m.exec(figures)?.[1] ?? Number.NaN);
      }),
    );
  }
}
