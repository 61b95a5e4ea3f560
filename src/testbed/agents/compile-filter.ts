// SPDX-License-Identifier: MIT
// Has expressions of traces read by tcpdump, whose language they are in, and gets a program for
// packet-filter.ts. Tracing itself needs no tcpdump: only who names packets does.
import type { Link } from "../../experiment/model.ts";
import type { Clock } from "../../host/clock.ts";
import { type FilterInstruction, parseFilterProgram } from "../../network/packet-filter.ts";
import { pcapFileHeader, wholePacketBytes } from "../../network/pcap-writer.ts";
import { runLimited } from "./limited-command.ts";

const compileMsMax = 10_000;
/** Of some instructions, at most 4,096 with 30 characters each. */
const outputBytesMax = 262_144;
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

export interface FilterCompiler {
  readonly links: readonly Link[];
  readonly clock: Clock;
}

/** Never rejects. @returns a string: why it cannot be done, as a sentence */
export async function compileFilter(
  { links, clock }: FilterCompiler,
  link: string,
  expression: string,
): Promise<readonly FilterInstruction[] | string> {
  const { text, problem } = await runLimited({
    // Of a file without packets: it needs no interface, and no right over one.
    words: ["tcpdump", "-ddd", "-r", "-", "--", withAddresses(links, link, expression)],
    ...{ directory: "/", environment, clock, interrupt: new AbortController().signal },
    input: pcapFileHeader(wholePacketBytes),
    ...{ msMax: compileMsMax, outputBytesMax },
  });
  const lines = text.split("\n").filter((line) => !/^reading from file|^\s*$/.test(line));
  if (problem !== undefined) {
    const why = lines.at(-1) ?? problem;
    return /ENOENT/.test(problem) ? "install tcpdump, which reads such expressions" : why;
  }
  const program = parseFilterProgram(lines.join("\n"));
  return "problem" in program ? program.problem : program;
}

/** tcpdump runs here, where the nodes' names are not known; a node alone is its end of the link. */
function withAddresses(links: readonly Link[], link: string, expression: string): string {
  const addresses = new Map(
    links.flatMap(({ name, members }) =>
      members.flatMap(({ node, address }) => [
        [`${node}-${name}`, address] as const,
        ...(name === link ? [[node, address] as const] : []),
      ]),
    ),
  );
  return expression.replace(
    /\b(host|src|dst)(\s+)([\w.-]+)/g,
    (all, word: string, space: string, name: string) => {
      const address = addresses.get(name) ?? "";
      return address === "" ? all : word + space + address;
    },
  );
}
