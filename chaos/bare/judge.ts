// SPDX-License-Identifier: MIT
// What a stream of NATS has kept of what it said: pure, over what writers were told, what readers
// were given, and what the stream holds when all is quiet.

export interface Acknowledged {
  /** Each writer writes one message after the other. */
  readonly writer: number;
  readonly text: string;
  readonly sequence: number;
  /** The last fault that had begun then. */
  readonly fault: string;
}

export interface Delivered {
  readonly reader: number;
  readonly sequence: number;
  readonly text: string;
  readonly fault: string;
}

export interface Witness {
  /** In the order in which it was told. */
  readonly acknowledged: readonly Acknowledged[];
  readonly delivered: readonly Delivered[];
  /** By sequence. */
  readonly stream: ReadonlyMap<number, string>;
}

export interface Finding {
  readonly what: string;
  readonly count: number;
  /** How many by the fault at which they were told. */
  readonly byFault: Readonly<Record<string, number>>;
  /** The first ones. */
  readonly evidence: readonly string[];
}

const evidenceMax = 5;

/** Each kind of broken word, with how often; kinds that were not seen have the count 0. */
export function judge({ acknowledged, delivered, stream }: Witness): readonly Finding[] {
  const places = new Map<string, number[]>();
  for (const [sequence, text] of stream) {
    const known = places.get(text);
    if (known === undefined) places.set(text, [sequence]);
    else known.push(sequence);
  }
  const holds = (sequence: number): string => stream.get(sequence) ?? "nothing";
  const away = acknowledged.filter(({ sequence, text }) => stream.get(sequence) !== text);
  const isNowhere = ({ text }: { readonly text: string }): boolean => !places.has(text);
  return [
    finding(
      "acknowledged, and nowhere in the stream",
      away.filter(isNowhere),
      ({ sequence, text }) => `'${text}' at ${sequence}, which has ${holds(sequence)}`,
    ),
    finding(
      "acknowledged at one place, and found at another",
      away.filter((one) => !isNowhere(one)),
      ({ sequence, text }) => `'${text}' at ${sequence}, found at ${places.get(text)}`,
    ),
    finding(
      "delivered to a reader, and another message in the stream",
      delivered.filter(({ sequence, text }) => stream.get(sequence) !== text),
      ({ reader, sequence, text }) =>
        `reader ${reader} had '${text}' at ${sequence}, which has ${holds(sequence)}`,
    ),
    finding(
      "of one writer, acknowledged one by one, in another order",
      disorder(acknowledged),
      ({ writer, text, sequence }) => `writer ${writer}: '${text}' at ${sequence}, too low`,
    ),
    finding(
      "written once, twice in the stream",
      [...places]
        .filter(([, sequences]) => sequences.length > 1)
        .map(([text]) => ({ text, fault: "unknown" })),
      ({ text }) => `'${text}' at ${places.get(text)?.join(" and ")}`,
    ),
  ];
}

function disorder(acknowledged: readonly Acknowledged[]): readonly Acknowledged[] {
  const last = new Map<number, Acknowledged>();
  return acknowledged.filter((one) => {
    const before = last.get(one.writer);
    last.set(one.writer, one);
    return before !== undefined && before.sequence > one.sequence;
  });
}

function finding<Case extends { readonly fault?: string }>(
  what: string,
  all: readonly Case[],
  describe: (one: Case) => string,
): Finding {
  const byFault: Record<string, number> = {};
  for (const { fault = "unknown" } of all) byFault[fault] = (byFault[fault] ?? 0) + 1;
  return { what, count: all.length, byFault, evidence: all.slice(0, evidenceMax).map(describe) };
}
