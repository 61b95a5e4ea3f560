// SPDX-License-Identifier: MIT
// The fields of a configuration file of `muster serve`, in one table: what is checked and the
// published schema (docs/reference/serve.schema.json) come from here. The words are those of the
// options; a test compares them.
import { shardsMax } from "../../core/shard.ts";
import {
  documentSchema,
  type FieldType,
  type JsonSchema,
  type RecordType,
  type TextType,
} from "../../experiment/index.ts";

const text: TextType = {
  kind: "text",
  what: "text of one line",
  pattern: "^[^\\u0000\\n\\r]+$",
};
const file: FieldType = { kind: "text", what: "a path", pattern: "^[^\\u0000\\n\\r]+$" };
const texts = textsOf(text);

/** One, or a list of them. */
function textsOf(of: TextType): FieldType {
  return { kind: "either", options: [of, { kind: "list", of, min: 1, max: 1_000 }] };
}

const doors = textsOf({ ...text, kindHint: "Say which door: http=8470, http=127.0.0.1:8470." });

/** A value that needs no quotes stays what it is in a file; the largest is what a number holds. */
const limitValue: FieldType = { kind: "integer", min: 1, max: Number.MAX_SAFE_INTEGER };

/** What --gnunet-peers takes at most. */
export const gnunetPeersMax = 1_000_000;

/** What --keep-days and --keep-bytes take at most: 15 digits. */
export const keepMax = 999_999_999_999_999;

export const serverNamePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";

const serverName = {
  ...({ kind: "text", what: "a name of 1 to 63 letters, digits, ., _ and -" } as const),
  pattern: serverNamePattern,
};

export const serveType: RecordType = {
  kind: "record",
  name: "serve",
  about: "What muster serve is to do. Keys are its options without the dashes.",
  mayBeEmpty: true,
  fields: {
    state: { type: file, about: "Where the experiments are kept" },
    name: {
      type: serverName,
      about: "What this server calls itself",
    },
    role: {
      type: { kind: "choice", values: ["boss", "ops"] },
      about: "boss: experiments and boss's own bus; ops: users' events; both when absent",
    },
    listen: { type: doors, about: "Doors to open: http=127.0.0.1:8470, or a list of them" },
    allow: { type: texts, about: "Who may come to doors of a kind: syncd=10.0.0.0/8" },
    "redirect-events": { type: texts, about: "Connections to pass on: 192.0.2.1:2917=ops:2917" },
    log: { type: text, about: "Log of the core: memory, sqlite:FILE or nats://HOST:PORT" },
    shards: {
      type: { kind: "integer", min: 1, max: shardsMax },
      about: "Logs on NATS that the scopes are spread over; the same for all servers, for ever",
    },
    "nats-creds": { type: file, about: "Credentials of the account of NATS that has the log" },
    tls: { type: file, about: "Directory of muster cert, for the doors that speak TLS" },
    "tls-name": { type: text, about: "Whose certificate of several in that directory" },
    "tls-cert": { type: file, about: "A certificate that somebody else has made (PEM)" },
    "tls-key": { type: file, about: "Its key (PEM)" },
    "tls-ca": { type: file, about: "Who has signed the certificates of clients (PEM)" },
    "http-client-certs": {
      type: { kind: "boolean" },
      about: "Clients of the http door must show a certificate",
    },
    origin: { type: texts, about: "Pages of these origins may use the http door" },
    limit: {
      type: { kind: "map", of: limitValue, what: "a limit", key: "^[A-Za-z]+$" },
      about: "Limits by their names (limits.md)",
    },
    "gnunet-peers": {
      type: { kind: "integer", min: 0, max: gnunetPeersMax },
      about: "Peers of a GNUnet controller besides those that drivers register",
    },
    controller: {
      type: serverName,
      about: "What this controller is called in a tree; the same for all servers of its log",
    },
    "controllers-key": {
      type: file,
      about: "The key of those below; the same for all servers of its log",
    },
    parent: { type: text, about: "Controller above this one: NAME@127.0.0.1:2105" },
    "parent-key": { type: file, about: "A copy of its controllers.key" },
    "parent-ca": { type: file, about: "Who has signed its certificate: the link speaks TLS (PEM)" },
    "parent-cert": { type: file, about: "A certificate to show it, with its key (PEM)" },
    below: { type: texts, about: "Hosts where a controller is started below: USER@HOST:PORT" },
    "below-shell": { type: text, about: "How to run commands there: ssh -p %p %u@%h" },
    "below-command": { type: text, about: "What to run there: muster serve ...; %h is the host" },
    "below-at": { type: text, about: "Where they reach this one: 192.0.2.1:2105" },
    drain: {
      type: { kind: "integer", min: 0, max: 86_400 },
      about: "Seconds that waits have left when the server is told to end",
    },
    "keep-days": {
      type: { kind: "integer", min: 0, max: keepMax },
      about: "Results of runs that were written longer ago go",
    },
    "keep-bytes": {
      type: { kind: "integer", min: 0, max: keepMax },
      about: "The oldest results go until all together are at most this large",
    },
    scheduler: {
      type: { kind: "choice", values: ["process", "inside"] },
      about: "Where schedulers of events are",
    },
    rundir: { type: file, about: "Directory of the pid files of schedulers" },
    "ops-dir": { type: file, about: "Directory of the keys and logs of schedulers" },
    ops: { type: text, about: "Machine where eventsys_control starts schedulers" },
    "ops-shell": { type: text, about: "How to run commands there: ssh -p %p %u@%h" },
    "ops-user": { type: text, about: "Who one is there" },
    "ops-port": { type: { kind: "integer", min: 1, max: 65_535 }, about: "What %p is" },
    "ops-proxy": { type: file, about: "eventsys.proxy there" },
  },
};

/** The schema of a configuration file. */
export function serveSchema(): JsonSchema {
  return documentSchema(serveType, {
    file: "serve.schema.json",
    title: "Configuration of muster serve",
  });
}
