// SPDX-License-Identifier: MIT
// Clients of the HTTP door: a connection for each request, as of curl.
import type { Duplex } from "node:stream";
import type { Change } from "./changes.ts";
import type { Members } from "./cluster-checker.ts";
import type { Party, PartyEvents } from "./party.ts";
import type { AskStep } from "./script.ts";
import type { Answer, Told } from "./told.ts";

/** The scope that they ask in. */
export const httpScope = "s1";

export interface HttpRequest {
  readonly method: "GET" | "POST";
  /** With its query. */
  readonly path: string;
  readonly body?: object;
}

/** One request and its answer. @returns what ends its connection */
export function exchange(
  stream: Duplex,
  { method, path, body }: HttpRequest,
  { onAnswer, onClosed }: { onAnswer: (text: string) => void; onClosed: () => void },
): () => void {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    const [head = "", rest = ""] = text.split("\r\n\r\n");
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
    if (Buffer.byteLength(rest) < length || Number.isNaN(length)) return;
    onAnswer(rest);
    stream.end();
  });
  stream.on("end", () => stream.end());
  stream.on("close", onClosed);
  const json = body === undefined ? "" : JSON.stringify(body);
  const type = `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n`;
  stream.write(
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
      `${body === undefined ? "" : type}\r\n${json}`,
  );
  return () => void stream.destroy();
}

/** @returns what ends its connection */
export function startHttpClient(
  party: Party,
  stream: Duplex,
  step: AskStep,
  events: PartyEvents,
): () => void {
  party.leave = () => {
    party.end ??= { kind: "left" };
    stream.destroy();
  };
  return exchange(stream, httpRequestOf(party, step), {
    onAnswer: (text) => onAnswer(party, step, text, events),
    onClosed: () => {
      if (party.end === undefined) events.closed(party, "closed without an answer");
    },
  });
}

function httpRequestOf(
  party: Party,
  { ask, barrier, error, timeoutMs, again }: AskStep,
): HttpRequest {
  const who = { name: party.name, ...(again === undefined ? {} : { id: party.name }) };
  const arrival = { ...who, error, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  const post = (path: string, body: object): HttpRequest => {
    return { method: "POST", path: `/v1/${path}?scope=${httpScope}`, body };
  };
  switch (ask.what) {
    case "count-init": {
      const { count, waits } = ask;
      return post(`barriers/${barrier}/init`, { ...arrival, count, waits });
    }
    case "count-wait":
      return post(`barriers/${barrier}/wait`, arrival);
    case "signal":
      return post(`states/${barrier}/signal`, who);
    case "state-wait":
      return post(`states/${barrier}/wait`, { ...arrival, target: ask.target });
    case "signal-and-wait":
      return post(`states/${barrier}/wait`, { ...arrival, target: ask.target, signal: true });
    case "quorum-init": {
      const { count, percent } = ask;
      const size = count === undefined ? { percent } : { count };
      return post(`quorums/${barrier}/init`, { ...who, ...size });
    }
    case "quorum-wait":
      return post(`quorums/${barrier}/wait`, arrival);
    case "roster-open": {
      const { members, phases, whenDead, whenLate } = ask;
      const rules = { phases, whenDead, whenLate };
      return post(`rosters/${barrier}/open`, { ...who, members, ...rules });
    }
    case "roster-arrive": {
      // Its name is that of the member; the log has whose request it is as its node.
      const member = { name: ask.member, node: party.name };
      return post(`rosters/${barrier}/arrive`, { ...arrival, ...member });
    }
    case "roster-change":
      return post(`rosters/${barrier}/change`, membersOf(party, ask));
    default:
      throw new Error(`nobody asks for ${ask.what} over HTTP here`);
  }
}

/**
 * Who is added is of a group of the name of the request: what is changed is all that the log has of
 * who asked.
 */
export function membersOf(
  { name }: Pick<Party, "name">,
  { add, remove, isGrouped }: Extract<Change, { what: "roster-change" }>,
): Members {
  const members = add.map((one) => (isGrouped === true ? { name: one, group: name } : one));
  return { add: members, remove };
}

function onAnswer(party: Party, { ask }: AskStep, text: string, events: PartyEvents): void {
  const { code } = JSON.parse(text) as { readonly code?: string };
  const isOpen = code === "unavailable" || code === "ended";
  // Who has an id asks again then, and is answered by whom it asks.
  if (!isOpen || party.hasId !== true) party.answers += 1;
  if (party.end !== undefined) return;
  if (isOpen) events.closed(party, text);
  else events.answered(party, answerOf(text, ask.what === "signal-and-wait"));
}

/** @param signals whether the number of a signal belongs to it */
function answerOf(text: string, signals: boolean): Answer {
  const { outcome, error, generation, value, code } = JSON.parse(text) as {
    readonly outcome?: string;
    readonly error?: number;
    readonly generation?: number;
    readonly value?: number;
    readonly code?: string;
  };
  const isValue = ({ what, number }: Told): boolean => what === "signalled" && number === value;
  const isEnd = (told: Told): boolean => {
    if (code !== undefined) return told.word === code;
    if (outcome === "crossed") {
      const isIt = told.what === "released" && told.word === "crossed";
      return isIt && told.number === error && told.generation === generation;
    }
    if (outcome === "open") {
      const isIt = told.what === "status" && told.word === "initialised";
      return isIt && told.generation === generation;
    }
    return value === undefined ? told.what === "acknowledged" : isValue(told);
  };
  const isBoth = signals && outcome === "crossed";
  return { text, fits: isEnd, ...(isBoth ? { alsoFits: isValue } : {}) };
}
