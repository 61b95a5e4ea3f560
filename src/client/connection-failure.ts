// SPDX-License-Identifier: MIT
// Why a connection did not come about, in words: what a socket says of its failure, and whether
// trying again is of any use. Browsers say nothing of it; Node's WebSockets do, each in its way.

export interface ConnectionFailure {
  readonly text: string;
  /** The two ends do not agree about TLS: they will not agree the next time either. */
  readonly isFinal: boolean;
}

/** @param event what a WebSocket calls `onerror` with; undefined when it says nothing. */
export function describeFailure(event: unknown): ConnectionFailure | undefined {
  let found = fieldOf(event, "error");
  let text = "";
  // The reason is at the end of the chain: "fetch failed", because of ..., because of ...
  for (let depth = 0; depth < 4 && found !== undefined; depth += 1) {
    const [message, code] = [fieldOf(found, "message"), fieldOf(found, "code")];
    if (typeof message === "string" && message !== "") text = message;
    else if (typeof code === "string") text = code;
    if (typeof code === "string") {
      const advice = adviceOf(code);
      if (advice !== undefined) return { text: `${text} (${code}); ${advice}`, isFinal: true };
    }
    found = fieldOf(found, "cause");
  }
  return text === "" ? undefined : { text, isFinal: false };
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
