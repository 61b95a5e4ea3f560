// SPDX-License-Identifier: MIT
// What a user names with `nats:URL`: brokers, stream, and how to be let in. Reads what it names of
// files and connects to nothing.
import { createHash } from "node:crypto";
import type { Shard } from "../core/shard.ts";
import { errorText } from "../core/text.ts";
import { LogError } from "./log.ts";
import { readSmallFile } from "./small-file.ts";

/** What `nats:URL` says. */
export interface NatsPlace {
  /** `host:port` of brokers of one cluster. */
  readonly servers: readonly string[];
  /** The stream of the log; the messages of topics are in one beside it. */
  readonly stream: string;
  /** Which of several logs of a cluster it has; absent where there is but one. */
  readonly shard?: Shard;
  /** The experiment, `pid/eid`, whose plan is the only thing in this log. */
  readonly plan?: string;
  /** Copies of each message: 1, 3 or 5. */
  readonly replicas: number;
  readonly user?: string;
  readonly password?: string;
  readonly credentialsFile?: string;
  readonly tls?: NatsTls;
  /** Which JetStream, where a leaf node is between it and us. */
  readonly domain?: string;
}

/** PEM, each. */
export interface NatsTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** How a name of a log on NATS looks, for help texts and errors. */
export const natsForm = "nats://[USER:PASSWORD@]HOST:PORT[,HOST:PORT...][/STREAM][?replicas=3]";

const placePattern =
  /^nats:(?:(?:(tls|nats):)?\/\/)?(?:([^@/?]*)@)?([^@/?]+)(?:\/([^/?]*))?(?:\?(.*))?$/;
const serverPattern = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;
const streamPattern = /^[A-Za-z0-9_-]{1,64}$/;
const domainPattern = /^[A-Za-z0-9_-]{1,64}$/;
const parameters = ["replicas", "creds", "ca", "cert", "key", "domain"];

/** @throws LogError (definite) that says what is wrong with the name and never repeats a secret. */
export function parseNatsPlace(name: string): NatsPlace {
  const [, scheme, account, hosts = "", path = "", query = ""] = placePattern.exec(name) ?? [];
  if (hosts === "") throw wrong(`a log on NATS is named ${natsForm}`);
  const servers = hosts.split(",");
  if (servers.includes("")) {
    throw wrong(`'${hosts}' has a comma without a HOST:PORT; a log on NATS is named ${natsForm}`);
  }
  for (const server of servers) {
    const [, , port = "1"] = serverPattern.exec(server) ?? [];
    if (!serverPattern.test(server) || Number(port) < 1 || Number(port) > 65_535) {
      throw wrong(`'${server}' is no HOST:PORT; a log on NATS is named ${natsForm}`);
    }
  }
  const stream = path === "" ? "muster" : path;
  if (!streamPattern.test(stream)) {
    throw wrong(`'${stream}' is no name of a stream: 1 to 64 letters, digits, - and _`);
  }
  const given = new URLSearchParams(query);
  for (const key of given.keys()) {
    if (!parameters.includes(key)) {
      throw wrong(`there is no '${key}' in the name of a log; there are ${parameters.join(", ")}`);
    }
    if (given.getAll(key).length > 1) throw wrong(`${key}= is there twice; give it once`);
  }
  const replicas = given.get("replicas") ?? "1";
  if (!/^[135]$/.test(replicas)) throw wrong(`replicas=${replicas}: give 1, 3 or 5`);
  const [user, ...password] = (account ?? "").split(":").map(decodeAccount);
  const credentialsFile = given.get("creds");
  const tls = tlsOf(scheme, given);
  const domain = given.get("domain");
  if (domain !== null && !domainPattern.test(domain)) {
    throw wrong(`domain=${domain}: give the name of the domain of JetStream, letters and digits`);
  }
  return {
    ...{ servers, stream, replicas: Number(replicas) },
    ...(user === undefined || user === "" ? {} : { user, password: password.join(":") }),
    ...(credentialsFile === null ? {} : { credentialsFile }),
    ...(tls === undefined ? {} : { tls }),
    ...(domain === null ? {} : { domain }),
  };
}

/**
 * The place of one of the logs of a cluster. The first has the stream that was named, so that a
 * server that is told of another number of logs finds it, and is refused.
 */
export function placeOfShard(place: NatsPlace, shard: Shard): NatsPlace {
  if (shard.count === 1) return place;
  const { stream } = place;
  return { ...place, stream: shard.index === 0 ? stream : `${stream}-${shard.index}`, shard };
}

/** Characters of an experiment's name that the name of its stream shows. */
const planNameMax = 32;

/**
 * The place of the log of an experiment's scheduler, beside the stream that was named. Names of
 * experiments may have what those of streams may not, or be long: what is left of them is for
 * people, and the hash keeps two apart.
 * @param experiment `pid/eid`
 */
export function placeOfPlan(place: NatsPlace, experiment: string): NatsPlace {
  const shown = experiment.replace(/[^A-Za-z0-9]/g, "-").slice(0, planNameMax);
  const hash = createHash("sha256").update(experiment).digest("hex").slice(0, 12);
  return { ...place, stream: `${place.stream}-plan-${shown}-${hash}`, plan: experiment };
}

/** A name of a log as it may be shown: without its password. */
export function maskNatsName(name: string): string {
  return name.replace(/^([^@?]*\/\/|nats:)[^@/?]*@/, "$1***@");
}

/** @throws LogError (definite) */
function decodeAccount(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong("a % of USER:PASSWORD@ begins no %-code; write %25 for the % itself");
  }
}

function tlsOf(scheme: string | undefined, given: URLSearchParams): NatsTls | undefined {
  const [caFile, certFile, keyFile] = ["ca", "cert", "key"].map((key) => given.get(key));
  if (scheme !== "tls" && !caFile && !certFile && !keyFile) return undefined;
  if (Boolean(certFile) !== Boolean(keyFile)) throw wrong("give cert= and key= together");
  return {
    ...(caFile ? { ca: readText(caFile, "the authority") } : {}),
    ...(certFile ? { cert: readText(certFile, "the certificate") } : {}),
    ...(keyFile ? { key: readText(keyFile, "the key") } : {}),
  };
}

/** @throws LogError (definite) */
export function readText(file: string, what: string): string {
  try {
    return readSmallFile(file);
  } catch (error) {
    throw wrong(`${what} for NATS cannot be read from ${file}: ${errorText(error)}`);
  }
}

export function wrong(message: string): LogError {
  return new LogError(message, { definite: true });
}
