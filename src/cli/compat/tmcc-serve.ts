// SPDX-License-Identifier: MIT
// `tmcc --serve FILE`: the configuration server for the nodes of an experiment file, without a
// testbed around it, so that scripts which ask it can be tried. Each node has an address of its
// own.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { errorText } from "../../core/text.ts";
import { Tmcd } from "../../edges/tmcd/index.ts";
import { parseNsFile } from "../../experiment/index.ts";
import { systemClock } from "../../host/clock.ts";
import { newSecret } from "../../host/ids.ts";
import { type ConfiguredNode, NodeConfig } from "../../testbed/node-config.ts";
import { loadTlsIdentity } from "../tls-identity.ts";
import type { Exit } from "./exit.ts";
import { createStderrLogger } from "./syncd-log.ts";
import { exitCodes, type TmccArguments } from "./tmcc-arguments.ts";

/** Second octet of the addresses; runs take theirs from 64 on. */
const block = 60;
const nodesMax = 250;

/** Prints one line per node when it listens, and serves until the process ends. */
export async function serveExperiment(
  file: string,
  given: Pick<TmccArguments, "debug" | "listenPort" | "tlsDirectory" | "isTlsLegacy">,
): Promise<Exit> {
  try {
    const { tmcd, nodes } = create(file, given);
    const [port = 0] = await tmcd.listen();
    for (const { name, calledAt } of nodes) {
      process.stdout.write(`node=${name} address=${calledAt} port=${port}\n`);
    }
  } catch (error) {
    const stderr = `tmcc: ${errorText(error)}\n`;
    return { kind: "exit", code: exitCodes.usage, stderr };
  }
  return new Promise<Exit>(() => undefined);
}

function create(
  file: string,
  { debug, listenPort, tlsDirectory, isTlsLegacy }: Parameters<typeof serveExperiment>[1],
) {
  const eid = basename(file).replace(/\.[^.]*$/, "");
  const parsed = parseNsFile(readFileSync(file, "utf8"), { file, pid: "test", eid });
  const { experiment, rows } = parsed;
  if (experiment === undefined || rows === undefined) {
    throw new Error(`${file} is refused; \`muster parse ${file}\` says why`);
  }
  if (experiment.nodes.length > nodesMax) {
    throw new Error(`${file} has more than the ${nodesMax} nodes that can be served`);
  }
  const swapper = process.env["USER"] ?? "nobody";
  const nodes = experiment.nodes.map(({ name }, index): ConfiguredNode => {
    const calledAt = `127.${block}.0.${index + 1}`;
    return { name, calledAt, addresses: [{ link: "", experiment: "", loopback: calledAt }] };
  });
  const source = new NodeConfig({
    ...{ experiment, tables: rows, nodes, domain: "muster.local", creator: swapper, swapper },
    eventKey: newSecret(),
  });
  const tmcd = new Tmcd({
    ...{ source, clock: systemClock, logger: createStderrLogger(systemClock) },
    isDebugging: debug,
    addresses: nodes.map(({ calledAt }) => calledAt),
    ...(listenPort === undefined ? {} : { port: listenPort }),
    ...(tlsDirectory === undefined ? {} : { tls: loadTlsIdentity(tlsDirectory, isTlsLegacy) }),
  });
  return { tmcd, nodes };
}
