// SPDX-License-Identifier: MIT
// The GNUnet controller of a run: that of this machine, for all programs that the run starts here.
// It has a door on every node, at the address at which the node calls the servers of the run;
// programs find it by the file that GNUNET_TESTBED_CONTROLLER_CONFIG names.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  formatClientConfig,
  type GnunetAddress,
  GnunetController,
  type GnunetService,
} from "../edges/gnunet/index.ts";
import type { ConnectEdge } from "../host/core-link.ts";
import type { Host } from "../host/host.ts";
import { barrierPort, testbedPort } from "../wire/gnunet/index.ts";
import type { NetworkDoors, RunningNode } from "./nodes/index.ts";
import { gnunetConfigFile } from "./nodes/program-environment.ts";
import type { RunOptions } from "./run-options.ts";

/** The controller of a run; its peers are the programs that the experiment has. */
export function openRunGnunet(
  { experiment, clock, limits, logger }: RunOptions,
  scope: string,
  { connectEdge: connect }: Pick<Host, "connectEdge">,
): RunGnunet {
  const programs = experiment.programs.length;
  return new RunGnunet({ scope, connect, clock, limits, logger, programs });
}

interface RunGnunetOptions extends Pick<RunOptions, "clock" | "limits" | "logger"> {
  readonly scope: string;
  readonly connect: ConnectEdge;
  readonly programs: number;
}

export class RunGnunet {
  readonly #controller: GnunetController;
  /** Address called -> node. */
  readonly #nodes = new Map<string, string>();

  constructor({ programs, ...options }: RunGnunetOptions) {
    this.#controller = new GnunetController({
      ...{ ...options, edge: "gnunet", peers: programs },
      nodeOf: (address) => this.#nodes.get(address),
    });
  }

  /** The run has another number of programs now. */
  setPrograms(programs: number): void {
    this.#controller.setPeers(programs);
  }

  /**
   * Opens the doors of nodes that have none, and tells their programs. @throws GnunetListenError
   */
  async serve(nodes: Iterable<RunningNode>, doors?: NetworkDoors): Promise<void> {
    for (const { name, calledAt, hostPath, elsewhere } of nodes) {
      const addresses = addressesAt(calledAt);
      // A node that comes back is called at the address of before, and boots anew.
      if (!this.#nodes.has(calledAt)) {
        this.#nodes.set(calledAt, name);
        await this.#controller.listen("testbed", addresses.testbed);
        await this.#controller.listen("testbed-barrier", addresses["testbed-barrier"]);
      }
      const seen = addressesAt(elsewhere?.serversAt ?? doors?.seen(calledAt) ?? calledAt);
      if (elsewhere !== undefined) {
        const text = formatClientConfig(seen);
        await elsewhere.put({ place: "boot", name: gnunetConfigFile, text, mode: 0o644 });
        continue;
      }
      const file = join(hostPath.boot, gnunetConfigFile);
      // What a program of the node has put there is not written through.
      rmSync(file, { force: true });
      writeFileSync(file, formatClientConfig(seen), { flag: "wx", mode: 0o644 });
    }
  }

  close(): Promise<void> {
    return this.#controller.close();
  }
}

function addressesAt(host: string): Record<GnunetService, GnunetAddress> {
  return {
    testbed: { kind: "tcp", host, port: testbedPort },
    "testbed-barrier": { kind: "tcp", host, port: barrierPort },
  };
}
