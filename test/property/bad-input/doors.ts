// SPDX-License-Identifier: MIT
// Every door of Muster that takes bytes over TCP, each with a conversation that it serves, and with
// bytes that are wrong for it and the end that its documentation says they come to.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { Tmcd } from "../../../src/edges/tmcd/index.ts";
import { XmlRpcDoor } from "../../../src/edges/xmlrpc/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { initDirectory, issueFiles } from "../../../src/pki/index.ts";
import { NodeConfig } from "../../../src/testbed/node-config.ts";
import { encodeRequest } from "../../../src/wire/emulab-sync/index.ts";
import { encodeMessage } from "../../../src/wire/gnunet/index.ts";
import { linkFormat, sessionProtocol } from "../../../src/wire/link/frames.ts";
import { text } from "../../../src/wire/xmlrpc/index.ts";
import { openServer, whenOver } from "../../unit/edges/open-server.ts";
import { hello, init } from "../../unit/gnunet/harness.ts";
import { init as syncInit, v2 } from "../../unit/syncd/harness.ts";
import { experiments, nodesOf } from "../../unit/tmcd/harness.ts";
import { frame, handshake, httpRequest } from "./wire.ts";

/** Closed without a byte; closed behind a text; closed with a code of WebSocket. */
type End = "nothing" | { readonly says: string } | { readonly code: number };

export interface DoorUnderTest {
  readonly name: string;
  dial(): Duplex;
  /** What a client says, and what it hears then. */
  readonly talk: Buffer;
  readonly served: string;
  /** The end of the client's side is part of what it says. */
  readonly ends?: boolean;
  readonly wrong: readonly (readonly [what: string, bytes: Buffer, end: End])[];
}

const deep = "[".repeat(50_000);
const mb64 = 64 * 1024 * 1024;

/** What every door behind a WebSocket does with frames that are none. [RFC 6455] */
function wrongFrames(start: Buffer): DoorUnderTest["wrong"] {
  const row = (what: string, bytes: Buffer, code: number) =>
    [what, Buffer.concat([start, bytes]), { code }] as const;
  return [
    row("a frame that says 64 MB", frame("{", 0x81, mb64), 1009),
    row("a frame that says 2^53", frame("{", 0x81, Number.MAX_SAFE_INTEGER), 1009),
    row("a frame without a mask", Buffer.from([0x81, 2, 0x7b, 0x7d]), 1002),
    row("a frame of an unknown kind", frame("{}", 0x83), 1002),
    row("text that is no UTF-8", frame(Buffer.from([0x22, 0xc3, 0x22])), 1007),
    row("a continuation of nothing", frame("{}", 0x80), 1002),
    row("a control frame in pieces", frame("", 0x09), 1002),
    row("a frame with reserved bits", frame("{}", 0xb1), 1002),
  ];
}

function wrongMessages(start: Buffer, end: (what: string) => End): DoorUnderTest["wrong"] {
  const messages = {
    "no JSON": "hello",
    null: "null",
    "deep JSON": deep,
    "an array": "[]",
    "an empty message": "",
  };
  return Object.entries(messages).map(([what, text]) => {
    return [what, Buffer.concat([start, frame(text)]), end(what)] as const;
  });
}

function wrongBodies(path: string): DoorUnderTest["wrong"] {
  const post = (body: string) => httpRequest(`POST ${path}`, body);
  const refused = { says: "400 Bad Request" };
  return [
    ["no JSON", post("{"), refused],
    ["null", post("null"), refused],
    ["an array", post("[]"), refused],
    ["deep JSON", post(deep), refused],
    ["deep JSON in a field", post(`{"name":${deep}`), refused],
    [
      "a body that says 64 MB",
      httpRequest(`POST ${path}`, "", `Content-Length: ${mb64}\r\n`),
      { says: "413 " },
    ],
    [
      "two lengths",
      httpRequest(`POST ${path}`, "", "Content-Length: 1\r\nContent-Length: 2\r\n"),
      refused,
    ],
    [
      "a head of 32 KB",
      httpRequest("GET /healthz", "", `X: ${"x".repeat(32_000)}\r\n`),
      { says: "431 " },
    ],
    ["no HTTP", Buffer.from("HELLO\r\n\r\n"), refused],
  ];
}

