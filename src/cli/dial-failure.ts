// SPDX-License-Identifier: MIT
// Why no WebSocket to a server came about, for commands that take --ca and --cert, or MUSTER_CA and
// MUSTER_CERT: whether anybody answers there at all, and what to do about it. Pure.

import { whoAnswers } from "../client/connection-failure.ts";

/** @returns a sentence that begins small; it names `url` by its host and port */
export function describeDialFailure(
  url: Pick<URL, "host" | "hostname" | "protocol">,
  error: { readonly code?: string | undefined; readonly message: string },
): string {
  const { code, message } = error;
  const told = `(${code ?? message})`;
  const isTls = url.protocol === "wss:" || url.protocol === "https:";
  const answers = (what: string): string => `a server answers at ${url.host}, ${what} ${told}`;
  const advice = isTls ? tlsAdvice(url.hostname, code ?? "") : undefined;
  if (advice !== undefined) return answers(advice);
  const who = whoAnswers(error);
  if (who !== undefined) return `${who} answers at ${url.host}; ${prints}, with its port`;
  if (/^Unexpected server response/.test(message)) {
    return answers("but no http door of muster serve; give the URL that it prints");
  }
  // A TLS door hangs up on who speaks HTTP to it, and does not say why.
  if (!isTls && (code === "ECONNRESET" || code === "EPIPE")) {
    return answers(`and hangs up; does it speak TLS? Then give https://${url.host}`);
  }
  if (url.host !== url.hostname) return `no server answers at ${url.host} ${told}`;
  const port = `port ${isTls ? 443 : 80} of ${url.host}`;
  return `no server answers at ${port} ${told}; ${prints}, with its port`;
}

const prints = "give the URL that muster serve prints";

/** undefined for what is no matter of TLS. */
function tlsAdvice(name: string, code: string): string | undefined {
  switch (code) {
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return "and speaks no TLS; give http:// if that is meant";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `whose certificate is for other names than ${name}; give one that it has, or issue it with --san ${name}`;
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "whose certificate is not valid today; give the server another one, and look at the clocks";
  }
  if (/ALERT_.*CERTIFICATE|HANDSHAKE_FAILURE/.test(code)) {
    return "which wants a certificate; --cert NAME.pem or MUSTER_CERT names it (docs/reference/certificates.md)";
  }
  if (/^(CERT_|UNABLE_TO_|.*SELF_SIGNED|.*_CERT)/.test(code)) {
    return (
      "whose certificate is not trusted; --ca ca.pem or MUSTER_CA names its authority, a copy of ca.pem " +
      "of the server's TLS directory (docs/reference/certificates.md)"
    );
  }
  return undefined;
}
