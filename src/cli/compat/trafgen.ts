// SPDX-License-Identifier: MIT
// The program trafgen: one end of one flow, sending or receiving as events on the bus say, in the
// foreground until it is told to end. [EMULAB-EVENTS 6]
import { eventPorts, resolveEventAddress } from "../../client/event-address.ts";
import { findBus } from "../../client/event-connection.ts";
import { errorText } from "../../core/text.ts";
import { eventsLimits } from "../../events/events-limits.ts";
import type { TrafficFlow } from "../../experiment/model.ts";
import { systemClock } from "../../host/clock.ts";
import { readClockName } from "../../host/clock-name.ts";
import { TimerFireClock } from "../../testbed/agents/firing/fire-clock.ts";
import { TrafficAgent } from "../../testbed/agents/trafgen/traffic-agent.ts";
import { TrafficAgentBus } from "../../testbed/agents/trafgen/traffic-agent-bus.ts";
import { connectEventBus, eventWorld, senderAddress } from "../event-bus.ts";
import { agentCredentials } from "./agent-key.ts";
import { performExit } from "./exit.ts";
import { createFileLogger } from "./syncd-log.ts";
import { failureCode, parseTrafgenArguments, type TrafgenArguments } from "./trafgen-arguments.ts";

/** Its reports go one after the other. */
const publishersMax = 1;

async function main(args: readonly string[]): Promise<void> {
  const given = parseTrafgenArguments(args);
  if (given.kind === "exit") performExit(given);
  const { server, port, experiment, name, role } = given;
  const say = openLog(given);
  const credentials = agentCredentials(given.keyFile, experiment);
  const url = resolveEventAddress(
    { server, port },
    { environment: undefined, server, port: eventPorts.experiments },
  );
  if (url === undefined) throw new Error(`-s ${server} is no host`);
  const traffic = openTraffic(given);
  const end = endOn(traffic, given, say);
  const { runtime } = eventWorld;
  const connect = () => connectEventBus(url, publishersMax * eventsLimits.publicationsAtOnceMax);
  const bus = await findBus({ connect, runtime, onRetry: say });
  const attached = await TrafficAgentBus.attach({
    ...{ bus, traffic, role, name, experiment, credentials, onWarning: say },
    ...{ sender: senderAddress(process.env), clock: systemClock, clockName: readClockName() },
    fire: new TimerFireClock(systemClock),
    onPerformed: (what, outcome) => say(`${what}: ${outcome}`),
  });
  end.attached = attached;
  const { sink, protocol } = given;
  const does = role === "sink" ? "receiving at" : "sending to";
  say(`${name} of ${experiment}: ${does} ${sink.address} port ${sink.port} over ${protocol}`);
}

function openTraffic({ name, protocol, source, sink, role }: TrafgenArguments): TrafficAgent {
  const end = { name, node: "", address: "", port: 0 };
  const flow: TrafficFlow = {
    ...{ name, kind: "cbr", protocol, source: end, sink: end, packetBytes: 0 },
    ...{ rateBps: undefined, intervalSeconds: undefined, tos: undefined },
    at: { file: "", line: 0, column: 0 },
  };
  return new TrafficAgent({
    ...{ flows: [flow], clock: systemClock, only: role },
    locate: () => ({ protocol, source, sink }),
  });
}

/** On a signal all is closed, and what was sent and received is told. */
function endOn(
  traffic: TrafficAgent,
  { role }: TrafgenArguments,
  say: (text: string) => void,
): { attached: TrafficAgentBus | undefined } {
  const life: { attached: TrafficAgentBus | undefined; isEnding: boolean } = {
    ...{ attached: undefined, isEnding: false },
  };
  const end = async (): Promise<void> => {
    if (life.isEnding) return;
    life.isEnding = true;
    const [counts] = await traffic.counts();
    await life.attached?.close();
    await traffic.close();
    if (counts !== undefined && role === "source") {
      const { sentPackets, sentBytes, generatorLostPackets } = counts;
      say(`sent ${sentPackets} packets, ${sentBytes} bytes; ${generatorLostPackets} lost here`);
    } else if (counts !== undefined) {
      say(`received ${counts.receivedPackets} packets, ${counts.receivedBytes} bytes`);
    }
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void end());
  return life;
}

/** @throws Error when the file cannot be opened */
function openLog({ logFile }: TrafgenArguments): (text: string) => void {
  if (logFile === undefined) return (text) => process.stderr.write(`trafgen: ${text}\n`);
  const logger = createFileLogger(logFile, systemClock);
  return (text) => logger.log("info", text);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const message = errorText(error);
  performExit({ kind: "exit", code: failureCode, stderr: `trafgen: ${message}\n` });
});