/** All of them, on cores, sources and certificates of this process. @param folder for files */
export async function openAllDoors(folder: string): Promise<readonly DoorUnderTest[]> {
  const listen = [
    "http",
    "syncd",
    "testground",
    "gnunet",
    "gnunet-barrier",
    "controllers",
    "events",
  ];
  const { portOf } = await openServer(folder, { listen: listen.map((door) => `${door}=0`) });
  const at = (door: string) => {
    const port = portOf(door);
    return () => connect({ port, host: "127.0.0.1", noDelay: true });
  };
  const [http, events] = [at("^http"), at("^events")];
  return [
    ...httpDoors(http),
    ...socketDoors(http, events, at("^testground")),
    ...binaryDoors(at("^syncd"), at("testbed"), at("testbed-barrier")),
    controllers(at("controllers may join muster")),
    await tmcdDoor(),
    await xmlRpcDoor(folder),
  ];
}

function httpDoors(dial: () => Duplex): readonly DoorUnderTest[] {
  const init0 = "/v1/barriers/b/init";
  const notice = '{"attributes":[{"name":"EXPT","type":"string","value":"p/e"}]}';
  return [
    {
      ...{ name: "http", dial, served: '"outcome":"counted"', wrong: wrongBodies(init0) },
      talk: httpRequest(`POST ${init0}`, '{"count":0}'),
    },
    {
      ...{ name: "notifications", dial, served: '"matched"' },
      talk: httpRequest("POST /v1/notifications", notice),
      wrong: wrongBodies("/v1/notifications"),
    },
  ];
}

