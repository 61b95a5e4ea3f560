// SPDX-License-Identifier: MIT
// Whether topics kept their promises: every reader has the messages in one order, from behind where
// it began, without gap or repeat; what a publisher was told is where its message is; nothing is
// there twice, or before it was published.
import { isRefusedPublication } from "./barriers.ts";
import { checkNumbers, numbersOf } from "./numbers.ts";
import type { Operation, Reader } from "./operations.ts";
import { type Violation, violation } from "./violation.ts";

export function checkTopics(
  operations: readonly Operation[],
  readers: readonly Reader[],
): readonly Violation[] {
  const topics = new Map<string, { publications: Operation[]; readers: Reader[] }>();
  const topicAt = (key: string) => {
    const known = topics.get(key) ?? { publications: [], readers: [] };
    topics.set(key, known);
    return known;
  };
  for (const operation of operations) {
    const { asked, scope, name } = operation;
    const topic = asked.kind === "publish-wait" ? asked.topic : name;
    if (asked.kind !== "publish-wait" && asked.kind !== "publish") continue;
    if (isRefusedPublication(operation)) continue;
    topicAt(`${scope} ${topic}`).publications.push(operation);
  }
  for (const reader of readers) topicAt(`${reader.scope} ${reader.topic}`).readers.push(reader);
  return [...topics].flatMap(([where, topic]) =>
    checkTopic(where, topic.publications, topic.readers),
  );
}

function checkTopic(
  where: string,
  publications: readonly Operation[],
  readers: readonly Reader[],
): readonly Violation[] {
  const found: Violation[] = [];
  const wrong = (
    kind: Violation["kind"],
    text: string,
    evidence: readonly unknown[] = [],
  ): void => {
    found.push(violation(kind, where, text, evidence));
  };
  const order = new Map<number, string>();
  for (const reader of readers) checkReader(reader, order, wrong);
  const places = new Map<string, number>();
  for (const [number, text] of order) {
    const other = places.get(text);
    if (other !== undefined) wrong("doubled", `'${text}' is message ${other} and ${number}`);
    places.set(text, number);
  }
  const byText = new Map(publications.map((operation) => [textOf(operation), operation]));
  for (const { messages } of readers) {
    for (const message of messages) {
      const publication = byText.get(message.text);
      if (publication === undefined) wrong("doubled", "nobody has published this", [message]);
      else if (message.us < publication.askUs) {
        wrong("early", "read before it was published", [message, publication]);
      }
    }
  }
  const last = Math.max(0, ...order.keys());
  for (const publication of publications) {
    const { number } = publication.answer;
    if (publication.code !== "ok" || number === undefined) continue;
    const text = textOf(publication);
    const read = order.get(number);
    if (read === undefined) {
      const what = number > last ? "no reader has come to it" : "no reader has it";
      wrong("lost", `message ${number} was acknowledged and ${what}`, [publication]);
    } else if (read !== text) {
      wrong("order", `message ${number} is '${read}', its publisher's is '${text}'`, [publication]);
    }
  }
  const { told, unheard } = numbersOf(publications, ({ answer }) => answer.number);
  checkNumbers({ numbers: told, unheard, wrong });
  return found;
}

/** Fills in what it read at which number, which is the same for all. */
function checkReader(
  { after, messages }: Reader,
  order: Map<number, string>,
  wrong: (kind: Violation["kind"], text: string, evidence: readonly unknown[]) => void,
): void {
  let last = after;
  for (const message of messages) {
    const { number, text } = message;
    if (number <= last) wrong("doubled", `a reader had ${number} after ${last}`, [message]);
    else if (number > last + 1) wrong("gap", `a reader had ${number} after ${last}`, [message]);
    last = Math.max(last, number);
    const known = order.get(number);
    if (known === undefined) order.set(number, text);
    else if (known !== text) {
      wrong("order", `message ${number} is '${known}' for one reader, '${text}' for another`, [
        message,
      ]);
    }
  }
}

function textOf({ asked }: Operation): string {
  return "text" in asked ? asked.text : "";
}
