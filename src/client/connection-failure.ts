// SPDX-License-Identifier: MIT
// Why a connection did not come about, in words: what a socket says of its failure, and whether
// trying again is of any use. Browsers say nothing of it; Node's WebSockets do, each in its way.

export interface ConnectionFailure {
  readonly text: string;
  /** The two ends will not understand each other the next time either. */
  readonly isFinal: boolean;
  /** Who answers, if anybody: no server of ours, or one that takes nobody now. */
  readonly by?: "another" | "one-that-refuses";
}

/** @param event what a WebSocket calls `onerror` with; undefined when it says nothing. */
export function describeFailure(event: unknown): ConnectionFailure | undefined {
  let found = fieldOf(event, "error");
  let text = "";
  // The reason is at the end of the chain: "fetch failed", because of ..., because of ...
  for (let depth = 0; depth < 4 && found !== undefined; depth += 1) {
    const [message, code] = [fieldOf(found, "message"), fieldOf(found, "code")];
    const other = describeOther(found);
    if (other !== undefined) return other;
    if (typeof message === "string" && message !== "") text = withoutLibrary(message);
    else if (typeof code === "string") text = code;
    if (typeof code === "string") {
      const advice = adviceOf(code);
      const isFinal = advice !== undefined;
      if (isFinal) return { text: `${text} (${code}); ${advice}`, isFinal };
    }
    found = fieldOf(found, "cause");
  }
  return text === "" ? undefined : { text, isFinal: false };
}

/** By their first words, which they say unasked. */
const greetings: readonly (readonly [start: string, who: string])[] = [
  ["INFO {", "a NATS server"],
  ["SSH-", "an SSH server"],
];

/** @returns who has answered, if it was not in HTTP. */
export function whoAnswers(error: unknown): string | undefined {
  const code = fieldOf(error, "code");
  if (typeof code !== "string" || !code.startsWith("HPE_")) return undefined;
  const bytes = fieldOf(error, "rawPacket");
  const said = bytes instanceof Uint8Array ? latin1(bytes.subarray(0, 16)) : "";
  const known = greetings.find(([start]) => said.startsWith(start));
  return known?.[1] ?? "something that speaks no HTTP";
}

/** What a server that opens no WebSocket there answers; others may be ours, or say when it is. */
const noSocket = /^Unexpected server response: (200|30\d|400|404|405|426|501)$/;

/** What a server of ours answers when it drains. */
const takesNobody = "Unexpected server response: 503";

function describeOther(error: unknown): ConnectionFailure | undefined {
  const who = whoAnswers(error);
  const advice = "give the URL that muster serve prints for its http door";
  if (who !== undefined) {
    return { text: `${who} answers there; ${advice}`, isFinal: true, by: "another" };
  }
  const message = String(fieldOf(error, "message"));
  if (message === takesNobody) {
    const text = "it answers 503: it is closing, or takes nobody now";
    return { text, isFinal: false, by: "one-that-refuses" };
  }
  const [, status] = noSocket.exec(message) ?? [];
  if (status === undefined) return undefined;
  const text = `an HTTP server answers ${status}: it is no muster serve, or the path is another`;
  return { text, isFinal: false, by: "another" };
}

/** What OpenSSL says has its places in it, and a line of its own. */
function withoutLibrary(message: string): string {
  return /:SSL routines:[^:]*:([^:\n]+)/.exec(message)?.[1] ?? message;
}

/** What to do about an error of TLS; undefined for other errors. */
function adviceOf(code: string): string | undefined {
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "EPROTO") {
    return "the server speaks no TLS there; call it with http:// if that is meant";
  }
  if (/ALERT_.*CERTIFICATE|HANDSHAKE_FAILURE/.test(code)) {
    return "the server asks its clients for a certificate: --cert FILE, or musterd/client/tls in a program";
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "call the server by a name that its certificate has";
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return "give the server a certificate that is valid today";
  }
  if (/^(ERR_SSL_|ERR_TLS_|CERT_|.*_CERT|.*SELF_SIGNED|UNABLE_TO_VERIFY)/.test(code)) {
    return "name the certificate of who has signed the server's: --ca FILE, or NODE_EXTRA_CA_CERTS in a program";
  }
  return undefined;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