function socketDoors(
  http: () => Duplex,
  events: () => Duplex,
  testground: () => Duplex,
): readonly DoorUnderTest[] {
  const [toSession, toBus] = [
    handshake("/v1/session", sessionProtocol),
    handshake("/v1/bus", "muster.bus.1"),
  ];
  const toTestground = handshake("/");
  const deflate = handshake("/", undefined, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  const compressed = Buffer.concat([deflate, frame("\x07\x07\x07", 0xc1)]);
  const format = { kind: "hello", format: linkFormat, edge: "e", incarnation: 1 };
  const greeting = frame(JSON.stringify({ ...format, acknowledged: 0, seen: 0 }));
  const subscribe = '{"kind":"subscribe","id":1,"address":null,"after":null,"slow":"drop-oldest"}';
  const signal = '{"id":"0","signal_entry":{"state":"s"}}';
  const admitted = Buffer.concat([toSession, greeting]);
  return [
    {
      ...{ name: "session", dial: http, talk: admitted, served: '"kind":"welcome"' },
      wrong: [
        ...wrongFrames(toSession),
        // A stranger is told nothing, who was let in is told why.
        ...wrongMessages(toSession, () => ({ says: "101 Switching" })),
        ...wrongMessages(admitted, () => ({ says: '"kind":"closed"' })),
      ],
    },
    {
      ...{ name: "bus", dial: events, served: '"kind":"subscribed"' },
      talk: Buffer.concat([toBus, frame(subscribe)]),
      wrong: [...wrongFrames(toBus), ...wrongMessages(toBus, () => ({ code: 4400 }))],
    },
    {
      ...{ name: "testground", dial: testground, served: '"signal_entry":{"seq":' },
      talk: Buffer.concat([toTestground, frame(signal)]),
      wrong: [
        ...wrongFrames(toTestground),
        ...wrongMessages(toTestground, () => ({ code: 1007 })),
        ["a compressed message that is none", compressed, { code: 1007 }],
      ],
    },
  ];
}

function binaryDoors(
  syncd: () => Duplex,
  testbed: () => Duplex,
  peers: () => Duplex,
): readonly DoorUnderTest[] {
  const request = Buffer.from(encodeRequest(syncInit(1, false), v2));
  const spoilt = (at: number, byte: number) => {
    const bytes = Buffer.from(request);
    bytes[at] = byte;
    return bytes;
  };
  const opened = Buffer.concat([hello, init("b", 0)].map((message) => encodeMessage(message)));
  const wait = Buffer.from([0, 5, 1, 0xe7, 0x78]);
  const tooMany = Buffer.alloc(80, 0x78);
  return [
    {
      ...{ name: "syncd", dial: syncd, talk: request, served: "\0\0\0\0" },
      wrong: [
        ["an unknown kind of request", spoilt(65, 0x7f), "nothing"],
        ["text", tooMany, "nothing"],
      ],
    },
    {
      ...{ name: "gnunet", dial: testbed, talk: opened, served: "\x01\xe6\0\x01\0\x01b\0" },
      wrong: [
        ["a size of 3", Buffer.from([0, 3, 1, 0xcc]), "nothing"],
        ["a barrier before the hello", Buffer.from(encodeMessage(init("b", 0))), "nothing"],
        ["an unknown type", Buffer.from([0, 4, 0, 1]), "nothing"],
        ["lengths that lie", Buffer.concat([encodeMessage(hello), lyingStatus()]), "nothing"],
      ],
    },
    {
      ...{ name: "gnunet-barrier", dial: peers, talk: wait, served: "\x01\xe6\0\x03\0\x01x\0" },
      wrong: [
        ["a size of 0", Buffer.from([0, 0, 1, 0xe7]), "nothing"],
        ["a name with a NUL", Buffer.from([0, 6, 1, 0xe7, 0x78, 0]), "nothing"],
        ["an init", Buffer.from(encodeMessage(init("b", 0))), "nothing"],
      ],
    },
  ];
}

/** A STATUS whose name says that it is longer than the message. */
function lyingStatus(): Buffer {
  return Buffer.from([0, 12, 1, 0xe6, 0, 2, 0xff, 0xff, 0x62, 0, 0, 0]);
}

function controllers(dial: () => Duplex): DoorUnderTest {
  const greeting = { kind: "hello", format: linkFormat, edge: "child/x", incarnation: 1 };
  const proofs = { acknowledged: 0, seen: 0, nonce: "00", proof: "00" };
  const line = (text: string) => Buffer.from(`${text}\n`);
  const challenged = { says: '"kind":"challenge"' };
  return {
    ...{ name: "controllers", dial, served: "its key is another one" },
    talk: line(JSON.stringify({ ...greeting, ...proofs })),
    wrong: [
      ["no JSON", line("hello"), challenged],
      ["null", line("null"), challenged],
      ["deep JSON", line(deep), challenged],
      ["a batch before the hello", line('{"kind":"batch","number":1,"commands":[]}'), challenged],
      ["a line of 2 MB", Buffer.alloc(2 * 1024 * 1024, 0x78), challenged],
    ],
  };
}

async function tmcdDoor(): Promise<DoorUnderTest> {
  const experiment = experiments["router"];
  if (experiment === undefined) throw new Error("no experiment");
  const nodes = nodesOf(experiment);
  const source = new NodeConfig({
    ...{ experiment, nodes, domain: "example.net", creator: "a", swapper: "b" },
  });
  const address = nodes[0]?.calledAt ?? "127.0.0.1";
  const settings = { source, clock: systemClock, logger: silentLogger, addresses: [address] };
  const tmcd = new Tmcd({ ...settings, port: 0 });
  const [port = 0] = await tmcd.listen();
  whenOver(() => tmcd.close());
  return {
    ...{ name: "tmcd", talk: Buffer.from("nodeid "), served: "pc", ends: true },
    dial: () => connect({ port, host: address, noDelay: true }),
    wrong: [["a request without an end", Buffer.alloc(1024 * 1024, 0x78), "nothing"]],
  };
}

async function xmlRpcDoor(folder: string): Promise<DoorUnderTest> {
  const directory = join(folder, "tls");
  const life = { days: 1, nowMs: systemClock.wallMs(), force: false };
  await initDirectory({ directory, keyKind: "ec", ...life });
  for (const kind of ["server", "user"] as const) {
    await issueFiles({ directory, kind, name: "localhost", san: ["127.0.0.1"], ...life });
  }
  const read = (name: string) => readFileSync(join(directory, name), "utf8");
  const [key, certificate] = [read("server/localhost.key"), read("server/localhost.crt")];
  const identity = { key, certificate, authority: read("ca.pem") };
  const service = { call: async () => text("done") };
  const door = new XmlRpcDoor({ service, identity, logger: silentLogger });
  const port = await door.listen("127.0.0.1", 0);
  whenOver(() => door.close());
  const pem = read("user/localhost.pem");
  const call = "<?xml version='1.0'?><methodCall><methodName>m</methodName></methodCall>";
  const post = (body: string, more = "") => httpRequest("POST /RPC2", body, more);
  const fault = { says: "<fault>" };
  return {
    ...{ name: "xmlrpc", talk: post(call), served: "done" },
    dial: () =>
      connectTls({ port, host: "127.0.0.1", ca: identity.authority, cert: pem, key: pem }),
    wrong: [
      ["no XML", post("hello"), fault],
      ["deep XML", post("<a>".repeat(20_000)), fault],
      ["a document type", post(`<!DOCTYPE a [<!ENTITY b "c">]>${call}`), fault],
      ["a body that says 64 MB", post("", `Content-Length: ${mb64}\r\n`), { says: "413 " }],
    ],
  };
}
