// SPDX-License-Identifier: MIT
// The floor: the barest program that plays the same rounds over the same WebSockets. A counter, a
// list of who waits, a list of who listens. No scopes, no log, no order, no limits, no leaving.
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { serve } from "../syncd/rpc.ts";

interface Message {
  readonly id: string;
  readonly signal_entry?: { readonly state: string };
  readonly barrier?: { readonly state: string; readonly target: number };
  readonly publish?: { readonly topic: string; readonly payload: unknown };
  readonly subscribe?: { readonly topic: string };
}

interface State {
  count: number;
  waiting: { readonly socket: WebSocket; readonly id: string; readonly target: number }[];
}

const states = new Map<string, State>();
const topics = new Map<string, { count: number; readonly readers: [WebSocket, string][] }>();

const answer = (id: string, publish: string, subscribe: string, signal: string): string =>
  `{"id":${JSON.stringify(id)},"error":"","publish":${publish},"subscribe":${subscribe},"signal_entry":${signal}}\n`;

function stateOf(name: string): State {
  const known = states.get(name);
  if (known !== undefined) return known;
  const state = { count: 0, waiting: [] };
  states.set(name, state);
  return state;
}

function topicOf(name: string) {
  const known = topics.get(name);
  if (known !== undefined) return known;
  const topic = { count: 0, readers: [] };
  topics.set(name, topic);
  return topic;
}

function release(state: State): void {
  const met = state.waiting.filter(({ target }) => state.count >= target);
  if (met.length === 0) return;
  state.waiting = state.waiting.filter(({ target }) => state.count < target);
  for (const { socket, id } of met) socket.send(answer(id, "null", '""', "null"));
}

function onMessage(socket: WebSocket, { id, ...message }: Message): void {
  if (message.signal_entry) {
    const state = stateOf(message.signal_entry.state);
    state.count += 1;
    socket.send(answer(id, "null", '""', `{"seq":${state.count}}`));
    release(state);
  } else if (message.barrier) {
    const state = stateOf(message.barrier.state);
    state.waiting.push({ socket, id, target: message.barrier.target });
    if (state.count >= message.barrier.target) release(state);
  } else if (message.publish) {
    const topic = topicOf(message.publish.topic);
    topic.count += 1;
    socket.send(answer(id, `{"seq":${topic.count}}`, '""', "null"));
    const text = JSON.stringify(JSON.stringify(message.publish.payload));
    for (const [reader, to] of topic.readers) reader.send(answer(to, "null", text, "null"));
  } else if (message.subscribe) {
    topicOf(message.subscribe.topic).readers.push([socket, id]);
  }
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("message", (data: Buffer) => onMessage(socket, JSON.parse(data.toString("utf8"))));
});
await new Promise((resolve) => server.once("listening", resolve));

serve({
  port: () => (server.address() as AddressInfo).port,
  memory: () => process.memoryUsage().rss,
});
